package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ScatterElements copies the input and writes each element of updates at the index of the axis that indices name, and at its
// own place of the other axes. Opset 16 added the reductions add and mul, 18 max and min.
//
// Where indices repeat without a reduction the last one wins; the gradient then counts every one of them.
var opScatterElements = opdef.Def{
	Type:    "ScatterElements",
	Infer:   opdef.SameAsFirst,
	Compile: compileScatterElements,
	Grad: func(c *opdef.Grad) error {
		axis := onnx.Int("axis", c.Node.Int("axis", 0))
		return gradScatter(c, "GatherElements", axis)
	},
}

func compileScatterElements(c *opdef.Compile) (opdef.Step, error) {
	f, err := combiner(c.Node.Str("reduction", "none"), c.Elem(0))
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, scatterAlias(c), func(m *mover) error {
		y, u, err := scatterOperands(m)
		if err != nil {
			return err
		}
		if !slices.Equal(m.shape(1), m.shape(2)) {
			return onnx.Invalidf("expected updates of shape %v, received %v", m.shape(1), m.shape(2))
		}
		return elementwise(m, 0, 1, func(i, at int) { f.put(y, at, u, i, 1) })
	}), nil
}

// scatterAlias lets the output take the buffer of the input where that has bytes.
func scatterAlias(c *opdef.Compile) opdef.Step {
	if e := c.Elem(0); e == onnx.String || e.Packed() {
		return opdef.Step{}
	}
	return opdef.Step{Alias: []opdef.Alias{{}}}
}

// scatterOperands is a copy of the data as output 0, and the updates.
func scatterOperands(m *mover) (y, u array, err error) {
	x, err := m.elements(0)
	if err == nil {
		u, err = m.elements(2)
	}
	if err == nil {
		y, err = m.output(0, m.In[0].Elem, m.shape(0))
	}
	switch {
	case err != nil:
	case m.In[2].Elem != m.In[0].Elem:
		err = onnx.Invalidf("expected updates of type %v, received %v", m.In[0].Elem, m.In[2].Elem)
	case !y.same(x):
		y.from(0, x, 0, x.len())
	}
	return y, u, err
}

// gradScatter is the gradient of both scatter operators, whose inverse is the operator gather.
func gradScatter(c *opdef.Grad, gather string, attrs ...onnx.Attribute) error {
	f := formula{c}
	dy, reduction := c.DY(0), c.Node.Str("reduction", "none")
	at := func(v *onnx.Value) *onnx.Value { return c.Op(gather, values{v, c.In(1)}, attrs...) }
	switch reduction {
	case "none":
		c.SetDX(0, c.Op(c.Node.OpType, values{dy, c.In(1), c.Zeros(c.In(2))}, attrs...))
		c.SetDX(2, at(dy))
	case "add":
		c.SetDX(0, dy)
		c.SetDX(2, at(dy))
	case "mul":
		c.SetDX(0, c.Op(c.Node.OpType, values{dy, c.In(1), c.In(2)}, append(attrs, onnx.Str("reduction", "mul"))...))
		if c.Needs(2) {
			c.SetDX(2, f.mul(at(dy), f.otherFactors(at, attrs)))
		}
	default:
		c.SetDX(0, f.where(f.test("Equal", c.In(0), c.Y(0)), dy, c.Zeros(dy)))
		d := at(dy)
		c.SetDX(2, f.where(f.test("Equal", c.In(2), at(c.Y(0))), d, c.Zeros(d)))
	}
	return nil
}

// otherFactors is, for each update of a scatter operator with the reduction mul, the product of the element and of the other
// updates at its place: of the factors that are not zero, and zero where another one is.
func (f formula) otherFactors(at func(*onnx.Value) *onnx.Value, attrs []onnx.Attribute) *onnx.Value {
	scatter := func(to, v *onnx.Value, reduction string) *onnx.Value {
		return f.Op(f.Node.OpType, values{to, f.In(1), v}, slices.Concat(attrs, []onnx.Attribute{onnx.Str("reduction", reduction)})...)
	}
	zero := f.test("Equal", f.In(2), f.num(0))
	factors := f.where(zero, f.num(1), f.In(2))
	product := f.div(at(scatter(f.In(0), factors, "mul")), factors)
	own := f.one("Cast", zero, onnx.Int("to", int64(f.In(2).Type.Elem)))
	zeros := f.sub(at(scatter(f.Zeros(f.In(0)), own, "add")), own)
	return f.where(f.test("Greater", zeros, f.num(0)), f.num(0), product)
}
