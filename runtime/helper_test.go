package runtime_test

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

type vs = []*onnx.Value

type tensors = map[string]*onnx.Tensor

func f32(dims ...any) onnx.Type {
	var ds []onnx.Dim
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			ds = append(ds, onnx.Fixed(d))
		case string:
			ds = append(ds, onnx.Named(d))
		}
	}
	return onnx.TensorOf(onnx.Float32, ds...)
}

func tensor(t testing.TB, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.Zeros(onnx.Float32, shape...)
	require.NoError(t, err)
	v := onnx.View[float32](x.Mutable())
	for i := range v {
		v[i] = float32(i%7) - 3
	}
	return x
}

// output names v and makes it an output.
func output(b *onnx.Builder, name string, v *onnx.Value) {
	v.Name = name
	b.Graph.Outputs = append(b.Graph.Outputs, v)
}

func model(t testing.TB, b *onnx.Builder) *onnx.Model {
	t.Helper()
	require.NoError(t, b.Err())
	return onnx.NewModel(b.Graph)
}

func session(t testing.TB, b *onnx.Builder, o runtime.Options) *runtime.Session {
	t.Helper()
	s, err := runtime.New(model(t, b), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// mlp is y = relu(x w1 + b1) w2, with an inner value h.
func mlp(t testing.TB) *onnx.Builder {
	b := shape.NewBuilder("mlp")
	x := b.Graph.Input("x", f32("N", 6))
	h := b.Op("Relu", vs{b.Op("Add", vs{b.Op("MatMul", vs{x, b.Const(tensor(t, 6, 8))}), b.Const(tensor(t, 8))})})
	h.Name = "h"
	output(b, "y", b.Op("MatMul", vs{h, b.Const(tensor(t, 8, 3))}))
	return b
}

// loop adds x to itself n times.
func loop() *onnx.Builder {
	b := shape.NewBuilder("loop")
	x, n := b.Graph.Input("x", f32("N")), b.Graph.Input("n", onnx.TensorOf(onnx.Int64))
	body := b.Sub("body")
	body.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	c := body.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	h := body.Graph.Input("h", f32("N"))
	body.Graph.Outputs = vs{body.Op("Identity", vs{c}), body.Op("Add", vs{h, x})}
	output(b, "y", b.Op("Loop", vs{n, nil, x}, onnx.GraphAttr("body", body.Graph)))
	return b
}

// growing appends x to itself n times.
func growing() *onnx.Builder {
	b := shape.NewBuilder("growing")
	x, n := b.Graph.Input("x", f32("N")), b.Graph.Input("n", onnx.TensorOf(onnx.Int64))
	body := b.Sub("body")
	body.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	c := body.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	h := body.Graph.Input("h", onnx.TensorOf(onnx.Float32, onnx.Unknown))
	body.Graph.Outputs = vs{body.Op("Identity", vs{c}), body.Op("Concat", vs{h, x}, onnx.Int("axis", 0))}
	output(b, "y", b.Op("Loop", vs{n, nil, x}, onnx.GraphAttr("body", body.Graph)))
	return b
}

func run(t testing.TB, s *runtime.Session, in tensors, outputs ...string) tensors {
	t.Helper()
	out, err := s.Run(context.Background(), in, outputs...)
	require.NoError(t, err)
	return out
}

func data(t *onnx.Tensor) []float32 { return onnx.Data[float32](t) }
