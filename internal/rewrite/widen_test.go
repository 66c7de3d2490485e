package rewrite_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

func TestWiden(t *testing.T) {
	facts := &schema.Schema{
		Domain: "t", Name: "Scale", MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 2,
		Inputs:  []schema.Param{{Name: "x", Type: "T"}, {Name: "scale", Type: "tensor(float)"}},
		Outputs: []schema.Param{{Name: "y", Type: "T"}, {Name: "z", Type: "tensor(float)"}},
		Types:   []schema.TypeConstraint{{Name: "T", Types: schema.TypeSet{"tensor(double)", "tensor(float)"}}},
	}
	scale := &opdef.Def{Domain: "t", Type: "Scale", Schema: facts, Infer: func(c *opdef.Infer) error {
		require.Equal(t, onnx.Float32, c.Elem(1))
		c.Set(1, onnx.Float32)
		return c.Like(0, 0)
	}, Widen: func(c *opdef.Rewrite) error { c.Node.SetAttr(onnx.Int("wide", 1)); return nil }}
	s := opdef.NewSet(set, scale, &opdef.Def{Type: "Cast", Infer: func(c *opdef.Infer) error {
		return c.LikeElem(0, 0, onnx.ElemType(c.Node.Int("to", 0)))
	}})
	b := shape.BuilderFor(onnx.NewGraph("g", nil), s)
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(2)))
	w := b.Graph.Initializer("w", onnx.TensorOf(onnx.Float32, onnx.Fixed(2)), onnx.Vector[float32](1.5, 2))
	n := b.Node("t", "Scale", 2, values{x, w})
	y := b.Op("Add", values{own1(b, "Op", n.Out(0)), n.Out(1)})
	b.Graph.Outputs = values{y}
	require.NoError(t, b.Err())
	require.NoError(t, rewrite.Widen(b.Graph, s))
	require.Equal(t, "double[2]", y.Type.String())
	require.Equal(t, []float64{1.5, 2}, onnx.Data[float64](w.Init))
	require.Equal(t, "Cast", n.In(1).Node().OpType)
	require.Equal(t, int64(1), n.Int("wide", 0))
}
