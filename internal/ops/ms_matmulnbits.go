package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.MatMulNBits: A times the transpose of B, [N, K], which is stored in 2, 4 or 8 bits: blocks of block_size numbers of
// a row have one scale and one zero point, 2^(bits-1) where zero_points is absent. B is uint8, [N, blocks, bytes of a block],
// the low bits first; zero_points is packed likewise, a row at a time, or has the type of A. accuracy_level is a hint that
// is not followed: products are float.
//
// g_idx and weight_prepacked are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsMatMulNBits = opdef.Def{
	Type:   "MatMulNBits",
	Domain: msDomain,
	Schema: nBitsSchema,
	Body: lowered(func(b lowering) error {
		if err := b.absent(nBitsSchema, 4); err != nil {
			return err
		}
		if err := b.refuse(0, "weight_prepacked"); err != nil {
			return err
		}
		w, err := b.nBits()
		if err != nil {
			return err
		}
		return b.finish(b.sum(b.do("MatMul", b.in(0), b.transpose(w, 1, 0)), b.in(5)))
	}),
}

var nBitsSchema = contrib("MatMulNBits", "A:T1 B:T2 scales:T1 zero_points?:T3 g_idx?:T4 bias?:T1", "Y:T1",
	"T1=float,float16,bfloat16 T2=uint8 T3=uint8,float16,float,bfloat16 T4=int32",
	"K!:int N!:int accuracy_level:int bits:int block_size!:int weight_prepacked:int")

// nBits is B, [N, K], in the type of A.
func (b lowering) nBits() (*onnx.Value, error) {
	n := b.Node
	rows, cols, block, bits := n.Int("N", 0), n.Int("K", 0), n.Int("block_size", 0), n.Int("bits", 4)
	if bits != 2 && bits != 4 && bits != 8 {
		return nil, onnx.Unsupportedf("attribute bits: %d is not supported", bits)
	}
	const most = 1 << 31
	if rows < 1 || cols < 1 || rows >= most || cols >= most || block < 16 || block >= most || block&(block-1) != 0 {
		return nil, onnx.Invalidf("expected N and K of at least 1 and a block_size that is a power of 2 of at least 16, received %d, %d and %d", rows, cols, block)
	}
	blocks := (cols + block - 1) / block
	w := b.narrow(b.in(1), bits, rows, blocks*block, cols)
	scale := b.sized(b.in(2), rows, blocks)
	zero, kind := b.in(3), onnx.Int("axis", 1)
	size := onnx.Int("block_size", block)
	switch {
	case zero == nil:
		zero = b.do("Expand", b.half(bits), b.ints(rows, blocks))
	case zero.Type.Elem == onnx.Uint8:
		zero = b.narrow(zero, bits, rows, (blocks*bits+7)/8*8/bits, blocks)
	default:
		wide := b.Op("DequantizeLinear", values{w, scale}, kind, size)
		less := b.do("Mul", b.sized(zero, rows, blocks, 1), b.unsqueezed(scale, 2))
		less = b.sized(b.do("Expand", less, b.ints(rows, blocks, block)), rows, blocks*block)
		return b.do("Sub", wide, b.columns(less, blocks*block, cols)), nil
	}
	return b.Op("DequantizeLinear", values{w, scale, zero}, kind, size), nil
}

// half is the zero point of integers of so many bits where none is given.
func (b lowering) half(bits int64) *onnx.Value {
	return b.Builder.Const(onnx.Scalar(uint8(1) << (bits - 1)))
}

// narrow is the integers that are packed in the bytes v, [rows, stored], of which cols columns count, one a byte.
func (b lowering) narrow(v *onnx.Value, bits, rows, stored, cols int64) *onnx.Value {
	return b.columns(b.sized(b.unpackedBytes(v, bits), rows, stored), stored, cols)
}

// columns is the first cols columns of a matrix that has stored ones.
func (b lowering) columns(v *onnx.Value, stored, cols int64) *onnx.Value {
	if stored == cols {
		return v
	}
	return b.do("Slice", v, b.ints(0), b.ints(cols), b.ints(1))
}

// unpackedBytes is the integers packed in the bytes of v, one a byte, in a last axis behind v's.
func (b lowering) unpackedBytes(v *onnx.Value, bits int64) *onnx.Value {
	if bits == 8 {
		return v
	}
	mask := b.Builder.Const(onnx.Scalar(uint8(1<<bits - 1)))
	var parts values
	for at := int64(0); at < 8; at += bits {
		part := v
		if at > 0 {
			part = b.Op("BitShift", values{v, b.Builder.Const(onnx.Scalar(uint8(at)))}, onnx.Str("direction", "RIGHT"))
		}
		parts = append(parts, b.unsqueezed(b.do("BitwiseAnd", part, mask), -1))
	}
	return b.concat(-1, parts...)
}
