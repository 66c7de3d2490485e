package rewrite_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

type values = []*onnx.Value

func nothing(*opdef.Run) error { return nil }

// own makes an operator of domain t whose output is like its first input.
func own(name string) *opdef.Def {
	return &opdef.Def{Domain: "t", Type: name, Infer: opdef.SameAsFirst, Compile: opdef.Each(nothing), Grad: opdef.NoGrad}
}

// opBranch has bodies without inputs, as If.
var opBranch = opdef.Def{Domain: "t", Type: "Branch", Compile: opdef.Each(nothing), Infer: func(c *opdef.Infer) error {
	for i := range c.Node.Subgraphs() {
		out, err := c.BodyTypes(i, nil)
		if err != nil {
			return err
		}
		c.SetType(0, out[0])
	}
	return nil
}}

var set = opdef.NewSet(ops.All, own("Op"), own("Other"), &opBranch)

// graph makes a graph that means ai.onnx of the given opset.
func graph(opset int, build func(b *onnx.Builder, x *onnx.Value) *onnx.Value) *onnx.Model {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", opset)
	g.SetOpset("t", 1)
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(4)))
	b := onnx.NewBuilder(g, nil)
	g.Outputs = values{build(b, x)}
	return onnx.NewModel(g)
}

func own1(b *onnx.Builder, name string, x *onnx.Value) *onnx.Value {
	return b.Node("t", name, 1, values{x}).Out(0)
}

func opTypes(g *onnx.Graph) []string {
	var s []string
	for _, n := range g.Nodes {
		s = append(s, n.OpType)
	}
	return s
}

func prepare(t *testing.T, m *onnx.Model, o rewrite.Options) *onnx.Graph {
	t.Helper()
	g, err := rewrite.Prepare(m, set, o)
	require.NoError(t, err)
	return g
}

func TestPrepare_copiesAndSorts(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return own1(b, "Other", own1(b, "Op", x)) })
	ns := m.Graph.Nodes
	ns[0], ns[1] = ns[1], ns[0]
	name := m.Graph.Outputs[0].Name
	g := prepare(t, m, rewrite.Options{})
	require.NotSame(t, m.Graph, g)
	require.Equal(t, []string{"Op", "Other"}, opTypes(g))
	require.Equal(t, []string{"Other", "Op"}, opTypes(m.Graph))
	require.Equal(t, "float[N,4]", g.Outputs[0].Type.String())
	require.Equal(t, onnx.KindUnknown, m.Graph.Outputs[0].Type.Kind)
	require.Equal(t, name, g.Outputs[0].Name)
	require.Equal(t, ns[1].ID, g.Nodes[0].ID)
}

func TestPrepare_dims(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return own1(b, "Op", x) })
	m.Graph.Inputs[0].Type.Shape[1] = onnx.Dim{N: -1}
	g := prepare(t, m, rewrite.Options{Dims: map[string]int{"N": 7}})
	require.Equal(t, "float[7,?]", g.Outputs[0].Type.String())
	_, err := rewrite.Prepare(m, set, rewrite.Options{Dims: map[string]int{"M": 7}})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestPrepare_dialects(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return b.Node("ai.onnx", "Identity", 1, values{x}).Out(0)
	})
	w, err := onnx.Zeros(onnx.Float32, 3)
	require.NoError(t, err)
	v := m.Graph.Initializer("w", w.Type(), w)
	m.Graph.Inputs = append(m.Graph.Inputs, v)
	m.IRVersion = 3
	g := prepare(t, m, rewrite.Options{})
	require.Len(t, g.Inputs, 1)
	require.Equal(t, "", g.Nodes[0].Domain)
	m.IRVersion = 4
	require.Len(t, prepare(t, m, rewrite.Options{}).Inputs, 2)
}

func TestPrepare_constants(t *testing.T) {
	for _, c := range []struct {
		attr onnx.Attribute
		want string
	}{
		{onnx.TensorAttr("value", onnx.Vector[float32](1, 2)), "float[2]"},
		{onnx.Float("value_float", 2), "float[]"},
		{onnx.Floats("value_floats", 2, 3, 4), "float[3]"},
		{onnx.Int("value_int", 2), "int64[]"},
		{onnx.Ints("value_ints", 2), "int64[1]"},
		{onnx.Str("value_string", "a"), "string[]"},
		{onnx.Attribute{Name: "value_strings", Kind: onnx.AttrStrings, Strings: []string{"a", "b"}}, "string[2]"},
	} {
		name := ""
		m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			v := b.Op("Constant", nil, c.attr)
			name = v.Name
			return own1(b, "Op", v)
		})
		g := prepare(t, m, rewrite.Options{})
		require.Equal(t, c.want, g.Outputs[0].Type.String())
		require.Len(t, g.Nodes, 1)
		require.Len(t, g.Initializers, 1)
		require.Equal(t, name, g.Initializers[0].Name)
	}
	_, err := rewrite.Prepare(graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return b.Op("Constant", nil) }), set, rewrite.Options{})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func sparse(t *testing.T, dims []int, at ...int64) *onnx.SparseTensor {
	t.Helper()
	idx, err := onnx.NewTensor(at, len(at))
	require.NoError(t, err)
	vals := make([]float32, len(at))
	for i := range vals {
		vals[i] = float32(i + 1)
	}
	return &onnx.SparseTensor{Values: onnx.Vector(vals...), Indices: idx, Dims: dims}
}

func TestPrepare_sparse(t *testing.T) {
	build := func(s *onnx.SparseTensor) *onnx.Model {
		m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			v := b.Graph.Initializer("s", onnx.Type{}, nil)
			v.Sparse = s
			return own1(b, "Op", v)
		})
		return m
	}
	g := prepare(t, build(sparse(t, []int{2, 3}, 1, 5)), rewrite.Options{})
	require.Equal(t, []float32{0, 1, 0, 0, 0, 2}, onnx.Data[float32](g.Initializers[0].Init))
	require.Equal(t, "float[2,3]", g.Outputs[0].Type.String())

	two := sparse(t, []int{2, 3}, 0, 2, 1, 0)
	two.Indices.Shape = []int{2, 2}
	two.Values = onnx.Vector[float32](8, 9)
	g = prepare(t, build(two), rewrite.Options{})
	require.Equal(t, []float32{0, 0, 8, 9, 0, 0}, onnx.Data[float32](g.Initializers[0].Init))

	for _, s := range []*onnx.SparseTensor{
		sparse(t, []int{2, 3}, 6), sparse(t, []int{2, 3}, -1), sparse(t, []int{2, 3}, 2, 1), sparse(t, []int{2, 3}, 1, 1),
		sparse(t, []int{math.MaxInt, 3}, 1), sparse(t, []int{-2, 3}, 1),
	} {
		_, err := rewrite.Prepare(build(s), set, rewrite.Options{})
		require.ErrorIs(t, err, onnx.ErrInvalid)
	}
	full := errors.New("full")
	_, err := rewrite.Prepare(build(sparse(t, []int{1 << 28}, 1)), set, rewrite.Options{Charge: func(n int64) error {
		require.Equal(t, int64(1<<30), n)
		return full
	}})
	require.ErrorIs(t, err, full)
}

func TestPrepare_depth(t *testing.T) {
	deep := func(depth int) *onnx.Model {
		return graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			var nest func(b *onnx.Builder, d int) *onnx.Value
			nest = func(b *onnx.Builder, d int) *onnx.Value {
				if d == 0 {
					return x
				}
				s, r := b.Sub("then"), b.Sub("else")
				s.Graph.Outputs = values{nest(s, d-1)}
				r.Graph.Outputs = values{own1(r, "Op", x)}
				return b.Node("t", "Branch", 1, values{x}, onnx.GraphAttr("then", s.Graph), onnx.GraphAttr("else", r.Graph)).Out(0)
			}
			return nest(b, depth)
		})
	}
	g := prepare(t, deep(32), rewrite.Options{})
	require.Equal(t, "float[N,4]", g.Outputs[0].Type.String())
	var limit *onnx.LimitError
	_, err := rewrite.Prepare(deep(33), set, rewrite.Options{})
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "subgraph depth", limit.Limit)
}

func TestPrepare_unsupported(t *testing.T) {
	for _, c := range []struct {
		domain, op string
		opset      int
		reason     string
	}{
		{"com.example", "Foo", 0, `domain "com.example" is not known`},
		{"", "Foo", 0, "the standard has none of that name"},
		{"", "Identity", 99, "opset 99 is newer than"},
		{"", "Celu", 7, "it exists from opset 12 on, the model imports 7"},
	} {
		m := graph(18, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			s := b.Sub("then")
			n := s.Node(c.domain, c.op, 1, values{x})
			n.Name, n.Version = "bad", c.opset
			s.Graph.Outputs = values{n.Out(0)}
			return b.Node("t", "Branch", 1, values{x}, onnx.GraphAttr("then", s.Graph)).Out(0)
		})
		_, err := rewrite.Prepare(m, set, rewrite.Options{})
		require.ErrorIs(t, err, errors.ErrUnsupported, c.reason)
		var at *onnx.NodeError
		require.ErrorAs(t, err, &at)
		require.Equal(t, "bad", at.Node)
		require.ErrorContains(t, err, c.reason)
	}
}

func TestPrepare_checks(t *testing.T) {
	for _, c := range []struct {
		op    string
		in    int
		attrs []onnx.Attribute
		want  string
	}{
		{"Concat", 1, nil, `attribute "axis" is missing`},
		{"Concat", 1, []onnx.Attribute{onnx.Float("axis", 1)}, `attribute "axis": expected kind 2, received 1`},
		{"Concat", 1, []onnx.Attribute{onnx.Int("axis", 0), onnx.Int("foo", 1)}, `attribute "foo" is not known`},
		{"Concat", 0, []onnx.Attribute{onnx.Int("axis", 0)}, "expected 1 or more inputs, received 0"},
		{"Identity", 2, nil, "expected 1 inputs, received 2"},
		{"Not", 1, nil, "expected tensor(bool), received tensor(float)"},
	} {
		m := graph(18, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			ins := values{x, x}[:c.in]
			return b.Op(c.op, ins, c.attrs...)
		})
		not := opdef.Def{Type: "Not", Infer: opdef.SameAsFirst, Compile: opdef.Each(nothing)}
		_, err := rewrite.Prepare(m, opdef.NewSet(set, &not), rewrite.Options{})
		require.ErrorIs(t, err, onnx.ErrInvalid, c.want)
		require.ErrorContains(t, err, c.want)
	}
	m := graph(18, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return b.Op("Add", values{x, b.Const(onnx.Scalar[float64](1))})
	})
	_, err := rewrite.Prepare(m, set, rewrite.Options{})
	require.ErrorContains(t, err, "expected tensor(float) like the inputs before it, received tensor(double)")
}

func TestPrepare_cycle(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		a := b.Node("t", "Op", 1, values{nil})
		c := b.Node("t", "Op", 1, values{a.Out(0)})
		a.SetIn(0, c.Out(0))
		return c.Out(0)
	})
	_, err := rewrite.Prepare(m, set, rewrite.Options{})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

// upgrading has an operator whose older form is replaced by other nodes, and one whose older form is changed in place.
func upgrading() *opdef.Set {
	replaced := opdef.Def{Type: "Softmax", Infer: opdef.SameAsFirst, Compile: opdef.Each(nothing), Upgrade: func(c *opdef.Rewrite) error {
		y := c.Op("Identity", values{c.Op("Softmax", c.Node.Inputs())})
		c.Replace(y)
		return nil
	}}
	inPlace := opdef.Def{Type: "TopK", Compile: opdef.Each(nothing), Infer: opdef.SameAsFirst, Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 10 {
			c.Node.AddIn(c.Builder.Const(onnx.Vector(c.Node.Int("k", 0))))
			c.Node.DropAttr("k")
		}
		return nil
	}}
	return opdef.NewSet(set, &replaced, &inPlace)
}

func TestPrepare_upgrade(t *testing.T) {
	var y, z *onnx.Value
	m := graph(9, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		y = b.Op("Softmax", values{x})
		z = b.Node("", "TopK", 2, values{y}, onnx.Int("k", 2)).Out(0)
		s := b.Sub("then")
		s.Graph.Outputs = values{s.Op("Softmax", values{z})}
		return b.Node("t", "Branch", 1, values{x}, onnx.GraphAttr("then", s.Graph)).Out(0)
	})
	g, err := rewrite.Prepare(m, upgrading(), rewrite.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"Softmax", "Identity", "TopK", "Branch"}, opTypes(g))
	require.Equal(t, y.Name, g.Nodes[1].Out(0).Name, "the name follows")
	require.Equal(t, 2, g.Nodes[2].NumIn())
	require.Nil(t, g.Nodes[2].Attr("k"))
	inner := g.Nodes[3].Subgraph("then")
	require.Equal(t, []string{"Softmax", "Identity"}, opTypes(inner))
	require.Same(t, g.Nodes[2].Out(0), inner.Nodes[0].In(0))
	require.Same(t, inner.Nodes[1].Out(0), inner.Outputs[0])
	for _, n := range []*onnx.Node{g.Nodes[0], g.Nodes[2], inner.Nodes[0]} {
		require.Equal(t, shape.Newest(""), n.Opset())
		require.Equal(t, "float[N,4]", n.Out(0).Type.String())
	}
}

func TestPrepare_functions(t *testing.T) {
	body := onnx.NewGraph("f", nil)
	body.SetOpset("t", 1)
	p := body.Input("p", onnx.Type{})
	bb := onnx.NewBuilder(body, nil)
	body.Outputs = values{own1(bb, "Op", own1(bb, "Op", p)), p}
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return b.Node("f", "F", 2, values{x}).Out(0) })
	m.Graph.Outputs = append(m.Graph.Outputs, m.Graph.Nodes[0].Out(1))
	m.Functions = []*onnx.Function{{Domain: "f", Name: "F", Body: body}}
	g := prepare(t, m, rewrite.Options{})
	require.Equal(t, []string{"Op", "Op", "Identity"}, opTypes(g))
	for i, v := range m.Graph.Outputs {
		require.Equal(t, v.Name, g.Outputs[i].Name)
		require.Equal(t, "float[N,4]", g.Outputs[i].Type.String())
	}
}

func TestPrepare_hoists(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		s, r := b.Sub("then"), b.Sub("else")
		for i, e := range []*onnx.Builder{s, r} {
			w := e.Graph.Initializer("w", onnx.TensorOf(onnx.Float32, onnx.Fixed(1)), onnx.Vector(float32(i)))
			w.Name = "w"
			e.Graph.Outputs = values{w}
			if i == 0 {
				e.Graph.Outputs = values{own1(e, "Op", w)}
			}
		}
		return b.Node("t", "Branch", 1, values{x}, onnx.GraphAttr("then", s.Graph), onnx.GraphAttr("else", r.Graph)).Out(0)
	})
	g := prepare(t, m, rewrite.Options{})
	require.Len(t, g.Initializers, 2)
	require.Equal(t, "w", g.Initializers[0].Name)
	require.NotEqual(t, "w", g.Initializers[1].Name)
	other := g.Nodes[0].Subgraph("else")
	require.Empty(t, other.Initializers)
	require.Equal(t, []string{"Identity"}, opTypes(other))
	require.Same(t, g.Initializers[1], other.Nodes[0].In(0))
}

func TestPrepare_bodies(t *testing.T) {
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
		return own1(b, "Op", b.Op("HardSwish", values{x}))
	})
	few := opdef.NewSet(nil, own("Op"), ops.All.Find("", "HardSigmoid"), ops.All.Find("", "Mul"))
	for _, s := range []*opdef.Set{few, opdef.NewSet(set, &opdef.Def{Type: "HardSwish"})} {
		name := m.Graph.Nodes[0].Out(0).Name
		g, err := rewrite.Prepare(m, s, rewrite.Options{})
		require.NoError(t, err)
		require.Equal(t, []string{"HardSigmoid", "Mul", "Op"}, opTypes(g))
		require.Equal(t, name, g.Nodes[1].Out(0).Name)
		require.Equal(t, []int{m.Graph.Nodes[0].ID}, g.Nodes[0].Origin)
		require.Equal(t, "float[N,4]", g.Outputs[0].Type.String())
	}
}

func TestPrepare_cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := graph(28, func(b *onnx.Builder, x *onnx.Value) *onnx.Value { return own1(b, "Op", x) })
	_, err := rewrite.Prepare(m, set, rewrite.Options{Ctx: ctx})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTraining(t *testing.T) {
	d := own("Noise")
	d.Training = func(c *opdef.Rewrite) error { c.Node.SetAttr(onnx.Int("training", 1)); return nil }
	s := opdef.NewSet(set, d)
	b := shape.BuilderFor(onnx.NewGraph("g", nil), s)
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(2)))
	y := own1(b, "Noise", own1(b, "Noise", own1(b, "Op", x)))
	require.NoError(t, rewrite.Training(b, s, func(n *onnx.Node) bool { return n == y.Node() }))
	require.Equal(t, int64(0), b.Graph.Nodes[1].Int("training", 0))
	require.Equal(t, int64(1), b.Graph.Nodes[2].Int("training", 0))
}
