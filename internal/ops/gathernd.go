package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// GatherND takes the slices that tuples of indices name: each tuple in the last axis of indices says a place of the first
// axes behind the batch axes. Opset 12 added batch_dims.
var opGatherND = opdef.Def{
	Type:  "GatherND",
	Infer: inferGatherND,
	Compile: moving(func(m *mover) error {
		t, err := tuplesOf(m, m.shape(0), 1, m.Node.Int("batch_dims", 0))
		if err != nil {
			return err
		}
		x, err := m.elements(0)
		if err != nil {
			return err
		}
		y, err := m.output(0, m.In[0].Elem, t.out)
		if err != nil {
			return err
		}
		return t.each(func(i, at int) { y.from(i*t.block, x, at, t.block) })
	}),
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("GatherNDGrad", values{c.In(0), c.In(1), c.DY(0)},
			onnx.Int("batch_dims", c.Node.Int("batch_dims", 0))))
		return nil
	},
}

func inferGatherND(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	at, err := c.Shape(1)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	b := c.Node.Int("batch_dims", 0)
	if len(at) == 0 || !at[len(at)-1].IsFixed() {
		return setElem(c, 0, c.Elem(0), opdef.ErrNoRank)
	}
	k := at[len(at)-1].N
	if b < 0 || b >= int64(len(at)) || b+k > int64(len(x)) {
		return onnx.Invalidf("tuples of %d indices and %d batch axes do not fit %v and %v", k, b, c.Ins[0], c.Ins[1])
	}
	c.Set(0, c.Elem(0), append(append([]onnx.Dim{}, at[:len(at)-1]...), x[b+k:]...)...)
	return nil
}

// tuples is a list of places in a tensor, each of which names a block of elements.
type tuples struct {
	at      integers
	shape   []int // the axes that the indices count
	stride  []int
	perItem int // tuples for each item of the batch
	item    int // elements of an item
	block   int // elements of a block
	count   int // tuples
	out     []int
}

// tuplesOf reads the tuples in input idx, which name places in a tensor of the given shape.
func tuplesOf(m *mover, shape []int, idx int, batch int64) (tuples, error) {
	at, err := integersOf(m.In[idx])
	if err != nil {
		return tuples{}, err
	}
	box := m.shape(idx)
	last := len(box) - 1
	if last < 0 || batch < 0 || batch > int64(last) || int64(box[last])+batch > int64(len(shape)) {
		return tuples{}, onnx.Invalidf("indices of shape %v with %d batch axes do not fit shape %v", box, batch, shape)
	}
	b, k := int(batch), box[last]
	if !slices.Equal(box[:b], shape[:b]) {
		return tuples{}, onnx.Invalidf("expected the batch axes %v of the indices, received %v", shape[:b], box[:b])
	}
	return tuples{
		at: at, shape: shape[b : b+k], stride: m.rowMajor(shape)[b : b+k],
		perItem: product(box[b:last]), item: product(shape[b:]), block: product(shape[b+k:]), count: product(box[:last]),
		out: append(append(m.take(len(box) + len(shape))[:0], box[:last]...), shape[b+k:]...),
	}, nil
}

// each calls do for each tuple: its number, and the first element of the block that it names.
func (t *tuples) each(do func(i, at int)) error {
	k := len(t.shape)
	for i := range t.count {
		off := i / t.perItem * t.item
		for j, n := range t.shape {
			v, err := t.at.index(i*k+j, n)
			if err != nil {
				return err
			}
			off += v * t.stride[j]
		}
		do(i, off)
	}
	return nil
}
