package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// LinearAttentionGrad: the gradients of the six inputs of LinearAttention, back through time, from those inputs and the
// gradients of both outputs; that of present_state may be absent. Outputs of absent inputs are empty. Attributes are those of
// LinearAttention.
var opLinearAttentionGrad = opdef.Def{
	Type:   "LinearAttentionGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 7, MaxIn: 8, MinOut: 6, MaxOut: 6},
	Infer: func(c *opdef.Infer) error {
		for i := range c.Outs {
			if !c.Has(i) {
				c.Set(i, c.Elem(0), onnx.Fixed(0))
				continue
			}
			if err := c.Like(i, i); err != nil {
				return err
			}
		}
		return nil
	},
	Compile: mixedFloats(linearGradStep[float32], linearGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func linearGradStep[T float](*opdef.Compile) (opdef.Step, error) {
	return opdef.Step{
		State: func() any { return &linearHeads[T]{} },
		Run: func(r *opdef.Run) error {
			s, all := r.State.(*linearHeads[T]), r.In
			r.In = all[:6]
			err := s.inputs(r)
			r.In = all
			if err != nil {
				return err
			}
			s.dy, s.dPresent = opdef.Of[T](r.In[6]), inputOf[T](r, 7)
			s.dq, s.dKey, s.dValue = outOf[T](r, 0), outOf[T](r, 1), outOf[T](r, 2)
			s.dPast, s.dDecay, s.dBeta = outOf[T](r, 3), outOf[T](r, 4), outOf[T](r, 5)
			clear(s.dDecay)
			s.betaPart = sized(s.betaPart, s.batch*s.length*s.heads)
			size := int64(onnx.ElemOf[T]().Size()) * int64(s.batch*s.heads) * int64(s.length+1) * int64(s.dk*s.dv)
			if err := r.Host.Memory(size); err != nil {
				return err
			}
			r.Team.DoFunc(s.batch*s.heads, s.backward)
			s.shareBeta()
			return r.Host.Memory(-size)
		},
	}, nil
}

// shareBeta hands out the gradients of beta, added up where the heads share it.
func (s *linearHeads[T]) shareBeta() {
	if !s.delta {
		clear(s.dBeta)
		return
	}
	if !s.sharedBeta {
		copy(s.dBeta, s.betaPart)
		return
	}
	for i := range s.dBeta {
		sum := T(0)
		for _, v := range s.betaPart[i*s.heads : (i+1)*s.heads] {
			sum += v
		}
		s.dBeta[i] = sum
	}
}

// backward runs all steps of one head of one sample forward, keeping the matrices, and then back.
func (s *linearHeads[T]) backward(head int) {
	b, h, n := head/s.heads, head%s.heads, s.dk*s.dv
	states := make([]T, (s.length+1)*n)
	m, write, read := s.start(head), make([]T, s.dv), make([]T, s.dv)
	copy(states, m)
	for t := range s.length {
		s.update(m, write, read, b, t, h)
		copy(states[(t+1)*n:], m)
	}
	d, dWrite := make([]T, n), make([]T, s.dv)
	if s.dPresent != nil {
		copy(d, s.dPresent[head*n:(head+1)*n])
	}
	for t := s.length - 1; t >= 0; t-- {
		s.readBack(d, states[(t+1)*n:(t+2)*n], b, t, h)
		copy(m, states[t*n:(t+1)*n])
		s.writeBack(d, m, write, read, dWrite, b, t, h)
	}
	if len(s.dPast) > 0 {
		copy(s.dPast[head*n:], d)
	}
}

// readBack: y = scale·qᵀ·S.
func (s *linearHeads[T]) readBack(d, m []T, b, t, h int) {
	group := s.qHeads / s.heads
	for g := h * group; g < (h+1)*group; g++ {
		q, dq, dy := s.row(s.q, b, t, g, s.qHeads, s.dk), s.row(s.dq, b, t, g, s.qHeads, s.dk), s.row(s.dy, b, t, g, s.qHeads, s.dv)
		for i := range q {
			sum := T(0)
			for j, v := range dy {
				sum += m[i*s.dv+j] * v
				d[i*s.dv+j] += T(s.scale) * q[i] * v
			}
			dq[i] = T(s.scale) * sum
		}
	}
}

// writeBack: S = e^decay·S' + k·writeᵀ with write = beta·(v - Sᵀ·k), the S there being the decayed one. m is S'; d becomes its
// gradient.
func (s *linearHeads[T]) writeBack(d, m, write, read, dWrite []T, b, t, h int) {
	k, v := s.row(s.k, b, t, h, s.heads, s.dk), s.row(s.v, b, t, h, s.heads, s.dv)
	dk, dv := s.row(s.dKey, b, t, h, s.heads, s.dk), s.row(s.dValue, b, t, h, s.heads, s.dv)
	old := append([]T{}, m...)
	s.update(m, write, read, b, t, h)
	clear(dWrite)
	for i, x := range k {
		sum := T(0)
		for j, w := range write {
			sum += d[i*s.dv+j] * w
			dWrite[j] += d[i*s.dv+j] * x
		}
		dk[i] = sum
	}
	copy(dv, dWrite)
	if s.delta {
		beta, dBeta := s.betaAt(b, t, h), T(0)
		for j, w := range dWrite {
			dBeta += w * (v[j] - read[j])
			dv[j] = beta * w
		}
		s.betaPart[(b*s.length+t)*s.heads+h] = dBeta
		for i, x := range k {
			g := s.keep(b, t, h, i)
			for j := range dv {
				dk[i] -= g * old[i*s.dv+j] * dv[j]
				d[i*s.dv+j] -= x * dv[j]
			}
		}
	}
	if !s.gated {
		return
	}
	for i := range k {
		g, sum := s.keep(b, t, h, i), T(0)
		for j := range dv {
			sum += d[i*s.dv+j] * old[i*s.dv+j]
			d[i*s.dv+j] *= g
		}
		if s.perKey {
			s.row(s.dDecay, b, t, h, s.heads, s.dk)[i] = g * sum
		} else {
			s.row(s.dDecay, b, t, h, s.heads, 1)[0] += g * sum
		}
	}
}
