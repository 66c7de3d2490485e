package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Reshape gives a tensor another shape: 0 copies a size of the input (unless allowzero), one -1 is what remains.
//
// Opset 5 made the attribute shape an input, 14 added allowzero; the others widen types.
var opReshape = opdef.Def{
	Type:  "Reshape",
	Infer: inferReshape,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		zero := c.Node.Int("allowzero", 0) != 0
		return copyStep(c, opdef.Step{}, func(m *mover) ([]int, error) { return reshapeTo(m, zero) }), nil
	},
	Grad: gradReshapeLike,
	Upgrade: func(c *opdef.Rewrite) error {
		c.Node.DropAttr("consumed_inputs")
		if c.Version < 5 {
			intsToInput(c, "shape", 1)
		}
		return c.Err()
	},
}

func inferReshape(c *opdef.Infer) error {
	want, ok := c.Ints(1)
	if !ok {
		if n, ok := lengthOf(c, 1); ok {
			c.Set(0, c.Elem(0), unknownDims(n)...)
			return nil
		}
		return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
	}
	x, err := c.Shape(0)
	ranked := err == nil
	out, hole := make([]onnx.Dim, len(want)), -1
	for i, d := range want {
		switch {
		case isNumber(d, 0) && c.Node.Int("allowzero", 0) == 0:
			if d = onnx.Unknown; ranked {
				if i >= len(x) {
					return onnx.Invalidf("shape[%d] is 0 but the input has rank %d", i, len(x))
				}
				d = x[i]
			}
		case isNumber(d, -1):
			if hole >= 0 {
				return onnx.Invalidf("shape %v has -1 twice", want)
			}
			hole = i
		case known(d) && d.N < 0:
			return onnx.Invalidf("shape[%d] is %d", i, d.N)
		}
		out[i] = d
	}
	if hole >= 0 {
		if out[hole] = onnx.Unknown; ranked {
			out[hole] = restDim(x, out, hole)
		}
	}
	// The run refuses a shape with another number of elements; in a branch that is not taken it is no error.
	c.Set(0, c.Elem(0), out...)
	copyInts(c)
	return nil
}

// restDim is the product of x divided by that of out without the hole; names that both have cancel.
func restDim(x, out []onnx.Dim, hole int) onnx.Dim {
	n, m := onnx.Fixed(1), onnx.Fixed(1)
	var names []onnx.Dim
	for _, d := range x {
		if d.Name != "" {
			names = append(names, d)
		} else {
			n = mulDims(n, d)
		}
	}
	for i, d := range out {
		switch at := indexDim(names, d); {
		case i == hole:
		case at >= 0:
			names = append(names[:at:at], names[at+1:]...)
		default:
			m = mulDims(m, d)
		}
	}
	switch {
	case !n.IsFixed() || !m.IsFixed() || len(names) > 1:
		return onnx.Unknown
	case m.N == 0:
		return onnx.Fixed(0)
	case len(names) == 0:
		return onnx.Dim{N: n.N / m.N}
	case n == m:
		return names[0]
	}
	return onnx.Unknown
}

func indexDim(names []onnx.Dim, d onnx.Dim) int {
	for i, n := range names {
		if n.Same(d) {
			return i
		}
	}
	return -1
}

func reshapeTo(m *mover, allowZero bool) ([]int, error) {
	want, err := m.list(1)
	if err != nil {
		return nil, err
	}
	x, to := m.shape(0), m.take(want.len())
	hole, rest := -1, 1
	for i := range to {
		d := want.at(i)
		switch {
		case d == -1 && hole < 0:
			hole = i
			continue
		case d == 0 && !allowZero:
			if i >= len(x) {
				return nil, onnx.Invalidf("shape[%d] is 0 but the input has rank %d", i, len(x))
			}
			d = int64(x[i])
		case d < 0 || int64(int(d)) != d:
			return nil, onnx.Invalidf("shape[%d] is %d", i, d)
		}
		to[i] = int(d)
		var ok bool
		if rest, ok = onnx.MulSize(rest, to[i]); !ok {
			return nil, onnx.Invalidf("the new shape is too large")
		}
	}
	if hole >= 0 {
		n := product(x)
		if rest == 0 || n%rest != 0 {
			return nil, onnx.Invalidf("%d elements of shape %v do not divide by %d", n, x, rest)
		}
		to[hole] = n / rest
	}
	return to, nil
}
