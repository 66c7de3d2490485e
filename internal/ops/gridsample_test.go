package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
)

func TestGrad_gridSample(t *testing.T) {
	x, places := random[float64](t, 1, -1, 1, 2, 2, 4, 3), random[float64](t, 2, -1.7, 1.7, 2, 3, 2, 2)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			for align := range int64(2) {
				checkGrad(t, "GridSample", tensors{x, places}, onnx.Str("mode", mode), onnx.Str("padding_mode", padding), onnx.Int("align_corners", align))
			}
		}
	}
	checkGrad(t, "GridSample", tensors{random[float64](t, 1, -1, 1, 1, 1, 2, 3, 2), random[float64](t, 2, -1, 1, 1, 1, 2, 2, 3)})
}
