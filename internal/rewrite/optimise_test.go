package rewrite_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// run computes g's outputs.
func run(t *testing.T, g *onnx.Graph, ins ...*onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
	require.NoError(t, err)
	views := make([]opdef.View, len(ins))
	for i, in := range ins {
		views[i] = plan.ViewOf(in)
	}
	outs, err := p.NewRunner().Results(context.Background(), views)
	require.NoError(t, err)
	ts := make([]*onnx.Tensor, len(outs))
	for i, o := range outs {
		ts[i] = o.(*onnx.Tensor)
	}
	return ts
}

// eval computes one node, as the caller of Optimise does.
func eval(n *onnx.Node, ins []*onnx.Tensor) ([]*onnx.Tensor, error) {
	g := onnx.NewGraph("fold", nil)
	g.SetOpset("", shape.Newest(""))
	vs := make(values, len(ins))
	for i, in := range ins {
		if in != nil {
			vs[i] = g.Initializer("c", in.Type(), in)
		}
	}
	m := g.Add(n.Domain, n.OpType, n.NumOut(), vs, n.Attrs...)
	for i, v := range m.Outputs() {
		v.Type = n.Out(i).Type
	}
	g.Outputs = m.Outputs()
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
	if err != nil {
		return nil, err
	}
	outs, err := p.NewRunner().Results(context.Background(), nil)
	ts := make([]*onnx.Tensor, len(outs))
	for i, o := range outs {
		ts[i] = o.(*onnx.Tensor)
	}
	return ts, err
}

// built makes a graph with input x of type float[N,4].
func built(t *testing.T, build func(b *onnx.Builder, x *onnx.Value) *onnx.Value) *onnx.Graph {
	t.Helper()
	b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
	b.Graph.SetOpset("", shape.Newest(""))
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(4)))
	b.Graph.Outputs = values{build(b, x)}
	require.NoError(t, b.Err())
	return b.Graph
}

func optimise(t *testing.T, g *onnx.Graph, o rewrite.Options) {
	t.Helper()
	require.NoError(t, rewrite.Optimise(g, set, o))
}

func relu(b *onnx.Builder, x *onnx.Value) *onnx.Value { return b.Op("Relu", values{x}) }

func TestOptimise_dead(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		relu(b, b.Op("Add", values{x, b.Const(onnx.Scalar[float32](1))}))
		keep := b.Op("Mul", values{x, b.Const(onnx.Scalar[float32](2))})
		b.Graph.Updates = []onnx.Update{{Var: b.Graph.Initializer("v", x.Type, nil), New: keep}}
		return relu(b, x)
	})
	optimise(t, g, rewrite.Options{})
	require.Equal(t, []string{"Mul", "Relu"}, opTypes(g))
	require.Len(t, g.Initializers, 2)
}

func TestOptimise_outputs(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return b.Node("", "Dropout", 2, values{relu(b, x), b.Const(onnx.Scalar[float32](0.5)), b.Const(onnx.Scalar(true))}).Out(0)
	})
	optimise(t, g, rewrite.Options{})
	require.Equal(t, 2, g.Nodes[1].NumOut())
	optimise(t, g, rewrite.Options{Level: 1})
	require.Equal(t, []string{"Relu", "Dropout"}, opTypes(g), "it trains: it stays")
	require.Equal(t, 1, g.Nodes[1].NumOut())
}

func TestOptimise_identities(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		h := b.Op("Identity", values{x})
		h = b.Op("Cast", values{h}, onnx.Int("to", int64(onnx.Float32)))
		h = b.Op("Transpose", values{relu(b, h)}, onnx.Ints("perm", 0, 1))
		h = b.Op("Concat", values{h}, onnx.Int("axis", 0))
		return b.Node("", "Dropout", 1, values{h}).Out(0)
	})
	name := g.Outputs[0].Name
	optimise(t, g, rewrite.Options{Level: 1})
	require.Equal(t, []string{"Relu"}, opTypes(g))
	require.Equal(t, name, g.Outputs[0].Name)
	require.Same(t, g.Nodes[0].Out(0), g.Outputs[0])

	g = built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return b.Op("Identity", values{x}) })
	optimise(t, g, rewrite.Options{Level: 1})
	require.Equal(t, []string{"Identity"}, opTypes(g), "an output needs a value of its own")
}

func TestOptimise_common(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		one := func() *onnx.Value { return b.Const(onnx.Scalar[float32](1)) }
		return b.Op("Mul", values{relu(b, b.Op("Add", values{x, one()})), relu(b, b.Op("Add", values{x, one()}))})
	})
	optimise(t, g, rewrite.Options{Level: 1})
	require.Equal(t, []string{"Add", "Relu", "Mul"}, opTypes(g))
	require.Len(t, g.Initializers, 1)

	g = built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		a := b.Op("LeakyRelu", values{x}, onnx.Float("alpha", 0.1))
		return b.Op("Add", values{a, b.Op("LeakyRelu", values{x}, onnx.Float("alpha", 0.2))})
	})
	optimise(t, g, rewrite.Options{Level: 1})
	require.Len(t, g.Nodes, 3)
}

func TestOptimise_fold(t *testing.T) {
	build := func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		c := b.Const(onnx.Vector[float32](1, 2, 3, 4))
		return b.Op("Mul", values{x, relu(b, b.Op("Add", values{c, c}))})
	}
	g := built(t, build)
	optimise(t, g, rewrite.Options{Level: 1, Eval: eval})
	require.Equal(t, []string{"Mul"}, opTypes(g))
	require.Equal(t, []float32{2, 4, 6, 8}, onnx.Data[float32](g.Nodes[0].In(1).Init))

	g = built(t, build)
	optimise(t, g, rewrite.Options{Level: 1, Eval: eval, Variable: func(*onnx.Value) bool { return true }})
	require.Equal(t, []string{"Add", "Relu", "Mul"}, opTypes(g), "variables are not folded")

	g = built(t, build)
	g.Inputs = append(g.Inputs, g.Initializers...)
	optimise(t, g, rewrite.Options{Level: 1, Eval: eval})
	require.Len(t, g.Nodes, 3, "what the caller may override is not folded")

	g = built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		big := b.Op("ConstantOfShape", values{b.Const(onnx.Vector[int64](1<<26, 4))})
		return b.Op("Add", values{x, big})
	})
	optimise(t, g, rewrite.Options{Level: 1, Eval: eval})
	require.Len(t, g.Nodes, 2, "what is large is not folded")

	full := errors.New("full")
	g = built(t, build)
	require.ErrorIs(t, rewrite.Optimise(g, set, rewrite.Options{Level: 1, Eval: eval, Charge: func(int64) error { return full }}), full)
}

func TestOptimise_foldShapes(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		w := b.Graph.Initializer("w", onnx.TensorOf(onnx.Float32, onnx.Fixed(4), onnx.Fixed(6)), nil)
		h := b.Op("MatMul", values{x, w})
		s := b.Op("Shape", values{h}, onnx.Int("start", 1))
		return b.Op("Reshape", values{h, b.Op("Concat", values{b.Const(onnx.Vector[int64](-1)), s}, onnx.Int("axis", 0))})
	})
	optimise(t, g, rewrite.Options{Level: 1})
	require.Equal(t, []string{"MatMul", "Reshape"}, opTypes(g))
	require.Equal(t, []int64{-1, 6}, onnx.Data[int64](g.Nodes[1].In(1).Init))
}

func TestOptimise_batchNorm(t *testing.T) {
	for _, bias := range []bool{false, true} {
		b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
		b.Graph.SetOpset("", shape.Newest(""))
		x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(1), onnx.Fixed(2), onnx.Fixed(2)))
		w, err := onnx.NewTensor([]float32{2, -3}, 2, 1, 1, 1)
		require.NoError(t, err)
		in := values{x, b.Const(w)}
		if bias {
			in = append(in, b.Const(onnx.Vector[float32](1, 5)))
		}
		ins := values{b.Op("Conv", in)}
		for i := range 4 {
			ins = append(ins, b.Const(onnx.Vector(1+float32(i)/3, 2-float32(i)/5)))
		}
		b.Graph.Outputs = values{b.Op("BatchNormalization", ins)}
		require.NoError(t, b.Err())
		feed, err := onnx.NewTensor([]float32{1, 2, 3, 4}, 1, 1, 2, 2)
		require.NoError(t, err)
		want := run(t, b.Graph, feed)[0]
		name := b.Graph.Outputs[0].Name
		optimise(t, b.Graph, rewrite.Options{Level: 2})
		require.Equal(t, []string{"Conv"}, opTypes(b.Graph))
		require.Equal(t, name, b.Graph.Outputs[0].Name)
		require.InDeltaSlice(t, onnx.Data[float32](want), onnx.Data[float32](run(t, b.Graph, feed)[0]), 1e-5)
	}
}

func TestOptimise_bodies(t *testing.T) {
	g := built(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return relu(b, b.Op("HardSwish", values{x})) })
	s := opdef.NewSet(set, &opdef.Def{Type: "HardSwish", Infer: opdef.SameAsFirst})
	require.NoError(t, rewrite.Optimise(g, s, rewrite.Options{}))
	require.Equal(t, []string{"HardSigmoid", "Mul", "Relu"}, opTypes(g))
}
