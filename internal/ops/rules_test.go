package ops_test

import (
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// TestNaN holds that NaN wins wherever it stands, at lengths around the lanes and the blocks of a reduction.
func TestNaN(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 33, 1023, 1024, 1025, 2050} {
		for _, at := range []int{0, n / 2, n - 1} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i%7) - 3
			}
			x[at] = nan
			for _, op := range []string{"ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceLogSumExp"} {
				y := onnx.Data[float32](eval(t, op, tensors{tensor(t, x, n)}, onnx.Int("keepdims", 0)))
				require.True(t, y[0] != y[0], "%s of %d with NaN at %d", op, n, at)
			}
			for _, op := range []string{"ArgMax", "ArgMin"} {
				require.Equal(t, int64(at), onnx.Data[int64](eval(t, op, tensors{tensor(t, x, n)}))[0], "%s of %d", op, n)
			}
			one := onnx.Vector[float32](1)
			for _, op := range []string{"Max", "Min", "Relu", "Clip", "Sign", "Add"} {
				in := tensors{tensor(t, x, n), one, one}
				switch op {
				case "Relu", "Sign", "Clip":
					in = in[:1]
				case "Add":
					in = in[:2]
				}
				for i, v := range onnx.Data[float32](eval(t, op, in)) {
					require.Equal(t, i == at, v != v, "%s of %d at %d", op, n, i)
				}
			}
		}
	}
}

func TestArgMax_ties(t *testing.T) {
	x := tensor(t, []float32{1, nan, 3, nan, 3}, 5)
	require.Equal(t, []int64{1}, onnx.Data[int64](eval(t, "ArgMax", tensors{x})))
	require.Equal(t, []int64{3}, onnx.Data[int64](eval(t, "ArgMax", tensors{x}, onnx.Int("select_last_index", 1))))
	y := tensor(t, []int32{4, 1, 4, 1}, 4)
	require.Equal(t, []int64{0}, onnx.Data[int64](eval(t, "ArgMax", tensors{y})))
	require.Equal(t, []int64{3}, onnx.Data[int64](eval(t, "ArgMin", tensors{y}, onnx.Int("select_last_index", 1))))
}

func TestIntegers(t *testing.T) {
	low := onnx.Vector[int32](math.MinInt32, -7, 7)
	require.Equal(t, []int32{math.MinInt32, 7, -7}, onnx.Data[int32](eval(t, "Div", tensors{low, onnx.Vector[int32](-1)})))
	require.Equal(t, []int32{0, 0, 0}, onnx.Data[int32](eval(t, "Mod", tensors{low, onnx.Vector[int32](-1)})))
	require.Equal(t, []int32{1, 2, 1}, onnx.Data[int32](eval(t, "Mod", tensors{low, onnx.Vector[int32](3)})))
	require.Equal(t, []int32{-2, -1, 1}, onnx.Data[int32](eval(t, "Mod", tensors{low, onnx.Vector[int32](3)}, onnx.Int("fmod", 1))))
	require.Equal(t, []int32{math.MinInt32, 7, 7}, onnx.Data[int32](eval(t, "Abs", tensors{low})))
	require.Equal(t, []uint8{44}, onnx.Data[uint8](eval(t, "Add", tensors{onnx.Vector[uint8](200), onnx.Vector[uint8](100)})))
	big := onnx.Vector[int64](math.MaxInt64)
	require.Equal(t, []int64{7}, onnx.Data[int64](eval(t, "Mod", tensors{big, onnx.Vector[int64](10)})))
	for _, op := range []string{"Div", "Mod"} {
		_, err := tryEval(t, op, tensors{low, onnx.Vector[int32](0)})
		require.ErrorIs(t, err, onnx.ErrInvalid)
		require.ErrorContains(t, err, "integer division by zero")
		none := tensor(t, []int32{}, 0)
		eval(t, op, tensors{none, onnx.Vector[int32](0)})
	}
	require.Equal(t, []int64{9, -8, 0, 1}, onnx.Data[int64](eval(t, "Pow", tensors{onnx.Vector[int64](3, -2, 2, -1), onnx.Vector[int64](2, 3, -1, -2)})))
	require.Equal(t, []int32{1, 2, 5}, onnx.Data[int32](eval(t, "Pow", tensors{onnx.Vector[int32](3, 4, 5), onnx.Vector[float32](0, 0.5, 1)})))
	_, err := tryEval(t, "Pow", tensors{onnx.Vector[int64](0), onnx.Vector[int64](-1)})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestMod_zeros(t *testing.T) {
	got := onnx.Data[float64](eval(t, "Mod", tensors{onnx.Vector(-8.0, 8, -1, 1), onnx.Vector(2.0, -2, math.Inf(1), math.Inf(-1))}))
	require.False(t, math.Signbit(got[0]))
	require.True(t, math.Signbit(got[1]) && got[1] == 0)
	require.Equal(t, []float64{math.Inf(1), math.Inf(-1)}, got[2:])
}

func TestEmpty(t *testing.T) {
	none := tensor(t, []float32{}, 2, 0)
	axis := onnx.Vector[int64](1)
	for op, want := range map[string]float32{
		"ReduceSum": 0, "ReduceProd": 1, "ReduceMax": -inf, "ReduceMin": inf, "ReduceL1": 0, "ReduceL2": 0, "ReduceLogSum": -inf,
		"ReduceLogSumExp": -inf, "ReduceSumSquare": 0,
	} {
		require.Equal(t, []float32{want, want}, onnx.Data[float32](eval(t, op, tensors{none, axis})), op)
	}
	require.Equal(t, []int32{math.MinInt32}, onnx.Data[int32](eval(t, "ReduceMax", tensors{tensor(t, []int32{}, 0)})))
	require.Equal(t, []uint8{255}, onnx.Data[uint8](eval(t, "ReduceMin", tensors{tensor(t, []uint8{}, 0)})))
	require.Equal(t, []bool{true}, onnx.Data[bool](eval(t, "ReduceMin", tensors{tensor(t, []bool{}, 0)})))
	require.Equal(t, []bool{false}, onnx.Data[bool](eval(t, "ReduceMax", tensors{tensor(t, []bool{}, 0)})))
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax", "Exp", "Relu"} {
		require.Equal(t, []int{2, 0}, eval(t, op, tensors{none}).Shape)
	}
	_, err := tryEval(t, "ArgMax", tensors{none}, onnx.Int("axis", 1))
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestSoftmax_infinities(t *testing.T) {
	y := onnx.Data[float32](eval(t, "Softmax", tensors{tensor(t, []float32{-inf, -inf, -inf, 1}, 2, 2)}))
	require.True(t, y[0] != y[0] && y[1] != y[1])
	require.Equal(t, []float32{0, 1}, y[2:])
	big := onnx.Data[float32](eval(t, "LogSoftmax", tensors{onnx.Vector[float32](1000, 1000)}))
	require.InDelta(t, -math.Ln2, big[0], 1e-6)
}

func TestClip_inverted(t *testing.T) {
	y := eval(t, "Clip", tensors{onnx.Vector[int8](-5, 0, 5), onnx.Scalar[int8](3), onnx.Scalar[int8](1)})
	require.Equal(t, []int8{1, 1, 1}, onnx.Data[int8](y))
}

func TestLabels(t *testing.T) {
	x := random[float32](t, 1, -1, 1, 2, 3)
	for _, label := range []int64{-1, 3} {
		_, err := tryEval(t, "SoftmaxCrossEntropyLoss", tensors{x, onnx.Vector(0, label)})
		require.ErrorIs(t, err, onnx.ErrInvalid)
		require.ErrorContains(t, err, "is out of range for 3 classes")
	}
}

func TestStrings(t *testing.T) {
	a, err := onnx.Strings([]string{"x", "y", "z", "x"}, 2, 2)
	require.NoError(t, err)
	b, err := onnx.Strings([]string{"x", "y"}, 2)
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false, false}, onnx.Data[bool](eval(t, "Equal", tensors{a, b})))
	y := eval(t, "Where", tensors{onnx.Vector(true, false), b, a})
	require.Equal(t, []string{"x", "y", "x", "x"}, y.StringData())
}

// TestInfer_contents follows the arithmetic of computed shapes with a named size.
func TestInfer_contents(t *testing.T) {
	b := shape.NewBuilder("contents")
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(6), onnx.Fixed(4)))
	s := b.Op("Shape", values{x})
	f := shape.New(ops.All)
	run := func(op string, in ...*onnx.Value) []onnx.Dim {
		b := f.Builder(b.Graph)
		v := b.Op(op, in)
		require.NoError(t, b.Err())
		return f.Ints(v)
	}
	require.NoError(t, f.Node(s.Node()))
	n, unknown := onnx.Named("N"), onnx.Unknown
	vec := func(v ...int64) *onnx.Value { return b.Const(onnx.Vector(v...)) }
	require.Equal(t, []onnx.Dim{n, onnx.Fixed(12), onnx.Fixed(8)}, run("Mul", s, vec(1, 2, 2)))
	require.Equal(t, []onnx.Dim{unknown, onnx.Fixed(3), onnx.Fixed(2)}, run("Div", s, vec(2)))
	require.Equal(t, []onnx.Dim{n, onnx.Fixed(7), onnx.Fixed(3)}, run("Add", s, vec(0, 1, -1)))
	require.Equal(t, []onnx.Dim{n, onnx.Fixed(5), onnx.Fixed(4)}, run("Sub", s, vec(0, 1, 0)))
	require.Equal(t, []onnx.Dim{unknown, onnx.Fixed(5), onnx.Fixed(4)}, run("Min", s, vec(5)))
}

func TestUnsupported(t *testing.T) {
	g, _ := node(t, "", "Add", 1, tensors{onnx.Vector(true), onnx.Vector(true)})
	_, err := engine(1)(g)
	require.ErrorContains(t, err, "bool")
}
