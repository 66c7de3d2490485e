package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Where: the element of X where the condition holds, else that of Y, with broadcasting.
//
// Opset 9: new. 16: types. Types whose elements share a byte are not supported (the standard has none of them here).
var opWhere = opdef.Def{
	Type:    "Where",
	Infer:   inferWhere,
	Compile: compileWhere,
	Grad:    gradWhere,
}

func inferWhere(c *opdef.Infer) error {
	e := c.Elem(1)
	if e != c.Elem(2) && e != onnx.Undefined && c.Elem(2) != onnx.Undefined {
		return onnx.Invalidf("expected X and Y of one type, received %v and %v", e, c.Elem(2))
	}
	if err := c.SetBroadcast(0, e, 0, 1, 2); err != nil {
		return err
	}
	whereInts(c)
	return nil
}

// whereInts chooses among known contents.
func whereInts(c *opdef.Infer) {
	cond, ok := c.Ints(0)
	x, okX := c.Ints(1)
	y, okY := c.Ints(2)
	if !ok || !okX || !okY || c.Outs[0].Rank() > 1 || len(cond)*len(x)*len(y) == 0 {
		return
	}
	n := max(len(cond), len(x), len(y))
	out := make([]onnx.Dim, n)
	for i := range out {
		a, b := x[i%len(x)], y[i%len(y)]
		switch d := cond[i%len(cond)]; {
		case isNumber(d, 1) || a.Same(b):
			out[i] = a
		case isNumber(d, 0):
			out[i] = b
		default:
			out[i] = onnx.Unknown
		}
	}
	c.SetInts(0, out)
}

func gradWhere(c *opdef.Grad) error {
	f := formula{c}
	zero := number(c.Builder, c.In(1), 0)
	if c.Needs(1) {
		c.SetDX(1, sumTo(c, f.where(c.In(0), c.DY(0), zero), c.In(1)))
	}
	if c.Needs(2) {
		c.SetDX(2, sumTo(c, f.where(c.In(0), zero, c.DY(0)), c.In(2)))
	}
	return nil
}

func compileWhere(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Bool || c.Elem(1) != c.Elem(2) {
		return opdef.Step{}, onnx.Invalidf("expected bool and two of one type, received %v, %v, %v", c.Elem(0), c.Elem(1), c.Elem(2))
	}
	if c.Elem(1) == onnx.String {
		return moveStep(c, opdef.Step{}, whereStrings), nil
	}
	switch c.Elem(1).Size() {
	case 1:
		return whereStep[uint8](), nil
	case 2:
		return whereStep[uint16](), nil
	case 4:
		return whereStep[uint32](), nil
	case 8:
		return whereStep[uint64](), nil
	case 16:
		return whereStep[complex128](), nil
	}
	return opdef.Step{}, badElem(c.Elem(1))
}

// choice is the state of a Where step. Elements are moved, whatever they mean.
type choice[T onnx.Number] struct {
	cond    source[bool]
	x, y    source[T]
	z       []T
	workers []*choiceBuffers[T]
}

type choiceBuffers[T onnx.Number] struct {
	cond [chunkSize]bool
	x, y [chunkSize]T
}

func whereStep[T onnx.Number]() opdef.Step {
	return opdef.Step{
		Alias: []opdef.Alias{{In: 1}, {In: 2}},
		State: func() any { return new(choice[T]) },
		Run: func(r *opdef.Run) error {
			t, out := r.State.(*choice[T]), r.Out[0].Shape
			open(&t.cond, &r.In[0], out)
			open(&t.x, &r.In[1], out)
			open(&t.y, &r.In[2], out)
			t.z = onnx.View[T](r.Out[0].Data)
			for len(t.workers) < r.Team.Threads() {
				t.workers = append(t.workers, new(choiceBuffers[T]))
			}
			r.Team.DoWorkers(tiles(len(t.z)), t)
			return nil
		},
	}
}

// Tile chooses the elements of tile i.
func (t *choice[T]) Tile(worker, i int) {
	w := t.workers[worker]
	for lo, end := i*tileSize, min((i+1)*tileSize, len(t.z)); lo < end; lo += chunkSize {
		n := min(chunkSize, end-lo)
		cond, x, y := t.cond.read(w.cond[:n], nil, lo), t.x.read(w.x[:n], nil, lo), t.y.read(w.y[:n], nil, lo)
		z := t.z[lo : lo+n]
		for k := range z {
			v := y[k]
			if cond[k] {
				v = x[k]
			}
			z[k] = v
		}
	}
}

func whereStrings(m *mover) error {
	out, err := opdef.BroadcastShape(m.In[0].Shape, m.In[1].Shape, m.In[2].Shape)
	if err != nil {
		return err
	}
	z, err := m.output(0, onnx.String, out)
	if err != nil {
		return err
	}
	var cond source[bool]
	var x, y source[string]
	open(&cond, &m.In[0], out)
	x.set(m.In[1].Strings(), m.In[1].Shape, out)
	y.set(m.In[2].Strings(), m.In[2].Shape, out)
	for i := range z.s {
		var c [1]bool
		var s [1]string
		if cond.read(c[:], nil, i)[0] {
			z.s[i] = x.read(s[:], nil, i)[0]
		} else {
			z.s[i] = y.read(s[:], nil, i)[0]
		}
	}
	return nil
}
