package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CumProd is the product of the elements of an axis up to each, it included or not (exclusive), from the first or from the
// last (reverse). 16-bit types are computed in float32.
var opCumProd = opdef.Def{
	Type:    "CumProd",
	Infer:   opdef.SameAsFirst,
	Compile: compileCumProd,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("CumProdGrad", values{c.In(0), c.In(1), c.DY(0)},
			onnx.Int("exclusive", c.Node.Int("exclusive", 0)), onnx.Int("reverse", c.Node.Int("reverse", 0))))
		return nil
	},
}

func compileCumProd(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Float32:
		return lanesStep(c, cumProd[float32]), nil
	case onnx.Float64:
		return lanesStep(c, cumProd[float64]), nil
	case onnx.Int32:
		return lanesStep(c, cumProd[int32]), nil
	case onnx.Int64:
		return lanesStep(c, cumProd[int64]), nil
	case onnx.Uint32:
		return lanesStep(c, cumProd[uint32]), nil
	case onnx.Uint64:
		return lanesStep(c, cumProd[uint64]), nil
	case onnx.Float16, onnx.BFloat16:
		return halfLanesStep(c, cumProd[float32]), nil
	}
	return opdef.Step{}, badElem(c.Elem(0))
}

// lane walks one line of elements along an axis; with several inputs all have the same shape.
type lane[T any] func(n *onnx.Node, y []T, x ...[]T)

// lanesOf calls do for the lanes of input 0 along the axis that input 1 names: first element, distance, number.
func lanesOf(m *mover, do func(first, step, n int)) error {
	axis, err := m.one(1)
	if err != nil {
		return err
	}
	shape, a, err := m.axis(0, axis)
	if err != nil {
		return err
	}
	n, inner := shape[a], product(shape[a+1:])
	for i := range product(shape[:a]) * inner {
		do(i/inner*n*inner+i%inner, inner, n)
	}
	return nil
}

// lanesInputs lists the inputs but the axis, checked to be of one shape.
func lanesInputs(m *mover) ([]opdef.View, error) {
	in := []opdef.View{m.In[0]}
	for i := 2; i < len(m.In); i++ {
		if m.In[i].Len() != m.In[0].Len() || m.In[i].Elem != m.In[0].Elem {
			return nil, onnx.Invalidf("expected inputs of shape %v, received %v", m.shape(0), m.shape(i))
		}
		in = append(in, m.In[i])
	}
	return in, nil
}

func lanesStep[T onnx.Number](c *opdef.Compile, f lane[T]) opdef.Step {
	return lanesBy(c, func(v opdef.View, i int) T { return opdef.Of[T](v)[i] }, func(y opdef.View, i int, v T) { opdef.Of[T](y)[i] = v }, f)
}

func halfLanesStep(c *opdef.Compile, f lane[float32]) opdef.Step {
	form := formatOf(c.Elem(0))
	return lanesBy(c, func(v opdef.View, i int) float32 {
		var w [1]float32
		form.widen(w[:], opdef.Of[uint16](v)[i:i+1])
		return w[0]
	}, func(y opdef.View, i int, v float32) { form.narrow(opdef.Of[uint16](y)[i:i+1], []float32{v}) }, f)
}

// lanesBy gathers each lane, calls f, and scatters the result.
func lanesBy[T onnx.Number](c *opdef.Compile, get func(opdef.View, int) T, put func(opdef.View, int, T), f lane[T]) opdef.Step {
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		in, err := lanesInputs(m)
		if err != nil {
			return err
		}
		out, err := m.bound(0, m.In[0].Elem, m.shape(0))
		if err != nil {
			return err
		}
		var y []T
		x := make([][]T, len(in))
		return lanesOf(m, func(first, step, n int) {
			if len(y) != n {
				y = make([]T, n)
				for k := range x {
					x[k] = make([]T, n)
				}
			}
			for k, v := range in {
				for i := range n {
					x[k][i] = get(v, first+i*step)
				}
			}
			f(m.Node, y, x...)
			for i := range n {
				put(out, first+i*step, y[i])
			}
		})
	})
}

// direction is the first place, the step and the end of a walk over n places.
func direction(n *onnx.Node, count int) (first, step int) {
	if n.Int("reverse", 0) != 0 {
		return count - 1, -1
	}
	return 0, 1
}

func cumProd[T real](n *onnx.Node, y []T, x ...[]T) {
	first, step := direction(n, len(y))
	exclusive, p := n.Int("exclusive", 0) != 0, T(1)
	for i := first; i >= 0 && i < len(y); i += step {
		if exclusive {
			y[i] = p
		}
		p *= x[0][i]
		if !exclusive {
			y[i] = p
		}
	}
}
