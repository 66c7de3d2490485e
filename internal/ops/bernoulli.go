package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Bernoulli is 1 with the probability that the input's element says, else 0.
//
// Opset 22: types.
var opBernoulli = opdef.Def{
	Type:    "Bernoulli",
	Infer:   inferDrawnLike,
	Compile: compileBernoulli,
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("dtype", onnx.Undefined),
	Body:    bodyBernoulli,
}

func compileBernoulli(c *opdef.Compile) (opdef.Step, error) {
	if !c.Elem(0).IsFloat() {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	load := loader(c.Elem(0))
	size := c.Elem(0).Size()
	next := func(r *opdef.Run) func(int) float64 {
		d, w, x := newDrawer(r), &r.State.(*drawState).w, r.In[0].Data
		return func(i int) float64 {
			load(w, x[i*size:(i+1)*size], 1)
			return float64(b2i(success(w.f[0], d.uniform(i))))
		}
	}
	return drawStep(opdef.Step{}, c.OutElem(0), func(m *mover) ([]int, error) { return m.shape(0), nil }, next)
}

// success decides for the probability p by u, uniform in [0, 1), as the reference implementation does.
func success(p, u float64) bool {
	switch {
	case p <= 0 || p != p:
		return false
	case p >= 1:
		return true
	case p > 0.5:
		return u <= p
	}
	return u > 1-p
}

// bodyBernoulli compares with uniform numbers. The standard's text says that the input is the probability of 1, its body, which
// asks whether the numbers are greater, that of 0; this is the text's.
func bodyBernoulli(c *opdef.Rewrite) error {
	b := recipe{c}
	e := b.elem(0)
	attrs := []onnx.Attribute{onnx.Int("dtype", int64(e)), onnx.Float("low", 0), onnx.Float("high", 1)}
	if a := c.Node.Attr("seed"); a != nil {
		attrs = append(attrs, *a)
	}
	below := b.do("Less", b.Op("RandomUniformLike", values{b.in(0)}, attrs...), b.in(0))
	return b.finish(b.cast(below, onnx.ElemType(c.Node.Int("dtype", int64(e)))))
}
