package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/attention"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// AttentionGrad: the gradients of Q, K, V, past_key and past_value of Attention from its seven inputs and those of Y,
// present_key and present_value, which may be absent. Outputs of absent inputs are empty. Output 5 is the gradient of what is added to the scores,
// [batch, heads, length, keys]. Attributes are those of Attention.
var opAttentionGrad = opdef.Def{
	Type:   "AttentionGrad",
	Domain: onnx.Private,
	Schema: &schema.Schema{MinIn: 8, MaxIn: 10, MinOut: 5, MaxOut: 6},
	Infer: func(c *opdef.Infer) error {
		for i, from := range []int{0, 1, 2, 4, 5} {
			if !c.Has(from) {
				c.Set(i, c.Elem(0), onnx.Fixed(0))
				continue
			}
			if err := c.Like(i, from); err != nil {
				return err
			}
		}
		q, err := c.Shape(0)
		if err != nil || len(c.Outs) < 6 {
			c.SetUnranked(5, c.Elem(0))
			return err
		}
		heads, length := onnx.Unknown, q[1]
		if len(q) == 4 {
			heads, length = q[1], q[2]
		} else if n := c.Node.Int("q_num_heads", 0); n > 0 && n < 1<<31-1 {
			heads = onnx.Fixed(int(n))
		}
		c.Set(5, c.Elem(0), q[0], heads, length, onnx.Unknown)
		k, err := c.Shape(1)
		if err == nil {
			keys := k[len(k)-2]
			if past, err := c.Shape(4); c.Has(4) {
				if keys = addDims(keys, onnx.Unknown); err == nil && len(past) == 4 {
					keys = addDims(k[len(k)-2], past[2])
				}
			}
			c.Set(5, c.Elem(0), q[0], heads, length, sizeDim(keys))
		}
		return nil
	},
	Compile: mixedFloats(attentionGradStep[float32], attentionGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func attentionGradStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	fresh := func() *attend[T] {
		return &attend[T]{layer: attention.Layer[T]{Table: gemmTable[T](c.Generic), Vec: vecTable(c.Generic)}}
	}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int { return fresh().scratch(c.Node, b, true) },
		Cost:    func(b *opdef.Bound) opdef.Cost { return fresh().cost(c.Node, b, 3) },
		State:   func() any { return fresh() },
		Run: func(r *opdef.Run) error {
			s := r.State.(*attend[T])
			if err := s.prepare(r, nil, nil); err != nil {
				return err
			}
			l := &s.layer
			l.DY = s.heads(opdef.Of[T](r.In[7]), s.qHeads, s.queries, s.dv)
			l.DQ = s.heads(opdef.Of[T](r.Out[0]), s.qHeads, s.queries, s.d)
			heads := s.batch * s.kvHeads * s.keys()
			s.dk, s.dv2 = sized(s.dk, heads*s.d), sized(s.dv2, heads*s.dv)
			l.DK, l.DV, l.DBias = s.dk, s.dv2, outOf[T](r, 5)
			l.Backward(r.Team, onnx.View[T](r.Scratch))
			s.parted(r, s.dk, 8, 1, 3, s.d)
			s.parted(r, s.dv2, 9, 2, 4, s.dv)
			return nil
		},
	}, nil
}

// parted adds the gradient of what was put together (input present) to d and hands it out to outputs fresh and past.
func (s *attend[T]) parted(r *opdef.Run, d []T, present, fresh, past, size int) {
	for i, v := range inputOf[T](r, present) {
		d[i] += v
	}
	to := s.heads(opdef.Of[T](r.Out[fresh]), s.kvHeads, s.fresh, size)
	before, all := opdef.Of[T](r.Out[past]), s.keys()*size
	for h := range s.batch * s.kvHeads {
		row, n := d[h*all:(h+1)*all], s.past*size
		if n > 0 {
			copy(before[h*n:(h+1)*n], row[:n])
		}
		for i := range s.fresh {
			copy(to.Data[h/s.kvHeads*to.Batch+h%s.kvHeads*to.Head+i*to.Row:], row[n+i*size:n+(i+1)*size])
		}
	}
}
