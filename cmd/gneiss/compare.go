package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// compareFlags are the flags of compare.
type compareFlags struct {
	common
	ref, profile, engine, nan, dump string
	in, loosen                      []string
	all, json, signedZero           bool
	worst                           int
}

func (a *app) compare() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use: "compare MODEL", Short: "Compare a model's values with a reference", Args: cobra.ExactArgs(1),
		Example: "  gneiss compare model.onnx --ref testdata/models/torch-script-seed --all\n" +
			"  gneiss compare model.onnx --in inputs.npz --ref values.npz",
		RunE: func(c *cobra.Command, args []string) error { return a.compareModel(c.Context(), args[0], f) },
	}
	f.add(c)
	p := c.Flags()
	p.StringVar(&f.ref, "ref", "", "folder with test_data_set_N (and values.npz or reference.npz), or FILE.npz with arrays by value name")
	p.StringVar(&f.profile, "profile", "torch", "tolerances: torch, onnx, tf, keras, ort, ort-test, numpy, strict")
	p.StringArrayVar(&f.in, "in", nil, "inputs, as run takes them")
	p.StringArrayVar(&f.loosen, "loosen", nil, "GLOB=RTOL,ATOL:REASON for tensors whose name matches")
	p.BoolVar(&f.all, "all", false, "every value that the reference has, and the first diverging node")
	p.BoolVar(&f.signedZero, "signed-zero", true, "the strict profile tells -0 from +0")
	p.StringVar(&f.nan, "nan", "equal", "equal: NaN equals NaN; fail: it does not")
	p.IntVar(&f.worst, "worst", 0, "only the worst N tensors, worst first")
	p.StringVar(&f.dump, "dump", "", "write our own values to FILE.npz")
	p.BoolVar(&f.json, "json", false, "JSON")
	engineFlag(c, &f.engine, "plain")
	return c
}

func (f compareFlags) tolerances() (compare.Profile, []compare.Loosening, error) {
	p, err := compare.ProfileOf(f.profile)
	if err != nil {
		return p, nil, err
	}
	p.Strict = p.Strict && f.signedZero
	switch f.nan {
	case "equal":
	case "fail":
		p.NaNFails = true
	default:
		return p, nil, onnx.Invalidf("--nan: expected equal or fail, received %.32q", f.nan)
	}
	var all []compare.Loosening
	for _, s := range f.loosen {
		l, err := parseLoosening(s)
		if err != nil {
			return p, nil, err
		}
		all = append(all, l)
	}
	return p, all, nil
}

func parseLoosening(s string) (compare.Loosening, error) {
	bad := onnx.Invalidf("--loosen %.128q: expected GLOB=RTOL,ATOL:REASON", s)
	i := strings.LastIndexByte(s, '=')
	if i < 0 {
		return compare.Loosening{}, bad
	}
	numbers, reason, ok := strings.Cut(s[i+1:], ":")
	r, a, ok2 := strings.Cut(numbers, ",")
	rtol, err1 := strconv.ParseFloat(r, 64)
	atol, err2 := strconv.ParseFloat(a, 64)
	if !ok || !ok2 || err1 != nil || err2 != nil || rtol < 0 || atol < 0 || strings.TrimSpace(reason) == "" {
		return compare.Loosening{}, bad
	}
	return compare.Loosening{Pattern: s[:i], Tolerance: compare.Tolerance{Rel: rtol, Abs: atol}, Reason: strings.TrimSpace(reason)}, nil
}

// reference is what a model is compared with: inputs and values by name.
type reference struct {
	in     map[string]onnx.Object
	values map[string]*onnx.Tensor
}

func (a *app) compareModel(ctx context.Context, path string, f compareFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	if f.ref == "" && f.dump == "" {
		return onnx.Invalidf("compare needs --ref DIR, --ref FILE.npz or --dump FILE.npz")
	}
	if f.worst < 0 {
		return onnx.Invalidf("--worst: expected at least 0, received %d", f.worst)
	}
	profile, loosen, err := f.tolerances()
	if err != nil {
		return err
	}
	o, err := f.options(a, f.engine, 0)
	if err != nil {
		return err
	}
	o.Winograd = runtime.WinogradOff // it trades exactness for speed
	m, err := readModel(path, onnx.ReadOptions{})
	if err != nil {
		return err
	}
	s, err := runtime.New(m, o)
	if err != nil {
		return located(path, err)
	}
	defer s.Close()
	ref, err := f.reference(s)
	if err != nil {
		return err
	}
	names := comparable(m, s, ref, f.all || f.dump != "" && f.ref == "")
	got, err := tensors(ctx, s, ref.in, names)
	if err != nil {
		return err
	}
	if f.dump != "" {
		if err := writeResults(f.dump, names, objects(got)); err != nil {
			return err
		}
		if f.ref == "" {
			return nil
		}
	}
	r := compare.Named(names, got, ref.values, profile, loosen...)
	if f.all {
		r.FirstDiverging = compare.Diverging(m.Graph, got, ref.values, profile)
	}
	return a.printReport(r, f)
}

func objects(ts map[string]*onnx.Tensor) map[string]onnx.Object {
	out := map[string]onnx.Object{}
	for n, t := range ts {
		out[n] = t
	}
	return out
}

// comparable lists the outputs, and with all the inner values, that the reference has; without a reference all of them.
func comparable(m *onnx.Model, s *runtime.Session, ref *reference, all bool) []string {
	names := outputNames(s)
	if all {
		names = append(innerNames(m.Graph, names), names...)
	}
	if ref.values == nil {
		return names
	}
	return slices.DeleteFunc(names, func(n string) bool { return ref.values[n] == nil })
}

func tensors(ctx context.Context, s *runtime.Session, in map[string]onnx.Object, names []string) (map[string]*onnx.Tensor, error) {
	out, err := s.RunObjects(ctx, in, names...)
	if err != nil {
		return nil, err
	}
	got := map[string]*onnx.Tensor{}
	for n, v := range out {
		t, ok := v.(*onnx.Tensor)
		if !ok {
			return nil, onnx.Unsupportedf("value %.128q is no tensor", n)
		}
		got[n] = t
	}
	return got, nil
}

// reference reads what --ref and --in name.
func (f compareFlags) reference(s *runtime.Session) (*reference, error) {
	r := &reference{}
	var err error
	if f.ref != "" {
		if r, err = readReference(f.ref, s); err != nil {
			return nil, err
		}
	}
	if len(f.in) > 0 {
		if r.in, err = feeds(s.Inputs(), f.in, nil, 1); err != nil {
			return nil, err
		}
	}
	if r.in == nil {
		return nil, onnx.Invalidf("the reference has no inputs: give --in")
	}
	return r, nil
}

func readReference(path string, s *runtime.Session) (*reference, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	r := &reference{values: map[string]*onnx.Tensor{}}
	if !info.IsDir() {
		return r, r.addArrays(path, s)
	}
	sets, err := dataSets(path, s)
	if err != nil {
		return nil, err
	}
	if len(sets) > 0 {
		r.in = sets[0].in
		for n, v := range sets[0].want {
			if t, ok := v.(*onnx.Tensor); ok {
				r.values[n] = t
			}
		}
	}
	for _, name := range []string{"values.npz", "reference.npz"} {
		err := r.addArrays(filepath.Join(path, name), s)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return r, nil
}

// addArrays takes the arrays of an npz file: value/NAME or NAME is a value, those named like an input are inputs; float64
// twins (NAME@f64) are left out.
func (r *reference) addArrays(path string, s *runtime.Session) error {
	b, err := readFile(path)
	if err != nil {
		return err
	}
	arrays, err := arrayfile.ReadNPZ(bytes.NewReader(b), int64(len(b)), 0)
	if err != nil {
		return fmt.Errorf("%.128q: %w", path, err)
	}
	for n, t := range arrays {
		n = strings.TrimPrefix(n, "value/")
		if strings.HasSuffix(n, "@f64") {
			continue
		}
		if slices.ContainsFunc(s.Inputs(), func(i runtime.Info) bool { return i.Name == n }) {
			if r.in == nil {
				r.in = map[string]onnx.Object{}
			}
			r.in[n] = t
			continue
		}
		if r.values[n] == nil {
			r.values[n] = t
		}
	}
	return nil
}

func (a *app) printReport(r *compare.Report, f compareFlags) error {
	rows := r.Rows
	if f.worst > 0 {
		rows = r.Worst(f.worst)
	}
	var err error
	if f.json {
		err = json.NewEncoder(a.out).Encode(reportJSON(r, rows))
	} else {
		err = r.WriteText(a.out, rows)
	}
	switch {
	case err != nil:
		return err
	case len(r.Rows) == 0:
		return onnx.Invalidf("the reference has none of the model's values")
	case !r.OK():
		return errNo
	}
	return nil
}

func reportJSON(r *compare.Report, rows []compare.Row) map[string]any {
	ts := make([]map[string]any, len(rows))
	for i, x := range rows {
		ts[i] = map[string]any{
			"name": x.Name, "verdict": x.Verdict, "max_abs": jsonNumber(x.MaxAbs), "max_abs_index": x.MaxAbsIndex,
			"max_rel": jsonNumber(x.MaxRel), "worst_index": x.WorstIndex, "got": jsonNumber(x.Got), "want": jsonNumber(x.Want),
			"ulp": jsonNumber(x.ULP), "cosine": jsonNumber(x.Cosine), "sqnr_db": jsonNumber(x.SQNR), "mismatch_pct": x.Mismatch,
			"nan": x.NaN, "inf": x.Inf, "q50": jsonNumber(x.Q50), "q90": jsonNumber(x.Q90), "q99": jsonNumber(x.Q99),
		}
	}
	verdict := "within"
	if !r.OK() {
		verdict = "outside"
	}
	out := map[string]any{"verdict": verdict, "profile": r.Profile, "tensors": ts, "first_diverging": nil}
	if n := r.FirstDiverging; n != nil {
		out["first_diverging"] = map[string]string{"node": n.Label(), "op_type": n.Operator()}
	}
	return out
}
