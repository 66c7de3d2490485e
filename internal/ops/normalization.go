package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/norm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// rowNorm is the state of the operators that normalise rows of their input, and of their gradients.
type rowNorm[T norm.Float] struct {
	norm.Rows[T]
	wide [2][]T // scale and bias for all channels
}

// rowGeometry says which rows an input of the given shape has.
type rowGeometry func(shape []int) (count, size, groups, inner int, err error)

// lastAxes is the geometry of layer normalisation over the axes from the attribute axis on.
func lastAxes(n *onnx.Node) rowGeometry {
	return func(shape []int) (int, int, int, int, error) {
		axis, err := opdef.Axis(n.Int("axis", -1), len(shape))
		return product(shape[:axis]), product(shape[axis:]), 1, 1, err
	}
}

// channelGroups is the geometry of group normalisation; without the attribute num_groups each channel is a group.
func channelGroups(n *onnx.Node) rowGeometry {
	return func(shape []int) (int, int, int, int, error) {
		if len(shape) < 2 {
			return 0, 0, 0, 0, onnx.Invalidf("expected an input of rank 2 or more, received shape %v", shape)
		}
		g := n.Int("num_groups", int64(shape[1]))
		if shape[1] > 0 && (g < 1 || g > int64(shape[1]) || shape[1]%int(g) != 0) {
			return 0, 0, 0, 0, onnx.Invalidf("%d channels cannot be in %d groups", shape[1], g)
		}
		inner := product(shape[2:])
		return shape[0] * int(g), shape[1] / max(1, int(g)) * inner, int(g), inner, nil
	}
}

// rows sets the geometry for an input of the given shape.
func (s *rowNorm[T]) rows(of rowGeometry, shape []int) error {
	var err error
	s.Count, s.Size, s.Groups, s.Inner, err = of(shape)
	s.Mean, s.Inv = sized(s.Mean, s.Count), sized(s.Inv, s.Count)
	return err
}

// channels is input i for every channel: it has one element for each or broadcasts to the last axes of shape.
func (s *rowNorm[T]) channels(r *opdef.Run, i, slot int, shape []int) ([]T, error) {
	if !r.Has(i) {
		return nil, nil
	}
	v, data := r.In[i], opdef.Of[T](r.In[i])
	n := s.Groups * (s.Size / max(1, s.Inner))
	if s.Inner == 0 {
		n = 0
	}
	if len(data) == n || n == 0 {
		return data, nil
	}
	if out, err := opdef.BroadcastShape(v.Shape, shape); err != nil || !slices.Equal(out, shape) || product(shape) != n {
		return nil, onnx.Invalidf("input %d: expected %d elements, received shape %v", i, n, v.Shape)
	}
	s.wide[slot] = sized(s.wide[slot], n)
	if axes := broadcastAxes(nil, v.Shape, shape); len(axes) == 0 {
		copy(s.wide[slot], data)
	} else {
		gather(s.wide[slot], data, axes, 0)
	}
	return s.wide[slot], nil
}

// normalized is the shape of a row's channels.
func (s *rowNorm[T]) normalized(n *onnx.Node, shape []int) []int {
	if s.Inner == 1 && s.Groups == 1 {
		if axis, err := opdef.Axis(n.Int("axis", -1), len(shape)); err == nil {
			return shape[axis:]
		}
	}
	return nil
}

// rowNormStep is the step of a normalisation of rows: inputs X, scale and maybe bias; outputs Y and maybe mean and inverse
// deviation.
func rowNormStep[T norm.Float](c *opdef.Compile, of rowGeometry, center bool) (opdef.Step, error) {
	epsilon := float64(c.Node.Float("epsilon", 1e-5))
	return opdef.Step{
		Alias: []opdef.Alias{{Out: 0, In: 0}},
		State: func() any {
			return &rowNorm[T]{Rows: norm.Rows[T]{Center: center, Epsilon: epsilon, Table: vecTable(c.Generic)}}
		},
		Run: func(r *opdef.Run) (err error) {
			s, shape := r.State.(*rowNorm[T]), r.In[0].Shape
			if err := s.rows(of, shape); err != nil {
				return err
			}
			last := s.normalized(r.Node, shape)
			if s.Scale, err = s.channels(r, 1, 0, last); err != nil {
				return err
			}
			if s.Bias, err = s.channels(r, 2, 1, last); err != nil {
				return err
			}
			s.X, s.Y = opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
			s.Forward(r.Team)
			for i, v := range [][]float64{s.Mean, s.Inv} {
				if r.Wants(1 + i) {
					writeFloats(r.Out[1+i], v)
				}
			}
			return nil
		},
	}, nil
}

// writeFloats writes v to a tensor of any float type.
func writeFloats(to opdef.View, v []float64) {
	switch to.Elem {
	case onnx.Float32:
		writeAs(onnx.View[float32](to.Data), v, func(x float64) float32 { return float32(x) })
	case onnx.Float64:
		copy(onnx.View[float64](to.Data), v)
	case onnx.Float16:
		writeAs(onnx.View[uint16](to.Data), v, func(x float64) uint16 { return uint16(onnx.NewF16(float32(x))) })
	case onnx.BFloat16:
		writeAs(onnx.View[uint16](to.Data), v, func(x float64) uint16 { return uint16(onnx.NewBF16(float32(x))) })
	}
}

func writeAs[T any](to []T, v []float64, f func(float64) T) {
	for i, x := range v {
		to[i] = f(x)
	}
}

// rowNormFloats compiles the normalisation for inputs of the floating-point types; 16-bit ones go through float32.
func rowNormFloats(of func(*onnx.Node) rowGeometry, center bool) compiler {
	return mixedFloats(
		func(c *opdef.Compile) (opdef.Step, error) { return rowNormStep[float32](c, of(c.Node), center) },
		func(c *opdef.Compile) (opdef.Step, error) { return rowNormStep[float64](c, of(c.Node), center) })
}

// mixedFloats compiles f32 or f64 for inputs that are all float64 or all float32 and 16-bit types, which go through float32.
func mixedFloats(f32, f64 compiler) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		half := false
		for i := range c.Node.NumIn() {
			e := c.Elem(i)
			half = half || formatOf(e) != nil
			if e.IsFloat() && (e == onnx.Float64) != (c.Elem(0) == onnx.Float64) {
				return opdef.Step{}, onnx.Unsupportedf("inputs of types %v and %v together are not supported", c.Elem(0), e)
			}
		}
		if !half {
			return floatKernel(0, f32, f64)(c)
		}
		s, err := f32(c)
		return viaFloat32(s), err
	}
}

// inferGroups is the Infer of normalisations by channels: Y is like X.
func inferGroups(c *opdef.Infer) error {
	if err := c.Like(0, 0); err != nil {
		return err
	}
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) < 2 {
		return onnx.Invalidf("expected an input of rank 2 or more, received %v", c.Ins[0])
	}
	for i := 1; i < 3; i++ {
		v, err := c.Shape(i)
		if err != nil {
			continue
		}
		if len(v) != 1 || v[0].IsFixed() && s[1].IsFixed() && v[0] != s[1] {
			return onnx.Invalidf("input %d: expected one element for each of %v channels, received %v", i, s[1], c.Ins[i])
		}
	}
	return nil
}

// gradGroups is the Grad of normalisations by channels.
func gradGroups(c *opdef.Grad) error {
	a := []onnx.Attribute{onnx.Float("epsilon", c.Node.Float("epsilon", 1e-5))}
	if g := c.Node.Attr("num_groups"); g != nil {
		a = append(a, *g)
	}
	g := c.Builder.Node(onnx.Private, "GroupNormalizationGrad", 3, values{c.DY(0), c.In(0), c.In(1)}, a...)
	for i := range 3 {
		c.SetDX(i, g.Out(i))
	}
	return nil
}

// gradRows is the Grad of normalisations over the last axes.
func gradRows(center int64) func(*opdef.Grad) error {
	return func(c *opdef.Grad) error {
		for i := 1; i < c.Node.NumOut(); i++ {
			if c.DY(i) != nil {
				return c.Host.ThroughBody(c)
			}
		}
		if c.DY(0) == nil {
			return nil
		}
		g := c.Builder.Node(onnx.Private, "LayerNormalizationGrad", 3, values{c.DY(0), c.In(0), c.In(1)},
			onnx.Int("axis", c.Node.Int("axis", -1)), onnx.Float("epsilon", c.Node.Float("epsilon", 1e-5)), onnx.Int("center", center))
		c.SetDX(0, g.Out(0))
		for i := 1; i < 3; i++ {
			if v := c.In(i); v != nil {
				c.SetDX(i, sumTo(c, g.Out(i), v))
			}
		}
		return nil
	}
}

// rowNormGradStep is the step of the gradients: inputs dY, X, scale; outputs dX, and dscale and dbias for each channel.
func rowNormGradStep[T norm.Float](c *opdef.Compile, of rowGeometry, center bool) (opdef.Step, error) {
	epsilon := float64(c.Node.Float("epsilon", 1e-5))
	return opdef.Step{
		Alias: []opdef.Alias{{Out: 0, In: 0}},
		State: func() any {
			return &rowNorm[T]{Rows: norm.Rows[T]{Center: center, Epsilon: epsilon, Table: vecTable(c.Generic)}}
		},
		Run: func(r *opdef.Run) (err error) {
			s, shape := r.State.(*rowNorm[T]), r.In[1].Shape
			if err := s.rows(of, shape); err != nil {
				return err
			}
			if s.Scale, err = s.channels(r, 2, 0, s.normalized(r.Node, shape)); err != nil {
				return err
			}
			s.DY, s.X = opdef.Of[T](r.In[0]), opdef.Of[T](r.In[1])
			s.DX, s.DScale, s.DBias = outOf[T](r, 0), outOf[T](r, 1), outOf[T](r, 2)
			s.Backward(r.Team)
			return nil
		},
	}, nil
}
