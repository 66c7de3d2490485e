package initializer_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gneiss-ml/gneiss/train/initializer"
)

// bound is the largest of many draws for 300 inputs and 100 outputs, to one digit.
func bound(i initializer.Initializer) string {
	most := 0.0
	for _, x := range draw(i, 10000, 1, "weight") {
		most = max(most, math.Abs(x))
	}
	return fmt.Sprintf("%v up to %.1f", i, most)
}

// alternating is an initializer of one's own: +1, -1, +1, ...
type alternating struct{}

func (alternating) Fill(dst []float64, _ initializer.Fans, _ *rand.Rand) {
	for i := range dst {
		dst[i] = float64(1 - i%2*2)
	}
}

func (alternating) String() string { return "alternating" }

func ExampleInitializer() {
	v := make([]float64, 4)
	alternating{}.Fill(v, initializer.Fans{}, nil)
	fmt.Println(alternating{}, v)
	// Output: alternating [1 -1 1 -1]
}

func ExampleFans() {
	// A 3x3 convolution from 16 to 32 channels: each output sums 16*9 inputs.
	f := initializer.Fans{In: 16 * 9, Out: 32 * 9}
	v := make([]float64, 1)
	initializer.FanInUniform{}.Fill(v, f, initializer.Stream(1, "conv.weight"))
	fmt.Println(math.Abs(v[0]) <= 1/math.Sqrt(16*9))
	// Output: true
}

// The values of a parameter depend on seed and name only.
func ExampleStream() {
	a, b := initializer.Stream(1, "dense.weight"), initializer.Stream(1, "dense.weight")
	fmt.Println(a.Float64() == b.Float64())
	// Output: true
}

func ExampleZeros() {
	fmt.Println(draw(initializer.Zeros{}, 3, 1, "bias"))
	// Output: [0 0 0]
}

func ExampleConstant() {
	fmt.Println(draw(initializer.Constant{Value: 0.5}, 3, 1, "bias"))
	// Output: [0.5 0.5 0.5]
}

func ExampleUniform() {
	fmt.Println(bound(initializer.Uniform{Min: -2, Max: 2}))
	// Output: uniform(-2, 2) up to 2.0
}

func ExampleNormal() {
	mean, _, _ := moments(draw(initializer.Normal{Mean: 5, Std: 0.1}, 10000, 1, "weight"))
	fmt.Printf("%.1f\n", mean)
	// Output: 5.0
}

func ExampleGlorotUniform() {
	fmt.Println(bound(initializer.GlorotUniform{}))
	// Output: glorot_uniform up to 0.1
}

func ExampleGlorotNormal() {
	fmt.Println(bound(initializer.GlorotNormal{}))
	// Output: glorot_normal up to 0.2
}

func ExampleHeUniform() {
	fmt.Println(bound(initializer.HeUniform{}))
	// Output: he_uniform up to 0.1
}

func ExampleHeNormal() {
	fmt.Println(bound(initializer.HeNormal{}))
	// Output: he_normal up to 0.2
}

func ExampleLecunNormal() {
	fmt.Println(bound(initializer.LecunNormal{}))
	// Output: lecun_normal up to 0.1
}

func ExampleFanInUniform() {
	fmt.Println(bound(initializer.FanInUniform{}))
	// Output: fan_in_uniform up to 0.1
}
