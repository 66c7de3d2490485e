package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Pad puts elements before and behind each axis: a constant, the mirrored tensor (reflect), its last element (edge) or its
// other end (wrap); negative pads cut elements off.
//
// Opset 2 renamed the attribute paddings to pads, 11 made pads and value inputs, 18 added axes, 19 wrap.
var opPad = opdef.Def{
	Type:    "Pad",
	Infer:   inferPad,
	Compile: compilePad,
	Grad: func(c *opdef.Grad) error {
		mode := onnx.Str("mode", c.Node.Str("mode", "constant"))
		n := c.Builder.Node(onnx.Private, "PadGrad", 1, values{c.In(0), c.In(1), c.DY(0), c.In(3)}, mode)
		if c.Needs(2) {
			n.MakeOut(1)
			c.Reinfer(n)
			c.SetDX(2, reshapeLike(c.Builder, n.Out(1), c.In(2)))
		}
		c.SetDX(0, n.Out(0))
		return nil
	},
	Upgrade: upgradePad,
}

func upgradePad(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version >= 11 {
		return nil
	}
	if c.Version < 2 {
		intsToInput(c, "paddings", 1)
	}
	intsToInput(c, "pads", 1)
	if v := n.Float("value", 0); v != 0 {
		padInputs(n, 3)
		n.SetIn(2, number(c.Builder, n.In(0), float64(v)))
	}
	n.DropAttr("value")
	return c.Err()
}

func inferPad(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	out := append([]onnx.Dim{}, x...)
	axes, ok := axesOf(c, 3)
	if !c.Has(3) {
		for i := range x {
			axes = append(axes, int64(i))
		}
	}
	if !ok {
		c.Set(0, c.Elem(0), unknownDims(len(x))...)
		return nil
	}
	if _, err := opdef.AxisMask(axes, len(x)); err != nil {
		return err
	}
	pads, ok := c.Ints(1)
	if ok && len(pads) != 2*len(axes) {
		return onnx.Invalidf("%d pads for %d axes", len(pads), len(axes))
	}
	for i, axis := range axes {
		a, _ := opdef.Axis(axis, len(x))
		if !ok {
			out[a] = onnx.Unknown
			continue
		}
		before, after := pads[i], pads[len(axes)+i]
		if out[a], err = fits(addDims(addDims(x[a], before), after), x[a], before, after); err != nil {
			return err
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

func compilePad(c *opdef.Compile) (opdef.Step, error) {
	if err := padMode(c.Node); err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, runPad), nil
}

func padMode(n *onnx.Node) error {
	switch mode := n.Str("mode", "constant"); mode {
	case "constant", "reflect", "edge", "wrap":
		return nil
	default:
		return onnx.Invalidf("unknown mode %.128q", mode)
	}
}

// padding is where each element of the padded tensor comes from.
type padding struct {
	shape, out []int
	before     []int
	from       [][]int // by axis and place in the output: the place in the input, -1 for the constant
}

// paddingOf reads the pads (input 1) and axes (input 3) for a tensor of the given shape.
func paddingOf(m *mover, shape []int) (*padding, error) {
	pads, err := m.list(1)
	if err != nil {
		return nil, err
	}
	axes, n := integers{}, len(shape)
	if m.Has(3) {
		if axes, err = m.list(3); err != nil {
			return nil, err
		}
		n = axes.len()
	}
	if pads.len() != 2*n {
		return nil, onnx.Invalidf("%d pads for %d axes", pads.len(), n)
	}
	p := &padding{shape: shape, out: m.clone(shape), before: m.take(len(shape)), from: make([][]int, len(shape))}
	seen := m.take(len(shape))
	for i := range n {
		a := i
		if m.Has(3) {
			if a, err = opdef.Axis(axes.at(i), len(shape)); err != nil {
				return nil, err
			}
		}
		if seen[a] != 0 {
			return nil, onnx.Invalidf("axis %d is listed twice", a)
		}
		seen[a] = 1
		before, after := pads.at(i), pads.at(n+i)
		d := onnx.Dim{N: int64(shape[a])}
		d = addDims(addDims(d, onnx.Dim{N: before}), onnx.Dim{N: after})
		if !d.IsFixed() || int64(int(d.N)) != d.N || int64(int(before)) != before {
			return nil, onnx.Invalidf("pads %d and %d do not fit axis %d of size %d", before, after, a, shape[a])
		}
		p.out[a], p.before[a] = int(d.N), int(before)
	}
	if _, ok := onnx.NumElements(p.out); !ok {
		return nil, onnx.Invalidf("the padded shape %v is too large", slices.Clone(p.out))
	}
	return p, nil
}

// trace fills from.
func (p *padding) trace(m *mover, mode string) error {
	empty := slices.Contains(p.out, 0)
	for a, n := range p.shape {
		if n == 0 && p.out[a] > 0 && mode != "constant" && !empty {
			return onnx.Invalidf("mode %q cannot pad axis %d, which is empty", mode, a)
		}
		if err := m.charge(p.out[a], 8); err != nil {
			return err
		}
		p.from[a] = make([]int, p.out[a])
		for i := range p.from[a] {
			p.from[a][i] = padPlace(mode, i-p.before[a], n)
		}
	}
	return nil
}

// padPlace is the place in n elements that stands at place i, which may be outside.
func padPlace(mode string, i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case mode == "constant" || n == 0:
		return -1
	case mode == "edge":
		return min(max(i, 0), n-1)
	case mode == "wrap":
		return (i%n + n) % n
	case n == 1:
		return 0
	}
	period := 2 * (n - 1)
	i = (i%period + period) % period
	return min(i, period-i)
}

// each calls do for runs of elements that lie together in both tensors: first element in the output and in the input (-1:
// the constant), and how many.
func (p *padding) each(m *mover, do func(to, from, n int)) {
	r := len(p.out)
	if r == 0 {
		do(0, 0, 1)
		return
	}
	if slices.Contains(p.out, 0) {
		return
	}
	last, strides, wide := p.from[r-1], m.rowMajor(p.shape), m.rowMajor(p.out)
	place := m.take(r - 1)
	eachPlace(m, p.out[:r-1], wide, wide, func(to, _ int) {
		base, rest := 0, to
		for a := range place {
			place[a] = rest / wide[a]
			rest -= place[a] * wide[a]
			if at := p.from[a][place[a]]; at < 0 || base < 0 {
				base = -1
			} else {
				base += at * strides[a]
			}
		}
		for i := 0; i < len(last); {
			n, at := 1, -1
			if base >= 0 && last[i] >= 0 {
				for at = base + last[i]; i+n < len(last) && last[i+n] == last[i]+n; n++ {
				}
			} else {
				for ; i+n < len(last) && (base < 0 || last[i+n] < 0); n++ {
				}
			}
			do(to+i, at, n)
			i += n
		}
	})
}

func runPad(m *mover) error {
	p, err := paddingOf(m, m.shape(0))
	if err != nil {
		return err
	}
	mode := m.Node.Str("mode", "constant")
	if err := p.trace(m, mode); err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	var value array
	if m.Has(2) {
		if value, err = m.elements(2); err != nil {
			return err
		}
		if value.len() != 1 || m.In[2].Elem != m.In[0].Elem {
			return onnx.Invalidf("expected 1 constant of type %v, received shape %v of type %v", m.In[0].Elem, m.shape(2), m.In[2].Elem)
		}
	}
	y, err := m.output(0, m.In[0].Elem, p.out)
	if err != nil {
		return err
	}
	p.each(m, func(to, from, n int) {
		if from < 0 {
			y.cut(to, n).fill(value)
			return
		}
		y.from(to, x, from, n)
	})
	return nil
}
