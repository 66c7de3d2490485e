package compare

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Report is the comparison of many tensors.
type Report struct {
	Profile string
	Rows    []Row
	// FirstDiverging is the first node, in the order of the graph, whose inputs agree with the reference and whose outputs do
	// not; nil when there is none or inner values are not known.
	FirstDiverging *onnx.Node
	Loosened       []Loosening // loosenings that were used
}

// Loosening allows one tensor more, by a name in which * is any run of characters.
type Loosening struct {
	Pattern   string
	Tolerance Tolerance
	Reason    string
}

// OK reports whether every row agrees.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Rows, func(x Row) bool { return !x.Verdict.OK() })
}

// Named compares the tensors of got and want, by name, in the order of names; names beyond those are compared when both
// sides have them. A name that only one side has is missing or extra.
func Named(names []string, got, want map[string]*onnx.Tensor, p Profile, loosen ...Loosening) *Report {
	r := &Report{Profile: p.Name}
	for _, n := range names {
		r.Rows = append(r.Rows, r.row(n, got[n], want[n], p, loosen))
	}
	return r
}

func (r *Report) row(name string, got, want *onnx.Tensor, p Profile, loosen []Loosening) Row {
	switch {
	case got == nil && want == nil, got == nil:
		return Row{Name: name, Verdict: Missing, Detail: "only the reference has it"}
	case want == nil:
		return Row{Name: name, Verdict: Extra, Detail: "the reference lacks it"}
	}
	for _, l := range loosen {
		if onnx.MatchName(l.Pattern, name) {
			p = p.With(l.Tolerance)
			r.Loosened = append(r.Loosened, l)
		}
	}
	row := Tensors(got, want, p)
	row.Name = name
	return row
}

// Diverging is the first node of g whose inputs agree and whose outputs do not, given the values of both runs by name. Inputs
// agree when they are within half of p's tolerance, or when the reference does not have them.
func Diverging(g *onnx.Graph, got, want map[string]*onnx.Tensor, p Profile) *onnx.Node {
	half := p
	for _, t := range []*Tolerance{&half.Float64, &half.Float32, &half.Half, &half.BFloat} {
		t.Rel, t.Abs = t.Rel/2, t.Abs/2
	}
	agrees := func(vs []*onnx.Value, p Profile) (agree, known bool) {
		agree = true
		for _, v := range vs {
			if v == nil || got[v.Name] == nil || want[v.Name] == nil {
				continue
			}
			known = true
			agree = agree && Tensors(got[v.Name], want[v.Name], p).Verdict.OK()
		}
		return agree, known
	}
	order, _ := onnx.Sorted(g, nil)
	for _, n := range order {
		out, known := agrees(n.Outputs(), p)
		if !known || out {
			continue
		}
		if in, _ := agrees(append(n.Inputs(), n.Captures()...), half); in {
			return n
		}
	}
	return nil
}

// Worst orders the rows by how bad they are: disagreements first, then by the largest difference against the tolerance. At
// most n rows are given; 0 is all.
func (r *Report) Worst(n int) []Row {
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		if a.Verdict.OK() != b.Verdict.OK() {
			if a.Verdict.OK() {
				return 1
			}
			return -1
		}
		switch x, y := a.excess(), b.excess(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if n > 0 && n < len(rows) {
		rows = rows[:n]
	}
	return rows
}

// excess is the largest difference as a multiple of what the tolerance allows at 1.
func (r *Row) excess() float64 {
	return r.MaxAbs / max(r.Tolerance.Abs+r.Tolerance.Rel, 1e-300)
}

// WriteText writes a table for people: rows, the first diverging node, the verdict.
func (r *Report) WriteText(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\tverdict\tmax abs\tmax rel\tulp\tcosine\tSQNR dB\toutside %\tworst")
	for _, x := range rows {
		where := x.Detail
		switch {
		case where != "":
		case x.Verdict != Outside:
			where = "-"
		default:
			where = fmt.Sprintf("at %d: got %v, want %v", x.WorstIndex, x.Got, x.Want)
		}
		fmt.Fprintf(t, "%s\t%s\t%.3g\t%.3g\t%.3g\t%.6f\t%.1f\t%.3g\t%s\n", x.Name, x.Verdict, x.MaxAbs, x.MaxRel, x.ULP, x.Cosine, x.SQNR, x.Mismatch, where)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, l := range r.Loosened {
		fmt.Fprintf(w, "loosened %s to rtol %g, atol %g: %s\n", l.Pattern, l.Tolerance.Rel, l.Tolerance.Abs, l.Reason)
	}
	if n := r.FirstDiverging; n != nil {
		fmt.Fprintf(w, "first diverging node: %s (%s)\n", n.Label(), n.Operator())
	}
	verdict := "within"
	if !r.OK() {
		verdict = "outside"
	}
	_, err := fmt.Fprintf(w, "%s the tolerances of profile %s, %d tensors\n", verdict, r.Profile, len(r.Rows))
	return err
}
