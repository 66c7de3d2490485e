package dialect

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// Before IR 4 every initializer is an input too, the shape of a Reshape included (CNTK, old PyTorch). Callers give x alone.
func TestInitializersAsInputs(t *testing.T) {
	m := parse(t, `<ir_version: 3, opset_import: ["" : 7]>
		g (float[1,2] x, float[2,2] w = {1,2,3,4}, int64[1] s = {2}, float[2] b = {10,20}) => (float[2] y) {
			p = MatMul(x, w)
			r = Reshape(p, s)
			y = Add(r, b)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 2}, 1, 1)}, tensors{"y": f32(14, 26)})
}

// From IR 4 on such an initializer is a default, which a caller may override.
func TestInitializerAsDefault(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x, float[2] b = {10,20}) => (float[2] y) { y = Add(x, b) }`)
	gives(t, m, tensors{"x": f32(1, 2)}, tensors{"y": f32(11, 22)})
	gives(t, m, tensors{"x": f32(1, 2), "b": f32(0, 1)}, tensors{"y": f32(1, 3)})
}

// Paddle2ONNX writes weights as Constant nodes and no initializers.
func TestWeightsAsConstants(t *testing.T) {
	m := parse(t, `<ir_version: 7, opset_import: ["" : 11]>
		g (float[1,2] x) => (float[1,2] "linear_0.tmp_1") {
			"linear_0.w_0" = Constant <value: tensor = float[2,2] {1,2,3,4}> ()
			"linear_0.b_0" = Constant <value: tensor = float[2] {10,20}> ()
			"linear_0.tmp_0" = MatMul(x, "linear_0.w_0")
			"linear_0.tmp_1" = Add("linear_0.tmp_0", "linear_0.b_0")
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{1, 2}, 1, 1)},
		tensors{"linear_0.tmp_1": shaped[float32](t, []int{1, 2}, 14, 26)})
}

// typedTensor is a TensorProto whose elements stand in int32_data, one an entry.
func typedTensor(t *testing.T, e onnx.ElemType, v ...uint64) *onnx.Tensor {
	t.Helper()
	var packed []byte
	for _, x := range v {
		packed = protowire.AppendVarint(packed, x)
	}
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(len(v)))
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(e))
	b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), packed)
	x, err := onnx.DecodeTensor(b)
	require.NoError(t, err)
	return x
}

// Converters store half precision as bit patterns in int32_data, and 8-bit integers too, negative ones with 64 bits.
func TestTypedFields(t *testing.T) {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", 17)
	add := func(e onnx.ElemType, w *onnx.Tensor) {
		g.Outputs = append(g.Outputs, g.Add("", "Identity", 1, []*onnx.Value{g.Initializer("w", onnx.TensorOf(e, onnx.Fixed(2)), w)}).Out(0))
		g.Outputs[len(g.Outputs)-1].Name = e.String()
	}
	add(onnx.Float16, typedTensor(t, onnx.Float16, 0x3c00, 0xc000)) // 1, -2
	add(onnx.BFloat16, typedTensor(t, onnx.BFloat16, 0x3f80, 0xc000))
	add(onnx.Uint8, typedTensor(t, onnx.Uint8, 7, 255))
	add(onnx.Int8, typedTensor(t, onnx.Int8, 7, ^uint64(0)))
	add(onnx.Bool, typedTensor(t, onnx.Bool, 1, 0))
	gives(t, reread(t, onnx.NewModel(g)), nil, tensors{
		"float16":  onnx.Vector(onnx.NewF16(1), onnx.NewF16(-2)),
		"bfloat16": onnx.Vector(onnx.NewBF16(1), onnx.NewBF16(-2)),
		"uint8":    onnx.Vector[uint8](7, 255),
		"int8":     onnx.Vector[int8](7, -1),
		"bool":     onnx.Vector(true, false),
	})
}

// PyTorch puts weights into a file beside the model; tools move both together.
func TestExternalData(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x) => (float[2] y) <float[2] "fc.weight" = {3,4}, float[2] "fc.bias" = {10,20}> {
			p = Mul(x, "fc.weight")
			y = Add(p, "fc.bias")
		}`)
	first, second := t.TempDir(), t.TempDir()
	require.NoError(t, onnx.WriteOptions{External: 1}.WriteFile(m, filepath.Join(first, "model.onnx")))
	files, err := os.ReadDir(first)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, f := range files {
		require.NoError(t, os.Rename(filepath.Join(first, f.Name()), filepath.Join(second, f.Name())))
	}
	moved, err := onnx.ReadFile(filepath.Join(second, "model.onnx"))
	require.NoError(t, err)
	gives(t, moved, tensors{"x": f32(1, 2)}, tensors{"y": f32(13, 28)})

	require.NoError(t, os.Remove(filepath.Join(second, files[0].Name())))
	_, err = runtime.Open(filepath.Join(second, "model.onnx"), runtime.Options{})
	require.Error(t, err)
}

// A weight that nobody reads and an input that nobody reads are no fault.
func TestUnusedInputs(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x, float["N"] unused) => (float[2] y) <float[1000] w> { y = Neg(x) }`)
	gives(t, m, tensors{"x": f32(1, 2), "unused": f32(1)}, tensors{"y": f32(-1, -2)})
}

// A graph may give back what it was given: an input, a weight, one value twice.
func TestOutputsWithoutNodes(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x) => (float[2] x, float[2] w, float[2] y) <float[2] w = {3,4}> { y = Neg(w) }`)
	gives(t, m, tensors{"x": f32(1, 2)}, tensors{"x": f32(1, 2), "w": f32(3, 4), "y": f32(-3, -4)})
}
