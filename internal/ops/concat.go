package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Concat joins tensors along an axis. Opset 4 made the attribute axis required; before it was 1.
var opConcat = opdef.Def{
	Type:    "Concat",
	Infer:   inferConcat,
	Compile: compileConcat,
	Layouts: concatLayouts,
	Grad:    gradConcat,
	Upgrade: func(c *opdef.Rewrite) error {
		if c.Version < 4 && c.Node.Attr("axis") == nil {
			c.Node.SetAttr(onnx.Int("axis", 1))
		}
		return nil
	},
}

func inferConcat(c *opdef.Infer) error {
	var out []onnx.Dim
	var ints []onnx.Dim
	all, axis := true, 0
	for i := range c.Node.NumIn() {
		x, err := c.Shape(i)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		if c.Elem(i) != c.Elem(0) {
			return onnx.Invalidf("expected inputs of one type, received %v and %v", c.Elem(0), c.Elem(i))
		}
		v, ok := c.Ints(i)
		ints, all = append(ints, v...), all && ok && isShapeInt(c.Elem(i))
		if i == 0 {
			if axis, err = concatAxis(c.Node, len(x)); err != nil {
				return err
			}
			out = append(out, x...)
			continue
		}
		if len(x) != len(out) {
			return onnx.Invalidf("expected inputs of one rank, received %v and %v", c.Ins[0], c.Ins[i])
		}
		for a, d := range x {
			switch {
			case a == axis:
				out[a] = sizeDim(addDims(out[a], d))
			case out[a].IsFixed(): // the run compares sizes
			case d.IsFixed() || !out[a].IsFixed() && d.Name != "":
				out[a] = d
			}
		}
	}
	c.Set(0, c.Elem(0), out...)
	if all && len(out) == 1 {
		c.SetInts(0, ints)
	}
	return nil
}

func concatAxis(n *onnx.Node, rank int) (int, error) {
	a := n.Attr("axis")
	if a == nil || a.Kind != onnx.AttrInt {
		return 0, onnx.Invalidf("attribute axis is missing")
	}
	return opdef.Axis(a.I, rank)
}

func compileConcat(c *opdef.Compile) (opdef.Step, error) {
	if len(c.OutLayout) > 0 && c.OutLayout[0] == opdef.Blocked {
		return opdef.Step{
			State: func() any { return new(blockedConcat) },
			Join:  joinConcat(c.Node),
			Run:   func(r *opdef.Run) error { return r.State.(*blockedConcat).run(r) },
		}, nil
	}
	s := opdef.Step{}
	if c.Elem(0).Size() > 0 {
		s.Join = joinConcat(c.Node)
	}
	return moveStep(c, s, runConcat), nil
}

// joinConcat answers where the inputs of n begin in the output, if each is in one piece there.
func joinConcat(n *onnx.Node) func(*opdef.Bound) []int {
	return func(b *opdef.Bound) []int {
		y := opdef.Physical(nil, b.Out[0].Layout, b.Out[0].Shape)
		axis, err := concatAxis(n, len(b.Out[0].Shape))
		if err != nil || product(y[:axis]) != 1 {
			return nil
		}
		at, sum, size := make([]int, len(b.In)), 0, b.Out[0].Elem.Size()
		for i := range b.In {
			x := opdef.Physical(nil, b.In[i].Layout, b.In[i].Shape)
			if len(x) != len(y) || product(x[:axis]) != 1 || !slices.Equal(x[axis+1:], y[axis+1:]) {
				return nil // the run says it
			}
			at[i] = sum
			sum += product(x[axis:]) * size
		}
		if sum != product(y)*size {
			return nil
		}
		return at
	}
}

// concatLayouts lets tensors be joined along the channels if all but the last have whole blocks, along other axes always.
func concatLayouts(c *opdef.Layouts) (b opdef.Blocking) {
	y, n := c.Node.Out(0), c.Node.NumIn()
	if !opdef.CanBlock(y) {
		return b
	}
	axis, err := concatAxis(c.Node, y.Type.Rank())
	if err != nil {
		return b
	}
	for i, v := range c.Node.Inputs() {
		if !opdef.CanBlock(v) || v.Type.Rank() != y.Type.Rank() || axis == 1 && i < n-1 && !wholeBlocks(v) {
			return opdef.Blocking{}
		}
		b.In = append(b.In, i)
	}
	b.Out = []int{0}
	return b
}

// blockedConcat is the state of a Concat of blocked tensors, which is one of tensors with an axis more.
type blockedConcat struct {
	x, y []int // sizes in memory
}

func (s *blockedConcat) run(r *opdef.Run) error {
	axis, err := concatAxis(r.Node, len(r.Out[0].Shape))
	if err != nil {
		return err
	}
	s.y = opdef.Physical(s.y[:0], opdef.Blocked, r.Out[0].Shape)
	outer, inner, at := product(s.y[:axis]), product(s.y[axis+1:]), 0
	y := opdef.Of[float32](r.Out[0])
	for i := range r.In {
		s.x = opdef.Physical(s.x[:0], opdef.Blocked, r.In[i].Shape)
		if len(s.x) != len(s.y) || !slices.Equal(s.x[:axis], s.y[:axis]) || !slices.Equal(s.x[axis+1:], s.y[axis+1:]) || at+s.x[axis] > s.y[axis] {
			return onnx.Invalidf("shapes %v and %v do not join at axis %d", r.In[0].Shape, r.In[i].Shape, axis)
		}
		x, n := opdef.Of[float32](r.In[i]), s.x[axis]*inner
		for o := range outer {
			if to := y[(o*s.y[axis]+at)*inner:][:n]; n > 0 && &to[0] != &x[o*n] { // else made in place
				copy(to, x[o*n:])
			}
		}
		at += s.x[axis]
	}
	return nil
}

func runConcat(m *mover) error {
	if len(m.In) == 0 {
		return onnx.Invalidf("expected an input")
	}
	to := m.clone(m.shape(0))
	axis, err := concatAxis(m.Node, len(to))
	if err != nil {
		return err
	}
	for i := 1; i < len(m.In); i++ {
		x := m.shape(i)
		if len(x) != len(to) || !slices.Equal(x[:axis], to[:axis]) || !slices.Equal(x[axis+1:], to[axis+1:]) {
			return onnx.Invalidf("shapes %v and %v do not join at axis %d", m.shape(0), x, axis)
		}
		to[axis] += x[axis]
	}
	y, err := m.output(0, m.In[0].Elem, to)
	if err != nil {
		return err
	}
	outer, inner, at := product(to[:axis]), product(to[axis+1:]), 0
	for i := range m.In {
		x, err := m.elements(i)
		if err != nil {
			return err
		}
		n := m.shape(i)[axis] * inner
		if outer == 1 && y.cut(at, n).same(x) {
			at += n // made in place
			continue
		}
		for o := range outer {
			y.from(o*to[axis]*inner+at, x, o*n, n)
		}
		at += n
	}
	return nil
}

// gradConcat splits dy by the sizes of the inputs along the axis.
func gradConcat(c *opdef.Grad) error {
	n := c.Node.NumIn()
	if n == 1 {
		c.SetDX(0, c.DY(0))
		return nil
	}
	axis := c.Node.Int("axis", 0)
	var sizes values
	for i := range n {
		sizes = append(sizes, sizeAlong(c.Builder, c.In(i), axis))
	}
	split := c.Op("Concat", sizes, onnx.Int("axis", 0))
	s := c.Builder.Node("", "Split", n, values{c.DY(0), split}, onnx.Int("axis", axis))
	for i := range n {
		c.SetDX(i, s.Out(i))
	}
	return nil
}

// sizeAlong emits the size of one axis as a list of one entry.
func sizeAlong(b *onnx.Builder, v *onnx.Value, axis int64) *onnx.Value {
	attrs := []onnx.Attribute{onnx.Int("start", axis)}
	if axis != -1 {
		attrs = append(attrs, onnx.Int("end", axis+1))
	}
	return b.Op("Shape", values{v}, attrs...)
}
