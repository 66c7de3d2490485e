package blocked

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
)

// An Activation is what a convolution does with its sums before it stores
// them. NaN stays NaN.
type Activation uint8

// The activations. Alpha and Beta are fields of the Epilogue.
const (
	Identity    Activation = iota
	Relu                   // max(x, 0)
	Clip                   // min(max(x, Alpha), Beta)
	LeakyRelu              // x < 0: Alpha*x
	Sigmoid                // 1 / (1 + exp(-x))
	SiLU                   // x * Sigmoid(x)
	HardSigmoid            // min(max(Alpha*x + Beta, 0), 1)
	HardSwish              // x * min(max(x/6 + 1/2, 0), 1)
	Tanh
)

// An Epilogue is what follows the sums of a convolution.
type Epilogue struct {
	Bias     []float32 // by output channel; nil: none
	Residual []float32 // blocked as the result, added before the activation; may be the result's own buffer; nil: none
	Act      Activation
	Alpha    float32
	Beta     float32
}

// apply is the definition of the activation.
func (e *Epilogue) apply(x float32) float32 {
	switch e.Act {
	case Relu:
		return atLeast(x, 0)
	case Clip:
		return atMost(atLeast(x, e.Alpha), e.Beta)
	case LeakyRelu:
		if x < 0 {
			return e.Alpha * x
		}
		return x
	case Sigmoid:
		return sigmoid(x)
	case SiLU:
		return x * sigmoid(x)
	case HardSigmoid:
		return atMost(atLeast(float32(e.Alpha*x)+e.Beta, 0), 1)
	case HardSwish:
		return x * atMost(atLeast(float32(x/6)+0.5, 0), 1)
	case Tanh:
		return float32(math.Tanh(float64(x)))
	}
	return x
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func atLeast(x, low float32) float32 {
	if x < low {
		return low
	}
	return x
}

func atMost(x, high float32) float32 {
	if x > high {
		return high
	}
	return x
}

// bounds returns the limits of an activation that is only limits. Those a
// kernel applies when it stores; the others are left to activate.
func (e *Epilogue) bounds() (low, high float32, ok bool) {
	switch e.Act {
	case Relu:
		return 0, float32(math.Inf(1)), true
	case Clip:
		return e.Alpha, e.Beta, true
	}
	return 0, 0, false
}

// activate applies the activation to finished sums, in vectors where package
// vec has them: those results may differ from apply's in the last bits.
func (e *Epilogue) activate(y []float32) {
	switch e.Act {
	case Identity:
	case Sigmoid:
		vec.Best().Kernel(vec.SigmoidOf)(y, y)
	case SiLU:
		vec.Best().Kernel(vec.SwishOf)(y, y)
	case Tanh:
		vec.Best().Kernel(vec.TanhOf)(y, y)
	default:
		if len(y)%Lanes == 0 && Best().direct.activateBlocks(e, y) {
			return
		}
		for i, v := range y {
			y[i] = e.apply(v)
		}
	}
}
