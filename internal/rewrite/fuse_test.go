package rewrite_test

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// drawnTensor has elements between -1 and 1.
func drawnTensor(t *testing.T, r *rand.Rand, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.Zeros(onnx.Float32, shape...)
	require.NoError(t, err)
	for i, v := 0, onnx.View[float32](x.Mutable()); i < len(v); i++ {
		v[i] = 2*r.Float32() - 1
	}
	return x
}

// TestOptimise_fuse holds the results of fused operators against those of the operators they are made of: the same bits,
// except where a bias is now what the sums start from.
func TestOptimise_fuse(t *testing.T) {
	b, err := os.ReadFile("testdata/fuse.txt")
	require.NoError(t, err)
	text, _, _ := strings.Cut(string(b), "\n==>")
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 3} {
		ins := []*onnx.Tensor{drawnTensor(t, r, n, 1, 6, 6), drawnTensor(t, r, n, 5, 4)}
		var results [3][]*onnx.Tensor
		for level := range results {
			g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
			require.NoError(t, err)
			optimise(t, g, rewrite.Options{Level: level})
			results[level] = run(t, g, ins...)
		}
		for i, want := range results[0] {
			got := results[2][i]
			require.Equal(t, want.Shape, got.Shape)
			if i == 1 || i == 4 {
				for k, w := range onnx.Data[float32](want) {
					require.InDelta(t, w, onnx.Data[float32](got)[k], 1e-5+1.3e-6*math.Abs(float64(w)), "PyTorch's tolerances")
				}
				continue
			}
			require.Equal(t, want.Bytes(), got.Bytes(), "output %d", i)
		}
	}
}

// TestOptimise_fuseConv holds convolutions with what they took over against the nodes that were there.
func TestOptimise_fuseConv(t *testing.T) {
	b, err := os.ReadFile("testdata/fuseconv.txt")
	require.NoError(t, err)
	text, _, _ := strings.Cut(string(b), "\n==>")
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 3} {
		d, err := onnx.Zeros(onnx.Float64, n, 2, 4, 4)
		require.NoError(t, err)
		ins := []*onnx.Tensor{drawnTensor(t, r, n, 2, 5, 7), drawnTensor(t, r, n, 2, 5, 7), d}
		before, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
		require.NoError(t, err)
		want := run(t, before, ins...)
		after, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
		require.NoError(t, err)
		optimise(t, after, rewrite.Options{Level: 2})
		for i, got := range run(t, after, ins...) {
			if i == len(want)-1 {
				require.Equal(t, want[i].Bytes(), got.Bytes())
				continue
			}
			closeTo(t, want[i], got, uint64(i))
		}
	}
}

// TestOptimise_fuseKeeps lists what must not be fused.
func TestOptimise_fuseKeeps(t *testing.T) {
	for name, build := range map[string]func(b *onnx.Builder, x *onnx.Value) *onnx.Value{
		"alpha": func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			w := b.Const(zeros(t, 4, 4))
			return relu(b, b.Op("Gemm", values{x, w}, onnx.Float("alpha", 2)))
		},
		"output": func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			y := b.Op("Gemm", values{x, b.Const(zeros(t, 4, 4))})
			b.Graph.Outputs = values{y}
			return relu(b, y)
		},
		"read twice": func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			y := b.Op("Gemm", values{x, b.Const(zeros(t, 4, 4))})
			return b.Op("Sub", values{y, relu(b, y)})
		},
		"wider": func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			y := b.Op("MatMul", values{x, b.Const(zeros(t, 4, 1))})
			return b.Op("Add", values{y, b.Const(zeros(t, 4))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := built(t, build)
			if name == "output" {
				g.Outputs = append(g.Outputs, g.Nodes[0].Out(0))
			}
			before := opTypes(g)
			optimise(t, g, rewrite.Options{Level: 2})
			require.Equal(t, before, opTypes(g))
		})
	}
}

func zeros(t *testing.T, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.Zeros(onnx.Float32, shape...)
	require.NoError(t, err)
	return x
}

// TestOptimise_convArithmetic folds scales and shifts of channels into the convolution before them.
func TestOptimise_convArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := &net{t, shape.BuilderFor(onnx.NewGraph("g", nil), set), r}
	n.Graph.SetOpset("", shape.Newest(""))
	x := n.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(3), onnx.Named("H"), onnx.Named("W")))
	row := func(s ...int) *onnx.Value { return n.Const(drawnTensor(t, r, s...)) }
	y := n.Op("Add", values{n.conv(x, 4, 3, 1), row(4, 1, 1)})
	y = n.Op("Div", values{n.Op("Mul", values{row(1, 4, 1, 1), y}), row(4, 1, 1)})
	y = n.Op("Sub", values{n.Const(onnx.Scalar[float32](3)), n.Op("Sub", values{y, row(1)})})
	kept := n.Op("Add", values{n.conv(y, 4, 1, 1), row(4)}) // along W, were it 4
	n.Graph.Outputs = values{y, kept}
	require.NoError(t, n.Err())
	in := drawnTensor(t, r, 2, 3, 5, 4)
	want := run(t, n.Graph, in)
	optimise(t, n.Graph, rewrite.Options{Level: 2})
	require.Equal(t, []string{"Conv", "Conv", "Add"}, opTypes(n.Graph))
	for i, got := range run(t, n.Graph, in) {
		closeTo(t, want[i], got, 0)
	}
}
