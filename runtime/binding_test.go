package runtime_test

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

func TestBinding_noAllocation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, o := range []runtime.Options{{Threads: 1}, {Threads: 2}, {Engine: runtime.Plain}} {
		s := session(t, mlp(t), o)
		x, y := tensor(t, 4, 6), tensor(t, 4, 3)
		b, err := s.Bind(tensors{"x": x}, tensors{"y": y})
		require.NoError(t, err)
		for _, ctx := range []context.Context{context.Background(), ctx} {
			require.Zero(t, testing.AllocsPerRun(20, func() {
				if err := b.Run(ctx); err != nil {
					panic(err)
				}
			}))
		}
		require.Equal(t, data(run(t, s, tensors{"x": x})["y"]), data(y))
		onnx.View[float32](x.Mutable())[0] = 100
		require.NoError(t, b.Run(ctx))
		require.Equal(t, data(run(t, s, tensors{"x": x})["y"]), data(y), "inputs are read at each run")
		require.Positive(t, b.MemoryUse().Runs)
		require.NoError(t, b.Close())
	}
}

func TestBinding_overlap(t *testing.T) {
	b := shape.NewBuilder("overlap")
	x := b.Graph.Input("x", f32("N"))
	r := b.Op("Relu", vs{x})
	output(b, "y", b.Op("Sub", vs{x, r}))
	output(b, "r", r)
	s := session(t, b, runtime.Options{})
	in := onnx.Vector[float32](-1, 2)
	bound, err := s.Bind(tensors{"x": in}, tensors{"y": in, "r": tensor(t, 2)})
	require.NoError(t, err)
	require.Equal(t, []float32{-1, 0}, data(in), "written when all was read")
	require.NoError(t, bound.Run(t.Context()))
	y := tensor(t, 2)
	_, err = s.Bind(tensors{"x": in}, tensors{"y": y, "r": y})
	require.ErrorContains(t, err, `the buffers of outputs "y" and "r" overlap`)
}

func TestBinding_profile(t *testing.T) {
	s := session(t, loop(), runtime.Options{})
	b, err := s.Bind(tensors{"x": tensor(t, 4), "n": onnx.Scalar[int64](2)}, nil)
	require.NoError(t, err)
	seen := map[string]int{}
	b.Profile(func(e runtime.Event) {
		seen[e.OpType]++
		require.NotEmpty(t, e.Node)
		if e.OpType == "Add" {
			require.Equal(t, 1, e.Depth)
			require.Equal(t, []string{"float[4]"}, e.Outputs)
		}
	})
	require.NoError(t, b.Run(t.Context()))
	require.Equal(t, 1, seen["Loop"])
	require.Equal(t, 2, seen["Add"])
	b.Profile(nil)
	require.NoError(t, b.Run(t.Context()))
	require.Equal(t, 2, seen["Add"])
}
