package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/resize"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Resize samples X anew at other sizes, given as scales or sizes, along some axes: by the nearest element, linearly or by cubics.
//
// Opset 10: two inputs, asymmetric, nearest rounds down. 11: roi, sizes, modes of coordinates and rounding. 13: roi and scales
// may be absent. 18: antialias, axes, keep_aspect_ratio_policy. 19: half_pixel_symmetric. Interpolated integers are cut toward
// zero and to their range, truth values are true where the number is not 0, complex numbers are interpolated part by part;
// strings have the mode nearest alone.
var opResize = opdef.Def{
	Type:    "Resize",
	Infer:   inferResize,
	Compile: compileResize,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(0, c.Private("ResizeGrad", values{c.In(0), c.In(1), c.In(2), c.In(3), c.DY(0)}, c.Node.Attrs...))
		return nil
	},
	Upgrade: upgradeResize,
}

func upgradeResize(c *opdef.Rewrite) error {
	n := c.Node
	switch {
	case c.Version < 11:
		scales := n.In(1)
		padInputs(n, 3)
		n.SetIn(1, nil)
		n.SetIn(2, scales)
		n.SetAttr(onnx.Str("coordinate_transformation_mode", "asymmetric"))
		n.SetAttr(onnx.Str("nearest_mode", "floor"))
	case c.Version < 13:
		// Empty tensors stood for absent inputs.
		for i := 1; i < 3; i++ {
			if v := n.In(i); v != nil && v.Type.Ranked && len(v.Type.Shape) == 1 && isNumber(v.Type.Shape[0], 0) {
				n.SetIn(i, nil)
			}
		}
	}
	return nil
}

var (
	resizeTransformations = []string{
		"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn",
	}
	resizeNearest = []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}
)

// resizeConfig reads the attributes of n.
func resizeConfig(n *onnx.Node) (resize.Config, error) {
	c := resize.Config{
		Transformation: n.Str("coordinate_transformation_mode", "half_pixel"), NearestMode: n.Str("nearest_mode", "round_prefer_floor"),
		CubicA: float64(n.Float("cubic_coeff_a", -0.75)), Exclude: n.Int("exclude_outside", 0) != 0, Antialias: n.Int("antialias", 0) != 0,
	}
	modes := map[string]resize.Mode{"nearest": resize.Nearest, "linear": resize.Linear, "bilinear": resize.Linear, "cubic": resize.Cubic}
	mode, ok := modes[n.Str("mode", "nearest")]
	if !ok {
		return c, onnx.Invalidf("attribute mode: expected nearest, linear or cubic, received %.128q", n.Str("mode", ""))
	}
	c.Mode = mode
	if !slices.Contains(resizeTransformations, c.Transformation) {
		return c, onnx.Invalidf("attribute coordinate_transformation_mode: %.128q is not known", c.Transformation)
	}
	if !slices.Contains(resizeNearest, c.NearestMode) {
		return c, onnx.Invalidf("attribute nearest_mode: %.128q is not known", c.NearestMode)
	}
	if p := n.Str("keep_aspect_ratio_policy", "stretch"); p != "stretch" && p != "not_larger" && p != "not_smaller" {
		return c, onnx.Invalidf("attribute keep_aspect_ratio_policy: expected stretch, not_larger or not_smaller, received %.128q", p)
	}
	return c, nil
}

// resizeAxes is the axes that scales, sizes and roi count.
func resizeAxes(n *onnx.Node, rank int) ([]int, error) { return cropAxes(n, rank) }

// resizeSizes is the sizes along all axes, and the scales.
func resizeSizes(n *onnx.Node, shape []int, scales []float32, sizes []int64) (out []int, by []float64, err error) {
	axes, err := resizeAxes(n, len(shape))
	if err != nil {
		return nil, nil, err
	}
	if (len(scales) > 0) == (len(sizes) > 0) && len(axes) > 0 || len(scales)+len(sizes) != len(axes) {
		return nil, nil, onnx.Invalidf("expected %d scales or sizes, received %d and %d", len(axes), len(scales), len(sizes))
	}
	out, by = slices.Clone(shape), make([]float64, len(shape))
	for a := range by {
		by[a] = 1
	}
	for i, a := range axes {
		switch {
		case len(scales) > 0 && !(scales[i] > 0 && scales[i] < 1<<24):
			return nil, nil, onnx.Invalidf("scales: expected positive numbers, received %v", scales[i])
		case len(scales) > 0:
			by[a] = float64(scales[i])
		case sizes[i] < 0 || sizes[i] > math.MaxInt32 || shape[a] == 0 && sizes[i] > 0:
			return nil, nil, onnx.Invalidf("sizes: %d from %d is out of range", sizes[i], shape[a])
		case shape[a] > 0:
			by[a] = float64(sizes[i]) / float64(shape[a])
		}
	}
	policy := n.Str("keep_aspect_ratio_policy", "stretch")
	if len(sizes) > 0 && policy != "stretch" {
		one := by[axes[0]]
		for _, a := range axes {
			if policy == "not_larger" {
				one = min(one, by[a])
			} else {
				one = max(one, by[a])
			}
		}
		for _, a := range axes {
			by[a] = one
		}
	}
	for i, a := range axes {
		size := math.Floor(by[a] * float64(shape[a]))
		switch {
		case len(sizes) > 0 && policy == "stretch":
			size = float64(sizes[i])
		case len(sizes) > 0:
			size = math.Floor(by[a]*float64(shape[a]) + 0.5)
		}
		if size > math.MaxInt32 {
			return nil, nil, onnx.Invalidf("size %v of axis %d is too large", size, a)
		}
		out[a] = int(size)
	}
	return out, by, nil
}

func inferResize(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	if _, err := resizeConfig(c.Node); err != nil {
		return err
	}
	axes, err := resizeAxes(c.Node, len(x))
	if err != nil {
		return err
	}
	out := slices.Clone(x)
	for _, a := range axes {
		out[a] = onnx.Unknown
	}
	var scales []float32
	if t := c.Const(2); t != nil && t.Elem == onnx.Float32 {
		scales = onnx.Data[float32](t)
	}
	sizes, fixed := c.FixedInts(3)
	if fixed {
		fixed = len(sizes) > 0
	}
	shape, whole := fixedSizes(x)
	switch {
	case whole && (len(scales) > 0 || fixed && len(scales) == 0):
		n, _, err := resizeSizes(c.Node, shape, scales, sizes)
		if err != nil {
			return err
		}
		for a := range out {
			out[a] = onnx.Fixed(n[a])
		}
	case len(scales) == len(axes):
		for i, a := range axes {
			if v := scales[i]; v == float32(int32(v)) && v > 0 {
				out[a] = sizeDim(mulDims(x[a], onnx.Fixed(int(v))))
			}
		}
	case c.Node.Str("keep_aspect_ratio_policy", "stretch") == "stretch":
		if dims, ok := c.Ints(3); ok && len(dims) == len(axes) {
			for i, a := range axes {
				out[a] = sizeDim(dims[i])
			}
		}
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// resizing is the state of the steps: the tables of the axes, made anew when sizes change.
type resizing[T float] struct {
	config resize.Config
	shape  []int
	scales []float32
	sizes  []int64
	roi    []float64
	out    []int
	axes   []*resize.Axis
	buf    [2][]T
	half   *format
}

// tables reads the inputs roi, scales and sizes.
func (s *resizing[T]) tables(r *opdef.Run, shape []int) error {
	var scales []float32
	var sizes []int64
	var roi []float64
	if r.Has(2) {
		scales = opdef.Of[float32](r.In[2])
	}
	if r.Has(3) {
		sizes = opdef.Of[int64](r.In[3])
	}
	if r.Has(1) && s.config.Transformation == "tf_crop_and_resize" {
		roi = make([]float64, r.In[1].Len())
		read := numberReader[float64](r.In[1].Elem)
		if read == nil {
			return onnx.Unsupportedf("roi of type %v is not supported", r.In[1].Elem)
		}
		read(roi, r.In[1].Data)
	}
	if s.axes != nil && slices.Equal(s.shape, shape) && slices.Equal(s.scales, scales) && slices.Equal(s.sizes, sizes) && slices.Equal(s.roi, roi) {
		return nil
	}
	out, by, err := resizeSizes(r.Node, shape, scales, sizes)
	if err != nil {
		return err
	}
	axes, err := resizeAxes(r.Node, len(shape))
	if err != nil {
		return err
	}
	if s.config.Transformation == "tf_crop_and_resize" && len(roi) != 2*len(axes) {
		return onnx.Invalidf("roi: expected %d numbers, received %d", 2*len(axes), len(roi))
	}
	s.axes = nil
	list := make([]*resize.Axis, len(shape))
	for i, a := range axes {
		lo, hi := 0.0, 1.0
		if len(roi) > 0 {
			lo, hi = roi[i], roi[len(axes)+i]
		}
		if shape[a] > 0 {
			taps := 1.0
			if by[a] < 1 && s.config.Antialias {
				taps = 1 / by[a]
			}
			if err := r.Host.Memory(int64(48 * taps * float64(out[a]))); err != nil {
				return err
			}
			t := s.config.Table(shape[a], out[a], by[a], lo, hi)
			if err := r.Host.Memory(-int64(48 * taps * float64(out[a]))); err != nil {
				return err
			}
			if !t.Identity() {
				list[a] = t
			}
		}
	}
	s.shape, s.scales, s.sizes, s.roi = slices.Clone(shape), slices.Clone(scales), slices.Clone(sizes), roi
	s.out, s.axes = out, list
	return nil
}

// passes samples x into y axis by axis, or back.
func (s *resizing[T]) passes(r *opdef.Run, x, y []T, back bool) {
	fill := T(r.Node.Float("extrapolation_value", 0))
	cur, last := slices.Clone(s.shape), -1
	if back {
		cur = slices.Clone(s.out)
	}
	for a, t := range s.axes {
		if t != nil {
			last = a
		}
	}
	if last < 0 {
		copy(y, x)
		return
	}
	slot := 0
	for a, t := range s.axes {
		if t == nil {
			continue
		}
		outer, inner := product(cur[:a]), product(cur[a+1:])
		if cur[a] = t.Out; back {
			cur[a] = t.In
		}
		to := y
		if a != last {
			s.buf[slot] = sized(s.buf[slot], product(cur))
			to, slot = s.buf[slot], 1-slot
		}
		if back {
			resize.PassBack(r.Team, t, outer, inner, x, to)
		} else {
			resize.Pass(r.Team, t, outer, inner, x, to, fill)
		}
		x = to
	}
}

func compileResize(c *opdef.Compile) (opdef.Step, error) {
	config, err := resizeConfig(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	outside := config.Transformation == "tf_crop_and_resize"
	if config.Mode == resize.Nearest && !outside {
		s := opdef.Step{}
		return moveStep(c, s, func(m *mover) error { return nearestResize(m, config) }), nil
	}
	switch e := c.Elem(0); {
	case e == onnx.Float32 || formatOf(e) != nil:
		return resizeStep[float32](config, formatOf(e)), nil
	case e == onnx.Float64 || e.IsInteger() && !e.Packed():
		return resizeStep[float64](config, nil), nil
	case e == onnx.Bool || familyOf(e) == wideComplex:
		return moveStep(c, opdef.Step{}, func(m *mover) error { return resizeParts(m, config) }), nil
	default:
		return opdef.Step{}, onnx.Unsupportedf("element type %v is not supported in the mode %.128q", e, c.Node.Str("mode", "nearest"))
	}
}

// resizeParts interpolates truth values, as 0 and 1, and complex numbers, part by part.
func resizeParts(m *mover, config resize.Config) error {
	s := &resizing[float64]{config: config}
	if err := s.tables(m.Run, m.shape(0)); err != nil {
		return err
	}
	count := 1
	if familyOf(m.In[0].Elem) == wideComplex {
		count = 2
	}
	x, err := m.parts(0, count)
	if err != nil {
		return err
	}
	y := make([][]float64, count)
	for i := range y {
		if y[i], err = m.room(product(s.out)); err != nil {
			return err
		}
		if len(y[i]) > 0 {
			s.passes(m.Run, x[i], y[i], false)
		}
	}
	return m.setParts(0, m.In[0].Elem, s.out, y)
}

// nearestResize moves elements of any type.
func nearestResize(m *mover, config resize.Config) error {
	s := &resizing[float32]{config: config}
	if err := s.tables(m.Run, m.shape(0)); err != nil {
		return err
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, m.In[0].Elem, s.out)
	if err != nil {
		return err
	}
	if product(s.out) == 0 {
		return nil
	}
	rank := len(s.out)
	run := 1 // elements of the axes at the end that stay as they are
	for rank > 0 && s.axes[rank-1] == nil {
		rank--
		run *= s.out[rank]
	}
	if rank == 0 {
		y.from(0, x, 0, x.len())
		return nil
	}
	lasting := s.axes[rank-1]
	from := make([]int, lasting.Out)
	for o := range from {
		from[o] = lasting.Source(o)
	}
	m.Team.DoFunc(product(s.out[:rank-1]), func(p int) {
		at, step, rest := 0, lasting.In, p
		for a := rank - 2; a >= 0; a-- {
			i := rest % s.out[a]
			rest /= s.out[a]
			if t := s.axes[a]; t != nil {
				i = t.Source(i)
			}
			at += i * step
			step *= s.shape[a]
		}
		pickRows(y, p*lasting.Out*run, x, at*run, from, run)
	})
	return nil
}

// pickRows copies rows of run elements: row o of y from lo on is row from[o] of x from at on.
func pickRows(y array, lo int, x array, at int, from []int, run int) {
	if run > 1 || y.size == 0 {
		for o, i := range from {
			y.from(lo+o*run, x, at+i*run, run)
		}
		return
	}
	switch y.size {
	case 1:
		pick(y.b[lo:], x.b[at:], from)
	case 2:
		pick(onnx.View[uint16](y.b)[lo:], onnx.View[uint16](x.b)[at:], from)
	case 4:
		pick(onnx.View[uint32](y.b)[lo:], onnx.View[uint32](x.b)[at:], from)
	case 8:
		pick(onnx.View[uint64](y.b)[lo:], onnx.View[uint64](x.b)[at:], from)
	default:
		for o, i := range from {
			y.from(lo+o, x, at+i, 1)
		}
	}
}

func pick[E any](y, x []E, from []int) {
	for o, i := range from {
		y[o] = x[i]
	}
}

// resizeStep interpolates in T; half is the format of 16-bit tensors. Integers go through float64.
func resizeStep[T float](config resize.Config, half *format) opdef.Step {
	return opdef.Step{
		State: func() any { return &resizing[T]{config: config, half: half} },
		Run:   func(r *opdef.Run) error { return r.State.(*resizing[T]).run(r) },
	}
}

func (s *resizing[T]) run(r *opdef.Run) error {
	if err := s.tables(r, r.In[0].Shape); err != nil {
		return err
	}
	v, err := boundOut(r, 0, r.In[0].Elem, s.out)
	if err != nil || v.Len() == 0 {
		return err
	}
	e := r.In[0].Elem
	if e == onnx.ElemOf[T]() {
		s.passes(r, opdef.Of[T](r.In[0]), opdef.Of[T](v), false)
		return nil
	}
	bytes := int64(r.In[0].Len()+v.Len()) * int64(onnx.ElemOf[T]().Size())
	if err := r.Host.Memory(bytes); err != nil {
		return err
	}
	x, y := make([]T, r.In[0].Len()), make([]T, v.Len())
	s.read(x, r.In[0])
	s.passes(r, x, y, false)
	s.write(v, y)
	return r.Host.Memory(-bytes)
}

func (s *resizing[T]) read(to []T, v opdef.View) {
	if s.half != nil {
		s.half.widen(any(to).([]float32), onnx.View[uint16](v.Data))
		return
	}
	numberReader[T](v.Elem)(to, v.Data)
}

func (s *resizing[T]) write(v opdef.View, from []T) {
	if s.half != nil {
		s.half.narrow(onnx.View[uint16](v.Data), any(from).([]float32))
		return
	}
	writeIntegers(v, from)
}

// writeIntegers writes numbers cut toward zero and to the range of v's type.
func writeIntegers[T float](v opdef.View, from []T) {
	switch v.Elem {
	case onnx.Int8:
		cutTo(opdef.Of[int8](v), from, math.MinInt8, math.MaxInt8)
	case onnx.Int16:
		cutTo(opdef.Of[int16](v), from, math.MinInt16, math.MaxInt16)
	case onnx.Int32:
		cutTo(opdef.Of[int32](v), from, math.MinInt32, math.MaxInt32)
	case onnx.Int64:
		cutTo(opdef.Of[int64](v), from, math.MinInt64, math.Nextafter(1<<63, 0))
	case onnx.Uint8:
		cutTo(opdef.Of[uint8](v), from, 0, math.MaxUint8)
	case onnx.Uint16:
		cutTo(opdef.Of[uint16](v), from, 0, math.MaxUint16)
	case onnx.Uint32:
		cutTo(opdef.Of[uint32](v), from, 0, math.MaxUint32)
	case onnx.Uint64:
		cutTo(opdef.Of[uint64](v), from, 0, math.Nextafter(1<<64, 0))
	}
}

func cutTo[I whole, T float](to []I, from []T, lo, hi float64) {
	for i, v := range from {
		to[i] = I(min(max(float64(v), lo), hi))
	}
}
