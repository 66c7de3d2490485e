package onnxgo_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/interop/onnxgo"
	"github.com/gneiss-ml/gneiss/onnx"
	upstream "github.com/owulveryck/onnx-go"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/graph"
	"gorgonia.org/tensor"
)

func vector[T any](v ...T) tensor.Tensor {
	return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v))
}

const head = `<ir_version: 4, opset_import: ["" : 9]> `

// behind reads a model with onnx-go into a Graph of opset 9.
func behind(t *testing.T, text string) (*upstream.Model, *onnxgo.Graph) {
	t.Helper()
	g := onnxgo.NewGraph(onnxgo.Options{Opset: 9})
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	m := upstream.NewModel(g)
	require.NoError(t, m.UnmarshalBinary(file(head+text)))
	return m, g
}

// outputs runs g on the inputs.
func outputs(t *testing.T, m interface {
	SetInput(int, tensor.Tensor) error
	GetOutputTensors() ([]tensor.Tensor, error)
}, g *onnxgo.Graph, in ...tensor.Tensor,
) []any {
	t.Helper()
	for i, x := range in {
		require.NoError(t, m.SetInput(i, x))
	}
	require.NoError(t, g.Run())
	ts, err := m.GetOutputTensors()
	require.NoError(t, err)
	var all []any
	for _, x := range ts {
		require.NotNil(t, x)
		all = append(all, x.Data())
	}
	return all
}

// Both ways give the same, again and again, with other shapes too.
func TestRun(t *testing.T) {
	const text = `g (float[N] x, float[N] z) => (float[N] y) { y = Sub(x, z) }`
	m, g := behind(t, text)
	own := onnxgo.NewGraph(onnxgo.Options{})
	defer own.Close()
	w := onnxgo.NewModel(own)
	require.NoError(t, w.UnmarshalBinary(file(head+text)))
	for n := 2; n < 5; n++ { // gorgonia gives a vector of one element as a scalar
		x, z := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i], z[i] = float32(i), 10
		}
		want := []float32{-10, -9, -8, -7}[:n]
		require.Equal(t, []any{want}, outputs(t, m, g, vector(x...), vector(z...)))
		require.Equal(t, []any{want}, outputs(t, w, own, vector(x...), vector(z...)))
	}
}

// What simple graphs lose is kept: a value that is read twice by one operation, several outputs, inputs and outputs that are
// left out, outputs that others read, operators without inputs, names that the model's list of values repeats.
func TestGraph_shapes(t *testing.T) {
	m, g := behind(t, `g (float[2] x) => (float[2] y) { y = Add(x, x) }`)
	require.Equal(t, []any{[]float32{2, 4}}, outputs(t, m, g, vector[float32](1, 2)))

	m, g = behind(t, `g (float[4] x) => (float[2] b, float[2] a) { a, b = Split<axis = 0>(x) }`)
	require.Equal(t, []any{[]float32{3, 4}, []float32{1, 2}}, outputs(t, m, g, vector[float32](1, 2, 3, 4)))

	m, g = behind(t, `g (float[4] x) => (int64[1] i) { "", i = TopK<axis = 0, k = 1>(x) }`)
	require.Equal(t, []any{int64(2)}, outputs(t, m, g, vector[float32](1, 2, 9, 4)))

	m, g = behind(t, `g (float[2] x) => (float[2] h, float[2] y) { h = Neg(x) y = Exp(h) }`)
	require.Equal(t, []any{[]float32{0, -1}, []float32{1, float32(math.Exp(-1))}}, outputs(t, m, g, vector[float32](0, 1)))

	m, g = behind(t, `g (float[2] x) => (float[2] y) { c = Constant<value = float[2] {5, 6}>() y = Mul(x, c) }`)
	require.Equal(t, []any{[]float32{5, 12}}, outputs(t, m, g, vector[float32](1, 2)))

	m, g = behind(t, `g (float[2] x) => (float[2] y) <float[2] x, float[2] y, float[2] h> { h = Neg(x) y = Neg(h) }`)
	require.Equal(t, []any{[]float32{1, 2}}, outputs(t, m, g, vector[float32](1, 2)))
}

// An input that is left out stays out.
func TestGraph_optional(t *testing.T) {
	g := onnxgo.NewGraph(onnxgo.Options{Opset: 12})
	defer g.Close()
	m := upstream.NewModel(g)
	require.NoError(t, m.UnmarshalBinary(file(`<ir_version: 7, opset_import: ["" : 12]> g (float[3] x) => (float[3] y) <float most = {1}> {
		y = Clip(x, "", most) }`)))
	require.Equal(t, []any{[]float32{-5, 0, 1}}, outputs(t, m, g, vector[float32](-5, 0, 5)))
}

// Attributes of every kind that onnx-go passes on arrive.
func TestGraph_attributes(t *testing.T) {
	m, g := behind(t, `g (float[1,2] x) => (float[2,1] y, float[1,2] z, float[1,2] p) {
		y = Transpose<perm = [1, 0]>(x) z = LeakyRelu<alpha = 0.5>(x) p = Pad<mode = "reflect", pads = [0, 0, 0, 0]>(x) }`)
	x := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{-2, 1}))
	require.Equal(t, []any{[]float32{-2, 1}, []float32{-1, 1}, []float32{-2, 1}}, outputs(t, m, g, x))

	g = onnxgo.NewGraph(onnxgo.Options{Opset: 9})
	n := g.NewNode()
	g.AddNode(n)
	n.(*onnxgo.Node).SetName("y")
	for _, bad := range []any{struct{}{}, 7, (*tensor.Dense)(nil), tensor.New(tensor.WithBacking([]complex64{1}))} {
		require.Error(t, g.ApplyOperation(upstream.Operation{Name: "Relu", Attributes: map[string]any{"a": bad}}, n))
	}
}

func TestGraph_errors(t *testing.T) {
	g := onnxgo.NewGraph(onnxgo.Options{Opset: 9})
	require.ErrorContains(t, g.Run(), "empty")

	g = onnxgo.NewGraph(onnxgo.Options{})
	require.NoError(t, upstream.NewModel(g).UnmarshalBinary(file(perceptron)))
	require.ErrorContains(t, g.Run(), "Options.Opset")

	m, g := behind(t, `g (float[2] x) => (float[2] y) { y = Frobnicate(x) }`)
	require.NoError(t, m.SetInput(0, vector[float32](1, 2)))
	require.ErrorContains(t, g.Run(), "Frobnicate")
	require.Error(t, m.SetInput(0, nil))

	m, g = behind(t, `g (float[2] x) => (float[2] y) { a = Add(x, b) b = Relu(a) y = Relu(b) }`)
	require.NoError(t, m.SetInput(0, vector[float32](1, 2)))
	require.ErrorContains(t, g.Run(), "cyclic")

	g = onnxgo.NewGraph(onnxgo.Options{Opset: 9})
	x := g.NewNode()
	g.AddNode(x)
	x.(*onnxgo.Node).SetName("nowhere")
	y := g.NewNode()
	g.AddNode(y)
	y.(*onnxgo.Node).SetName("y")
	g.SetWeightedEdge(g.NewWeightedEdge(y, x, 0))
	require.NoError(t, g.ApplyOperation(upstream.Operation{Name: "Relu"}, y))
	require.ErrorContains(t, g.Run(), `"nowhere"`)

	require.ErrorContains(t, g.ApplyOperation(upstream.Operation{Name: "Exp"}, y), "both")

	m, g = behind(t, `g (float[2] x, float[3] z) => (float[2] y) { y = Add(x, z) }`)
	require.NoError(t, m.SetInput(0, vector[float32](1, 2)))
	require.NoError(t, m.SetInput(1, vector[float32](1, 2, 3)))
	require.ErrorContains(t, g.Run(), "Add")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, g = behind(t, `g (float[2] x) => (float[2] y) { y = Exp(x) }`)
	require.ErrorIs(t, g.RunContext(ctx), context.Canceled)
}

// The graph is what gonum's interface says; misuse is an error of the next call that can report one, not a panic.
func TestGraph_interface(t *testing.T) {
	m, g := behind(t, `g (float[2] x) => (float[2] y) { h = Neg(x) y = Add(h, x) }`)
	node := func(name string) int64 {
		n, ok := m.GetNodeByName(name)
		require.True(t, ok)
		require.Equal(t, name, n.(upstream.Namer).GetName())
		require.Equal(t, n, g.Node(n.ID()))
		return n.ID()
	}
	x, h, y := node("x"), node("h"), node("y")
	require.Equal(t, 3, g.Nodes().Len())
	require.Equal(t, 2, g.From(y).Len())
	require.Equal(t, 2, g.To(x).Len())
	require.Zero(t, g.From(x).Len())
	require.Zero(t, g.To(y).Len())
	require.True(t, g.HasEdgeFromTo(y, h))
	require.False(t, g.HasEdgeFromTo(h, y))
	require.True(t, g.HasEdgeBetween(h, y))
	require.False(t, g.HasEdgeBetween(x, 99))
	require.Equal(t, x, g.Edge(h, x).To().ID())
	require.Nil(t, g.Edge(x, h))
	require.Equal(t, 1.0, g.WeightedEdge(y, x).Weight())
	require.Nil(t, g.Node(99))
	require.Nil(t, g.Node(-1))
	require.Zero(t, g.From(99).Len())
	n := g.Node(x).(upstream.Documenter)
	n.SetDescription("the input")
	require.Equal(t, "the input", n.GetDescription())

	for _, misuse := range []func(g *onnxgo.Graph){
		func(g *onnxgo.Graph) { g.AddNode(stranger(0)) },
		func(g *onnxgo.Graph) { g.AddNode(onnxgo.NewGraph(onnxgo.Options{}).NewNode()) },
		func(g *onnxgo.Graph) { g.SetWeightedEdge(g.NewWeightedEdge(stranger(0), stranger(1), 0)) },
	} {
		g := onnxgo.NewGraph(onnxgo.Options{Opset: 9})
		misuse(g)
		require.ErrorIs(t, g.Run(), onnx.ErrInvalid)
	}
}

type stranger int64

func (s stranger) ID() int64 { return int64(s) }

var _ graph.Node = stranger(0)

func TestModel(t *testing.T) {
	g := onnxgo.NewGraph(onnxgo.Options{})
	defer g.Close()
	m := onnxgo.NewModel(g)
	require.NoError(t, m.UnmarshalBinary(file(`<ir_version: 8, opset_import: ["" : 17]> g (float[N,2] x, float[2] w = {1, 2}) => (float[N,2] y) { y = Mul(x, w) }`)))
	require.Equal(t, []int64{0}, m.Input, "an input with a default is none that must be set")
	require.Len(t, m.Output, 1)
	require.Equal(t, tensor.Shape{2}, m.GetInputTensors()[0].Shape(), "the dims that are fixed")
	require.ErrorContains(t, g.Run(), `"x"`)
	require.Error(t, m.SetInput(1, vector[float32](1)))
	require.Error(t, m.SetInput(-1, vector[float32](1)))
	x := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{3, 4}))
	require.Equal(t, []any{[]float32{3, 8}}, outputs(t, m, g, x))

	w, ok := m.GetNodeByName("w")
	require.True(t, ok)
	require.NoError(t, w.(upstream.DataCarrier).SetTensor(vector[float32](10, 10)))
	require.Equal(t, []any{[]float32{30, 40}}, outputs(t, m, g, x))
	_, ok = m.GetNodeByName("nothing")
	require.False(t, ok)

	// A faulty file leaves the model as it was; another one takes its place.
	require.Error(t, m.UnmarshalBinary([]byte("no model")))
	require.Error(t, m.UnmarshalBinary(file(head+`g (float[2] x) => (float[2] y) { y = Frobnicate(x) }`)))
	require.Equal(t, []any{[]float32{30, 40}}, outputs(t, m, g, x))
	require.NoError(t, m.UnmarshalBinary(file(head+`g (bool[2] b) => (bool[2] n) { n = Not(b) }`)))
	_, err := m.GetOutputTensors()
	require.NoError(t, err, "zeros stand there before a run, as in onnx-go")
	require.Equal(t, []any{[]bool{false, true}}, outputs(t, m, g, vector(true, false)))
}

func TestModel_types(t *testing.T) {
	g := onnxgo.NewGraph(onnxgo.Options{})
	defer g.Close()
	m := onnxgo.NewModel(g)
	require.NoError(t, m.UnmarshalBinary(file(`<ir_version: 8, opset_import: ["" : 17]> g (float x) => (float16 y) { y = Cast<to = 10>(x) }`)))
	_, err := m.GetOutputTensors()
	require.Error(t, err)
	require.NoError(t, m.SetInput(0, tensor.New(tensor.FromScalar(float32(1)))))
	require.ErrorIs(t, g.Run(), errors.ErrUnsupported)
	require.NoError(t, m.SetInput(0, vector(1.5)))
	require.ErrorIs(t, g.Run(), onnx.ErrInvalid)
}

// Weights in a second file need the path.
func TestModel_external(t *testing.T) {
	path := "../../testdata/models/torch-dynamo-mlp/model.onnx"
	g := onnxgo.NewGraph(onnxgo.Options{})
	defer g.Close()
	m := onnxgo.NewModel(g)
	require.NoError(t, m.ReadFile(path))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorContains(t, m.UnmarshalBinary(b), "external")
	require.Error(t, m.ReadFile(filepath.Join(t.TempDir(), "nothing.onnx")))
}

// one is the slice 1:2.
type one struct{}

func (one) Start() int { return 1 }
func (one) End() int   { return 2 }
func (one) Step() int  { return 1 }

func TestTensors(t *testing.T) {
	for _, x := range []tensor.Tensor{
		vector(true, false), vector[float32](1, 2), vector(1.5), vector[int8](-1), vector[int16](-1), vector[int32](-1), vector[int64](-1),
		vector[uint8](1), vector[uint16](1), vector[uint32](1), vector[uint64](math.MaxUint64), vector("a", "b"),
		tensor.New(tensor.FromScalar(2.5)), tensor.New(tensor.FromScalar("a")), tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{3})),
	} {
		y, err := onnxgo.FromGorgonia(x)
		require.NoError(t, err, x.Dtype())
		back, err := onnxgo.ToGorgonia(y)
		require.NoError(t, err)
		require.Equal(t, x.Data(), back.Data(), x.Dtype())
		require.True(t, x.Shape().Eq(back.Shape()))
	}
	grid := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]int64{1, 2, 3, 4, 5, 6}))
	column, err := grid.Slice(nil, one{})
	require.NoError(t, err)
	y, err := onnxgo.FromGorgonia(column)
	require.NoError(t, err)
	require.Equal(t, []int64{2, 5}, onnx.Data[int64](y))

	_, err = onnxgo.FromGorgonia(nil)
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = onnxgo.FromGorgonia(vector(complex64(1)))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	empty, err := onnx.Zeros(onnx.Float32, 0, 2)
	require.NoError(t, err)
	_, err = onnxgo.ToGorgonia(empty)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = onnxgo.ToGorgonia(onnx.Vector(onnx.NewBF16(1)))
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestOpset_errors(t *testing.T) {
	_, err := onnxgo.Opset([]byte("no model"))
	require.Error(t, err)
	_, err = onnxgo.Opset(file(`<ir_version: 8, opset_import: ["my.domain" : 1]> g (float x) => (float y) { y = my.domain.F(x) }`))
	require.ErrorIs(t, err, onnx.ErrInvalid)
}
