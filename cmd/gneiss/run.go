package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// runFlags are the flags of run.
type runFlags struct {
	common
	in, shape   []string
	seed        uint64
	out, engine string
	threads     int
	all, json   bool
}

func (a *app) run() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run MODEL", Short: "Run a model once", Args: cobra.ExactArgs(1),
		Example: "  gneiss run model.onnx --in image=digit.png --json\n  gneiss run model.onnx --shape x=1x3x224x224 --out results.npz",
		RunE:    func(c *cobra.Command, args []string) error { return a.runModel(c.Context(), args[0], f) },
	}
	f.add(c)
	p := c.Flags()
	p.StringArrayVar(&f.in, "in", nil, "NAME=FILE (.npy, .npz, .pb, .png, .jpg), or FILE.npz with names inside")
	p.StringArrayVar(&f.shape, "shape", nil, "NAME=1x3x224x224: seeded random values of this shape")
	p.Uint64Var(&f.seed, "seed", 1, "seed of random inputs")
	p.StringVar(&f.out, "out", "", "FILE.npz, or a folder for output_I.pb")
	p.BoolVar(&f.all, "all", false, "every intermediate value too (plain engine)")
	p.BoolVar(&f.json, "json", false, "JSON")
	engineFlag(c, &f.engine, "fast")
	threadsFlag(c, &f.threads)
	return c
}

func (a *app) runModel(ctx context.Context, path string, f runFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	if f.all {
		f.engine = "plain"
	}
	o, err := f.options(a, f.engine, f.threads)
	if err != nil {
		return err
	}
	m, err := readModel(path, onnx.ReadOptions{})
	if err != nil {
		return err
	}
	s, err := runtime.New(m, o)
	if err != nil {
		return located(path, err)
	}
	defer s.Close()
	in, err := feeds(s.Inputs(), f.in, f.shape, f.seed)
	if err != nil {
		return err
	}
	names := outputNames(s)
	if f.all {
		names = append(names, innerNames(m.Graph, names)...)
	}
	start := time.Now()
	out, err := s.RunObjects(ctx, in, names...)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if f.out != "" {
		if err := writeResults(f.out, names, out); err != nil {
			return err
		}
	}
	return a.printResults(names, out, took, f.json)
}

func outputNames(s *runtime.Session) []string {
	var names []string
	for _, o := range s.Outputs() {
		names = append(names, o.Name)
	}
	return names
}

// innerNames lists the values that nodes of the outermost graph make, without those in known.
func innerNames(g *onnx.Graph, known []string) []string {
	var names []string
	for _, n := range g.Nodes {
		for _, v := range n.Outputs() {
			if v != nil && !slices.Contains(known, v.Name) {
				names = append(names, v.Name)
			}
		}
	}
	return names
}

// writeResults writes the tensors to an npz file, or everything to a folder in the standard's layout.
func writeResults(path string, names []string, out map[string]onnx.Object) error {
	if !strings.HasSuffix(path, ".npz") {
		return writeFolder(path, names, out)
	}
	tensors := map[string]*onnx.Tensor{}
	for _, n := range names {
		t, ok := out[n].(*onnx.Tensor)
		if !ok {
			return onnx.Unsupportedf("output %.128q is no tensor: give --out a folder", n)
		}
		tensors[n] = t
	}
	return atomicfile.Write(path, func(w io.Writer) error { return arrayfile.WriteNPZ(w, tensors) })
}

func writeFolder(dir string, names []string, out map[string]onnx.Object) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i, n := range names {
		b, err := encodeNamed(n, out[n])
		if err != nil {
			return fmt.Errorf("output %.128q: %w", n, err)
		}
		path := filepath.Join(dir, fmt.Sprintf("output_%d.pb", i))
		if err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func encodeNamed(name string, o onnx.Object) ([]byte, error) {
	if t, ok := o.(*onnx.Tensor); ok {
		c := *t
		c.Name = name
		return onnx.EncodeTensor(&c)
	}
	return onnx.EncodeObject(o)
}

// maxValues is the most elements that are printed.
const maxValues = 1000

// result is one output in JSON.
type result struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Shape  []int  `json:"shape"`
	Min    any    `json:"min"`
	Max    any    `json:"max"`
	Mean   any    `json:"mean"`
	NaN    int    `json:"nan"`
	Values []any  `json:"values,omitempty"`
}

func (a *app) printResults(names []string, out map[string]onnx.Object, took time.Duration, asJSON bool) error {
	rows := make([]result, 0, len(names))
	for _, n := range names {
		rows = append(rows, describe(n, out[n]))
	}
	if asJSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"outputs": rows, "ms": float64(took.Microseconds()) / 1000})
	}
	for _, r := range rows {
		fmt.Fprintf(a.out, "%s: %s%v min %v max %v mean %v nan %d\n", r.Name, r.Type, r.Shape, r.Min, r.Max, r.Mean, r.NaN)
		if len(r.Values) > 0 && len(r.Values) <= 20 {
			fmt.Fprintf(a.out, "  %v\n", r.Values)
		}
	}
	return nil
}

func describe(name string, o onnx.Object) result {
	t, ok := o.(*onnx.Tensor)
	if !ok {
		return result{Name: name, Type: o.ObjectType().String(), Shape: []int{}}
	}
	r := result{Name: name, Type: t.Elem.String(), Shape: append([]int{}, t.Shape...)}
	if t.Elem == onnx.String {
		if t.Len() <= maxValues {
			for _, s := range t.StringData() {
				r.Values = append(r.Values, text(s))
			}
		}
		return r
	}
	v, err := compare.Floats(t)
	if err != nil {
		return r
	}
	lo, hi, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, x := range v {
		if math.IsNaN(x) {
			r.NaN++
			continue
		}
		lo, hi, sum, n = math.Min(lo, x), math.Max(hi, x), sum+x, n+1
	}
	if n > 0 {
		r.Min, r.Max, r.Mean = jsonNumber(lo), jsonNumber(hi), jsonNumber(sum/float64(n))
	}
	if len(v) <= maxValues {
		for i, x := range v {
			r.Values = append(r.Values, element(t, i, x))
		}
	}
	return r
}

// element is element i of t, whose value as a float is x: 64-bit integers keep all their digits.
func element(t *onnx.Tensor, i int, x float64) any {
	switch t.Elem {
	case onnx.Int64:
		return onnx.Data[int64](t)[i]
	case onnx.Uint64:
		return onnx.Data[uint64](t)[i]
	case onnx.Float32:
		return jsonFloat32(onnx.Data[float32](t)[i])
	case onnx.Bool:
		return x != 0
	}
	return jsonNumber(x)
}

func jsonFloat32(x float32) any {
	if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
		return jsonNumber(v)
	}
	return x
}

// jsonNumber is x, or a word where JSON has no number.
func jsonNumber(x float64) any {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return x
}

// jsonFloat is a number that becomes a word where JSON has none.
type jsonFloat float64

// MarshalJSON is the number or the word.
func (x jsonFloat) MarshalJSON() ([]byte, error) { return json.Marshal(jsonNumber(float64(x))) }

// text is s, or its bytes in base64 where it is not UTF-8.
func text(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(s))}
}
