// Package initializer draws the initial values of parameters.
//
// Sources: Keras 3 initializers and PyTorch's torch.nn.init. The random streams are this project's own: a parameter's values
// depend on the seed and on its name, so that adding a layer does not change the others.
package initializer

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Fans are the numbers of inputs and outputs that one element of a weight connects.
type Fans struct{ In, Out int }

// Initializer fills a parameter.
type Initializer interface {
	// Fill sets every element of dst, drawing from r.
	Fill(dst []float64, fans Fans, r *rand.Rand)
	// String is the resolved literal, for summaries and checkpoints.
	String() string
}

// Stream is the random stream for the parameter called name.
func Stream(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Zeros fills with 0.
type Zeros struct{}

// Fill sets every element to 0.
func (Zeros) Fill(dst []float64, _ Fans, _ *rand.Rand) { clear(dst) }

func (Zeros) String() string { return "zeros" }

// Constant fills with Value.
type Constant struct{ Value float64 }

// Fill sets every element to Value.
func (c Constant) Fill(dst []float64, _ Fans, _ *rand.Rand) {
	for i := range dst {
		dst[i] = c.Value
	}
}

func (c Constant) String() string { return fmt.Sprintf("constant(%g)", c.Value) }

// Uniform draws from [Min, Max).
type Uniform struct{ Min, Max float64 }

// Fill draws every element.
func (u Uniform) Fill(dst []float64, _ Fans, r *rand.Rand) {
	for i := range dst {
		dst[i] = u.Min + (u.Max-u.Min)*r.Float64()
	}
}

func (u Uniform) String() string { return fmt.Sprintf("uniform(%g, %g)", u.Min, u.Max) }

// Normal draws from the normal distribution of the given mean and standard deviation.
type Normal struct{ Mean, Std float64 }

// Fill draws every element.
func (n Normal) Fill(dst []float64, _ Fans, r *rand.Rand) {
	for i := range dst {
		dst[i] = n.Mean + n.Std*r.NormFloat64()
	}
}

func (n Normal) String() string { return fmt.Sprintf("normal(%g, %g)", n.Mean, n.Std) }

// fan says which fan a variance is divided by.
func mean(f Fans) float64 { return float64(f.In+f.Out) / 2 }

// GlorotUniform draws from U(±√(6/(in+out))), as Keras's GlorotUniform and PyTorch's xavier_uniform_.
type GlorotUniform struct{}

// Fill draws every element.
func (GlorotUniform) Fill(dst []float64, f Fans, r *rand.Rand) {
	symmetric(dst, math.Sqrt(3/mean(f)), r)
}

func (GlorotUniform) String() string { return "glorot_uniform" }

// HeUniform draws from U(±√(6/in)), as Keras's HeUniform and PyTorch's kaiming_uniform_ for ReLU.
type HeUniform struct{}

// Fill draws every element.
func (HeUniform) Fill(dst []float64, f Fans, r *rand.Rand) {
	symmetric(dst, math.Sqrt(6/float64(f.In)), r)
}

func (HeUniform) String() string { return "he_uniform" }

// FanInUniform draws from U(±1/√in): the default of PyTorch's Linear and Conv, weights and biases.
type FanInUniform struct{}

// Fill draws every element.
func (FanInUniform) Fill(dst []float64, f Fans, r *rand.Rand) {
	symmetric(dst, 1/math.Sqrt(float64(max(f.In, 1))), r)
}

func (FanInUniform) String() string { return "fan_in_uniform" }

func symmetric(dst []float64, limit float64, r *rand.Rand) {
	Uniform{-limit, limit}.Fill(dst, Fans{}, r)
}

// GlorotNormal draws from a normal distribution of variance 2/(in+out), truncated at two standard deviations as Keras does.
type GlorotNormal struct{}

// Fill draws every element.
func (GlorotNormal) Fill(dst []float64, f Fans, r *rand.Rand) { truncated(dst, 1/mean(f), r) }

func (GlorotNormal) String() string { return "glorot_normal" }

// HeNormal draws from a normal distribution of variance 2/in, truncated at two standard deviations as Keras does.
type HeNormal struct{}

// Fill draws every element.
func (HeNormal) Fill(dst []float64, f Fans, r *rand.Rand) { truncated(dst, 2/float64(f.In), r) }

func (HeNormal) String() string { return "he_normal" }

// LecunNormal draws from a normal distribution of variance 1/in, truncated at two standard deviations as Keras does.
type LecunNormal struct{}

// Fill draws every element.
func (LecunNormal) Fill(dst []float64, f Fans, r *rand.Rand) { truncated(dst, 1/float64(f.In), r) }

func (LecunNormal) String() string { return "lecun_normal" }

// truncatedStd is the standard deviation of a standard normal truncated at ±2.
const truncatedStd = 0.87962566103423978

// truncated draws with the given variance after truncation.
func truncated(dst []float64, variance float64, r *rand.Rand) {
	std := math.Sqrt(variance) / truncatedStd
	for i := range dst {
		x := r.NormFloat64()
		for math.Abs(x) > 2 {
			x = r.NormFloat64()
		}
		dst[i] = std * x
	}
}
