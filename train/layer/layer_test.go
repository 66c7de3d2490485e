package layer_test

import (
	"context"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/stretchr/testify/require"
)

// built is what l makes of an input of the given dims.
func built(l layer.Layer, c convention.Convention, dims ...any) (*layer.Builder, *onnx.Value) {
	b := layer.NewBuilder("test", c)
	y := l.Build(b, b.Input("x", onnx.Float32, dims...))
	return b, y
}

// fails requires that building l for the dims is an error with text.
func fails(t *testing.T, text string, l layer.Layer, dims ...any) {
	t.Helper()
	b, _ := built(l, convention.Keras, dims...)
	require.ErrorIs(t, b.Err(), onnx.ErrInvalid)
	require.ErrorContains(t, b.Err(), text)
}

// typed requires the type of l's output.
func typed(t *testing.T, want string, l layer.Layer, dims ...any) *layer.Builder {
	t.Helper()
	b, y := built(l, convention.Keras, dims...)
	require.NoError(t, b.Err())
	require.Equal(t, want, y.Type.String())
	return b
}

// run builds l on x with every parameter drawn by its initializer from seed 1, and computes the output.
func run(t testing.TB, l layer.Layer, c convention.Convention, x *onnx.Tensor) []float32 {
	t.Helper()
	dims := make([]any, len(x.Shape))
	for i, d := range x.Shape {
		dims[i] = d
	}
	b, y := built(l, c, dims...)
	require.NoError(t, b.Err())
	for _, p := range b.Parameters {
		shape := make([]int, len(p.Value.Type.Shape))
		for i, d := range p.Value.Type.Shape {
			shape[i] = int(d.N)
		}
		n, _ := onnx.NumElements(shape)
		v := make([]float64, n)
		p.Initializer.Fill(v, p.Fans, initializer.Stream(1, p.Value.Name))
		init, err := onnx.Zeros(onnx.Float32, shape...)
		require.NoError(t, err)
		for i, w := range onnx.View[float32](init.Mutable()) {
			onnx.View[float32](init.Mutable())[i] = w + float32(v[i])
		}
		p.Value.Init = init
	}
	y = b.Op("Identity", []*onnx.Value{y}) // a layer may return its input
	y.Name, b.Graph.Outputs = "y", []*onnx.Value{y}
	s, err := runtime.New(onnx.NewModel(b.Graph), runtime.Options{Engine: runtime.Plain})
	require.NoError(t, err)
	defer s.Close()
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
	require.NoError(t, err)
	return onnx.Data[float32](out["y"])
}

func tensor(t testing.TB, v []float32, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, shape...)
	require.NoError(t, err)
	return x
}

func TestInput(t *testing.T) {
	b := layer.NewBuilder("test", convention.Keras)
	require.Equal(t, "float[N,3,4]", layer.Input{Shape: []int{3, 4}}.Build(b).Type.String())
	v := layer.Input{Name: "ids", Elem: onnx.Int64}.Build(b)
	require.Equal(t, "int64[N]", v.Type.String())
	layer.Input{}.Build(b, v)
	require.ErrorIs(t, b.Err(), onnx.ErrInvalid)

	b = layer.NewBuilder("test", convention.Keras)
	b.Input("x", onnx.Float32, 3.5)
	require.ErrorContains(t, b.Err(), "float64")
}

func TestDense(t *testing.T) {
	b := typed(t, "float[N,5]", layer.Dense{Units: 5}, "N", 3)
	require.Len(t, b.Parameters, 2)
	require.Equal(t, "dense.weight", b.Parameters[0].Value.Name)
	require.Equal(t, "float[5,3]", b.Parameters[0].Value.Type.String())
	require.Equal(t, initializer.Fans{In: 3, Out: 5}, b.Parameters[0].Fans)
	require.Len(t, typed(t, "float[N,5]", layer.Dense{Units: 5, NoBias: true}, "N", 3).Parameters, 1)
	l := layer.Dense{Units: 2, WeightInitializer: initializer.Constant{Value: 2}, BiasInitializer: initializer.Constant{Value: 1}, Activation: layer.ReLU}
	require.Equal(t, []float32{7, 7, 0, 0}, run(t, l, convention.Keras, tensor(t, []float32{1, 2, -5, 1}, 2, 2)))

	fails(t, "rank 2", layer.Dense{Units: 2}, "N", 3, 4)
	fails(t, "must be fixed", layer.Dense{Units: 2}, "N", "M")
	fails(t, "[0 3]", layer.Dense{}, "N", 3)
	fails(t, "dense", layer.Dense{Units: -1}, "N", 3)
}

// Initial values are the convention's: Keras glorot uniform and zeros, PyTorch uniform by the inputs for both.
func TestDense_convention(t *testing.T) {
	keras, _ := built(layer.Dense{Units: 5}, convention.Inherit, "N", 3)
	require.Equal(t, "glorot_uniform", keras.Parameters[0].Initializer.String())
	require.Equal(t, "zeros", keras.Parameters[1].Initializer.String())
	torch, _ := built(layer.Dense{Units: 5}, convention.PyTorch, "N", 3)
	require.Equal(t, "fan_in_uniform", torch.Parameters[0].Initializer.String())
	require.Equal(t, "fan_in_uniform", torch.Parameters[1].Initializer.String())
}

func TestConv2D(t *testing.T) {
	b := typed(t, "float[N,8,26,25]", layer.Conv2D{Filters: 8, Kernel: [2]int{3, 4}}, "N", 2, 28, 28)
	require.Equal(t, "float[8,2,3,4]", b.Parameters[0].Value.Type.String())
	require.Equal(t, initializer.Fans{In: 24, Out: 96}, b.Parameters[0].Fans)
	k := [2]int{3, 3}
	typed(t, "float[N,8,28,28]", layer.Conv2D{Filters: 8, Kernel: k, Padding: layer.Same}, "N", 2, 28, 28)
	typed(t, "float[N,8,14,10]", layer.Conv2D{Filters: 8, Kernel: k, Padding: layer.Same, Strides: [2]int{2, 3}}, "N", 2, 28, 28)
	typed(t, "float[N,8,28,28]", layer.Conv2D{Filters: 8, Kernel: k, Padding: layer.PadBy(1)}, "N", 2, 28, 28)
	typed(t, "float[N,8,24,24]", layer.Conv2D{Filters: 8, Kernel: k, Dilations: [2]int{2, 2}}, "N", 2, 28, 28)
	grouped := typed(t, "float[N,4,26,26]", layer.Conv2D{Filters: 4, Kernel: k, Groups: 2, NoBias: true}, "N", 2, 28, 28)
	require.Equal(t, "float[4,1,3,3]", grouped.Parameters[0].Value.Type.String())
	typed(t, "float[N,8,?,?]", layer.Conv2D{Filters: 8, Kernel: k}, "N", 2, "H", "W")

	one := initializer.Constant{Value: 1}
	l := layer.Conv2D{Filters: 1, Kernel: [2]int{2, 2}, Padding: layer.Same, WeightInitializer: one}
	require.Equal(t, []float32{10, 6, 7, 4}, run(t, l, convention.Keras, tensor(t, []float32{1, 2, 3, 4}, 1, 1, 2, 2)), "the odd pixel stands at the end")
}

func TestConv2D_errors(t *testing.T) {
	k := [2]int{3, 3}
	fails(t, "rank 4", layer.Conv2D{Filters: 8, Kernel: k}, "N", 28, 28)
	fails(t, "must be fixed", layer.Conv2D{Filters: 8, Kernel: k}, "N", "C", 28, 28)
	fails(t, "kernel", layer.Conv2D{Filters: 8}, "N", 2, 28, 28)
	fails(t, "strides", layer.Conv2D{Filters: 8, Kernel: k, Strides: [2]int{-1, 1}}, "N", 2, 28, 28)
	fails(t, "dilations", layer.Conv2D{Filters: 8, Kernel: k, Dilations: [2]int{1, -1}}, "N", 2, 28, 28)
	fails(t, "3 groups", layer.Conv2D{Filters: 9, Kernel: k, Groups: 3}, "N", 2, 28, 28)
	fails(t, "2 groups", layer.Conv2D{Filters: 9, Kernel: k, Groups: 2}, "N", 2, 28, 28)
	fails(t, "filters", layer.Conv2D{Kernel: k}, "N", 2, 28, 28)
	fails(t, "must be fixed", layer.Conv2D{Filters: 8, Kernel: k, Padding: layer.Same}, "N", 2, "H", 28)
	fails(t, "", layer.Conv2D{Filters: 8, Kernel: [2]int{30, 30}}, "N", 2, 28, 28)
	fails(t, "", layer.Conv2D{Filters: 8, Kernel: k, Padding: layer.PadBy(-20)}, "N", 2, 28, 28)
}

func TestPools(t *testing.T) {
	typed(t, "float[N,2,14,14]", layer.MaxPool2D{}, "N", 2, 28, 28)
	typed(t, "float[N,2,13,13]", layer.MaxPool2D{}, "N", 2, 27, 27)
	typed(t, "float[N,2,14,14]", layer.MaxPool2D{Padding: layer.Same}, "N", 2, 27, 27)
	typed(t, "float[N,2,26,26]", layer.AveragePool2D{Size: [2]int{3, 3}, Strides: [2]int{1, 1}}, "N", 2, 28, 28)
	typed(t, "float[N,2]", layer.GlobalAveragePool2D{}, "N", 2, 28, 28)
	x := tensor(t, []float32{-1, -2, -3, -4}, 1, 1, 2, 2)
	require.Equal(t, []float32{-1}, run(t, layer.MaxPool2D{}, convention.Keras, x))
	require.Equal(t, []float32{-2.5}, run(t, layer.AveragePool2D{}, convention.Keras, x))
	require.Equal(t, []float32{-2.5}, run(t, layer.GlobalAveragePool2D{}, convention.Keras, x))

	// Padding never wins a maximum; a mean counts it as zeros in PyTorch's convention only.
	padded := layer.Padding{Top: 1, Left: 1, Bottom: 1, Right: 1}
	require.Equal(t, []float32{-1, -2, -3, -4}, run(t, layer.MaxPool2D{Padding: padded}, convention.Keras, x))
	require.Equal(t, []float32{-1, -2, -3, -4}, run(t, layer.AveragePool2D{Padding: padded}, convention.Keras, x))
	require.Equal(t, []float32{-.25, -.5, -.75, -1}, run(t, layer.AveragePool2D{Padding: padded}, convention.PyTorch, x))

	for _, l := range []layer.Layer{layer.MaxPool2D{}, layer.AveragePool2D{}, layer.GlobalAveragePool2D{}} {
		fails(t, "rank 4", l, "N", 2, 28)
	}
	fails(t, "size", layer.MaxPool2D{Size: [2]int{0, 2}}, "N", 2, 28, 28)
	fails(t, "strides", layer.AveragePool2D{Strides: [2]int{2, 0}}, "N", 2, 28, 28)
}

func TestFlatten(t *testing.T) {
	typed(t, "float[N,24]", layer.Flatten{}, "N", 2, 3, 4)
	typed(t, "float[N,1]", layer.Flatten{}, "N")
}

func TestDropout(t *testing.T) {
	require.Equal(t, []float32{1, 2}, run(t, layer.Dropout{Rate: 0.5}, convention.Keras, tensor(t, []float32{1, 2}, 2)))
	b, _ := built(layer.Dropout{Rate: 1}, convention.Keras, "N")
	require.NoError(t, b.Err())
	require.Len(t, b.TrainingForms(), 1)
	for _, rate := range []float64{-0.1, 1.1, math.NaN()} {
		fails(t, "rate", layer.Dropout{Rate: rate}, "N", 3)
	}
}

func TestBatchNormalization(t *testing.T) {
	b := typed(t, "float[N,2,3]", layer.BatchNormalization{}, "N", 2, 3)
	var trainable []bool
	for _, p := range b.Parameters {
		require.Equal(t, "float[2]", p.Value.Type.String())
		trainable = append(trainable, p.Trainable)
	}
	require.Equal(t, []bool{true, true, false, false}, trainable)
	fails(t, "must be fixed", layer.BatchNormalization{}, "N", "C", 3)
	fails(t, "must be fixed", layer.BatchNormalization{}, "N")

	// Fresh statistics are mean 0 and variance 1: only epsilon, the convention's, is seen.
	x := tensor(t, []float32{2}, 1, 1)
	require.InDelta(t, 2/math.Sqrt(1+1e-3), run(t, layer.BatchNormalization{}, convention.Keras, x)[0], 1e-6)
	require.InDelta(t, 2/math.Sqrt(1+1e-5), run(t, layer.BatchNormalization{}, convention.PyTorch, x)[0], 1e-6)
	require.InDelta(t, 1, run(t, layer.BatchNormalization{Epsilon: 3}, convention.PyTorch, x)[0], 1e-6)
}

// Every activation is its formula.
func TestActivation(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	relu6 := func(x float64) float64 { return min(max(x, 0), 6) }
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	const alpha, gamma = 1.6732632423543772, 1.0507009873554805
	elu := func(x float64) float64 { return min(math.Expm1(x), 0) + max(x, 0) }
	for a, f := range map[layer.Activation]func(float64) float64{
		layer.Linear: func(x float64) float64 { return x }, layer.ReLU: func(x float64) float64 { return max(x, 0) },
		layer.LeakyReLU: func(x float64) float64 { return max(x, 0.3*x) }, layer.ELU: elu,
		layer.SELU: func(x float64) float64 { return gamma * (max(x, 0) + alpha*min(math.Expm1(x), 0)) },
		layer.GELU: func(x float64) float64 { return x * 0.5 * (1 + math.Erf(x/math.Sqrt2)) },
		layer.GELUTanh: func(x float64) float64 {
			return x * 0.5 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		},
		layer.SiLU: func(x float64) float64 { return x * sigmoid(x) }, layer.Mish: func(x float64) float64 { return x * math.Tanh(softplus(x)) },
		layer.Sigmoid: sigmoid, layer.HardSigmoid: func(x float64) float64 { return relu6(x+3) / 6 },
		layer.HardSwish: func(x float64) float64 { return x * relu6(x+3) / 6 }, layer.Tanh: math.Tanh, layer.Softplus: softplus,
		layer.Softsign: func(x float64) float64 { return x / (1 + math.Abs(x)) }, layer.Exponential: math.Exp,
	} {
		x := []float32{-4, -1.5, -0.25, 0, 0.5, 2, 7}
		for i, y := range run(t, a, convention.Keras, tensor(t, x, 1, len(x))) {
			require.InDelta(t, f(float64(x[i])), y, 1e-5*(1+math.Abs(f(float64(x[i])))), "%v(%v)", a, x[i])
		}
	}
	require.Equal(t, float32(-0.01), run(t, layer.LeakyReLU, convention.PyTorch, tensor(t, []float32{-1}, 1))[0])
	p := run(t, layer.Softmax, convention.Keras, tensor(t, []float32{0, 0, 1, 1}, 2, 2))
	require.Equal(t, []float32{.5, .5, .5, .5}, p)
	require.InDelta(t, -math.Ln2, run(t, layer.LogSoftmax, convention.Keras, tensor(t, []float32{3, 3}, 1, 2))[1], 1e-6)

	require.Equal(t, "hard_sigmoid", layer.HardSigmoid.String())
	require.Equal(t, "log_softmax", layer.LogSoftmax.String())
	require.Equal(t, "unknown", layer.Activation(200).String())
	fails(t, "unknown activation", layer.Activation(200), "N", 3)
}

// Layers want exactly one input.
func TestOneInput(t *testing.T) {
	for _, l := range []layer.Layer{
		layer.Dense{Units: 1},
		layer.Conv2D{},
		layer.MaxPool2D{},
		layer.AveragePool2D{},
		layer.GlobalAveragePool2D{},
		layer.Flatten{},
		layer.Dropout{},
		layer.BatchNormalization{},
		layer.ReLU,
	} {
		b := layer.NewBuilder("test", convention.Keras)
		l.Build(b)
		require.ErrorContains(t, b.Err(), "one input")
		b = layer.NewBuilder("test", convention.Keras)
		x := b.Input("x", onnx.Float32, 1, 1, 1, 1)
		l.Build(b, x, x)
		require.ErrorContains(t, b.Err(), "one input")
		b = layer.NewBuilder("test", convention.Keras)
		l.Build(b, nil)
		require.ErrorContains(t, b.Err(), "one input")
	}
}

// The first error is kept and what follows does nothing.
func TestBuilder_firstError(t *testing.T) {
	b := layer.NewBuilder("test", convention.Keras)
	x := b.Input("x", onnx.Float32, "N", 3)
	y := layer.Conv2D{Filters: 1, Kernel: [2]int{3, 3}}.Build(b, x)
	first := b.Err()
	require.ErrorContains(t, first, "Conv2D")
	layer.Dense{Units: 2}.Build(b, layer.ReLU.Build(b, y))
	layer.Dropout{Rate: 7}.Build(b, x)
	require.Equal(t, first, b.Err())
}

// Layers are named as Keras counts them, unless they have a name; the summary's rows hold their parameters.
func TestBuilder_names(t *testing.T) {
	b := layer.NewBuilder("test", convention.Keras)
	x := b.Input("x", onnx.Float32, "N", 3)
	x = layer.Dense{Units: 3}.Build(b, x)
	x = layer.Dense{Units: 3, Name: "mine"}.Build(b, x)
	layer.Dense{Units: 3}.Build(b, x)
	require.NoError(t, b.Err())
	var names []string
	for _, r := range b.Layers {
		names = append(names, r.Name)
		require.Equal(t, "Dense", r.Kind)
		require.Len(t, r.Parameters, 2)
		require.Equal(t, r.Name+".weight", r.Parameters[0].Value.Name)
	}
	require.Equal(t, []string{"dense", "mine", "dense_1"}, names)
}
