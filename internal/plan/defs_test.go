package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/parallel"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// The operators of these tests. They are small on purpose and live in a domain of their own.
const domain = "test"

type vs = []*onnx.Value

var testSet = set(
	&opdef.Def{Type: "Plus", Infer: func(c *opdef.Infer) error { return c.SetBroadcast(0, c.Elem(0), 0, 1) }, Compile: with(
		opdef.Step{Alias: []opdef.Alias{{Out: 0, In: 0}, {Out: 0, In: 1}}, Run: func(r *opdef.Run) error {
			x, y, z := opdef.Of[float32](r.In[0]), opdef.Of[float32](r.In[1]), opdef.Of[float32](r.Out[0])
			for i := range z {
				z[i] = x[i%len(x)] + y[i%len(y)]
			}
			return nil
		}})},
	&opdef.Def{Type: "Half", Infer: opdef.SameAsFirst, Compile: with(
		opdef.Step{Alias: []opdef.Alias{{Out: 0, In: 0}}, Run: func(r *opdef.Run) error {
			x, y := opdef.Of[float32](r.In[0]), opdef.Of[float32](r.Out[0])
			for i := range y {
				y[i] = x[i] / 2
			}
			return nil
		}})},
	&opdef.Def{Type: "Join", Infer: inferJoin, Compile: opdef.Each(func(r *opdef.Run) error {
		n := copy(r.Out[0].Data, r.In[0].Data)
		copy(r.Out[0].Data[n:], r.In[1].Data)
		return nil
	})},
	&opdef.Def{Type: "ShapeOf", Infer: func(c *opdef.Infer) error {
		s, err := c.Shape(0)
		if err != nil {
			return err
		}
		c.Set(0, onnx.Int64, onnx.Fixed(len(s)))
		c.SetInts(0, slices.Clone(s))
		return nil
	}, Compile: with(opdef.Step{ShapeOnly: []int{0}, Run: func(r *opdef.Run) error {
		for i, d := range r.In[0].Shape {
			opdef.Of[int64](r.Out[0])[i] = int64(d)
		}
		return nil
	}})},
	&opdef.Def{Type: "View", Infer: func(c *opdef.Infer) error {
		s, ok := c.Ints(1)
		if !ok {
			c.SetUnranked(0, c.Elem(0))
			return nil
		}
		c.Set(0, c.Elem(0), s...)
		return nil
	}, Compile: opdef.Each(func(r *opdef.Run) error { copy(r.Out[0].Data, r.In[0].Data); return nil })},
	&opdef.Def{Type: "Positive", Infer: func(c *opdef.Infer) error { // the positive elements
		c.Set(0, onnx.Float32, onnx.Unknown)
		return nil
	}, Compile: with(opdef.Step{Data: true, State: func() any { return new(positives) }, Run: func(r *opdef.Run) error {
		s := r.State.(*positives)
		keep := s.data[:0]
		for _, x := range opdef.Of[float32](r.In[0]) {
			if x > 0 {
				keep = append(keep, x)
			}
		}
		s.data, s.shape[0] = keep, len(keep)
		v, err := r.Alloc(0, onnx.Float32, s.shape[:]...)
		copy(opdef.Of[float32](v), keep)
		return err
	}})},
	&opdef.Def{Type: "Repeat", Infer: inferRepeat, Compile: compileRepeat},
	&opdef.Def{Type: "Choose", Infer: func(c *opdef.Infer) error { c.SetUnranked(0, onnx.Float32); return nil }, Compile: compileChoose},
	&opdef.Def{Type: "Descend", Infer: opdef.SameAsFirst, Compile: with( // w, gradient, apply
		opdef.Step{Alias: []opdef.Alias{{Out: 0, In: 0}}, Run: func(r *opdef.Run) error {
			r.Unchanged = r.In[2].Data[0] == 0
			for i, w := range opdef.Of[float32](r.In[0]) {
				opdef.Of[float32](r.Out[0])[i] = w - opdef.Of[float32](r.In[1])[i]*float32(r.In[2].Data[0])
			}
			return nil
		}})},
	&opdef.Def{Type: "Panic", Infer: opdef.SameAsFirst, Compile: opdef.Each(func(r *opdef.Run) error {
		r.Team.Do(4, parallel.Func(func(i int) {
			if i == 2 {
				panic("two")
			}
		}))
		return nil
	})},
	&opdef.Def{Type: "Slow", Infer: opdef.SameAsFirst, Compile: opdef.Each(func(r *opdef.Run) error { // 100 s
		r.Team.Do(100_000, parallel.Func(func(int) { time.Sleep(time.Millisecond) }))
		return nil
	})},
	&opdef.Def{Type: "Scratch", Infer: opdef.SameAsFirst, Compile: with(opdef.Step{
		Scratch: func(b *opdef.Bound) int { return 4 * b.In[0].Len() },
		Run: func(r *opdef.Run) error {
			s := onnx.View[float32](r.Scratch)
			for i, x := range opdef.Of[float32](r.In[0]) {
				s[i] = 2 * x
			}
			copy(opdef.Of[float32](r.Out[0]), s)
			return nil
		},
	})},
	&opdef.Def{Type: "Upper", Infer: opdef.SameAsFirst, Compile: opdef.Each(func(r *opdef.Run) error {
		var out []string
		for _, s := range r.In[0].Strings() {
			out = append(out, strings.ToUpper(s))
		}
		r.SetBox(0, opdef.View{Elem: onnx.String, Shape: r.In[0].Shape, Box: out})
		return nil
	})},
	&opdef.Def{Type: "List", Infer: func(c *opdef.Infer) error {
		c.SetType(0, onnx.SequenceOf(onnx.Unranked(onnx.Float32)))
		return nil
	}, Compile: opdef.Each(func(r *opdef.Run) error {
		s := &opdef.Seq{Of: onnx.Unranked(onnx.Float32)}
		for _, v := range r.In {
			v.Shape, v.Data = slices.Clone(v.Shape), slices.Clone(v.Data)
			s.Items = append(s.Items, v)
		}
		r.SetBox(0, opdef.View{Box: s})
		return nil
	})},
	&opdef.Def{Type: "Last", Infer: func(c *opdef.Infer) error { c.SetUnranked(0, onnx.Float32); return nil }, Compile: with(
		opdef.Step{Data: true, Run: func(r *opdef.Run) error {
			s := r.In[0].Box.(*opdef.Seq)
			r.SetBox(0, s.Items[len(s.Items)-1])
			return nil
		}})},
	&opdef.Def{Type: "Fail", Infer: opdef.SameAsFirst, Compile: opdef.Each(func(*opdef.Run) error { return errors.New("no luck") })},
)

type positives struct {
	data  []float32
	shape [1]int
}

// set puts the operators into the domain of the tests.
func set(defs ...*opdef.Def) *opdef.Set {
	for _, d := range defs {
		d.Domain = domain
	}
	return opdef.NewSet(nil, defs...)
}

func with(s opdef.Step) func(*opdef.Compile) (opdef.Step, error) {
	return func(*opdef.Compile) (opdef.Step, error) { return s, nil }
}

func inferJoin(c *opdef.Infer) error {
	a, err := c.Shape(0)
	if err != nil {
		return err
	}
	b, err := c.Shape(1)
	if err != nil {
		return err
	}
	n := onnx.Unknown
	if a[0].IsFixed() && b[0].IsFixed() {
		n.N = a[0].N + b[0].N
	}
	c.Set(0, c.Elem(0), append([]onnx.Dim{n}, a[1:]...)...)
	return nil
}

// Repeat: count, x; body (x) -> x.
func inferRepeat(c *opdef.Infer) error { c.SetUnranked(0, onnx.Float32); return nil }

func compileRepeat(c *opdef.Compile) (opdef.Step, error) {
	b := c.Bodies[0]
	type state struct {
		run opdef.BodyRun
		in  []opdef.View
	}
	return opdef.Step{Data: true, State: func() any { return &state{run: b.New(), in: make([]opdef.View, 1)} }, Run: func(r *opdef.Run) error {
		s := r.State.(*state)
		x := r.In[1]
		for range opdef.Of[int64](r.In[0])[0] {
			if err := r.Host.Charge(1); err != nil {
				return err
			}
			s.in[0] = x
			out, err := s.run.Run(r, s.in)
			if err != nil {
				return err
			}
			if x, err = r.Alloc(0, out[0].Elem, out[0].Shape...); err != nil {
				return err
			}
			copy(x.Data, out[0].Data)
		}
		r.Host.SetView(r, 0, x)
		return nil
	}}, nil
}

// Choose: condition; two bodies without inputs.
func compileChoose(c *opdef.Compile) (opdef.Step, error) {
	bodies := c.Bodies
	return opdef.Step{Data: true, State: func() any { return []opdef.BodyRun{bodies[0].New(), bodies[1].New()} }, Run: func(r *opdef.Run) error {
		k := 1
		if r.In[0].Data[0] != 0 {
			k = 0
		}
		out, err := r.State.([]opdef.BodyRun)[k].Run(r, nil)
		if err != nil {
			return err
		}
		r.Host.SetView(r, 0, out[0])
		return nil
	}}, nil
}

// builder appends operators of the tests and infers their types.
func builder(name string) *onnx.Builder { return onnx.NewBuilder(onnx.NewGraph(name, nil), inferNode) }

func inferNode(n *onnx.Node) error {
	d, err := testSet.Lookup(n)
	if err != nil {
		return err
	}
	c := &opdef.Infer{Node: n, Outs: make([]onnx.Type, n.NumOut()), OutInts: make([][]onnx.Dim, n.NumOut())}
	for _, v := range n.Inputs() {
		var t onnx.Type
		var k *onnx.Tensor
		if v != nil {
			t, k = v.Type, v.Init
		}
		c.Ins, c.Consts = append(c.Ins, t), append(c.Consts, k)
	}
	if err := d.Infer(c); err != nil && !errors.Is(err, opdef.ErrNoRank) {
		return err
	}
	for i, v := range n.Outputs() {
		if v != nil {
			v.Type = c.Outs[i]
		}
	}
	return nil
}

func op(b *onnx.Builder, name string, in ...*onnx.Value) *onnx.Value {
	return b.Node(domain, name, 1, in).Out(0)
}

func opWith(b *onnx.Builder, name string, in vs, bodies ...*onnx.Graph) *onnx.Value {
	var attrs []onnx.Attribute
	for i, g := range bodies {
		attrs = append(attrs, onnx.GraphAttr(string(rune('a'+i)), g))
	}
	return b.Node(domain, name, 1, in, attrs...).Out(0)
}

func mustBuild(t *testing.T, b *onnx.Builder, vars *Vars, o Options, outs ...*onnx.Value) *Plan {
	t.Helper()
	require.NoError(t, b.Err())
	if outs != nil {
		b.Graph.Outputs = outs
	}
	o.Set = testSet
	if vars == nil {
		vars = NewVars()
	}
	p, err := Build(b.Graph, vars, o)
	require.NoError(t, err)
	return p
}

func floats(v ...float32) opdef.View { return ViewOf(onnx.Vector(v...)) }

func matrix(t *testing.T, rows, cols int) opdef.View {
	t.Helper()
	x, err := onnx.Zeros(onnx.Float32, rows, cols)
	require.NoError(t, err)
	for i := range onnx.View[float32](x.Mutable()) {
		onnx.View[float32](x.Mutable())[i] = float32(i)
	}
	return ViewOf(x)
}

func dims(names ...any) []onnx.Dim {
	var ds []onnx.Dim
	for _, n := range names {
		switch n := n.(type) {
		case int:
			ds = append(ds, onnx.Fixed(n))
		case string:
			ds = append(ds, onnx.Named(n))
		}
	}
	return ds
}

func f32(names ...any) onnx.Type { return onnx.TensorOf(onnx.Float32, dims(names...)...) }

func results(t *testing.T, r *Runner, ins ...opdef.View) []onnx.Object {
	t.Helper()
	out, err := r.Results(t.Context(), ins)
	require.NoError(t, err)
	return out
}

func data(o onnx.Object) []float32 { return onnx.Data[float32](o.(*onnx.Tensor)) }
