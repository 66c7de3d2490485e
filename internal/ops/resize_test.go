package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_resize(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 1, 2, 3, 4)
	scales := tensor(t, []float32{1, 1, 1.5, 0.6}, 4)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, how := range []string{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"} {
			checkResize(t, tensors{x, nil, scales}, onnx.Str("mode", mode), onnx.Str("coordinate_transformation_mode", how))
			checkResize(t, tensors{x, nil, nil, onnx.Vector[int64](2, 7)}, onnx.Ints("axes", 2, 3), onnx.Int("antialias", 1),
				onnx.Str("mode", mode), onnx.Str("coordinate_transformation_mode", how), onnx.Int("exclude_outside", 1))
		}
		checkResize(t, tensors{x, onnx.Vector(0.2, 0.1, 0.8, 1.3), nil, onnx.Vector[int64](4, 3)}, onnx.Ints("axes", 2, 3), onnx.Str("mode", mode),
			onnx.Str("coordinate_transformation_mode", "tf_crop_and_resize"), onnx.Float("extrapolation_value", 3))
	}
}

func checkResize(t *testing.T, in tensors, a ...onnx.Attribute) {
	t.Helper()
	g, feeds := node(t, "", "Resize", 1, in, a...)
	require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1), Only: []string{g.Inputs[0].Name}}))
}

func TestResize_old(t *testing.T) {
	x, scales := tensor(t, []float32{1, 2, 3, 4}, 1, 1, 2, 2), tensor(t, []float32{1, 1, 1, 2}, 4)
	want := []float32{1, 1, 2, 2, 3, 3, 4, 4}
	require.Equal(t, want, onnx.Data[float32](old(t, 10, "Resize", tensors{x, scales})))
	require.Equal(t, want, onnx.Data[float32](old(t, 9, "Upsample", tensors{x, scales})))
	a := onnx.Attribute{Name: "scales", Kind: onnx.AttrFloats, Floats: []float32{1, 1, 1, 2}}
	require.Equal(t, want, onnx.Data[float32](old(t, 7, "Upsample", tensors{x}, a)))
	require.Equal(t, []float32{1, 1.5, 2, 2, 3, 3.5, 4, 4}, onnx.Data[float32](old(t, 7, "Upsample", tensors{x}, a, onnx.Str("mode", "linear"))))
}

func TestResize_integers(t *testing.T) {
	x := tensor(t, []uint8{0, 255}, 1, 2)
	y := eval(t, "Resize", tensors{x, nil, nil, onnx.Vector[int64](1, 4)}, onnx.Str("mode", "cubic"))
	require.Equal(t, []uint8{0, 57, 197, 255}, onnx.Data[uint8](y))
}
