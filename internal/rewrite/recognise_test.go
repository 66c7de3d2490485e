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
	"github.com/stretchr/testify/require"
)

// goldenModel is the model of a golden file.
func goldenModel(t *testing.T, name string) *onnx.Model {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".txt")
	require.NoError(t, err)
	text, _, _ := strings.Cut(string(b), "\n==>")
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	return m
}

// requireLevels holds what the model of a golden file computes at levels 1 and 2 against the graph as prepared.
func requireLevels(t *testing.T, name string, ins ...*onnx.Tensor) {
	t.Helper()
	m := goldenModel(t, name)
	var want []*onnx.Tensor
	for level := range 3 {
		g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
		require.NoError(t, err)
		optimise(t, g, rewrite.Options{Level: level, Eval: eval})
		got := run(t, g, ins...)
		if level == 0 {
			want = got
			continue
		}
		for i, w := range want {
			require.Equal(t, w.Shape, got[i].Shape)
			requireNear(t, w, got[i], g.Outputs[i].Name)
		}
	}
}

// requireNear compares by PyTorch's tolerances.
func requireNear(t *testing.T, want, got *onnx.Tensor, name string) {
	t.Helper()
	atol, rtol := 1e-5, 1.3e-6
	if want.Elem == onnx.Float16 {
		atol, rtol = 1e-3, 1e-3
	}
	want, err := rewrite.WideTensor(want)
	require.NoError(t, err)
	got, err = rewrite.WideTensor(got)
	require.NoError(t, err)
	for k, w := range onnx.Data[float64](want) {
		require.InDelta(t, w, onnx.Data[float64](got)[k], atol+rtol*math.Abs(w), "%s, element %d", name, k)
	}
}

func TestOptimise_activations(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 300} {
		var ins []*onnx.Tensor
		for range len(goldenModel(t, "activations").Graph.Inputs) - 1 {
			x := drawnTensor(t, r, n, 4)
			for i, v := range onnx.View[float32](x.Mutable()) {
				onnx.View[float32](x.Mutable())[i] = 8 * v
			}
			ins = append(ins, x)
		}
		half := make([]onnx.F16, 4*n)
		for i := range half {
			half[i] = onnx.NewF16(16*r.Float32() - 8)
		}
		h, err := onnx.NewTensor(half, n, 4)
		require.NoError(t, err)
		requireLevels(t, "activations", append(ins, h)...)
	}
}

func TestOptimise_rowNorms(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 7} {
		var ins []*onnx.Tensor
		for range goldenModel(t, "rownorm").Graph.Inputs {
			ins = append(ins, drawnTensor(t, r, n, 3, 4))
		}
		requireLevels(t, "rownorm", ins...)
	}
}

func TestOptimise_attentions(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{0, 1, 2} {
		var ins []*onnx.Tensor
		for _, v := range goldenModel(t, "attention").Graph.Inputs {
			shape := []int{n}
			for _, d := range v.Type.Shape[1:] {
				shape = append(shape, int(d.N))
			}
			if d := v.Type.Shape[0]; d.IsFixed() {
				shape[0] = int(d.N)
			}
			x := drawnTensor(t, r, shape...)
			if v.Type.Elem == onnx.Float64 {
				var err error
				x, err = rewrite.WideTensor(x)
				require.NoError(t, err)
			}
			ins = append(ins, x)
		}
		mask := onnx.View[float32](ins[3].Mutable())
		for i := range mask {
			if i%7 == 2 {
				mask[i] = float32(math.Inf(-1))
			}
		}
		requireLevels(t, "attention", ins...)
	}
}

func TestOptimise_fuseProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 3} {
		d, err := rewrite.WideTensor(drawnTensor(t, r, n, 4))
		require.NoError(t, err)
		requireLevels(t, "fuseproduct", drawnTensor(t, r, n, 5, 4), drawnTensor(t, r, n, 5, 3), d, drawnTensor(t, r, 1, 5, 3))
	}
}

func TestOptimise_packedAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	requireLevels(t, "packed", drawnTensor(t, r, 5, 1, 18), drawnTensor(t, r, 2, 5, 18), drawnTensor(t, r, 2, 5, 18))
}
