package compose_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
	"github.com/stretchr/testify/require"
)

type values = []*onnx.Value

// function makes a function of domain "f" with one input and one output.
func function(name string, body func(b *onnx.Builder, x *onnx.Value) *onnx.Value) *onnx.Function {
	g := onnx.NewGraph(name, nil)
	g.SetOpset("", 20)
	b := onnx.NewBuilder(g, nil)
	x := g.Input("x", onnx.Type{})
	g.Outputs = values{body(b, x)}
	return &onnx.Function{Domain: "f", Name: name, Body: g}
}

func call(b *onnx.Builder, name string, x *onnx.Value, attrs ...onnx.Attribute) *onnx.Value {
	return b.Node("f", name, 1, values{x}, attrs...).Out(0)
}

// model applies function name to an input.
func model(name string, fs ...*onnx.Function) *onnx.Model {
	g := onnx.NewGraph("main", nil)
	g.SetOpset("", 18)
	b := onnx.NewBuilder(g, nil)
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N")))
	g.Outputs = values{call(b, name, x, onnx.Float("slope", 3))}
	m := onnx.NewModel(g)
	m.Functions = fs
	return m
}

func TestInline(t *testing.T) {
	leaf := function("leaf", func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		ref := onnx.Attribute{Name: "alpha", Kind: onnx.AttrFloat, Ref: "slope"}
		other := onnx.Attribute{Name: "beta", Kind: onnx.AttrFloat, Ref: "other"}
		none := onnx.Attribute{Name: "gamma", Kind: onnx.AttrFloat, Ref: "none"}
		return b.Op("LeakyRelu", values{x}, ref, other, none)
	})
	leaf.Attributes, leaf.Defaults = []string{"slope", "none"}, []onnx.Attribute{onnx.Float("other", 5)}
	outer := function("outer", func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		y := call(b, "leaf", x, onnx.Attribute{Name: "slope", Kind: onnx.AttrFloat, Ref: "slope"})
		s := b.Sub("then")
		s.Graph.Outputs = values{call(s, "leaf", y, onnx.Float("slope", 7))}
		return b.Node("", "If", 1, values{x}, onnx.GraphAttr("then_branch", s.Graph)).Out(0)
	})
	m := model("outer", leaf, outer)
	name := m.Graph.Outputs[0].Name
	c, err := compose.Inline(m, compose.Limits{})
	require.NoError(t, err)
	require.Len(t, m.Graph.Nodes, 1, "the model is not changed")
	require.Empty(t, c.Functions)

	order, ok := onnx.Sorted(c.Graph, nil)
	require.True(t, ok)
	require.Len(t, order, 2)
	relu, branch := order[0], order[1]
	require.Equal(t, "LeakyRelu", relu.OpType)
	require.Equal(t, float32(3), relu.Float("alpha", 0))
	require.Equal(t, float32(5), relu.Float("beta", 0))
	require.Nil(t, relu.Attr("gamma"))
	require.Equal(t, 20, relu.Opset())
	require.Equal(t, []int{m.Graph.Nodes[0].ID}, relu.Origin)
	inner := branch.Subgraph("then_branch").Nodes
	require.Len(t, inner, 1)
	require.Equal(t, float32(7), inner[0].Float("alpha", 0))
	require.Same(t, relu.Out(0), inner[0].In(0))
	require.Equal(t, name, c.Graph.Outputs[0].Name)
}

func TestInline_graphAttribute(t *testing.T) {
	f := function("f", func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		ref := onnx.Attribute{Name: "then_branch", Kind: onnx.AttrGraph, Ref: "g"}
		return b.Node("", "If", 1, values{x}, ref).Out(0)
	})
	m := model("f", f)
	n := m.Graph.Nodes[0]
	s := onnx.NewBuilder(onnx.NewGraph("g", m.Graph), nil)
	s.Graph.Outputs = values{s.Op("Relu", values{m.Graph.Inputs[0]})}
	n.SetAttr(onnx.GraphAttr("g", s.Graph))
	c, err := compose.Inline(m, compose.Limits{})
	require.NoError(t, err)
	sub := c.Graph.Nodes[0].Subgraph("then_branch")
	require.Same(t, c.Graph, sub.Outer)
	require.Same(t, c.Graph.Inputs[0], sub.Nodes[0].In(0))
}

func TestInline_recursion(t *testing.T) {
	f := function("f", func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		s := b.Sub("body")
		s.Graph.Outputs = values{call(s, "f", x)}
		return b.Node("", "If", 1, values{x}, onnx.GraphAttr("then_branch", s.Graph)).Out(0)
	})
	_, err := compose.Inline(model("f", f), compose.Limits{})
	require.ErrorIs(t, err, onnx.ErrInvalid)
	require.ErrorContains(t, err, "calls itself")
}

// chain makes functions f0 ... that call the next one `times` times.
func chain(depth, times int) []*onnx.Function {
	var fs []*onnx.Function
	for i := range depth {
		fs = append(fs, function(fmt.Sprintf("f%d", i), func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			if i == depth-1 {
				return b.Op("Relu", values{x})
			}
			for range times {
				x = call(b, fmt.Sprintf("f%d", i+1), x)
			}
			return x
		}))
	}
	return fs
}

func TestInline_limits(t *testing.T) {
	var limit *onnx.LimitError
	_, err := compose.Inline(model("f0", chain(40, 2)...), compose.Limits{})
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "nodes after inlining", limit.Limit)
	require.ErrorIs(t, err, errors.ErrUnsupported)

	_, err = compose.Inline(model("f0", chain(3000, 1)...), compose.Limits{})
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "function call depth", limit.Limit)

	_, err = compose.Inline(model("f0", chain(100, 1)...), compose.Limits{})
	require.NoError(t, err)
	_, err = compose.Inline(model("f0", chain(10, 2)...), compose.Limits{Functions: 3})
	require.ErrorAs(t, err, &limit)

	c, err := compose.Inline(model("f0", chain(10, 2)...), compose.Limits{})
	require.NoError(t, err)
	require.Len(t, c.Graph.Nodes, 512)
}

func TestInline_twice(t *testing.T) {
	f := chain(1, 1)[0]
	_, err := compose.Inline(model("f0", f, f), compose.Limits{})
	require.ErrorContains(t, err, "defined twice")
}

func TestInline_many(t *testing.T) {
	f := function("f", func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		s := b.Sub("then")
		y := b.Op("Relu", values{x})
		s.Graph.Outputs = values{y} // a value of the enclosing graph
		return b.Node("", "If", 1, values{x}, onnx.GraphAttr("then_branch", s.Graph)).Out(0)
	})
	g := onnx.NewGraph("g", nil)
	b := onnx.NewBuilder(g, nil)
	x := g.Input("x", onnx.Type{})
	const calls = 20_000
	for range calls {
		x = call(b, "f", x)
	}
	s := b.Sub("then")
	s.Graph.Outputs = values{x}
	g.Outputs = values{b.Node("", "If", 1, values{x}, onnx.GraphAttr("then_branch", s.Graph)).Out(0)}
	m := onnx.NewModel(g)
	m.Functions = []*onnx.Function{f}
	c, err := compose.Inline(m, compose.Limits{})
	require.NoError(t, err)
	order, ok := onnx.Sorted(c.Graph, nil)
	require.True(t, ok)
	require.Len(t, order, 2*calls+1)
	last := order[len(order)-1]
	require.Same(t, last.In(0), last.Subgraph("then_branch").Outputs[0])
	require.Same(t, order[len(order)-2], last.In(0).Node())
}
