// Package gradcheck compares the gradients of a graph with central differences in float64. It is for tests.
package gradcheck

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// Run computes a graph's outputs, in order, from its inputs by name. The results are the caller's.
type Run func(feeds map[string]*onnx.Tensor) ([]*onnx.Tensor, error)

// Engine makes a graph ready to run.
type Engine func(g *onnx.Graph) (Run, error)

// Options of a check. The zero value of a number means its default.
type Options struct {
	Set    *opdef.Set
	Engine Engine
	Only   []string // names of the inputs to check; nil: all of a float type
	Eps    float64  // step of the differences; 1e-6
	Atol   float64  // 1e-5
	Rtol   float64  // 1e-3
	Seed   uint64   // of the random weights and directions
}

const (
	fullSize   = 64 // elements up to which every element is moved and every output element looked at
	directions = 8  // random ones above that
	weights    = 3
)

// Check differentiates the float outputs of g with respect to its float inputs and compares the result with central
// differences of the float64 twin of g at feeds, whose values must be 10 Eps or more from kinks and ties. Inputs of up to
// 64 elements are moved element by element, larger ones along random directions; outputs of up to 64 elements are looked at
// element by element, larger ones through random weights. g is not changed. Nodes must be in their newest form.
//
// The error says which derivative differs: analytic and numeric value.
func Check(g *onnx.Graph, feeds map[string]*onnx.Tensor, o Options) error {
	c := &checker{o: o, r: rand.New(rand.NewPCG(o.Seed, 0x67726164))}
	c.o.Eps, c.o.Atol, c.o.Rtol = cmp.Or(o.Eps, 1e-6), cmp.Or(o.Atol, 1e-5), cmp.Or(o.Rtol, 1e-3)
	if err := c.build(g, feeds); err != nil {
		return err
	}
	for i := range c.xs {
		if err := c.input(i); err != nil {
			return err
		}
	}
	return nil
}

// checker is one check.
type checker struct {
	o     Options
	r     *rand.Rand
	xs    []string // inputs to check
	feeds map[string]*onnx.Tensor
	ys    []int // float outputs
	y0    []*onnx.Tensor
	value Run // outputs of the graph
	slope Run // gradients of xs; inputs dy0 ... beside the graph's
	none  []bool
	us    [][]*onnx.Tensor // weights of the outputs, one list for each loss
}

func (c *checker) build(g *onnx.Graph, feeds map[string]*onnx.Tensor) error {
	g, _ = g.Copy(nil)
	c.feeds = map[string]*onnx.Tensor{}
	for _, v := range g.Inputs {
		t, ok := feeds[v.Name]
		if !ok {
			continue
		}
		w, err := rewrite.WideTensor(t)
		if err != nil {
			return err
		}
		c.feeds[v.Name] = w.Clone()
		v.Type = t.Type()
	}
	if err := rewrite.Widen(g, c.o.Set); err != nil {
		return fmt.Errorf("float64 twin: %w", err)
	}
	var err error
	forward, _ := g.Copy(nil)
	if c.value, err = c.o.Engine(forward); err != nil {
		return err
	}
	if c.y0, err = c.value(c.feeds); err != nil {
		return err
	}
	return c.differentiate(g)
}

func (c *checker) differentiate(g *onnx.Graph) error {
	b := shape.BuilderFor(g, c.o.Set)
	var xs, ys, dys []*onnx.Value
	for _, v := range g.Inputs {
		if c.feeds[v.Name] != nil && v.Type.Elem == onnx.Float64 && (c.o.Only == nil || slices.Contains(c.o.Only, v.Name)) {
			xs, c.xs = append(xs, v), append(c.xs, v.Name)
		}
	}
	for i, v := range g.Outputs {
		if v != nil && c.y0[i].Elem == onnx.Float64 {
			ys, c.ys = append(ys, v), append(c.ys, i)
		}
	}
	if len(xs) == 0 || len(ys) == 0 {
		return onnx.Invalidf("nothing to check: %d float inputs, %d float outputs", len(xs), len(ys))
	}
	for i, k := range c.ys {
		dys = append(dys, b.Graph.Input(weightName(i), c.y0[k].Type()))
	}
	c.weigh()
	ds, err := autodiff.Gradients(b, c.o.Set, ys, dys, xs)
	if err != nil {
		return err
	}
	g.Outputs = nil
	for _, d := range ds {
		c.none = append(c.none, d == nil)
		if d != nil {
			g.Outputs = append(g.Outputs, d)
		}
	}
	c.slope, err = c.o.Engine(g)
	return err
}

// weightName is the input that holds the weights of float output i.
func weightName(i int) string { return fmt.Sprintf("gradcheck_dy%d", i) }

// weigh makes the weights: one for each output element where there are few, else random ones.
func (c *checker) weigh() {
	total := 0
	for _, k := range c.ys {
		total += c.y0[k].Len()
	}
	n := total
	if total > fullSize {
		n = weights
	}
	for e := range n {
		var u []*onnx.Tensor
		at := 0
		for _, k := range c.ys {
			t, _ := onnx.Zeros(onnx.Float64, c.y0[k].Shape...)
			for i, d := 0, onnx.View[float64](t.Mutable()); i < len(d); i, at = i+1, at+1 {
				if total > fullSize {
					d[i] = c.r.NormFloat64()
				} else if at == e {
					d[i] = 1
				}
			}
			u = append(u, t)
		}
		c.us = append(c.us, u)
	}
}

// input checks the derivatives by input i.
func (c *checker) input(i int) error {
	x := c.feeds[c.xs[i]]
	dxs := make([][]float64, len(c.us))
	for l, u := range c.us {
		d, err := c.gradient(i, u)
		if err != nil {
			return err
		}
		dxs[l] = d
	}
	for _, dir := range c.directions(x.Len()) {
		dys, err := c.difference(x, dir.v)
		if err != nil {
			return err
		}
		for l, u := range c.us {
			want, got := 0.0, 0.0
			for k, t := range u {
				want += dot(dys[k], onnx.Data[float64](t))
			}
			got = dot(dxs[l], dir.v)
			if !(math.Abs(got-want) <= c.o.Atol+c.o.Rtol*math.Abs(want)) {
				return fmt.Errorf("derivative by %q %s with weights %d: analytic %g, numeric %g", c.xs[i], dir.name, l, got, want)
			}
		}
	}
	return nil
}

// gradient is the gradient of the weighted outputs by input i.
func (c *checker) gradient(i int, u []*onnx.Tensor) ([]float64, error) {
	x := c.feeds[c.xs[i]]
	if c.none[i] {
		return make([]float64, x.Len()), nil
	}
	feeds := map[string]*onnx.Tensor{}
	maps.Copy(feeds, c.feeds)
	for k, t := range u {
		feeds[weightName(k)] = t
	}
	outs, err := c.slope(feeds)
	if err != nil {
		return nil, fmt.Errorf("gradient: %w", err)
	}
	at := 0
	for k := range i {
		if !c.none[k] {
			at++
		}
	}
	if t := outs[at]; t.Elem != onnx.Float64 || !slices.Equal(t.Shape, x.Shape) {
		return nil, fmt.Errorf("gradient by %q: expected %v, received %v", c.xs[i], x.Type(), t.Type())
	}
	return onnx.Data[float64](outs[at]), nil
}

type direction struct {
	name string
	v    []float64
}

// directions are the axes of a small space, random vectors of a large one.
func (c *checker) directions(n int) []direction {
	var ds []direction
	for i := range min(n, fullSize) {
		v := make([]float64, n)
		if n <= fullSize {
			v[i] = 1
			ds = append(ds, direction{fmt.Sprintf("element %d", i), v})
			continue
		}
		if i == directions {
			break
		}
		for j := range v {
			v[j] = c.r.NormFloat64()
		}
		ds = append(ds, direction{fmt.Sprintf("direction %d", i), v})
	}
	return ds
}

// difference is the central difference of each float output when x moves along v.
func (c *checker) difference(x *onnx.Tensor, v []float64) ([][]float64, error) {
	at := slices.Clone(onnx.Data[float64](x))
	move := func(step float64) ([]*onnx.Tensor, error) {
		d := onnx.View[float64](x.Mutable())
		for i := range d {
			d[i] = at[i] + step*v[i]
		}
		outs, err := c.value(c.feeds)
		copy(d, at)
		return outs, err
	}
	plus, err := move(c.o.Eps)
	if err != nil {
		return nil, err
	}
	minus, err := move(-c.o.Eps)
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for _, k := range c.ys {
		if !slices.Equal(plus[k].Shape, c.y0[k].Shape) || !slices.Equal(minus[k].Shape, c.y0[k].Shape) {
			return nil, fmt.Errorf("output %d changes its shape when the input moves", k)
		}
		p, m := onnx.Data[float64](plus[k]), onnx.Data[float64](minus[k])
		d := make([]float64, len(p))
		for i := range d {
			d[i] = (p[i] - m[i]) / (2 * c.o.Eps)
		}
		out = append(out, d)
	}
	return out, nil
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
