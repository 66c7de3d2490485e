package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CenterCropPad: cuts the centre out of axes that are too long and puts zeros around those that are too short; of an odd
// difference the smaller half lies before.
//
// One version, of opset 18.
var opCenterCropPad = opdef.Def{
	Type:    "CenterCropPad",
	Infer:   inferCenterCropPad,
	Compile: moving(runCenterCropPad),
	Grad: func(c *opdef.Grad) error {
		shape := shapeOf(c.Builder, c.In(0))
		var attrs []onnx.Attribute
		if axes, ok := c.Node.Ints("axes"); ok {
			attrs = append(attrs, onnx.Ints("axes", axes...))
			shape = c.Op("Gather", values{shape, axesConst(c, axes...)})
		}
		c.SetDX(0, c.Op("CenterCropPad", values{c.DY(0), shape}, attrs...))
		return nil
	},
	Body: bodyCenterCropPad,
}

// cropAxes is the axes that the input shape counts.
func cropAxes(n *onnx.Node, rank int) ([]int, error) {
	given, ok := n.Ints("axes")
	if !ok {
		for i := range rank {
			given = append(given, int64(i))
		}
	}
	if _, err := opdef.AxisMask(given, rank); err != nil {
		return nil, err
	}
	axes := make([]int, len(given))
	for i, a := range given {
		axes[i], _ = opdef.Axis(a, rank)
	}
	return axes, nil
}

func inferCenterCropPad(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	axes, err := cropAxes(c.Node, len(x))
	if err != nil {
		return err
	}
	out := slices.Clone(x)
	given, ok := c.Ints(1)
	if ok && len(given) != len(axes) {
		return onnx.Invalidf("shape: expected %d sizes, received %d", len(axes), len(given))
	}
	for i, a := range axes {
		if out[a] = onnx.Unknown; ok {
			out[a] = sizeDim(given[i])
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

func runCenterCropPad(m *mover) error {
	shape := m.shape(0)
	axes, err := cropAxes(m.Node, len(shape))
	if err != nil {
		return err
	}
	list, err := m.list(1)
	if err != nil {
		return err
	}
	sizes, err := m.sizes(list)
	if err != nil {
		return err
	}
	if len(sizes) != len(axes) {
		return onnx.Invalidf("shape: expected %d sizes, received %d", len(axes), len(sizes))
	}
	out, box := m.clone(shape), m.clone(shape)
	for i, a := range axes {
		out[a], box[a] = sizes[i], min(sizes[i], shape[a])
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, out)
	if err != nil {
		return err
	}
	y.fill(array{})
	from, to := region{0, m.rowMajor(shape)}, region{0, m.rowMajor(out)}
	for _, a := range axes {
		if d := out[a] - shape[a]; d > 0 {
			to.at += d / 2 * to.stride[a]
		} else {
			from.at += -d / 2 * from.stride[a]
		}
	}
	m.strided(y, to, x, from, box)
	return nil
}

func bodyCenterCropPad(c *opdef.Rewrite) error {
	b := recipe{c}
	x, size, two := b.in(0), b.in(1), b.ints(2)
	var axes *onnx.Value
	if list, ok := c.Node.Ints("axes"); ok {
		axes = b.ints(list...)
	}
	sizes := func(v *onnx.Value) *onnx.Value {
		s := b.do("Shape", v)
		if axes != nil {
			s = b.do("Gather", s, axes)
		}
		return b.cast(s, b.elem(1))
	}
	more := b.do("Sub", b.do("Max", sizes(x), size), sizes(x))
	before := b.do("Div", more, b.cast(two, b.elem(1)))
	pads := b.cast(b.concat(0, before, b.do("Sub", more, before)), onnx.Int64)
	padded := b.do("Pad", x, pads, nil, axes)
	start := b.do("Div", b.do("Sub", sizes(padded), size), b.cast(two, b.elem(1)))
	return b.finish(b.do("Slice", padded, start, b.do("Add", start, size), b.sameInts(axes, start)))
}

// sameInts is axes, which may be nil, in the type of like: operators take both lists in one type.
func (b recipe) sameInts(axes, like *onnx.Value) *onnx.Value {
	if axes == nil {
		return nil
	}
	return b.cast(axes, like.Type.Elem)
}
