package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// drawer gives the random numbers of one node in one run. Without an attribute seed, and in training, number i is a function
// of the session's seed, the node, the step and i. In plain inference a seed means the generator of the reference
// implementation, which starts anew at each run; then numbers must be asked for in order.
type drawer struct {
	t     *twister
	s     stream
	spare float64 // the second of a pair of normal numbers of t
	held  bool
}

func newDrawer(r *opdef.Run) drawer {
	a := r.Node.Attr("seed")
	if a == nil || a.Kind != onnx.AttrFloat || a.F != a.F {
		return drawer{s: newStream(r.Seed, r.ID, r.StepNo, 0)}
	}
	if !r.Training {
		return drawer{t: newTwister(uint32(floatInt64(float64(a.F))))}
	}
	return drawer{s: newStream(r.Seed, r.ID, r.StepNo, uint64(math.Float32bits(a.F))+1)}
}

// uniform is number i, in [0, 1).
func (d *drawer) uniform(i int) float64 {
	if d.t != nil {
		return d.t.uniform()
	}
	return d.s.uniform(i)
}

// normal is number i of the standard normal distribution.
func (d *drawer) normal(i int) float64 {
	if d.t != nil {
		return d.polar()
	}
	a, b := d.s.block(uint64(i)) // Box and Muller: u above 0, so that its logarithm is finite
	u, v := (float64(a>>11)+1)*0x1p-53, float64(b>>11)*0x1p-53
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// polar is the next normal number by the polar method of Marsaglia, in the order in which numpy's older interface uses it.
func (d *drawer) polar() float64 {
	if d.held {
		d.held = false
		return d.spare
	}
	for {
		x, y := 2*d.t.uniform()-1, 2*d.t.uniform()-1
		if r := float64(x*x) + float64(y*y); r < 1 && r != 0 {
			f := math.Sqrt(-2 * math.Log(r) / r)
			d.spare, d.held = f*x, true
			return f * y
		}
	}
}

// drawState is what a step that draws numbers keeps from run to run.
type drawState struct {
	mover
	w   wide
	buf [chunk]float64
}

// drawStep is a step that draws an output of element type e and the given shape from next, which gives number i.
func drawStep(s opdef.Step, e onnx.ElemType, shape func(*mover) ([]int, error), next func(r *opdef.Run) func(i int) float64) (opdef.Step, error) {
	conv, err := newConversion(onnx.Float64, e, float8{})
	if err != nil || !e.IsFloat() && !e.IsInteger() && e != onnx.Bool {
		return opdef.Step{}, badElem(e)
	}
	s.State = func() any { return new(drawState) }
	s.Run = func(r *opdef.Run) error {
		st := r.State.(*drawState)
		m := &st.mover
		m.Run, m.used, m.late = r, 0, m.late[:0]
		to, err := shape(m)
		if err == nil {
			err = st.fill(e, to, conv, next(r))
		}
		return m.end(err)
	}
	return s, nil
}

func (st *drawState) fill(e onnx.ElemType, shape []int, conv *conversion, next func(i int) float64) error {
	y, err := st.output(0, e, shape)
	if err != nil {
		return err
	}
	for at, total := 0, y.len(); at < total; at += chunk {
		part := st.buf[:min(chunk, total-at)]
		for i := range part {
			part[i] = next(at + i)
		}
		if err := conv.run(&st.w, y.cut(at, len(part)), array{size: 8, b: onnx.BytesOf(part)}); err != nil {
			return err
		}
	}
	return nil
}

// attrShape is the attribute shape of n as sizes.
func attrShape(n *onnx.Node) ([]int, error) {
	v, ok := n.Ints("shape")
	if !ok {
		return nil, onnx.Invalidf("attribute shape is missing")
	}
	s := make([]int, len(v))
	for i, d := range v {
		if s[i] = int(d); d < 0 || int64(s[i]) != d {
			return nil, onnx.Invalidf("attribute shape: %d is not a size", d)
		}
	}
	if _, ok := onnx.NumElements(s); !ok {
		return nil, onnx.Invalidf("shape %v is too large", s)
	}
	return s, nil
}

// inferDrawn is the Infer of an operator that draws a tensor of the shape in its attributes.
func inferDrawn(c *opdef.Infer) error {
	e, err := dtypeAttr(c.Node, "dtype", onnx.Float32)
	if err != nil {
		return err
	}
	s, err := attrShape(c.Node)
	if err != nil {
		return err
	}
	dims := make([]onnx.Dim, len(s))
	for i, n := range s {
		dims[i] = onnx.Fixed(n)
	}
	c.Set(0, e, dims...)
	return nil
}

// inferDrawnLike is the Infer of an operator that draws a tensor of its input's shape.
func inferDrawnLike(c *opdef.Infer) error {
	e := c.Elem(0)
	if c.Node.Attr("dtype") != nil {
		var err error
		if e, err = dtypeAttr(c.Node, "dtype", e); err != nil {
			return err
		}
	}
	return c.LikeElem(0, 0, e)
}

// drawing compiles an operator that draws a tensor of the shape in its attributes.
func drawing(next func(r *opdef.Run) func(i int) float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		shape, err := attrShape(c.Node)
		if err != nil {
			return opdef.Step{}, err
		}
		return drawStep(opdef.Step{}, c.OutElem(0), func(*mover) ([]int, error) { return shape, nil }, next)
	}
}

// drawingLike compiles an operator that draws a tensor of its input's shape.
func drawingLike(next func(r *opdef.Run) func(i int) float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		return drawStep(opdef.Step{ShapeOnly: []int{0}}, c.OutElem(0), func(m *mover) ([]int, error) { return m.shape(0), nil }, next)
	}
}

// nextNormal draws normal numbers with the attributes mean and scale.
func nextNormal(r *opdef.Run) func(int) float64 {
	d, mean, scale := newDrawer(r), float64(r.Node.Float("mean", 0)), float64(r.Node.Float("scale", 1))
	return func(i int) float64 { return float64(d.normal(i)*scale) + mean }
}

// nextUniform draws numbers from the attribute low to the attribute high.
func nextUniform(r *opdef.Run) func(int) float64 {
	d, low := newDrawer(r), float64(r.Node.Float("low", 0))
	span := float64(r.Node.Float("high", 1)) - low
	return func(i int) float64 { return float64(d.uniform(i)*span) + low }
}

// widenType makes an attribute that names an element type, def when it is absent, float64 where it is a floating-point type.
func widenType(name string, def onnx.ElemType) func(*opdef.Rewrite) error {
	return func(c *opdef.Rewrite) error {
		if onnx.ElemType(c.Node.Int(name, int64(def))).IsFloat() {
			c.Node.SetAttr(onnx.Int(name, int64(onnx.Float64)))
		}
		return nil
	}
}
