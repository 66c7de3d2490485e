package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// row is an operator of the standard.
type row struct {
	opKey
	versions      []string
	deprecated    bool
	have, want    []string // types of the leading parameter
	runs, grad    string
	marked        bool // the standard marks it as differentiable
	passed, total int  // official node cases
}

// tabulate makes the rows by domain and name.
func tabulate(cases []*suiteCase) []*row {
	var rows []*row
	byOp := map[opKey]*row{}
	for domain := range schema.Domains() {
		for name := range schema.Names(domain) {
			r := rowOf(domain, name)
			rows, byOp[r.opKey] = append(rows, r), r
		}
	}
	for _, c := range cases {
		if !c.isNode() {
			continue
		}
		for _, k := range c.ops {
			if r := byOp[k]; r != nil {
				r.total++
				if c.passes {
					r.passed++
				}
			}
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.name, b.name))
	})
	return rows
}

// microsoft is the domain of the operators that ONNX Runtime adds.
const microsoft = "com.microsoft"

// contributed makes the rows of the operators of ONNX Runtime, whose cases are those that are compared with it.
func contributed(compared map[opKey]int) []*row {
	defs := ops.All.Domain(microsoft)
	for _, d := range ops.All.Domain("") {
		if d.Schema != nil {
			defs = append(defs, d)
		}
	}
	var rows []*row
	for _, d := range defs {
		n := compared[opKey{d.Domain, d.Type}]
		r := &row{opKey: opKey{microsoft, d.Type}, versions: []string{fmt.Sprint(d.Schema.Since)}, passed: n, total: n}
		if d.Domain != microsoft {
			r.name += " (in the default domain)"
		}
		r.runs, r.grad = implementation(d, d.Schema), gradient(d, d.Schema)
		r.have, r.want = typesOf(d, d.Schema)
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.name, b.name) })
	return rows
}

func rowOf(domain, name string) *row {
	versions := schema.Versions(domain, name)
	newest, d := versions[len(versions)-1], ops.All.Find(domain, name)
	r := &row{opKey: opKey{domain, name}, deprecated: newest.Deprecated}
	for _, s := range versions {
		r.versions = append(r.versions, fmt.Sprint(s.Since))
	}
	if newest.Deprecated && len(versions) > 1 {
		newest = versions[len(versions)-2] // the form that models have
	}
	r.runs, r.grad, r.marked = implementation(d, newest), gradient(d, newest), newest.Differentiable()
	r.have, r.want = typesOf(d, newest)
	return r
}

// supported reports whether r can be run at all.
func (r *row) supported() bool { return r.runs != no }

// sums are the figures of the short form.
type sums struct {
	onnx, onnxAll, ml, mlAll, others, othersAll int
	passed, cases                               int
	gradients, marked, markedAll                int
}

func sum(rows []*row, cases []*suiteCase) sums {
	var s sums
	for _, r := range rows {
		done, all := &s.others, &s.othersAll
		switch r.domain {
		case "":
			done, all = &s.onnx, &s.onnxAll
		case "ai.onnx.ml":
			done, all = &s.ml, &s.mlAll
		}
		*all++
		if r.supported() {
			*done++
		}
		has := r.grad == yes || r.grad == body || r.grad == zero
		if has && r.grad != zero {
			s.gradients++
		}
		if r.marked {
			s.markedAll++
			if has {
				s.marked++
			}
		}
	}
	for _, c := range cases {
		s.cases++
		if c.passes {
			s.passed++
		}
	}
	return s
}

// shortForm is the paragraph in the readme.
func shortForm(rows, extra []*row, cases []*suiteCase) string {
	s, compared := sum(rows, cases), 0
	for _, r := range extra {
		compared += r.total
	}
	return fmt.Sprintf(`%d of %d operators of ai.onnx, %d of %d of ai.onnx.ml and %d of %d of the preview domains, in all versions up to opset %d. %s of
%s cases of the official suite of onnx %s pass on both engines. %d operators have a gradient; of the %d that the standard marks as
differentiable %d do (some of them zero). %d operators of com.microsoft, which ONNX Runtime adds, agree with it in %d
cases. [OPERATORS.md](OPERATORS.md) has a line for each.
`, s.onnx, s.onnxAll, s.ml, s.mlAll, s.others, s.othersAll, schema.MaxOpset(""), thousands(s.passed),
		thousands(s.cases), schema.Release, s.gradients, s.markedAll, s.marked, len(extra), compared)
}

// thousands writes n with a comma.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// longForm is OPERATORS.md.
func longForm(rows, extra []*row, cases []*suiteCase) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Operators

Made by `+"`make operators`"+`; do not edit. Facts of onnx %s.

%s
- **versions**: every opset at which the operator changed. Older forms are rewritten to the newest on load; a
  form that cannot be is refused by name.
- **runs**: by a `+"`kernel`"+`, or through the `+"`body`"+` that the standard gives the operator, or
  that stands for one of com.microsoft, or a `+"`pass`"+` over the graph writes nodes in its place; - where it does not.
- **types**: element types of the first input (of the output, where there is no input) that compile, out of those of the newest version.
- **gradient**: yes; zero wherever it exists; through the body; none, which is an error when a training graph is built.
- **cases**: official node cases that hold the operator or its body, and how many of them pass on both engines. Operators without any
  are tested in `+"`internal/ops`"+` only. Those of com.microsoft are cases in which ONNX Runtime gives the same.
`, schema.Release, shortForm(rows, extra, cases))
	domain := "-"
	for _, r := range slices.Concat(rows, extra) {
		if r.domain != domain {
			domain = r.domain
			fmt.Fprintf(&b, "\n## %s\n\n| operator | versions | runs | types | gradient | cases |\n|---|---|---|---|---|---|\n", cmp.Or(domain, "ai.onnx"))
		}
		r.write(&b)
	}
	return b.String()
}

func (r *row) write(b *strings.Builder) {
	name, cases := r.name, no
	if r.deprecated {
		name += " (deprecated)"
	}
	if r.total > 0 {
		cases = fmt.Sprintf("%d/%d", r.passed, r.total)
	}
	types := no
	if r.supported() {
		types = fmt.Sprintf("%d/%d: %s", len(r.have), len(r.want), abbreviate(r.have))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, strings.Join(r.versions, " "), r.runs, types, r.grad, cases)
}

// families are the sets of tensor types that have a common name, in the order of writing.
var families = []struct {
	name  string
	elems []string
}{
	{"float", []string{"float"}},
	{"double", []string{"double"}},
	{"float16", []string{"float16"}},
	{"bfloat16", []string{"bfloat16"}},
	{"int8-64", []string{"int8", "int16", "int32", "int64"}},
	{"uint8-64", []string{"uint8", "uint16", "uint32", "uint64"}},
	{"bool", []string{"bool"}},
	{"string", []string{"string"}},
	{"complex", []string{"complex64", "complex128"}},
	{"float8", []string{"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"}},
	{"float8e8m0", []string{"float8e8m0"}},
	{"float4-6", []string{"float4e2m1", "float6e2m3", "float6e3m2"}},
	{"2-4 bit", []string{"int2", "uint2", "int4", "uint4"}},
}

// abbreviate lists types: families by their names, then what is left, then sequences, maps and optionals by number.
func abbreviate(types []string) string {
	left, boxes := map[string]bool{}, map[string]int{}
	for _, t := range types {
		if e, ok := strings.CutPrefix(t, "tensor("); ok {
			left[strings.TrimSuffix(e, ")")] = true
			continue
		}
		kind, _, _ := strings.Cut(t, "(")
		boxes[kind]++
	}
	var words []string
	for _, f := range families {
		whole := !slices.ContainsFunc(f.elems, func(e string) bool { return !left[e] })
		for _, e := range f.elems {
			if left[e] && !whole {
				words = append(words, e)
			}
			delete(left, e)
		}
		if whole {
			words = append(words, f.name)
		}
	}
	for _, kind := range []string{"seq", "map", "optional"} {
		if n := boxes[kind]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return strings.Join(words, ", ")
}
