package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// predictFlags are the flags of predict.
type predictFlags struct {
	common
	top    int
	labels string
	json   bool
}

func (a *app) predict() *cobra.Command {
	var f predictFlags
	c := &cobra.Command{
		Use: "predict MODEL IMAGE...", Short: "Classify images", Args: cobra.MinimumNArgs(2),
		Example: "  gneiss predict mnist.onnx digit.png --top 3",
		RunE:    func(c *cobra.Command, args []string) error { return a.predictImages(c.Context(), args[0], args[1:], f) },
	}
	f.add(c)
	p := c.Flags()
	p.IntVar(&f.top, "top", 5, "classes to print")
	p.StringVar(&f.labels, "labels", "", "file with a class name on each line")
	p.BoolVar(&f.json, "json", false, "JSON lines")
	return c
}

// class is one answer of predict.
type class struct {
	Class       int       `json:"class"`
	Label       string    `json:"label"`
	Probability jsonFloat `json:"probability"`
}

func (a *app) predictImages(ctx context.Context, path string, images []string, f predictFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	if f.top < 1 {
		return onnx.Invalidf("--top: expected at least 1, received %d", f.top)
	}
	o, err := f.options(a, "fast", 0)
	if err != nil {
		return err
	}
	labels, err := readLabels(f.labels)
	if err != nil {
		return err
	}
	s, err := openSession(path, o)
	if err != nil {
		return err
	}
	defer s.Close()
	if len(s.Inputs()) != 1 || len(s.Outputs()) == 0 {
		return onnx.Invalidf("the model has %d inputs and %d outputs: predict needs one input, an image", len(s.Inputs()), len(s.Outputs()))
	}
	for _, img := range images {
		top, err := classify(ctx, s, img, labels, f.top)
		if err != nil {
			return fmt.Errorf("%.128q: %w", img, err)
		}
		if err := a.printClasses(img, top, f.json); err != nil {
			return err
		}
	}
	return nil
}

func readLabels(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(b), "\n"), "\n"), nil
}

func classify(ctx context.Context, s *runtime.Session, path string, labels []string, top int) ([]class, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	in := s.Inputs()[0]
	x, err := imageTensor(b, in)
	if err != nil {
		return nil, err
	}
	out, err := s.Run(ctx, map[string]*onnx.Tensor{in.Name: x})
	if err != nil {
		return nil, err
	}
	v, err := compare.Floats(out[s.Outputs()[0].Name])
	if err != nil {
		return nil, err
	}
	return rank(probabilities(v), labels, top), nil
}

// probabilities is v when it is a distribution, else its softmax.
func probabilities(v []float64) []float64 {
	sum, least := 0.0, 0.0
	for _, x := range v {
		sum, least = sum+x, math.Min(least, x)
	}
	if least >= 0 && math.Abs(sum-1) < 1e-3 || len(v) == 0 {
		return v
	}
	most, p := slices.Max(v), make([]float64, len(v))
	sum = 0
	for i, x := range v {
		p[i] = math.Exp(x - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func rank(p []float64, labels []string, top int) []class {
	all := make([]class, len(p))
	for i, x := range p {
		all[i] = class{Class: i, Label: fmt.Sprint(i), Probability: jsonFloat(x)}
		if i < len(labels) {
			all[i].Label = labels[i]
		}
	}
	slices.SortStableFunc(all, func(a, b class) int { return cmp.Compare(b.Probability, a.Probability) }) // NaN comes last
	return all[:min(top, len(all))]
}

func (a *app) printClasses(img string, top []class, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"image": img, "top": top})
	}
	fmt.Fprintln(a.out, img)
	for _, c := range top {
		fmt.Fprintf(a.out, "  %-20s %.4f\n", c.Label, c.Probability)
	}
	return nil
}
