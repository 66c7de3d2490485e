package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"time"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// testFlags are the flags of test.
type testFlags struct {
	common
	run, profile, engine string
	rtol, atol           float64
	json                 bool
}

func (a *app) test() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use: "test DIR...", Short: "Run folders of model.onnx and test_data_set_N", Args: cobra.MinimumNArgs(1),
		Example: "  gneiss test testdata/models --profile torch --run '*seed*'",
		RunE:    func(c *cobra.Command, args []string) error { return a.testCases(c.Context(), args, f) },
	}
	f.add(c)
	p := c.Flags()
	p.StringVar(&f.run, "run", "", "only cases whose name matches this glob")
	p.StringVar(&f.profile, "profile", "onnx", "tolerances: onnx, torch, tf, keras, ort, ort-test, numpy, strict")
	p.Float64Var(&f.rtol, "rtol", -1, "relative tolerance instead of the profile's")
	p.Float64Var(&f.atol, "atol", -1, "absolute tolerance instead of the profile's")
	p.BoolVar(&f.json, "json", false, "JSON lines")
	engineFlag(c, &f.engine, "fast")
	return c
}

// caseResult is one case in JSON.
type caseResult struct {
	Case   string    `json:"case"`
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	MaxAbs jsonFloat `json:"max_abs"`
	MaxRel jsonFloat `json:"max_rel"`
}

func (a *app) testCases(ctx context.Context, roots []string, f testFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	if f.rtol != -1 && !(f.rtol >= 0) || f.atol != -1 && !(f.atol >= 0) {
		return onnx.Invalidf("expected --rtol and --atol from 0, received %v and %v", f.rtol, f.atol)
	}
	profile, err := compare.ProfileOf(f.profile)
	if err != nil {
		return err
	}
	o, err := f.options(a, f.engine, 0)
	if err != nil {
		return err
	}
	o.Winograd = runtime.WinogradOff // it trades exactness for speed
	if _, err := path.Match(f.run, ""); err != nil {
		return onnx.Invalidf("--run %.64q: %w", f.run, err)
	}
	dirs, err := findCases(roots)
	if err != nil {
		return err
	}
	start, count := time.Now(), map[string]int{}
	for _, dir := range dirs {
		if ok, _ := path.Match(f.run, filepath.Base(dir)); f.run != "" && !ok {
			continue
		}
		r := testCase(ctx, dir, o, profile, f)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		count[r.Status]++
		if err := a.printCase(r, f.json); err != nil {
			return err
		}
	}
	if len(count) == 0 {
		return onnx.Invalidf("no case was found: expected folders with a model.onnx")
	}
	return a.printCount(count, time.Since(start), f.json)
}

// tolerant is the profile with the tolerances of the command line, which a case's own do not override.
func (f testFlags) tolerant(p compare.Profile) compare.Profile {
	for _, t := range []*compare.Tolerance{&p.Float64, &p.Float32, &p.Half, &p.BFloat} {
		if f.rtol >= 0 {
			t.Rel = f.rtol
		}
		if f.atol >= 0 {
			t.Abs = f.atol
		}
	}
	return p
}

func testCase(ctx context.Context, dir string, o runtime.Options, p compare.Profile, f testFlags) caseResult {
	r := caseResult{Case: filepath.ToSlash(dir), Status: "fail"}
	s, err := runtime.Open(filepath.Join(dir, "model.onnx"), o)
	if err != nil {
		return r.failed(err)
	}
	defer s.Close()
	data, err := readCaseData(dir)
	if err != nil {
		return r.failed(err)
	}
	if data.RTol != nil && data.ATol != nil {
		p = p.With(compare.Tolerance{Rel: *data.RTol, Abs: *data.ATol})
	}
	sets, err := dataSets(dir, s)
	if err != nil {
		return r.failed(err)
	}
	if len(sets) == 0 {
		r.Status, r.Reason = "skip", "the folder has no test_data_set"
		return r
	}
	for _, d := range sets {
		out, err := s.RunObjects(ctx, d.in, d.output...)
		if err != nil {
			return r.failed(err)
		}
		if !r.compare(d, out, f.tolerant(p)) {
			return r
		}
	}
	r.Status = "pass"
	return r
}

// failed makes an error a result: what is not supported is skipped, and says so.
func (r caseResult) failed(err error) caseResult {
	var limit *onnx.LimitError
	if errors.Is(err, errors.ErrUnsupported) && !errors.As(err, &limit) {
		r.Status = "skip"
	}
	r.Reason = oneLine(err.Error())
	return r
}

// compare checks the outputs of one data set and reports whether all agree.
func (r *caseResult) compare(d dataSet, out map[string]onnx.Object, p compare.Profile) bool {
	for _, name := range d.output {
		for _, row := range compare.Objects(name, out[name], d.want[name], p) {
			r.MaxAbs, r.MaxRel = max(r.MaxAbs, jsonFloat(row.MaxAbs)), max(r.MaxRel, jsonFloat(row.MaxRel))
			if !row.Verdict.OK() {
				r.Reason = d.name + ": " + row.String()
				return false
			}
		}
	}
	return true
}

func (a *app) printCase(r caseResult, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(r)
	}
	if r.Reason != "" {
		_, err := fmt.Fprintf(a.out, "%s %s: %s\n", r.Status, r.Case, r.Reason)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s %s: max abs %.3g, max rel %.3g\n", r.Status, r.Case, r.MaxAbs, r.MaxRel)
	return err
}

func (a *app) printCount(count map[string]int, took time.Duration, asJSON bool) error {
	var err error
	if asJSON {
		err = json.NewEncoder(a.out).Encode(map[string]any{
			"passed": count["pass"], "failed": count["fail"], "skipped": count["skip"], "seconds": took.Seconds(),
		})
	} else {
		_, err = fmt.Fprintf(a.out, "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"])
	}
	if err == nil && count["fail"] > 0 {
		return errNo
	}
	return err
}
