package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_regions(t *testing.T) {
	x := random[float64](t, 1, 0.1, 1, 2, 2, 5, 6)
	boxes := tensor(t, []float64{0.3, 0.7, 4.1, 3.2, 1, 0.2, 5.5, 4.9, -1, -1, 2.3, 2}, 3, 4)
	which := onnx.Vector[int64](0, 1, 1)
	check := func(op string, in tensors, a ...onnx.Attribute) {
		t.Helper()
		g, feeds := node(t, "", op, 1, in, a...)
		require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1), Only: []string{g.Inputs[0].Name}}))
	}
	for _, mode := range []string{"avg", "max"} {
		for _, how := range []string{"half_pixel", "output_half_pixel"} {
			for ratio := range int64(3) {
				check("RoiAlign", tensors{x, boxes, which}, onnx.Int("output_height", 2), onnx.Int("output_width", 3), onnx.Str("mode", mode),
					onnx.Str("coordinate_transformation_mode", how), onnx.Int("sampling_ratio", ratio), onnx.Float("spatial_scale", 0.9))
			}
		}
	}
	rois := tensor(t, []float64{0, 0, 0, 3, 3, 1, 2, 1, 9, 4}, 2, 5)
	check("MaxRoiPool", tensors{x, rois}, onnx.Ints("pooled_shape", 2, 2))
}

// TestMaxRoiPool holds a case by hand.
func TestMaxRoiPool(t *testing.T) {
	x := tensor(t, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3)
	y := eval(t, "MaxRoiPool", tensors{x, tensor(t, []float32{0, 0, 0, 2, 2, 0, 2, 4, 4, 8}, 2, 5)}, onnx.Ints("pooled_shape", 2, 1))
	require.Equal(t, []float32{6, 9, 0, 0}, onnx.Data[float32](y))
	_, err := tryEval(t, "MaxRoiPool", tensors{x, tensor(t, []float32{1, 0, 0, 2, 2}, 1, 5)}, onnx.Ints("pooled_shape", 2, 1))
	require.ErrorContains(t, err, "region 0 is of sample 1, of 1")
}

func TestGrad_roiAlignBoxes(t *testing.T) {
	x, ids := random[float64](t, 1, -1, 1, 2, 2, 7, 6), onnx.Vector[int64](1, 0, 1)
	// The second box reaches over the edge, the third one is less than a pixel wide.
	rois := tensor(t, []float64{0.63, 1.21, 4.37, 5.58, -0.83, 2.14, 2.71, 8.33, 2.27, 1.47, 2.61, 4.19}, 3, 4)
	for _, how := range []string{"half_pixel", "output_half_pixel"} {
		for _, mode := range []string{"avg", "max"} {
			for ratio := range int64(3) {
				checkGrad(t, "RoiAlign", tensors{x, rois, ids}, onnx.Str("coordinate_transformation_mode", how), onnx.Str("mode", mode),
					onnx.Int("sampling_ratio", ratio), onnx.Int("output_height", 2), onnx.Int("output_width", 3), onnx.Float("spatial_scale", 0.75))
			}
		}
	}
}
