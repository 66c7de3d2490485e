package ops

import (
	"cmp"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TopK is the K largest or smallest elements along an axis with their indices, sorted; among equals the lower index comes
// first, and NaN is larger than any number. Opset 10 made the attribute k an input, 11 added largest and sorted.
var opTopK = opdef.Def{
	Type:  "TopK",
	Infer: inferTopK,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		if orderKeys(c.Elem(0)) == nil {
			return opdef.Step{}, badElem(c.Elem(0))
		}
		return moveStep(c, opdef.Step{}, runTopK), nil
	},
	Grad: func(c *opdef.Grad) error {
		if c.DY(0) == nil {
			return nil
		}
		c.SetDX(0, c.Op("ScatterElements", values{c.Zeros(c.In(0)), c.Y(1), c.DY(0)},
			onnx.Int("axis", c.Node.Int("axis", -1)), onnx.Str("reduction", "add")))
		return nil
	},
	Upgrade: func(c *opdef.Rewrite) error {
		if k := c.Node.Attr("k"); k != nil && c.Version < 10 {
			n := k.I // k points into the attributes
			c.Node.DropAttr("k")
			padInputs(c.Node, 2)
			c.Node.SetIn(1, c.Builder.Const(onnx.Vector(n)))
		}
		return c.Err()
	},
}

func inferTopK(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(1, onnx.Int64)
		return setElem(c, 0, c.Elem(0), err)
	}
	axis, err := opdef.Axis(c.Node.Int("axis", -1), len(x))
	if err != nil {
		return err
	}
	out := append([]onnx.Dim{}, x...)
	out[axis] = onnx.Unknown
	if k, ok := c.Ints(1); ok {
		if len(k) != 1 || known(k[0]) && k[0].N < 0 {
			return onnx.Invalidf("k is %v", k)
		}
		out[axis] = k[0]
	}
	c.Set(0, c.Elem(0), out...)
	c.Set(1, onnx.Int64, out...)
	return nil
}

func runTopK(m *mover) error {
	shape, axis, err := m.axis(0, m.Node.Int("axis", -1))
	if err != nil {
		return err
	}
	k, err := m.one(1)
	if err != nil {
		return err
	}
	n := shape[axis]
	if k < 0 || k > int64(n) {
		return onnx.Invalidf("k is %d for %d elements", k, n)
	}
	to := m.clone(shape)
	to[axis] = int(k)
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	o, err := m.orderingOf(m.In[0].Elem, x)
	if err != nil {
		return err
	}
	var y array
	if m.Wants(0) {
		if y, err = m.output(0, m.In[0].Elem, to); err != nil {
			return err
		}
	}
	var at []int64
	if m.Wants(1) {
		v, err := m.bound(1, onnx.Int64, to)
		if err != nil {
			return err
		}
		at = opdef.Of[int64](v)
	}
	t := top{o: o, heap: m.take(int(k))[:0], k: int(k), sign: 1}
	if m.Node.Int("largest", 1) == 0 {
		t.sign = -1
	}
	inner := product(shape[axis+1:])
	for l := range product(shape[:axis]) * inner {
		first, out := l/inner*n*inner+l%inner, l/inner*int(k)*inner+l%inner
		for i, from := range t.lane(first, inner, n) {
			if m.Wants(0) {
				y.from(out+i*inner, x, from, 1)
			}
			if at != nil {
				at[out+i*inner] = int64((from - first) / inner)
			}
		}
	}
	return nil
}

// top keeps the k best elements of a lane in a heap whose root is the worst of them.
type top struct {
	o    *ordering
	heap []int
	k    int
	sign int
}

// worse reports whether element a comes behind element b; among equals the later one does.
func (t *top) worse(a, b int) bool { return t.order(a, b) > 0 }

func (t *top) order(a, b int) int {
	return cmp.Or(-t.sign*t.o.compare(a, b), cmp.Compare(a, b))
}

// lane is the places of the k best of n elements, the best first.
func (t *top) lane(first, step, n int) []int {
	t.heap = t.heap[:0]
	for i := range n {
		p := first + i*step
		switch {
		case len(t.heap) < t.k:
			t.heap = append(t.heap, p)
			if len(t.heap) == t.k {
				for j := t.k/2 - 1; j >= 0; j-- {
					t.sink(j)
				}
			}
		case t.k > 0 && t.worse(t.heap[0], p):
			t.heap[0] = p
			t.sink(0)
		}
	}
	slices.SortFunc(t.heap, t.order)
	return t.heap
}

func (t *top) sink(i int) {
	for {
		c := 2*i + 1
		if c >= len(t.heap) {
			return
		}
		if c+1 < len(t.heap) && t.worse(t.heap[c+1], t.heap[c]) {
			c++
		}
		if !t.worse(t.heap[c], t.heap[i]) {
			return
		}
		t.heap[i], t.heap[c] = t.heap[c], t.heap[i]
		i = c
	}
}
