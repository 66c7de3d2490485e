// Command publicmodels runs the cases that tools/python/check/public_models.py made on both engines and compares the outputs
// with those of ONNX Runtime:
//
//	publicmodels DIR
//
// An output agrees when it is within the case's profile of ONNX Runtime's or, where there is a float64 twin of the model, as near
// to that as ONNX Runtime's is: RMS of the error at most twice, its maximum at most four times, an ulp allowed. Cases that
// need more than twice say how much and why. k is the ratio of the RMS. The optimised engine runs without Winograd's algorithm,
// which trades accuracy for speed. It prints a table and exits with 1 when something differs or does not run.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

// publicCase is a model with its data sets.
type publicCase struct {
	Name, Model, Profile, Reason string
	K                            float64           // how much larger than ONNX Runtime's the RMS of our error may be
	State                        map[string]string // of a stream: output -> the next step's input
	Own                          []string          // operators of com.microsoft that the model has
	Sets                         []struct{ In, Out, Twin string }
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: publicmodels DIR")
		os.Exit(2)
	}
	ok, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "publicmodels:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(dir string) (ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return false, err
	}
	var file struct {
		OnnxRuntime string
		Cases       []publicCase
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return false, err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "model\tengine\tsets\tvalues\tmax abs\tk\tprofile\tverdict\tcom.microsoft\n")
	ok = true
	var notes []string
	for _, c := range file.Cases {
		for _, e := range []runtime.Engine{runtime.Plain, runtime.Fast} {
			r := c.check(dir, e)
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.2g\t%s\t%s\t%s\t%s\n", c.Name, engineName(e), len(c.Sets), r.values, r.worst, r.k(), c.Profile, r.verdict(), strings.Join(c.Own, " "))
			if r.failed != "" {
				ok = false
				notes = append(notes, fmt.Sprintf("%s, %s: %s", c.Name, engineName(e), r.failed))
			}
		}
		if c.Reason != "" {
			notes = append(notes, fmt.Sprintf("%s is judged by %s, k %g: %s", c.Name, c.Profile, c.K, c.Reason))
		}
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	fmt.Println("reference: ONNX Runtime", file.OnnxRuntime)
	for _, n := range notes {
		fmt.Println(n)
	}
	return ok, nil
}

func engineName(e runtime.Engine) string {
	if e == runtime.Plain {
		return "plain"
	}
	return "optimised"
}

// result is what came of a case.
type result struct {
	values int
	worst  float64
	ratio  float64 // worst of the outputs' RMS of our error over that of ONNX Runtime's, where there is a twin
	rule   bool    // something lies outside the profile, but within the rule of the twin
	failed string  // why the case does not agree
}

func (r *result) verdict() string {
	switch {
	case r.failed != "":
		return "differs"
	case r.rule:
		return "agrees, as near as ORT"
	}
	return "agrees"
}

func (r *result) k() string {
	if r.ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", r.ratio)
}

// int8Profile allows models whose inner values are quantized what a step of quantization makes of the answer.
var int8Profile = compare.Profile{Name: "int8", Float32: compare.Tolerance{Rel: 2e-2, Abs: 5e-2}}

func (c *publicCase) profile() (compare.Profile, error) {
	if c.Profile == int8Profile.Name {
		return int8Profile, nil
	}
	return compare.ProfileOf(c.Profile)
}

func (c *publicCase) check(dir string, e runtime.Engine) (r result) {
	p, err := c.profile()
	if err != nil {
		return result{failed: err.Error()}
	}
	s, err := runtime.Open(c.Model, runtime.Options{Engine: e, Winograd: runtime.WinogradOff})
	if err != nil {
		return result{failed: err.Error()}
	}
	defer s.Close()
	for _, set := range c.Sets {
		var in, want, twin tensors
		for _, f := range []struct {
			name string
			to   *tensors
		}{{set.In, &in}, {set.Out, &want}, {set.Twin, &twin}} {
			if f.name == "" {
				continue
			}
			if *f.to, err = readNPZ(filepath.Join(dir, f.name)); err != nil {
				return result{failed: err.Error()}
			}
		}
		if err := c.feed(s, in, want, twin, p, &r); err != nil {
			r.failed = err.Error()
			return r
		}
	}
	return r
}

// tensors are inputs or outputs by name.
type tensors = map[string]*onnx.Tensor

// feed runs one data set, step by step where it is a stream.
func (c *publicCase) feed(s *runtime.Session, in, want, twin tensors, p compare.Profile, r *result) error {
	steps := 1
	for _, t := range want {
		if len(c.State) > 0 {
			steps = t.Shape[0]
		}
	}
	carried := tensors{}
	for _, to := range c.State {
		carried[to] = in[to]
	}
	outside, errs := "", map[string]*errors{}
	for i := range steps {
		feeds, expect, exact, err := c.step(in, want, twin, carried, i)
		if err != nil {
			return err
		}
		got, err := s.Run(context.Background(), feeds)
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		for from, to := range c.State {
			carried[to] = got[from]
		}
		for _, row := range compare.Named(sortedNames(expect), got, expect, p).Rows {
			r.worst = max(r.worst, row.MaxAbs)
			r.values += expect[row.Name].Len()
			if !row.Verdict.OK() && outside == "" {
				outside = fmt.Sprintf("step %d, %s: %s, at %d received %v, expected %v %s", i, row.Name, row.Verdict, row.WorstIndex, row.Got, row.Want, row.Detail)
			}
		}
		if err := gather(errs, got, expect, exact); err != nil {
			return err
		}
	}
	near := len(errs) > 0
	for _, e := range errs {
		r.ratio = max(r.ratio, e.ratio())
		near = near && e.within(c.K)
	}
	switch {
	case outside == "":
	case near:
		r.rule = true
	default:
		r.failed = outside
	}
	return nil
}

// step is what belongs to step i of a stream, or everything.
func (c *publicCase) step(in, want, twin, carried tensors, i int) (feeds, expect, exact tensors, err error) {
	if len(c.State) == 0 {
		return in, want, twin, nil
	}
	if feeds, err = stepOf(in, carried, i); err != nil {
		return nil, nil, nil, err
	}
	if expect, err = stepOf(want, nil, i); err != nil {
		return nil, nil, nil, err
	}
	exact, err = stepOf(twin, nil, i)
	return feeds, expect, exact, err
}

// errors are the distances of both sides from the twin, over all values of an output.
type errors struct {
	n                                    int
	ours, theirs, exact, most, theirMost float64 // sums of squares, and maxima
}

// gather adds a step's outputs to errs.
func gather(errs map[string]*errors, got, want, exact tensors) error {
	for _, name := range sortedNames(exact) {
		if want[name].Elem != onnx.Float32 {
			continue
		}
		var v [3][]float64
		for i, t := range []*onnx.Tensor{got[name], want[name], exact[name]} {
			var err error
			if v[i], err = compare.Floats(t); err != nil {
				return err
			}
		}
		if len(v[0]) != len(v[2]) || len(v[1]) != len(v[2]) {
			return fmt.Errorf("%s: expected %d values, received %d and %d", name, len(v[2]), len(v[0]), len(v[1]))
		}
		e := errs[name]
		if e == nil {
			e = &errors{}
			errs[name] = e
		}
		for i, x := range v[2] {
			e.add(v[0][i]-x, v[1][i]-x, x)
		}
	}
	return nil
}

func (e *errors) add(ours, theirs, exact float64) {
	e.n++
	e.ours, e.theirs, e.exact = e.ours+ours*ours, e.theirs+theirs*theirs, e.exact+exact*exact
	e.most, e.theirMost = max(e.most, math.Abs(ours)), max(e.theirMost, math.Abs(theirs))
}

// ratio is the RMS of our error over that of the other side.
func (e *errors) ratio() float64 { return math.Sqrt(e.ours / max(e.theirs, 1e-300)) }

// within is the rule: RMS at most k times, maximum at most 2k times, and an ulp of float32 at the size of the values.
func (e *errors) within(k float64) bool {
	n := float64(max(e.n, 1))
	size := float32(math.Sqrt(e.exact / n))
	ulp := float64(math.Nextafter32(size, float32(math.Inf(1))) - size)
	return math.Sqrt(e.ours/n) <= k*math.Sqrt(e.theirs/n)+ulp && e.most <= 2*k*e.theirMost+4*ulp
}

func sortedNames(ts tensors) []string { return slices.Sorted(maps.Keys(ts)) }

// stepOf is entry i of every tensor along its first axis; numbers are the same in every step, and carried ones are given.
func stepOf(all, carried tensors, i int) (tensors, error) {
	step := tensors{}
	for name, t := range all {
		switch {
		case carried[name] != nil:
			step[name] = carried[name]
		case len(t.Shape) == 0:
			step[name] = t
		case i >= t.Shape[0]:
			return nil, fmt.Errorf("%s: expected %d steps or more, received %d", name, i+1, t.Shape[0])
		default:
			row, err := onnx.Zeros(t.Elem, t.Shape[1:]...)
			if err != nil {
				return nil, err
			}
			n := row.ByteLen()
			copy(row.Mutable(), t.Bytes()[i*n:(i+1)*n])
			step[name] = row
		}
	}
	return step, nil
}

// maxFile bounds the arrays of one file.
const maxFile = 1 << 30

// readNPZ reads the arrays of a file; a slash in a name is written %2F there.
func readNPZ(path string) (tensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	arrays, err := arrayfile.ReadNPZ(f, info.Size(), maxFile)
	if err != nil {
		return nil, err
	}
	out := make(tensors, len(arrays))
	for name, t := range arrays {
		out[strings.ReplaceAll(name, "%2F", "/")] = t
	}
	return out, nil
}
