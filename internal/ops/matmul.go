package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MatMul: numpy's matmul: the last two axes are matrices, the axes before them broadcast, a vector is a row on the left and
// a column on the right.
//
// Opset 9: integers. 13: bfloat16. float16 and bfloat16 are computed in float32; integer sums wrap.
var opMatMul = opdef.Def{
	Type:    "MatMul",
	Infer:   inferMatMul,
	Compile: compileMatMul,
	Grad:    gradMatMul,
}

func inferMatMul(c *opdef.Infer) error {
	a, errA := c.Shape(0)
	b, errB := c.Shape(1)
	if errA != nil || errB != nil {
		c.SetUnranked(0, c.Elem(0))
		if errA != nil {
			return errA
		}
		return errB
	}
	if len(a) == 0 || len(b) == 0 {
		return onnx.Invalidf("expected operands of rank 1 or more, received %v and %v", c.Ins[0], c.Ins[1])
	}
	inner := b[max(len(b)-2, 0)]
	if k := a[len(a)-1]; k.IsFixed() && inner.IsFixed() && k != inner {
		return onnx.Invalidf("%v has %v columns, %v has %v rows", c.Ins[0], k, c.Ins[1], inner)
	}
	out, err := opdef.Broadcast(a[:max(len(a)-2, 0)], b[:max(len(b)-2, 0)])
	if err != nil {
		return err
	}
	if len(a) > 1 {
		out = append(out, a[len(a)-2])
	}
	if len(b) > 1 {
		out = append(out, b[len(b)-1])
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

func compileMatMul(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Int32:
		return integerStep[int32](c)
	case onnx.Int64:
		return integerStep[int64](c)
	case onnx.Uint32:
		return integerStep[uint32](c)
	case onnx.Uint64:
		return integerStep[uint64](c)
	}
	return floatKernel(0, multiplyStep[float32], multiplyStep[float64])(c)
}

// gradMatMul: dA = dY·Bᵀ, dB = Aᵀ·dY, summed over what was broadcast. Vectors are made matrices first.
func gradMatMul(c *opdef.Grad) error {
	a, b, dy := c.In(0), c.In(1), c.DY(0)
	ra, rb := a.Type.Rank(), b.Type.Rank()
	if ra < 1 || rb < 1 {
		return onnx.Unsupportedf("the gradient needs operands of known rank, received %v and %v", a.Type, b.Type)
	}
	am, bm := a, b
	if ra == 1 {
		am = c.Op("Unsqueeze", values{a, axesConst(c, 0)})
		dy = c.Op("Unsqueeze", values{dy, axesConst(c, map[bool]int64{true: -1, false: -2}[rb == 1])})
	}
	if rb == 1 {
		bm = c.Op("Unsqueeze", values{b, axesConst(c, -1)})
		dy = c.Op("Unsqueeze", values{dy, axesConst(c, -1)})
	}
	if c.Needs(0) {
		d := c.Op("MatMul", values{dy, transposed(c, bm)})
		c.SetDX(0, unvector(c, d, am, a))
	}
	if c.Needs(1) {
		d := c.Op("MatMul", values{transposed(c, am), dy})
		c.SetDX(1, unvector(c, d, bm, b))
	}
	return nil
}

// unvector sums d to the shape of matrix m and takes away the axis that made vector v a matrix.
func unvector(c *opdef.Grad, d, m, v *onnx.Value) *onnx.Value {
	d = sumTo(c, d, m)
	if m == v {
		return d
	}
	return c.Op("Reshape", values{d, c.Op("Shape", values{v})}, onnx.Int("allowzero", 1))
}

func axesConst(c *opdef.Grad, axes ...int64) *onnx.Value {
	return c.Builder.Const(onnx.Vector(axes...))
}

// transposed swaps the last two axes of v, which has a known rank of 2 or more.
func transposed(c *opdef.Grad, v *onnx.Value) *onnx.Value {
	rank := v.Type.Rank()
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	return c.Op("Transpose", values{v}, onnx.Ints("perm", perm...))
}
