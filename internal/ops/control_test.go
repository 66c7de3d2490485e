package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// checkGraph compares the gradients of a graph with central differences.
func checkGraph(t *testing.T, b *onnx.Builder, feeds map[string]*onnx.Tensor) {
	t.Helper()
	require.NoError(t, b.Err())
	require.NoError(t, gradcheck.Check(b.Graph, feeds, gradcheck.Options{Set: ops.All, Engine: engine(1)}))
}

func vector(b *onnx.Builder, name string, n int) *onnx.Value {
	return b.Graph.Input(name, onnx.TensorOf(onnx.Float64, onnx.Fixed(n)))
}

// powers is a Loop: x -> x*w, n times, with the sum of each x*v as scan output.
func powers(b *onnx.Builder, trips int64, x, w, v *onnx.Value) *onnx.Node {
	s := b.Sub("body")
	iter := s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	cond := s.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	in := s.Graph.Input("s", x.Type)
	out := s.Op("Mul", values{s.Op("Sin", values{in}), w})
	scale := s.Op("Cast", values{iter}, onnx.Int("to", int64(onnx.Float64)))
	scan := s.Op("Mul", values{s.Op("Add", values{out, v}), scale})
	s.Graph.Outputs = values{s.Op("Identity", values{cond}), out, scan}
	return b.Node("", "Loop", 2, values{b.Const(onnx.Scalar(trips)), nil, x}, onnx.GraphAttr("body", s.Graph))
}

func TestLoop_gradient(t *testing.T) {
	for _, trips := range []int64{0, 1, 4} {
		b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
		x, w, v := vector(b, "x", 3), vector(b, "w", 3), vector(b, "v", 3)
		n := powers(b, trips, x, w, v)
		b.Graph.Outputs = values{n.Out(0)}
		if trips > 0 {
			b.Graph.Outputs = n.Outputs()
		}
		checkGraph(t, b, map[string]*onnx.Tensor{
			"x": random[float64](t, 1, -1, 1, 3), "w": random[float64](t, 2, -1, 1, 3), "v": random[float64](t, 3, -1, 1, 3),
		})
	}
}

// TestLoop_swap carries two values that change places, whose buffers must not be written while they are read.
func TestLoop_swap(t *testing.T) {
	b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
	x, y := vector(b, "x", 2), vector(b, "y", 2)
	s := b.Sub("body")
	s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	cond := s.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	p, q := s.Graph.Input("p", x.Type), s.Graph.Input("q", x.Type)
	s.Graph.Outputs = values{cond, q, p}
	n := b.Node("", "Loop", 2, values{b.Const(onnx.Scalar[int64](3)), b.Const(onnx.Scalar(true)), x, y}, onnx.GraphAttr("body", s.Graph))
	b.Graph.Outputs = n.Outputs()
	require.NoError(t, b.Err())
	run, err := engine(1)(b.Graph)
	require.NoError(t, err)
	outs, err := run(map[string]*onnx.Tensor{"x": onnx.Vector(1.0, 2), "y": onnx.Vector(3.0, 4)})
	require.NoError(t, err)
	require.Equal(t, []float64{3, 4}, onnx.Data[float64](outs[0]))
	require.Equal(t, []float64{1, 2}, onnx.Data[float64](outs[1]))
}

func TestIf_gradient(t *testing.T) {
	for _, taken := range []bool{true, false} {
		b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
		x, w := vector(b, "x", 3), vector(b, "w", 3)
		cond := b.Graph.Input("cond", onnx.TensorOf(onnx.Bool))
		then, other := b.Sub("then"), b.Sub("else")
		then.Graph.Outputs = values{then.Op("Mul", values{x, w})}
		other.Graph.Outputs = values{other.Op("Exp", values{x})}
		n := b.Node("", "If", 1, values{cond}, onnx.GraphAttr("else_branch", other.Graph), onnx.GraphAttr("then_branch", then.Graph))
		b.Graph.Outputs = values{b.Op("Tanh", values{n.Out(0)})}
		checkGraph(t, b, map[string]*onnx.Tensor{
			"x": random[float64](t, 1, -1, 1, 3), "w": random[float64](t, 2, -1, 1, 3), "cond": onnx.Scalar(taken),
		})
	}
}

// TestScan_gradient goes over a sequence in both directions, with scan inputs and outputs along different axes.
func TestScan_gradient(t *testing.T) {
	for _, a := range []attrs{
		nil,
		{onnx.Ints("scan_input_directions", 1)},
		{onnx.Ints("scan_output_directions", 1)},
		{onnx.Ints("scan_input_axes", 1), onnx.Ints("scan_output_axes", -1)},
		{onnx.Ints("scan_input_axes", -1), onnx.Ints("scan_output_axes", 1), onnx.Ints("scan_input_directions", 1), onnx.Ints("scan_output_directions", 1)},
	} {
		b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
		h, w := vector(b, "h", 3), vector(b, "w", 3)
		x := b.Graph.Input("x", onnx.TensorOf(onnx.Float64, onnx.Fixed(3), onnx.Fixed(3)))
		s := b.Sub("body")
		state, slice := s.Graph.Input("state", h.Type), s.Graph.Input("slice", h.Type)
		next := s.Op("Tanh", values{s.Op("Add", values{s.Op("Mul", values{state, w}), slice})})
		s.Graph.Outputs = values{next, s.Op("Mul", values{next, slice})}
		n := b.Node("", "Scan", 2, values{h, x}, append(a, onnx.Int("num_scan_inputs", 1), onnx.GraphAttr("body", s.Graph))...)
		b.Graph.Outputs = n.Outputs()
		checkGraph(t, b, map[string]*onnx.Tensor{
			"h": random[float64](t, 1, -1, 1, 3), "w": random[float64](t, 2, -1, 1, 3), "x": random[float64](t, 3, -1, 1, 3, 3),
		})
	}
}

// TestLoop_randomGradient asks for the gradient of a body that draws random numbers, which is refused.
func TestLoop_randomGradient(t *testing.T) {
	b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
	x := vector(b, "x", 3)
	s := b.Sub("body")
	s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	cond := s.Graph.Input("c", onnx.TensorOf(onnx.Bool))
	in := s.Graph.Input("s", x.Type)
	s.Graph.Outputs = values{cond, s.Op("Dropout", values{in, nil, s.Const(onnx.Scalar(true))})}
	n := b.Node("", "Loop", 1, values{b.Const(onnx.Scalar[int64](2)), nil, x}, onnx.GraphAttr("body", s.Graph))
	b.Graph.Outputs = n.Outputs()
	require.NoError(t, b.Err())
	err := gradcheck.Check(b.Graph, map[string]*onnx.Tensor{"x": onnx.Vector(1.0, 2, 3)}, gradcheck.Options{Set: ops.All, Engine: engine(1)})
	require.ErrorContains(t, err, "random numbers")
}
