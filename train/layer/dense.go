package layer

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
)

// Input is the first layer of a sequential model: the input itself.
//
// Out [N, Shape...]. The batch dim is called N.
type Input struct {
	Name  string        // "" is "input"
	Shape []int         // without the batch
	Elem  onnx.ElemType // 0: that of the parameters
}

// Build adds the input to the graph.
func (l Input) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	if len(x) != 0 {
		b.Fail(onnx.Invalidf("layer: Input takes no inputs, received %d", len(x)))
		return nil
	}
	dims := []any{"N"}
	for _, d := range l.Shape {
		dims = append(dims, d)
	}
	return b.Input(or(l.Name, "input"), or(l.Elem, b.Elem), dims...)
}

// or is v, or def when v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Dense computes activation(x·Wᵀ + bias).
//
// In [N, in], out [N, Units]; weight [Units, in]. Build fails if the input is not of rank 2 or its second dim is not fixed.
// Initial values: Keras glorot uniform and zero bias, PyTorch U(±1/√in) for both.
//
// Source: ONNX Gemm with transB; Keras Dense, PyTorch Linear.
type Dense struct {
	Name       string
	Units      int
	Activation Activation
	NoBias     bool
	// WeightInitializer and BiasInitializer are nil for the convention's.
	WeightInitializer, BiasInitializer initializer.Initializer
}

// Build appends the layer.
func (l Dense) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	name, end := b.begin("Dense", "dense", l.Name)
	v := b.one("Dense", x)
	if v == nil || !b.rank("Dense", v, 2) {
		return nil
	}
	in := b.Dim(v, 1)
	f := initializer.Fans{In: in, Out: l.Units}
	ins := []*onnx.Value{v, b.Parameter(name+".weight", weightInit(b, l.WeightInitializer), f, l.Units, in)}
	if !l.NoBias {
		ins = append(ins, b.Parameter(name+".bias", biasInit(b, l.BiasInitializer), f, l.Units))
	}
	return end(l.Activation.apply(b, b.Op("Gemm", ins, onnx.Int("transB", 1))))
}

func weightInit(b *Builder, given initializer.Initializer) initializer.Initializer {
	if given != nil {
		return given
	}
	return convention.Pick[initializer.Initializer](b.Convention, initializer.GlorotUniform{}, initializer.FanInUniform{})
}

func biasInit(b *Builder, given initializer.Initializer) initializer.Initializer {
	if given != nil {
		return given
	}
	return convention.Pick[initializer.Initializer](b.Convention, initializer.Zeros{}, initializer.FanInUniform{})
}

// Flatten keeps the batch and puts all other dims into one: in [N, ...], out [N, product].
//
// Source: ONNX Flatten with axis 1.
type Flatten struct{ Name string }

// Build appends the layer.
func (l Flatten) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	_, end := b.begin("Flatten", "flatten", l.Name)
	v := b.one("Flatten", x)
	if v == nil {
		return nil
	}
	return end(b.Op("Flatten", []*onnx.Value{v}, onnx.Int("axis", 1)))
}

// Dropout sets a share Rate of its input to zero in training and divides the rest by 1-Rate; in inference it changes nothing.
// Rate 1 gives zeros. Build fails if Rate is not from 0 to 1.
//
// Source: ONNX Dropout; Keras Dropout, PyTorch Dropout.
type Dropout struct {
	Name string
	Rate float64
}

// Build appends the layer.
func (l Dropout) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	_, end := b.begin("Dropout", "dropout", l.Name)
	v := b.one("Dropout", x)
	if v == nil {
		return nil
	}
	if !(l.Rate >= 0 && l.Rate <= 1) {
		b.Fail(onnx.Invalidf("layer: Dropout: expected a rate from 0 to 1, received %v", l.Rate))
		return nil
	}
	n := b.Node("", "Dropout", 1, []*onnx.Value{v, b.Scalar(l.Rate)})
	b.Training(n, nil)
	return end(n.Out(0))
}
