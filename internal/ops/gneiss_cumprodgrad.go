package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.CumProdGrad: x, axis, dy -> dx. The factors before an element and what comes behind it are kept apart, so that
// zeros do no harm: dx[i] = (product of x before i) * s[i], s[i] = dy[i] + x[i+1]*s[i+1].
var opCumProdGrad = opdef.Def{
	Type:   "CumProdGrad",
	Domain: onnx.Private,
	Schema: private(3, 1),
	Infer:  opdef.SameAsFirst,
	Grad:   opdef.NoGrad,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		switch c.Elem(0) {
		case onnx.Float32:
			return lanesStep(c, cumProdGrad[float32]), nil
		case onnx.Float64:
			return lanesStep(c, cumProdGrad[float64]), nil
		case onnx.Float16, onnx.BFloat16:
			return halfLanesStep(c, cumProdGrad[float32]), nil
		}
		return opdef.Step{}, badElem(c.Elem(0))
	},
}

func cumProdGrad[T float](n *onnx.Node, dx []T, in ...[]T) {
	x, dy := in[0], in[1]
	first, step := direction(n, len(dx))
	exclusive, s, next := n.Int("exclusive", 0) != 0, T(0), -1
	last := first + step*(len(dx)-1)
	for i := last; i >= 0 && i < len(dx); i -= step {
		d := T(0)
		switch {
		case !exclusive:
			d = dy[i]
		case next >= 0:
			d = dy[next]
		}
		if next >= 0 {
			s *= x[next]
		}
		s += d
		dx[i], next = s, i
	}
	p := T(1)
	for i := first; i >= 0 && i < len(dx); i += step {
		dx[i] *= p
		p *= x[i]
	}
}
