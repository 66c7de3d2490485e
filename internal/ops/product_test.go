package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// evalPrivate runs one private operator.
func evalPrivate(t *testing.T, threads int, op string, in tensors, a ...onnx.Attribute) (*onnx.Tensor, error) {
	t.Helper()
	g, feeds := node(t, onnx.Private, op, 1, in, a...)
	run, err := engine(threads)(g)
	if err != nil {
		return nil, err
	}
	outs, err := run(feeds)
	if err != nil {
		return nil, err
	}
	return outs[0], nil
}

// TestMatMulAdd: activations behind the product have the bits of the operators that do them alone.
func TestMatMulAdd(t *testing.T) {
	x, w := random[float32](t, 1, -1, 1, 3, 50, 90), random[float32](t, 2, -0.3, 0.3, 90, 160)
	c := random[float32](t, 3, -1, 1, 160)
	plain, err := evalPrivate(t, 1, "MatMulAdd", tensors{x, w, c})
	require.NoError(t, err)
	for _, threads := range []int{1, 3} {
		for _, act := range []string{"Relu", "Sigmoid", "Swish", "Tanh", "Gelu"} {
			got, err := evalPrivate(t, threads, "MatMulAdd", tensors{x, w, c}, onnx.Str("activation", act))
			require.NoError(t, err)
			require.Equal(t, eval(t, act, tensors{plain}).Bytes(), got.Bytes(), act)
		}
		got, err := evalPrivate(t, threads, "MatMulAdd", tensors{x, w, c}, onnx.Str("activation", "Gelu"), onnx.Str("approximate", "tanh"))
		require.NoError(t, err)
		require.Equal(t, eval(t, "Gelu", tensors{plain}, onnx.Str("approximate", "tanh")).Bytes(), got.Bytes())

	}
	_, err = evalPrivate(t, 1, "MatMulAdd", tensors{x, w, c, random[float32](t, 4, -1, 1, 50, 160)})
	require.ErrorContains(t, err, "expected a residual of shape [3 50 160], received [50 160]")
	_, err = evalPrivate(t, 1, "MatMulAdd", tensors{x, w, c}, onnx.Str("activation", "Abs"))
	require.ErrorContains(t, err, `activation "Abs" is not supported`)
}

// TestMatMulAdd_residual compares with an Add behind the product.
func TestMatMulAdd_residual(t *testing.T) {
	x, w := random[float64](t, 1, -1, 1, 3, 50, 90), random[float64](t, 2, -0.3, 0.3, 90, 160)
	c, r := random[float64](t, 3, -1, 1, 160), random[float64](t, 4, -1, 1, 3, 50, 160)
	plain := eval(t, "Add", tensors{eval(t, "MatMul", tensors{x, w}), c})
	want := onnx.Data[float64](eval(t, "Gelu", tensors{eval(t, "Add", tensors{plain, r})}))
	for _, threads := range []int{1, 3} {
		got, err := evalPrivate(t, threads, "MatMulAdd", tensors{x, w, c, r}, onnx.Str("activation", "Gelu"))
		require.NoError(t, err)
		require.InDeltaSlice(t, want, onnx.Data[float64](got), 1e-13)
	}
}
