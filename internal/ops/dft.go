package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/fourier"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DFT is the discrete Fourier transform along an axis. The last axis has size 1 (real numbers) or 2 (real and imaginary
// parts). onesided leaves out what symmetry implies: in the output of the forward transform, and in the input of the inverse
// one, whose output is then real.
//
// Opset 20 made the attribute axis, whose default was 1, an input, whose default is -2.
var opDFT = opdef.Def{
	Type:    "DFT",
	Infer:   inferDFT,
	Compile: moving(runDFT),
	Grad:    gradDFT,
	Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 20 {
			axis := c.Node.Int("axis", 1)
			c.Node.DropAttr("axis")
			padInputs(c.Node, 3)
			c.Node.SetIn(2, c.Builder.Const(onnx.Scalar(axis)))
		}
		return c.Err()
	},
}

func inferDFT(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	out := slices.Clone(x)
	axis := int64(-2)
	if c.Has(2) {
		v, ok := c.FixedInts(2)
		if !ok || len(v) != 1 {
			c.Set(0, c.Elem(0), unknownDims(len(x))...)
			return nil
		}
		axis = v[0]
	}
	a, err := signalAxis(axis, len(x))
	if err != nil {
		return err
	}
	inverse, onesided := c.Node.Int("inverse", 0) != 0, c.Node.Int("onesided", 0) != 0
	n := x[a]
	switch {
	case c.Has(1):
		n = scalarDim(c, 1)
	case inverse && onesided:
		n = mulDims(onnx.Fixed(2), subDims(n, onnx.Fixed(1)))
	}
	last := onnx.Fixed(2)
	if inverse && onesided {
		last = onnx.Fixed(1)
	} else if onesided {
		n = addDims(divDims(n, onnx.Fixed(2)), onnx.Fixed(1))
	}
	out[a], out[len(out)-1] = sizeDim(n), last
	c.Set(0, c.Elem(0), out...)
	return nil
}

// signalAxis is the axis to transform along: any but the last.
func signalAxis(axis int64, rank int) (int, error) {
	a, err := opdef.Axis(axis, rank)
	if err == nil && a == rank-1 {
		err = onnx.Invalidf("axis %d holds real and imaginary parts", axis)
	}
	return a, err
}

func runDFT(m *mover) error {
	shape := m.shape(0)
	axis := int64(-2)
	if m.Has(2) {
		var err error
		if axis, err = m.one(2); err != nil {
			return err
		}
	}
	a, err := signalAxis(axis, len(shape))
	if err != nil {
		return err
	}
	parts := shape[len(shape)-1]
	if parts != 1 && parts != 2 {
		return onnx.Invalidf("expected a last axis of size 1 or 2, received shape %v", slices.Clone(shape))
	}
	t := transform{inverse: m.Node.Int("inverse", 0) != 0, onesided: m.Node.Int("onesided", 0) != 0, in: shape[a], parts: parts}
	switch {
	case m.Has(1):
		if t.n, err = m.size(1, 1); err != nil {
			return err
		}
	case t.inverse && t.onesided:
		t.n = 2 * (shape[a] - 1)
	default:
		t.n = shape[a]
	}
	if t.n < 1 {
		return onnx.Invalidf("shape %v has no signal along axis %d", slices.Clone(shape), a)
	}
	return t.run(m, shape, a)
}

// transform is one kind of transform of lines of a tensor.
type transform struct {
	inverse, onesided bool
	n                 int // length of the transform
	in, parts         int // of the input
	out, outParts     int
	plan              *fourier.Plan
	line, scratch     []complex128
}

func (t *transform) prepare(m *mover) error {
	t.out, t.outParts = t.n, 2
	if t.onesided && t.inverse {
		t.outParts = 1
	} else if t.onesided {
		t.out = t.n/2 + 1
	}
	if err := m.charge(t.n, 16*12); err != nil { // the plan and its scratch
		return err
	}
	t.plan = fourier.New(t.n)
	t.line, t.scratch = make([]complex128, t.n), make([]complex128, t.plan.Scratch())
	return nil
}

func (t *transform) run(m *mover, shape []int, axis int) error {
	if err := t.prepare(m); err != nil {
		return err
	}
	to := slices.Clone(shape)
	to[axis], to[len(to)-1] = t.out, t.outParts
	size, ok := onnx.NumElements(to)
	if !ok {
		return onnx.Invalidf("output shape %v is too large", to)
	}
	x, err := m.reals(0)
	if err != nil {
		return err
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	outer, inner := product(shape[:axis]), product(shape[axis+1:len(shape)-1])
	for i := range outer * inner {
		o, k := i/inner, i%inner
		t.load(x[(o*t.in*inner+k)*t.parts:], inner)
		t.compute()
		t.store(y[(o*t.out*inner+k)*t.outParts:], inner)
	}
	return m.setReals(0, m.In[0].Elem, to, y)
}

// load reads a line whose elements lie stride elements apart; what the transform is longer is zero.
func (t *transform) load(x []float64, stride int) {
	clear(t.line)
	for j := range min(t.n, t.in) {
		at := j * stride * t.parts
		if t.parts == 2 {
			t.line[j] = complex(x[at], x[at+1])
		} else {
			t.line[j] = complex(x[at], 0)
		}
	}
}

func (t *transform) compute() {
	switch {
	case t.inverse && t.onesided:
		fourier.Mirror(t.line)
		t.plan.Inverse(t.line, t.scratch)
	case t.inverse:
		t.plan.Inverse(t.line, t.scratch)
	default:
		t.plan.Forward(t.line, t.scratch)
	}
}

func (t *transform) store(y []float64, stride int) {
	for j := range t.out {
		at := j * stride * t.outParts
		re, im := fourier.Parts(t.line[j])
		if y[at] = re; t.outParts == 2 {
			y[at+1] = im
		}
	}
}
