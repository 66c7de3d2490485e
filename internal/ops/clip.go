package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Clip: y = min(max, max(min, x)), where the scalars min and max are optional; NaN stays NaN. If min is above max, y is max.
// The gradient on an edge is 1.
//
// Opset 6: consumed_inputs goes, default bounds are those of float. 11: attributes min and max become inputs. 12, 13: types.
var opClip = opdef.Def{
	Type:    "Clip",
	Infer:   opdef.SameAsFirst,
	Compile: compileClip,
	Layouts: mapLayouts,
	Upgrade: upgradeClip,
	Grad:    gradClip,
	Body:    bodyClip,
}

func upgradeClip(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version < 11 {
		for i, name := range []string{"min", "max"} {
			v, def := n.Attr(name), float32(math.MaxFloat32)
			if v == nil && c.Version < 6 {
				continue
			}
			if i == 0 {
				def = -def
			}
			padInputs(n, i+2)
			n.SetIn(i+1, number(c.Builder, n.In(0), float64(n.Float(name, def))))
		}
		n.DropAttr("min", "max", "consumed_inputs")
	}
	return c.Err()
}

// clipKernel clips by the first elements of the inputs after x, as many as there are.
func clipKernel[T vec.Real](hasMin, hasMax bool) func(y []T, x [][]T) {
	return func(y []T, x [][]T) {
		for i, v := range x[0] {
			if hasMin {
				v = max(v, x[1][0])
			}
			if hasMax {
				v = min(v, x[len(x)-1][0])
			}
			y[i] = v
		}
	}
}

// clipBy is clipKernel by vectors, where the bounds are numbers.
func clipBy(t *vec.Table, hasMin, hasMax bool) func(y []float32, x [][]float32) {
	slow := clipKernel[float32](hasMin, hasMax)
	return func(y []float32, x [][]float32) {
		low, high := float32(math.Inf(-1)), float32(math.Inf(1))
		if hasMin {
			low = x[1][0]
		}
		if hasMax {
			high = x[len(x)-1][0]
		}
		if low != low || high != high {
			slow(y, x)
			return
		}
		t.Clip(y, x[0], low, high)
	}
}

func compileClip(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Float32:
		return clipStep[float32](c, nil)
	case onnx.Float64:
		return clipStep[float64](c, nil)
	case onnx.Float16, onnx.BFloat16:
		return clipStep[float32](c, formatOf(c.Elem(0)))
	case onnx.Int64:
		return clipStep[int64](c, nil)
	case onnx.Int32:
		return clipStep[int32](c, nil)
	case onnx.Int16:
		return clipStep[int16](c, nil)
	case onnx.Int8:
		return clipStep[int8](c, nil)
	case onnx.Uint64:
		return clipStep[uint64](c, nil)
	case onnx.Uint32:
		return clipStep[uint32](c, nil)
	case onnx.Uint16:
		return clipStep[uint16](c, nil)
	case onnx.Uint8:
		return clipStep[uint8](c, nil)
	}
	return opdef.Step{}, badElem(c.Elem(0))
}

func clipStep[T real](c *opdef.Compile, half *format) (opdef.Step, error) {
	at := []int{0}
	for i := 1; i < c.Node.NumIn(); i++ {
		if c.Node.In(i) == nil {
			continue
		}
		if c.Elem(i) != c.Elem(0) {
			return opdef.Step{}, onnx.Invalidf("bound of type %v for elements of type %v", c.Elem(i), c.Elem(0))
		}
		at = append(at, i)
	}
	f := clipKernel[T](c.Node.In(1) != nil, c.Node.In(2) != nil)
	if quick, ok := any(clipBy(vecTable(c.Generic), c.Node.In(1) != nil, c.Node.In(2) != nil)).(func(y []T, x [][]T)); ok {
		f = quick
	}
	return opdef.Step{
		Alias: aliases(1),
		State: func() any {
			p := newPointwise(len(at), f)
			p.at, p.buffered = at, false
			p.setHalf(half)
			return p
		},
		Run: func(r *opdef.Run) error {
			for _, i := range at[1:] {
				if n := r.In[i].Len(); n != 1 {
					return onnx.Invalidf("expected a scalar bound, received shape %v", r.In[i].Shape)
				}
			}
			runPointwise(r, r.State.(*pointwise[T, T]))
			return nil
		},
	}, nil
}

func gradClip(c *opdef.Grad) error {
	f := formula{c}
	x, lo, hi, zero := c.In(0), c.In(1), c.In(2), f.num(0)
	dx := c.DY(0)
	if lo != nil {
		dx = f.where(f.test("GreaterOrEqual", x, lo), dx, zero)
	}
	if hi != nil {
		dx = f.where(f.test("LessOrEqual", x, hi), dx, zero)
	}
	c.SetDX(0, dx)
	if c.Needs(1) {
		d := f.where(f.test("Less", x, lo), c.DY(0), zero)
		if hi != nil {
			d = f.where(f.test("LessOrEqual", lo, hi), d, zero)
		}
		c.SetDX(1, sumTo(c, d, lo))
	}
	if c.Needs(2) {
		over := f.test("Greater", x, hi)
		if lo != nil {
			over = f.test("Or", over, f.test("Greater", lo, hi))
		}
		c.SetDX(2, sumTo(c, f.where(over, c.DY(0), zero), hi))
	}
	return nil
}

func bodyClip(c *opdef.Rewrite) error {
	b := recipe{c}
	y := b.in(0)
	if low := b.in(1); low != nil {
		y = b.do("Where", b.do("Less", y, low), low, y)
	}
	if high := b.in(2); high != nil {
		y = b.do("Where", b.do("Less", high, y), high, y)
	}
	return b.finish(b.do("Identity", y))
}
