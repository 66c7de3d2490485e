package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestGrad_convTranspose(t *testing.T) {
	x, w, b := random[float64](t, 1, -1, 1, 2, 4, 3, 2), random[float64](t, 2, -1, 1, 4, 3, 2, 3), random[float64](t, 3, -1, 1, 3)
	ins := tensors{x, w, b}
	checkGrad(t, "ConvTranspose", ins)
	checkGrad(t, "ConvTranspose", ins, onnx.Ints("strides", 2, 3), onnx.Ints("output_padding", 1, 2), onnx.Ints("pads", 1, 0, 0, 1))
	checkGrad(t, "ConvTranspose", ins, onnx.Ints("strides", 2, 3), onnx.Ints("dilations", 2, 1), onnx.Str("auto_pad", "SAME_LOWER"))
	checkGrad(t, "ConvTranspose", ins, onnx.Ints("strides", 2, 1), onnx.Ints("output_shape", 9, 3))
	checkGrad(t, "ConvTranspose", ins, onnx.Ints("strides", 1, 2), onnx.Ints("output_padding", 2, 3))
	grouped := tensors{x, random[float64](t, 2, -1, 1, 4, 2, 2, 3), random[float64](t, 3, -1, 1, 4)}
	checkGrad(t, "ConvTranspose", grouped, onnx.Int("group", 2), onnx.Ints("pads", 1, 1, 1, 1))
	line := tensors{random[float64](t, 1, -1, 1, 1, 2, 3), random[float64](t, 2, -1, 1, 2, 1, 2)}
	checkGrad(t, "ConvTranspose", line, onnx.Ints("strides", 3))
}

// TestConvTranspose_sizes holds a small case by hand: kernel 2, stride 2, with a size that needs zeros behind.
func TestConvTranspose_sizes(t *testing.T) {
	x, w := tensor(t, []float32{1, 2}, 1, 1, 2), tensor(t, []float32{1, 10}, 1, 1, 2)
	y := eval(t, "ConvTranspose", tensors{x, w}, onnx.Ints("strides", 2), onnx.Ints("output_padding", 3))
	require.Equal(t, []float32{1, 10, 2, 20, 0, 0, 0}, onnx.Data[float32](y))
	y = eval(t, "ConvTranspose", tensors{x, w}, onnx.Ints("strides", 2), onnx.Ints("output_shape", 8))
	require.Equal(t, []float32{1, 10, 2, 20, 0, 0, 0, 0}, onnx.Data[float32](y))
}

func TestGrad_lpPool(t *testing.T) {
	x := random[float64](t, 1, 0.2, 1, 2, 2, 5, 4)
	for p := int64(1); p < 4; p++ {
		checkGrad(t, "LpPool", tensors{x}, onnx.Int("p", p), onnx.Ints("kernel_shape", 3, 2), onnx.Ints("strides", 2, 1), onnx.Ints("pads", 1, 0, 1, 1))
		checkGrad(t, "GlobalLpPool", tensors{x}, onnx.Int("p", p))
	}
	y := eval(t, "GlobalLpPool", tensors{tensor(t, []float32{3, -4, 0, 0}, 1, 2, 2)})
	require.Equal(t, []float32{5, 0}, onnx.Data[float32](y))
}

func TestGrad_rearranged(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 1, 1, 2, 2)
	at := tensor(t, []int64{5, 7, 13, 15}, 1, 1, 2, 2)
	a := attrs{onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2)}
	checkGrad(t, "MaxUnpool", tensors{x, at}, a...)
	checkGrad(t, "MaxUnpool", tensors{x, at, onnx.Vector[int64](1, 1, 5, 6)}, a...)
	checkGrad(t, "CenterCropPad", tensors{random[float64](t, 1, -1, 1, 4, 3, 5), onnx.Vector[int64](7, 2)}, onnx.Ints("axes", 1, -1))
	checkGrad(t, "CenterCropPad", tensors{random[float64](t, 1, -1, 1, 4, 3), onnx.Vector[int64](1, 6)})
	columns := tensors{random[float64](t, 1, -1, 1, 2, 8, 6), onnx.Vector[int64](4, 3), onnx.Vector[int64](2, 2)}
	checkGrad(t, "Col2Im", columns)
	columns[0] = random[float64](t, 1, -1, 1, 1, 4, 4)
	checkGrad(t, "Col2Im", columns, onnx.Ints("strides", 2, 2), onnx.Ints("dilations", 1, 2), onnx.Ints("pads", 1, 1, 0, 1))
}
