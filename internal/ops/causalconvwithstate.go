package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CausalConvWithState convolves each channel [batch, channels, length] by a kernel of its own that sees the present and earlier
// elements, those before the first one being past_state or zeros, adds a bias and applies an activation, none or silu (also
// called swish). present_state is the last elements, one less than the kernel has.
//
// One version, of opset 27. 16-bit types are computed in float32.
var opCausalConvWithState = opdef.Def{
	Type: "CausalConvWithState",
	Infer: func(c *opdef.Infer) error {
		if err := c.Like(0, 0); err != nil {
			return err
		}
		c.SetUnranked(1, c.Elem(0))
		x, err := c.ShapeRank(0, 3)
		if err != nil {
			return err
		}
		w, err := c.ShapeRank(1, 3)
		if err != nil {
			return err
		}
		c.Set(1, c.Elem(0), x[0], x[1], sizeDim(subDims(w[2], onnx.Fixed(1))))
		return nil
	},
	Compile: floatKernel(0, causalStep[float32], causalStep[float64]),
	Grad: func(c *opdef.Grad) error {
		dy := c.DY(0)
		if dy == nil {
			dy = c.Zeros(c.Y(0))
		}
		g := c.Builder.Node(onnx.Private, "CausalConvWithStateGrad", 4,
			values{c.In(0), c.In(1), c.In(2), c.In(3), dy, c.DY(1)}, onnx.Str("activation", c.Node.Str("activation", "none")))
		for i := range 4 {
			if c.In(i) != nil {
				c.SetDX(i, g.Out(i))
			}
		}
		return nil
	},
	Body: bodyCausalConvWithState,
}

// causal is the state of the steps.
type causal[T float] struct {
	silu                           bool
	batch, channels, length, taps  int
	x, w, bias, past, y, present   []T
	dy, dPresent, dx, dw, db, dOld []T
}

func newCausal[T float](n *onnx.Node) (*causal[T], error) {
	switch a := n.Str("activation", "none"); a {
	case "none", "silu", "swish":
		return &causal[T]{silu: a != "none"}, nil
	default:
		return nil, onnx.Invalidf("attribute activation: expected none, silu or swish, received %.128q", a)
	}
}

// inputs sets the sizes and the inputs.
func (s *causal[T]) inputs(r *opdef.Run) error {
	x, w := r.In[0].Shape, r.In[1].Shape
	if len(x) != 3 || len(w) != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1 {
		return onnx.Invalidf("expected an input of rank 3 and weights [channels, 1, taps], received shapes %v and %v", x, w)
	}
	s.batch, s.channels, s.length, s.taps = x[0], x[1], x[2], w[2]
	if r.Has(2) && !slices.Equal(r.In[2].Shape, w[:1]) {
		return onnx.Invalidf("expected a bias of shape %v, received %v", w[:1], r.In[2].Shape)
	}
	if want := []int{x[0], x[1], w[2] - 1}; r.Has(3) && !slices.Equal(r.In[3].Shape, want) {
		return onnx.Invalidf("past_state: expected shape %v, received %v", want, r.In[3].Shape)
	}
	s.x, s.w, s.bias, s.past = inputOf[T](r, 0), inputOf[T](r, 1), inputOf[T](r, 2), inputOf[T](r, 3)
	return nil
}

// before fills line with the past and the elements of channel i of batch·channels.
func (s *causal[T]) before(line []T, i int) {
	n := s.taps - 1
	if clear(line[:n]); s.past != nil {
		copy(line, s.past[i*n:(i+1)*n])
	}
	copy(line[n:], s.x[i*s.length:(i+1)*s.length])
}

// sum is the convolution at place l of line.
func (s *causal[T]) sum(line []T, c, l int) T {
	v := T(0)
	if s.bias != nil {
		v = s.bias[c]
	}
	for k, w := range s.w[c*s.taps : (c+1)*s.taps] {
		v += T(w * line[l+k])
	}
	return v
}

func causalStep[T float](c *opdef.Compile) (opdef.Step, error) {
	_, err := newCausal[T](c.Node)
	return opdef.Step{
		State: func() any {
			s, _ := newCausal[T](c.Node)
			return s
		},
		Run: func(r *opdef.Run) error {
			s := r.State.(*causal[T])
			if err := s.inputs(r); err != nil {
				return err
			}
			s.y, s.present = opdef.Of[T](r.Out[0]), outOf[T](r, 1)
			r.Team.DoFunc(s.channels, s.forward)
			return nil
		},
	}, err
}

func (s *causal[T]) forward(c int) {
	line, n := make([]T, s.taps-1+s.length), s.taps-1
	for b := range s.batch {
		i := b*s.channels + c
		s.before(line, i)
		y := s.y[i*s.length : (i+1)*s.length]
		for l := range y {
			if y[l] = s.sum(line, c, l); s.silu {
				y[l] = T(float64(y[l]) / (1 + math.Exp(-float64(y[l]))))
			}
		}
		if s.present != nil {
			copy(s.present[i*n:(i+1)*n], line[s.length:])
		}
	}
}

// backward computes the gradients of one channel.
func (s *causal[T]) backward(c int) {
	n := s.taps - 1
	line, d := make([]T, n+s.length), make([]T, n+s.length)
	dw, db := s.dw[c*s.taps:(c+1)*s.taps], T(0)
	clear(dw)
	for b := range s.batch {
		i := b*s.channels + c
		s.before(line, i)
		clear(d)
		if s.dPresent != nil {
			copy(d[s.length:], s.dPresent[i*n:(i+1)*n])
		}
		for l, g := range s.dy[i*s.length : (i+1)*s.length] {
			if s.silu {
				v := float64(s.sum(line, c, l))
				p := 1 / (1 + math.Exp(-v))
				g *= T(p * (1 + v*(1-p)))
			}
			db += g
			for k := range dw {
				dw[k] += g * line[l+k]
				d[l+k] += g * s.w[c*s.taps+k]
			}
		}
		copy(s.dx[i*s.length:(i+1)*s.length], d[n:])
		if len(s.dOld) > 0 {
			copy(s.dOld[i*n:(i+1)*n], d)
		}
	}
	if len(s.db) > 0 {
		s.db[c] = db
	}
}

func bodyCausalConvWithState(c *opdef.Rewrite) error {
	b := recipe{c}
	x, w := b.in(0), b.in(1)
	channels := onnx.Unknown
	for i, at := range []int{1, 0} {
		if t := b.in(i).Type; t.Rank() == 3 && t.Shape[at].IsFixed() && !channels.IsFixed() {
			channels = t.Shape[at]
		}
	}
	if !channels.IsFixed() {
		return onnx.Unsupportedf("the body needs a known number of channels, received %v and %v", x.Type, w.Type)
	}
	rest := b.do("Sub", b.dim(w, 2), b.ints(1))
	past := b.in(3)
	if past == nil {
		past = b.cast(b.do("ConstantOfShape", b.concat(0, b.dim(x, 0), b.dim(x, 1), rest)), b.elem(0))
	}
	all := b.concat(2, past, x)
	y := b.Op("Conv", values{all, w, b.in(2)}, onnx.Int("group", channels.N))
	switch a := c.Node.Str("activation", "none"); a {
	case "none":
	case "silu", "swish":
		wide := y
		if b.elem(0) != onnx.Float64 {
			wide = b.cast(y, onnx.Float32)
		}
		y = b.cast(b.do("Mul", wide, b.do("Sigmoid", wide)), b.elem(0))
	default:
		return onnx.Invalidf("attribute activation: expected none, silu or swish, received %.128q", a)
	}
	length := b.dim(all, 2)
	return b.finish(y, b.do("Slice", all, b.do("Sub", length, rest), length, b.ints(2)))
}
