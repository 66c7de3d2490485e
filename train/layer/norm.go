package layer

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
)

const pyTorch = convention.PyTorch

// BatchNormalization normalises each channel to mean 0 and variance 1, then scales and shifts it. In training it uses the
// batch's statistics and moves the running ones; in inference it uses the running ones.
//
// In and out [N, C, ...]; scale, bias, running_mean, running_var [C]. Build fails if C is not fixed.
//
// Momentum is the share of the old running value that is kept (1 - PyTorch's momentum). Zero means the convention's: Keras
// momentum 0.99 and epsilon 1e-3, PyTorch 0.9 and 1e-5. PyTorch's running variance is the unbiased one, n/(n-1) times the
// batch's; its normalising variance and both of Keras's are the population's.
//
// Source: ONNX BatchNormalization; Keras BatchNormalization, PyTorch BatchNorm2d.
type BatchNormalization struct {
	Name     string
	Momentum float64
	Epsilon  float64
}

// Build appends the layer.
func (l BatchNormalization) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	name, end := b.begin("BatchNormalization", "batch_normalization", l.Name)
	v := b.one("BatchNormalization", x)
	if v == nil || b.Err() != nil {
		return nil
	}
	c := b.Dim(v, 1)
	one, f := initializer.Constant{Value: 1}, initializer.Fans{In: c, Out: c}
	ins := []*onnx.Value{
		v,
		b.Parameter(name+".weight", one, f, c), b.Parameter(name+".bias", initializer.Zeros{}, f, c),
		b.State(name+".running_mean", initializer.Zeros{}, c), b.State(name+".running_var", one, c),
	}
	momentum := or(l.Momentum, convention.Pick(b.Convention, 0.99, 0.9))
	epsilon := or(l.Epsilon, convention.Pick(b.Convention, 1e-3, 1e-5))
	n := b.Node("", "BatchNormalization", 1, ins,
		onnx.Float("momentum", float32(momentum)), onnx.Float("epsilon", float32(epsilon)))
	var form func(*onnx.Builder, *onnx.Node)
	if b.Convention == pyTorch {
		form = UnbiasedBatchNormalization
	}
	b.Training(n, form)
	return end(n.Out(0))
}

// UnbiasedBatchNormalization gives a BatchNormalization node PyTorch's training form: its running variance is n/(n-1) times
// what ONNX's would be, n being the elements per channel: new = m·old + (n/(n-1))·(onnx - m·old).
func UnbiasedBatchNormalization(b *onnx.Builder, n *onnx.Node) {
	n.SetAttr(onnx.Int("training_mode", 1))
	x, old := n.In(0), n.In(4)
	mean, variance := n.MakeOut(1), n.MakeOut(2)
	b.Reinfer(n)
	op := func(name string, in ...*onnx.Value) *onnx.Value { return b.Op(name, in) }
	like := func(v float64) *onnx.Value {
		if old.Type.Elem == onnx.Float64 {
			return b.Const(onnx.Scalar(v))
		}
		return b.Const(onnx.Scalar(float32(v)))
	}
	cast := func(v *onnx.Value) *onnx.Value {
		return b.Op("Cast", []*onnx.Value{v}, onnx.Int("to", int64(old.Type.Elem)))
	}
	count := cast(op("Div", op("Size", x), op("Size", old)))
	kept := op("Mul", like(float64(n.Float("momentum", 0.9))), old)
	factor := op("Div", count, op("Sub", count, like(1)))
	fresh := op("Add", kept, op("Mul", factor, op("Sub", variance, kept)))
	b.Graph.Updates = append(b.Graph.Updates, onnx.Update{Var: n.In(3), New: mean}, onnx.Update{Var: old, New: fresh})
}
