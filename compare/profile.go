package compare

import (
	"cmp"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Tolerance allows a difference of Abs + Rel·|want|.
type Tolerance struct {
	Rel, Abs float64
}

// Profile is a set of tolerances by element type. Shapes and element types must be equal in every profile; integers of any
// width, truth values and strings must be equal where Others is zero.
type Profile struct {
	Name                           string
	Float64, Float32, Half, BFloat Tolerance
	Others                         Tolerance
	// Strict also tells -0 from +0.
	Strict bool
	// NaNFails makes a NaN differ from a NaN.
	NaNFails bool
}

// The profiles of frameworks and tools, by their tolerances (relative, absolute).
var (
	// Torch is torch.testing.assert_close.
	Torch = Profile{
		Name: "torch", Float64: Tolerance{1e-7, 1e-7}, Float32: Tolerance{1.3e-6, 1e-5}, Half: Tolerance{1e-3, 1e-5},
		BFloat: Tolerance{1.6e-2, 1e-5},
	}
	// TF is assertAllCloseAccordingToType.
	TF = Profile{
		Name: "tf", Float64: Tolerance{1e-6, 1e-6}, Float32: Tolerance{1e-6, 1e-6}, Half: Tolerance{1e-3, 1e-3},
		BFloat: Tolerance{1e-2, 1e-2}, Others: Tolerance{1e-6, 1e-6},
	}
	// Keras is the test case of Keras.
	Keras = Profile{
		Name: "keras", Float64: Tolerance{1e-6, 1e-6}, Float32: Tolerance{1e-6, 1e-6}, Half: Tolerance{1e-6, 1e-6},
		BFloat: Tolerance{1e-6, 1e-6},
	}
	// ONNX is the rule of the official backend tests; integers and low-bit types are held to equality.
	ONNX = uniform("onnx", Tolerance{1e-3, 1e-7})
	// ORT is ONNX Runtime's unit tests.
	ORT = Profile{
		Name: "ort", Float64: Tolerance{1e-5, 1e-5}, Float32: Tolerance{1e-4, 1e-5}, Half: Tolerance{1e-3, 2.5e-3},
		BFloat: Tolerance{1e-2, 2e-2},
	}
	// ORTTest is onnx_test_runner.
	ORTTest = uniform("ort-test", Tolerance{1e-5, 1e-5})
	// NumPy is numpy.testing.assert_allclose.
	NumPy = uniform("numpy", Tolerance{1e-7, 0})
	// Strict is equality of bits.
	Strict = Profile{Name: "strict", Strict: true}
)

func uniform(name string, t Tolerance) Profile {
	return Profile{Name: name, Float64: t, Float32: t, Half: t, BFloat: t}
}

// Profiles lists the profiles by name.
func Profiles() []Profile {
	ps := []Profile{Torch, TF, Keras, ONNX, ORT, ORTTest, NumPy, Strict}
	slices.SortFunc(ps, func(a, b Profile) int { return cmp.Compare(a.Name, b.Name) })
	return ps
}

// ProfileOf is the profile called name.
func ProfileOf(name string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, onnx.Invalidf("compare: profile %.32q is unknown: expected one of %v", name, names)
}

// With is p with the given tolerance for every floating-point type.
func (p Profile) With(t Tolerance) Profile {
	p.Float64, p.Float32, p.Half, p.BFloat = t, t, t, t
	return p
}

// of is the tolerance for element type e.
func (p Profile) of(e onnx.ElemType) Tolerance {
	switch e {
	case onnx.Float64, onnx.Complex128:
		return p.Float64
	case onnx.Float32, onnx.Complex64:
		return p.Float32
	case onnx.Float16:
		return p.Half
	case onnx.BFloat16:
		return p.BFloat
	}
	return p.Others
}
