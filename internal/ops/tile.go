package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Tile repeats a tensor along each axis. Opset 1 repeated along one axis: inputs tiles and axis.
var opTile = opdef.Def{
	Type:    "Tile",
	Infer:   inferTile,
	Compile: moving(runTile),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("TileGrad", values{c.In(0), c.In(1), c.DY(0)}))
		return nil
	},
	Upgrade: upgradeTile,
}

// upgradeTile makes repeats of ones with tiles at the place axis.
func upgradeTile(c *opdef.Rewrite) error {
	if c.Version >= 6 {
		return nil
	}
	one := func(v *onnx.Value) *onnx.Value {
		v = c.Op("Cast", values{v}, onnx.Int("to", int64(onnx.Int64)))
		return c.Op("Reshape", values{v, c.Builder.Const(onnx.Vector[int64](1))})
	}
	rank := shapeOf(c.Builder, shapeOf(c.Builder, c.Node.In(0)))
	ones := c.Op("ConstantOfShape", values{rank}, onnx.TensorAttr("value", onnx.Vector[int64](1)))
	c.Node.SetIn(1, c.Op("ScatterElements", values{ones, one(c.Node.In(2)), one(c.Node.In(1))}))
	c.Node.TrimIn(2)
	return c.Err()
}

func inferTile(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	repeats, ok := c.Ints(1)
	if !ok {
		c.Set(0, c.Elem(0), unknownDims(len(x))...)
		return nil
	}
	if len(repeats) != len(x) {
		return onnx.Invalidf("%d repeats for %v", len(repeats), c.Ins[0])
	}
	out := make([]onnx.Dim, len(x))
	for i, d := range x {
		if known(repeats[i]) && repeats[i].N < 0 {
			return onnx.Invalidf("%d repeats of axis %d", repeats[i].N, i)
		}
		if out[i], err = fits(mulDims(d, repeats[i]), d, repeats[i]); err != nil {
			return err
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// tiled is the repeats of input 1, and for a box of two axes for each axis of shape (repeat and place) its sizes and the
// strides of the repeated tensor and of the tensor itself.
func tiled(m *mover, shape []int) (to, box, big, small []int, err error) {
	list, err := m.list(1)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	repeats, err := m.sizes(list)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if len(repeats) != len(shape) {
		return nil, nil, nil, nil, onnx.Invalidf("%d repeats for shape %v", len(repeats), shape)
	}
	to, box, big, small = m.take(len(shape)), m.take(2*len(shape)), m.take(2*len(shape)), m.take(2*len(shape))
	for i, n := range shape {
		var ok bool
		if to[i], ok = onnx.MulSize(n, repeats[i]); !ok {
			return nil, nil, nil, nil, onnx.Invalidf("%d repeats of axis %d are too large", repeats[i], i)
		}
	}
	if _, ok := onnx.NumElements(to); !ok {
		return nil, nil, nil, nil, onnx.Invalidf("the repeated shape %v is too large", slices.Clone(to))
	}
	wide, narrow := m.rowMajor(to), m.rowMajor(shape)
	for i, n := range shape {
		box[2*i], box[2*i+1] = repeats[i], n
		big[2*i], big[2*i+1] = wide[i]*n, wide[i]
		small[2*i+1] = narrow[i]
	}
	return to, box, big, small, nil
}

func runTile(m *mover) error {
	to, box, big, small, err := tiled(m, m.shape(0))
	if err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	m.strided(y, region{0, big}, x, region{0, small}, box)
	return nil
}
