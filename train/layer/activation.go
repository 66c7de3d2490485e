package layer

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
)

// Activation is the function applied to a layer's output. The zero Activation is Linear. It is a layer as well.
type Activation uint8

// Activations.
const (
	// Linear is x.
	Linear Activation = iota
	// ReLU is max(x, 0).
	ReLU
	// LeakyReLU is x where positive, else slope·x; the slope is 0.3 in Keras's convention, 0.01 in PyTorch's.
	LeakyReLU
	// ELU is x where positive, else exp(x)-1.
	ELU
	// SELU is ELU with the constants of self-normalising networks.
	SELU
	// GELU is x·Φ(x), exact.
	GELU
	// GELUTanh is the tanh approximation of GELU.
	GELUTanh
	// SiLU is x·sigmoid(x).
	SiLU
	// Mish is x·tanh(softplus(x)).
	Mish
	// Sigmoid is 1/(1+exp(-x)).
	Sigmoid
	// HardSigmoid is relu6(x+3)/6.
	HardSigmoid
	// HardSwish is x·relu6(x+3)/6.
	HardSwish
	// Tanh is the hyperbolic tangent.
	Tanh
	// Softplus is log(1+exp(x)).
	Softplus
	// Softsign is x/(1+|x|).
	Softsign
	// Exponential is exp(x).
	Exponential
	// Softmax is exp(x)/Σ exp(x) along the last axis.
	Softmax
	// LogSoftmax is log(Softmax(x)) along the last axis.
	LogSoftmax
)

var activationNames = [...]string{
	"linear", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", "sigmoid", "hard_sigmoid",
	"hard_swish", "tanh", "softplus", "softsign", "exponential", "softmax", "log_softmax",
}

// String is the Keras name.
func (a Activation) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return "unknown"
}

// Build applies a to its one input.
func (a Activation) Build(b *Builder, x ...*onnx.Value) *onnx.Value {
	_, end := b.begin("Activation", a.String(), "")
	v := b.one(a.String(), x)
	if v == nil {
		return nil
	}
	return end(a.apply(b, v))
}

func (a Activation) apply(b *Builder, x *onnx.Value) *onnx.Value {
	in := []*onnx.Value{x}
	switch a {
	case Linear:
		return x
	case ReLU:
		return b.Op("Relu", in)
	case LeakyReLU:
		return b.Op("LeakyRelu", in, onnx.Float("alpha", convention.Pick[float32](b.Convention, 0.3, 0.01)))
	case ELU:
		return b.Op("Elu", in)
	case SELU:
		return b.Op("Selu", in)
	case GELU:
		return b.Op("Gelu", in)
	case GELUTanh:
		return b.Op("Gelu", in, onnx.Str("approximate", "tanh"))
	case SiLU:
		return b.Op("Mul", []*onnx.Value{x, b.Op("Sigmoid", in)})
	case Mish:
		return b.Op("Mul", []*onnx.Value{x, b.Op("Tanh", []*onnx.Value{b.Op("Softplus", in)})})
	case Sigmoid:
		return b.Op("Sigmoid", in)
	case HardSigmoid:
		return b.Op("HardSigmoid", in, onnx.Float("alpha", 1.0/6))
	case HardSwish:
		return b.Op("HardSwish", in)
	case Tanh:
		return b.Op("Tanh", in)
	case Softplus:
		return b.Op("Softplus", in)
	case Softsign:
		return b.Op("Softsign", in)
	case Exponential:
		return b.Op("Exp", in)
	case Softmax:
		return b.Op("Softmax", in, onnx.Int("axis", -1))
	case LogSoftmax:
		return b.Op("LogSoftmax", in, onnx.Int("axis", -1))
	}
	b.Fail(onnx.Invalidf("layer: unknown activation %d", a))
	return x
}
