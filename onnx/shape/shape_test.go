package shape

import (
	"fmt"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

type values = []*onnx.Value

func TestNewBuilder_shapeChain(t *testing.T) {
	b := NewBuilder("g")
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(3), onnx.Fixed(4)))
	s := b.Op("Shape", values{x}, onnx.Int("start", 0), onnx.Int("end", 1))
	s = b.Op("Concat", values{s, b.Const(onnx.Vector[int64](12))}, onnx.Int("axis", 0))
	y := b.Op("Reshape", values{x, s})
	require.NoError(t, b.Err())
	require.Equal(t, "float[N,12]", y.Type.String())
}

func TestNewBuilder_error(t *testing.T) {
	b := NewBuilder("g")
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(3)))
	y := b.Graph.Input("y", onnx.TensorOf(onnx.Float32, onnx.Fixed(4)))
	b.Op("Add", values{x, y})
	var at *onnx.NodeError
	require.ErrorAs(t, b.Err(), &at)
	require.Equal(t, "Add", at.OpType)
	require.Equal(t, []string{"float[3]", "float[4]"}, at.Inputs)
	require.ErrorIs(t, b.Err(), onnx.ErrInvalid)
}

// opRepeat has a body that is run again and again: carried values as in the standard's Loop, without counter and condition.
func opRepeat(asked *int) *opdef.Def {
	return &opdef.Def{Domain: "t", Type: "Repeat", Infer: func(c *opdef.Infer) error {
		in := append([]onnx.Type(nil), c.Ins...)
		for {
			*asked++
			out, err := c.BodyTypes(0, in)
			if err != nil {
				return err
			}
			stable := true
			for i := range in {
				j := Join(in[i], out[i])
				stable = stable && j.Equal(in[i])
				in[i] = j
			}
			if stable {
				break
			}
		}
		for i, t := range in {
			c.SetType(i, t)
		}
		return nil
	}}
}

// nested puts loops inside one another; each doubles the length of what it carries.
func nested(b *onnx.Builder, x *onnx.Value, depth int) *onnx.Value {
	if depth == 0 {
		return b.Op("Concat", values{x, x}, onnx.Int("axis", 0))
	}
	s := b.Sub("body")
	in := s.Graph.Input("c", onnx.Unranked(onnx.Float32))
	s.Graph.Outputs = values{nested(s, in, depth-1)}
	return b.Node("t", "Repeat", 1, values{x}, onnx.GraphAttr("body", s.Graph)).Out(0)
}

func TestInfer_widens(t *testing.T) {
	asked := 0
	set := opdef.NewSet(ops.All, opRepeat(&asked))
	g := onnx.NewGraph("g", nil)
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(2), onnx.Fixed(5)))
	y := nested(onnx.NewBuilder(g, nil), x, 30)
	g.Outputs = values{y}
	require.NoError(t, Infer(g, set))
	require.Equal(t, "float[?,5]", y.Type.String())
	require.Less(t, asked, 500, "nesting must not multiply")
}

func TestInfer_hints(t *testing.T) {
	open := &opdef.Def{Domain: "t", Type: "Open", Infer: func(c *opdef.Infer) error { return opdef.ErrNoRank }}
	set := opdef.NewSet(ops.All, open)
	build := func(declared onnx.Type) *onnx.Graph {
		g := onnx.NewGraph("g", nil)
		x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(5)))
		n := g.Add("t", "Open", 1, values{x})
		n.Out(0).Type = declared
		m := g.Add("", "Identity", 1, values{x})
		m.Out(0).Type = onnx.TensorOf(onnx.Float64, onnx.Fixed(1), onnx.Fixed(1))
		g.Outputs = values{n.Out(0), m.Out(0)}
		return g
	}
	g := build(onnx.TensorOf(onnx.Float32, onnx.Named("N")))
	require.NoError(t, Infer(g, set))
	require.Equal(t, "float[N]", g.Outputs[0].Type.String())
	require.Equal(t, "float[N,5]", g.Outputs[1].Type.String(), "a declaration is never believed against inference")

	g = build(onnx.TensorOf(onnx.Float32, onnx.Fixed(7)))
	require.NoError(t, New(set).Graph(g))
	require.Equal(t, "float", g.Outputs[0].Type.String(), "without hints only the element type is taken")
}

func TestInfer_forgives(t *testing.T) {
	asked := 0
	set := opdef.NewSet(ops.All, opRepeat(&asked))
	build := func(b *onnx.Builder) *onnx.Value {
		c := b.Const(onnx.Vector[float32](1, 2, 3))
		return b.Op("Add", values{c, b.Const(onnx.Vector[float32](1, 2))})
	}
	g := onnx.NewGraph("g", nil)
	b := onnx.NewBuilder(g, nil)
	s := b.Sub("body")
	s.Graph.Input("c", onnx.Type{})
	s.Graph.Outputs = values{build(s)}
	y := b.Node("t", "Repeat", 1, values{b.Const(onnx.Vector[float32](1, 2, 3))}, onnx.GraphAttr("body", s.Graph)).Out(0)
	require.NoError(t, Infer(g, set), "a body that is never run may be wrong")
	require.Equal(t, "float", y.Type.String())
	require.ErrorIs(t, New(set).Graph(g), onnx.ErrInvalid)
	build(b)
	require.ErrorIs(t, Infer(g, set), onnx.ErrInvalid)
}

func TestInfer_cycle(t *testing.T) {
	g := onnx.NewGraph("g", nil)
	a := g.Add("", "Identity", 1, values{nil})
	b := g.Add("", "Identity", 1, values{a.Out(0)})
	a.SetIn(0, b.Out(0))
	require.ErrorIs(t, Infer(g, ops.All), onnx.ErrInvalid)
}

func TestInfer_unknownOperator(t *testing.T) {
	g := onnx.NewGraph("g", nil)
	g.Add("com.example", "Foo", 1, values{g.Input("x", onnx.Unranked(onnx.Float32))})
	err := Infer(g, ops.All)
	require.ErrorContains(t, err, `operator "com.example.Foo" is not supported`)
}

func TestInferModel(t *testing.T) {
	body := onnx.NewGraph("f", nil)
	body.SetOpset("", Newest(""))
	p := body.Input("p", onnx.Type{})
	bb := onnx.NewBuilder(body, nil)
	body.Outputs = values{bb.Op("Concat", values{p, p}, onnx.Attribute{Name: "axis", Kind: onnx.AttrInt, Ref: "along"})}
	f := &onnx.Function{Domain: "f", Name: "Twice", Attributes: []string{"along"}, Body: body}

	g := onnx.NewGraph("g", nil)
	g.SetOpset("", Newest(""))
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(5)))
	n := g.Add("f", "Twice", 1, values{x}, onnx.Int("along", 1))
	g.Outputs = values{n.Out(0)}
	m := onnx.NewModel(g)
	m.Functions = []*onnx.Function{f}
	types, err := InferModel(m)
	require.NoError(t, err)
	require.Equal(t, "float[N,10]", types[n.Out(0)].String())
	require.Equal(t, onnx.KindUnknown, n.Out(0).Type.Kind, "the model is not changed")
	require.Len(t, g.Nodes, 1)
}

func TestJoinMerge(t *testing.T) {
	ty := func(d ...onnx.Dim) onnx.Type { return onnx.TensorOf(onnx.Float32, d...) }
	for i, c := range []struct{ got, want onnx.Type }{
		{Join(ty(onnx.Fixed(1), onnx.Named("N")), ty(onnx.Fixed(2), onnx.Named("N"))), ty(onnx.Unknown, onnx.Named("N"))},
		{Join(ty(onnx.Fixed(1)), ty()), onnx.Unranked(onnx.Float32)},
		{Join(ty(), onnx.SequenceOf(ty())), onnx.Type{}},
		{Merge(ty(onnx.Unknown), ty(onnx.Fixed(3))), ty(onnx.Fixed(3))},
		{Merge(ty(onnx.Unknown, onnx.Fixed(2)), ty(onnx.Fixed(3), onnx.Fixed(4))), ty(onnx.Unknown, onnx.Fixed(2))},
		{Merge(onnx.Unranked(onnx.Float32), onnx.TensorOf(onnx.Int64, onnx.Fixed(3))), onnx.Unranked(onnx.Float32)},
		{Merge(onnx.Type{}, ty(onnx.Fixed(3))), ty(onnx.Fixed(3))},
	} {
		require.True(t, c.want.Equal(c.got), fmt.Sprintf("case %d: got %v, want %v", i, c.got, c.want))
	}
}
