package ops

import (
	"cmp"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Unique is the different elements of a tensor (the different slices of an axis), sorted or in the order of their first
// occurrence; where each occurs first, which of them each input element is, and how often each occurs. NaN equals NaN and
// stands last. Versions differ in types only.
var opUnique = opdef.Def{
	Type: "Unique",
	Infer: func(c *opdef.Infer) error {
		for i := 1; i < 4; i++ {
			c.Set(i, onnx.Int64, onnx.Unknown)
		}
		axis := c.Node.Attr("axis")
		if axis == nil {
			c.Set(0, c.Elem(0), onnx.Unknown)
			if x, err := c.Shape(0); err == nil {
				c.Set(2, onnx.Int64, sizeDim(numel(x)))
			}
			return nil
		}
		x, err := c.Shape(0)
		if err != nil {
			return setElem(c, 0, c.Elem(0), err)
		}
		a, err := opdef.Axis(axis.I, len(x))
		if err != nil {
			return err
		}
		out := append([]onnx.Dim{}, x...)
		out[a] = onnx.Unknown
		c.Set(0, c.Elem(0), out...)
		c.Set(2, onnx.Int64, x[a])
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return moveStep(c, opdef.Step{Data: true}, runUnique), nil
	},
	Grad: opdef.NoGrad,
}

func runUnique(m *mover) error {
	shape := m.shape(0)
	outer, n, inner, to := 1, product(shape), 1, m.take(1)
	axis := 0
	if at := m.Node.Attr("axis"); at != nil {
		a, err := opdef.Axis(at.I, len(shape))
		if err != nil {
			return err
		}
		outer, n, inner, axis, to = product(shape[:a]), shape[a], product(shape[a+1:]), a, m.clone(shape)
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	o, err := m.orderingOf(m.In[0].Elem, x)
	if err != nil {
		return err
	}
	if err := m.charge(n, 4*8); err != nil {
		return err
	}
	u := groups(n, func(a, b int) int {
		for i := range outer {
			for j := range inner {
				if c := o.compare((i*n+a)*inner+j, (i*n+b)*inner+j); c != 0 {
					return c
				}
			}
		}
		return 0
	}, m.Node.Int("sorted", 1) != 0)
	to[axis] = len(u.first)
	if m.Wants(0) {
		y, err := m.output(0, m.In[0].Elem, to)
		if err != nil {
			return err
		}
		for i := range outer {
			for g, a := range u.first {
				y.from((i*len(u.first)+g)*inner, x, (i*n+a)*inner, inner)
			}
		}
	}
	for i, list := range [][]int{u.first, u.which, u.count} {
		if err := m.putInts(i+1, list); err != nil {
			return err
		}
	}
	return nil
}

// putInts makes output i a list of int64.
func (m *mover) putInts(i int, list []int) error {
	if !m.Wants(i) {
		return nil
	}
	to := m.take(1)
	to[0] = len(list)
	y, err := m.bound(i, onnx.Int64, to)
	if err != nil {
		return err
	}
	for j, v := range list {
		opdef.Of[int64](y)[j] = int64(v)
	}
	return nil
}

// grouped is n elements in groups of equal ones: the first of each, how many each has, and the group of each element.
type grouped struct{ first, count, which []int }

// groups sorts elements into groups, which are in the order of compare, or of their first elements.
func groups(n int, compare func(a, b int) int, sorted bool) grouped {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(compare(a, b), cmp.Compare(a, b)) })
	u := grouped{which: make([]int, n)}
	for i, a := range order {
		if i == 0 || compare(order[i-1], a) != 0 {
			u.first, u.count = append(u.first, a), append(u.count, 0)
		}
		u.which[a] = len(u.first) - 1
		u.count[len(u.count)-1]++
	}
	if sorted {
		return u
	}
	byFirst := make([]int, len(u.first))
	for i := range byFirst {
		byFirst[i] = i
	}
	slices.SortFunc(byFirst, func(a, b int) int { return cmp.Compare(u.first[a], u.first[b]) })
	place := make([]int, len(byFirst))
	v := grouped{which: u.which}
	for i, g := range byFirst {
		place[g] = i
		v.first, v.count = append(v.first, u.first[g]), append(v.count, u.count[g])
	}
	for a, g := range u.which {
		v.which[a] = place[g]
	}
	return v
}
