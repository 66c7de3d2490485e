package autodiff_test

import (
	"errors"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

type values = []*onnx.Value

func op(name string, grad func(*opdef.Grad) error) *opdef.Def {
	return &opdef.Def{Domain: "t", Type: name, Infer: opdef.SameAsFirst, Grad: grad}
}

// opPass passes its gradient on, by a node that the test can find.
func opPass() *opdef.Def {
	return op("Pass", func(c *opdef.Grad) error {
		c.SetDX(0, c.Node.Graph().Add("t", "Back", 1, values{c.DY(0)}).Out(0))
		return nil
	})
}

// opBranch has two bodies that read outer values, as If.
func opBranch() *opdef.Def {
	return &opdef.Def{
		Domain: "t", Type: "Branch",
		Infer: func(c *opdef.Infer) error {
			out, err := c.BodyTypes(0, nil)
			if err == nil {
				c.SetType(0, out[0])
			}
			return err
		},
		Grad: func(c *opdef.Grad) error {
			b := c.Sub("grad")
			_, d, err := c.Differentiate(0, b, nil, values{c.DY(0)})
			if err != nil {
				return err
			}
			for _, v := range c.Captures() {
				b.Graph.Outputs = append(b.Graph.Outputs, d[v])
			}
			n := c.Graph.Add("t", "BranchBack", len(c.Captures()), values{c.In(0)}, onnx.GraphAttr("grad", b.Graph))
			for i, v := range c.Captures() {
				c.SetDCapture(v, n.Out(i))
			}
			return nil
		},
	}
}

var set = opdef.NewSet(ops.All, opPass(), opBranch(), op("Stop", opdef.NoGrad), op("Zero", opdef.ZeroGrad))

func build(t *testing.T, do func(b *onnx.Builder, x *onnx.Value) *onnx.Value) (*onnx.Builder, *onnx.Value, *onnx.Value) {
	t.Helper()
	b := shape.BuilderFor(onnx.NewGraph("g", nil), set)
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(2)))
	y := do(b, x)
	require.NoError(t, b.Err())
	return b, x, y
}

func pass(b *onnx.Builder, x *onnx.Value) *onnx.Value {
	return b.Node("t", "Pass", 1, values{x}).Out(0)
}

func ops1(g *onnx.Graph) []string {
	var s []string
	for _, n := range g.Nodes {
		s = append(s, n.OpType)
	}
	return s
}

func TestGradients_twoReaders(t *testing.T) {
	b, x, y := build(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return b.Op("Add", values{pass(b, x), pass(b, x)})
	})
	dy := b.Graph.Input("dy", y.Type)
	d, err := autodiff.Gradients(b, set, values{y}, values{dy}, values{x})
	require.NoError(t, err)
	require.Equal(t, []string{"Pass", "Pass", "Add", "Back", "Back", "Add"}, ops1(b.Graph))
	require.Equal(t, "Add", d[0].Node().OpType)
}

func TestGradients_none(t *testing.T) {
	b, x, y := build(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return b.Node("t", "Zero", 1, values{pass(b, x)}).Out(0)
	})
	other := b.Graph.Input("other", x.Type)
	dy := b.Graph.Input("dy", y.Type)
	d, err := autodiff.Gradients(b, set, values{y}, values{dy}, values{x, other})
	require.NoError(t, err)
	require.Nil(t, d[0])
	require.Nil(t, d[1])
	require.Len(t, b.Graph.Nodes, 2, "no gradient arrives below")
}

func TestGradients_stopsBelow(t *testing.T) {
	var h *onnx.Value
	b, _, y := build(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		h = b.Node("t", "Stop", 1, values{pass(b, x)}).Out(0)
		return pass(b, h)
	})
	dy := b.Graph.Input("dy", y.Type)
	d, err := autodiff.Gradients(b, set, values{y}, values{dy}, values{h})
	require.NoError(t, err, "what lies below the lowest needed value is not asked")
	require.NotNil(t, d[0])
}

func TestGradients_noGrad(t *testing.T) {
	b, x, y := build(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		n := b.Node("t", "Stop", 1, values{pass(b, x)})
		n.Name = "stopper"
		return pass(b, n.Out(0))
	})
	dy := b.Graph.Input("dy", y.Type)
	_, err := autodiff.Gradients(b, set, values{y}, values{dy}, values{x})
	require.ErrorIs(t, err, opdef.ErrNoGrad)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	var at *onnx.NodeError
	require.ErrorAs(t, err, &at)
	require.Equal(t, "stopper", at.Node)
	require.Equal(t, "t.Stop", at.OpType)
	require.ErrorContains(t, err, `the gradient of "x" needs it`)
}

func TestGradients_scalar(t *testing.T) {
	b, x, y := build(t, pass)
	_, err := autodiff.Gradients(b, set, values{y}, values{nil}, values{x})
	require.ErrorIs(t, err, onnx.ErrInvalid)

	s := b.Graph.Input("s", onnx.TensorOf(onnx.Float64))
	z := pass(b, s)
	d, err := autodiff.Gradients(b, set, values{z}, values{nil}, values{s})
	require.NoError(t, err)
	require.Equal(t, []float64{1}, onnx.Data[float64](d[0].Node().In(0).Init))
}

func TestGradients_xIsY(t *testing.T) {
	b, x, _ := build(t, pass)
	dy := b.Graph.Input("dy", x.Type)
	d, err := autodiff.Gradients(b, set, values{x}, values{dy}, values{x})
	require.NoError(t, err)
	require.Same(t, dy, d[0])
}

func TestGradients_captures(t *testing.T) {
	var w, unused *onnx.Value
	b, x, y := build(t, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		w = b.Graph.Input("w", x.Type)
		unused = pass(b, x)
		s := b.Sub("body")
		s.Graph.Outputs = values{s.Op("Add", values{pass(s, w), x})}
		return b.Node("t", "Branch", 1, values{x}, onnx.GraphAttr("body", s.Graph)).Out(0)
	})
	_ = unused
	dy := b.Graph.Input("dy", y.Type)
	d, err := autodiff.Gradients(b, set, values{y}, values{dy}, values{x, w})
	require.NoError(t, err)
	back := d[0].Node()
	require.Equal(t, "BranchBack", back.OpType)
	require.Same(t, back, d[1].Node())
	g := back.Subgraph("grad")
	require.Equal(t, []string{"Pass", "Add", "Back"}, ops1(g))
	require.Same(t, b.Graph, g.Outer)
	require.ElementsMatch(t, values{dy, g.Nodes[2].Out(0)}, g.Outputs)
}

func TestGradients_badType(t *testing.T) {
	bad := op("Bad", func(c *opdef.Grad) error {
		c.SetDX(0, c.Const(onnx.Vector[float32](1, 2, 3)))
		return nil
	})
	b, x, _ := build(t, pass)
	y := b.Graph.Add("t", "Bad", 1, values{x})
	y.Out(0).Type = x.Type
	dy := b.Graph.Input("dy", x.Type)
	_, err := autodiff.Gradients(b, opdef.NewSet(set, bad), values{y.Out(0)}, values{dy}, values{x})
	require.ErrorIs(t, err, onnx.ErrInternal)
}
