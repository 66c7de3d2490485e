package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RotaryEmbedding turns pairs of the first rotary_embedding_dim numbers of each head (0: all) by angles that depend on the
// position: (a, b) becomes (cos·a - sin·b, sin·a + cos·b). Pairs are neighbours if interleaved, else the numbers of both halves.
// X is [batch, heads, length, size] or [batch, length, heads·size]. With position_ids the caches are [positions, half], without
// they are [batch, length, half].
//
// One version, of opset 23. 16-bit types are computed in float32.
var opRotaryEmbedding = opdef.Def{
	Type:    "RotaryEmbedding",
	Infer:   opdef.SameAsFirst,
	Compile: floatKernel(0, rotaryStep[float32], rotaryStep[float64]),
	Grad: func(c *opdef.Grad) error {
		if c.Needs(1) || c.Needs(2) {
			return c.Host.ThroughBody(c)
		}
		// A turn by the angle backwards.
		sin := c.Op("Neg", values{c.In(2)})
		c.SetDX(0, c.Op("RotaryEmbedding", values{c.DY(0), c.In(1), sin, c.In(3)}, c.Node.Attrs...))
		return nil
	},
	Body: bodyRotaryEmbedding,
}

// rotary is the sizes of a RotaryEmbedding.
type rotary struct {
	batch, heads, length, size, half int
	flat                             bool
}

func rotaryOf(n *onnx.Node, x []int) (rotary, error) {
	var s rotary
	switch heads := n.Int("num_heads", 0); {
	case len(x) == 4:
		s = rotary{batch: x[0], heads: x[1], length: x[2], size: x[3]}
	case len(x) == 3 && heads > 0 && heads <= int64(x[2]) && x[2]%int(heads) == 0:
		s = rotary{batch: x[0], heads: int(heads), length: x[1], size: x[2] / int(heads), flat: true}
	default:
		return s, onnx.Invalidf("expected an input of rank 4, or of rank 3 with a fitting num_heads, received shape %v and %d heads", x, heads)
	}
	turned := n.Int("rotary_embedding_dim", 0)
	if turned == 0 {
		turned = int64(s.size)
	}
	if turned < 0 || turned > int64(s.size) || turned%2 != 0 {
		return s, onnx.Invalidf("attribute rotary_embedding_dim: expected an even number up to %d, received %d", s.size, turned)
	}
	s.half = int(turned / 2)
	return s, nil
}

func rotaryStep[T float](c *opdef.Compile) (opdef.Step, error) {
	interleaved := c.Node.Int("interleaved", 0) != 0
	return opdef.Step{Run: func(r *opdef.Run) error {
		s, err := rotaryOf(r.Node, r.In[0].Shape)
		if err != nil {
			return err
		}
		if !slices.Equal(r.In[1].Shape, r.In[2].Shape) {
			return onnx.Invalidf("expected caches of one shape, received %v and %v", r.In[1].Shape, r.In[2].Shape)
		}
		rows, err := s.rows(r)
		if err != nil {
			return err
		}
		x, y, cos, sin := opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), opdef.Of[T](r.In[1]), opdef.Of[T](r.In[2])
		r.Team.DoFunc(s.batch*s.length, func(i int) {
			at := rows(i) * s.half
			for h := range s.heads {
				lo := s.at(i/max(1, s.length), h, i%max(1, s.length))
				turn(y[lo:lo+s.size], x[lo:lo+s.size], cos[at:at+s.half], sin[at:at+s.half], interleaved)
			}
		})
		return nil
	}}, nil
}

func (s *rotary) at(b, h, i int) int {
	if s.flat {
		return ((b*s.length+i)*s.heads + h) * s.size
	}
	return ((b*s.heads+h)*s.length + i) * s.size
}

// rows says which row of the caches position i, of batch·length, has.
func (s *rotary) rows(r *opdef.Run) (func(i int) int, error) {
	cache := r.In[1].Shape
	if !r.Has(3) {
		if !slices.Equal(cache, []int{s.batch, s.length, s.half}) {
			return nil, onnx.Invalidf("expected caches of shape %v, received %v", []int{s.batch, s.length, s.half}, cache)
		}
		return func(i int) int { return i }, nil
	}
	if len(cache) != 2 || cache[1] != s.half {
		return nil, onnx.Invalidf("expected caches of rank 2 with %d columns, received shape %v", s.half, cache)
	}
	if !slices.Equal(r.In[3].Shape, []int{s.batch, s.length}) {
		return nil, onnx.Invalidf("position_ids: expected shape %v, received %v", []int{s.batch, s.length}, r.In[3].Shape)
	}
	ids, err := integersOf(r.In[3])
	if err != nil {
		return nil, err
	}
	for i := range ids.len() {
		if v := ids.at(i); v < 0 || v >= int64(cache[0]) {
			return nil, onnx.Invalidf("position_ids: %d is out of range for %d positions", v, cache[0])
		}
	}
	return func(i int) int { return int(ids.at(i)) }, nil
}

// turn turns the pairs of one head.
func turn[T float](y, x, cos, sin []T, interleaved bool) {
	half := len(cos)
	for i, c := range cos {
		a, b := i, i+half
		if interleaved {
			a, b = 2*i, 2*i+1
		}
		u, v := x[a], x[b]
		y[a], y[b] = T(c*u)-T(sin[i]*v), T(sin[i]*u)+T(c*v)
	}
	copy(y[2*half:], x[2*half:])
}

func bodyRotaryEmbedding(c *opdef.Rewrite) error {
	b := recipe{c}
	x, flat := b.in(0), b.in(0).Type.Rank() == 3
	switch {
	case flat:
		x = b.do("Reshape", x, b.ints(0, 0, c.Node.Int("num_heads", 0), -1))
	case x.Type.Rank() == 4:
		x = b.transpose(x, 0, 2, 1, 3)
	default:
		return onnx.Unsupportedf("the body needs an input of rank 3 or 4, received %v", x.Type)
	}
	size := b.dim(x, 3)
	turned := size
	if n := c.Node.Int("rotary_embedding_dim", 0); n > 0 {
		turned = b.ints(n)
	}
	parts := b.Builder.Node("", "Split", 2, values{x, b.concat(0, turned, b.do("Sub", size, turned))}, onnx.Int("axis", 3))
	turn := func(i int) *onnx.Value {
		v := b.in(i)
		if b.in(3) != nil {
			v = b.do("Gather", v, b.in(3))
		}
		v = b.do("Slice", v, b.ints(0), b.do("Div", turned, b.ints(2)), b.ints(2))
		return b.do("Unsqueeze", v, b.ints(2))
	}
	y := b.concat(3, b.rotated(parts.Out(0), turn(1), turn(2), c.Node.Int("interleaved", 0) != 0), parts.Out(1))
	if flat {
		y = b.do("Reshape", y, b.do("Shape", b.in(0)))
	} else {
		y = b.transpose(y, 0, 2, 1, 3)
	}
	return b.finish(y)
}

// rotated turns pairs of numbers along axis 3 of x by angles with the given cosines and sines.
func (b recipe) rotated(x, cos, sin *onnx.Value, interleaved bool) *onnx.Value {
	var u, v *onnx.Value
	last, step := b.ints(3), b.ints(2)
	if interleaved {
		end := b.dim(x, 3)
		u, v = b.do("Slice", x, b.ints(0), end, last, step), b.do("Slice", x, b.ints(1), end, last, step)
	} else {
		halves := b.Builder.Node("", "Split", 2, values{x}, onnx.Int("axis", 3), onnx.Int("num_outputs", 2))
		u, v = halves.Out(0), halves.Out(1)
	}
	re := b.do("Sub", b.do("Mul", cos, u), b.do("Mul", sin, v))
	im := b.do("Add", b.do("Mul", sin, u), b.do("Mul", cos, v))
	if !interleaved {
		return b.concat(3, re, im)
	}
	fourth := b.ints(4)
	return b.do("Reshape", b.concat(4, b.do("Unsqueeze", re, fourth), b.do("Unsqueeze", im, fourth)), b.do("Shape", x))
}
