package rewrite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// TestModels prepares exported models and holds what the prepared and the optimised graphs compute against what the
// exporting frameworks computed. Models with operators that the set lacks must be refused as unsupported.
func TestModels(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/models/*/test_data_set_0")
	require.NoError(t, err)
	ran := 0
	for _, dir := range dirs {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			m, err := onnx.ReadFile(filepath.Join(filepath.Dir(dir), "model.onnx"))
			require.NoError(t, err)
			for level := -1; level <= 2; level++ {
				g, err := rewrite.Prepare(m, set, rewrite.Options{})
				if errors.Is(err, errors.ErrUnsupported) {
					t.Logf("unsupported: %v", err)
					return
				}
				require.NoError(t, err)
				if level >= 0 {
					optimise(t, g, rewrite.Options{Level: level, Eval: eval})
				}
				compareModel(t, g, dir)
				ran++
			}
		})
	}
	require.NotZero(t, ran)
}

func compareModel(t *testing.T, g *onnx.Graph, dir string) {
	t.Helper()
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
	require.NoError(t, err)
	ins := make([]opdef.View, len(g.Inputs))
	for i := range g.Inputs {
		ins[i] = plan.ViewOf(readTensor(t, dir, "input_", i))
	}
	outs, err := p.NewRunner().Results(context.Background(), ins)
	require.NoError(t, err)
	for i, o := range outs {
		want, ok := readTensor(t, dir, "output_", i), false
		if got, is := o.(*onnx.Tensor); is {
			require.Equal(t, want.Shape, got.Shape)
			ok = want.Elem == onnx.Float32
			if ok {
				require.InDeltaSlice(t, onnx.Data[float32](want), onnx.Data[float32](got), 1e-4)
			}
		}
		if !ok {
			t.Logf("output %d is not compared", i)
		}
	}
}

func readTensor(t *testing.T, dir, name string, i int) *onnx.Tensor {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name+string(rune('0'+i))+".pb"))
	require.NoError(t, err)
	x, err := onnx.DecodeTensor(b)
	require.NoError(t, err)
	return x
}
