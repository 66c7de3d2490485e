package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.GatherBlockQuantized: Gather along gather_axis from data whose blocks of block_size numbers along quantize_axis have
// one scale and one zero point each. 4-bit types are the standard's, whose zero point is 0 where it is absent; uint8 holds
// numbers of 2, 4 or 8 bits, packed along the last axis, low bits first, whose zero point is 2^(bits-1).
//
// Unlike in ONNX Runtime an index out of range is an error, as in the standard's Gather. block_size 0 and equal axes are not supported.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsGatherBlockQuantized = opdef.Def{
	Type:   "GatherBlockQuantized",
	Domain: msDomain,
	Grad:   opdef.NoGrad,
	Schema: contrib("GatherBlockQuantized", "data:T1 indices:Tind scales:T2 zero_points?:T1", "output:T2",
		"T1=int4,uint4,uint8,float8e4m3fn,float8e4m3fnuz,float8e5m2,float8e5m2fnuz,float4e2m1 T2=float,float16,bfloat16 Tind=int32,int64",
		"bits:int block_size:int gather_axis:int quantize_axis:int"),
	Body: lowered(gatherBlocks),
}

func gatherBlocks(b lowering) error {
	r, err := b.rank(b.in(0))
	if err != nil {
		return err
	}
	q, err := b.rank(b.in(1))
	if err != nil {
		return err
	}
	from, err := opdef.Axis(b.Node.Int("gather_axis", 0), r)
	if err != nil {
		return err
	}
	along, err := opdef.Axis(b.Node.Int("quantize_axis", 1), r)
	if err != nil {
		return err
	}
	block, bits := b.Node.Int("block_size", 128), b.Node.Int("bits", 4)
	if from == along || block < 1 {
		return onnx.Unsupportedf("gather_axis %d, quantize_axis %d and block_size %d together are not supported", from, along, block)
	}
	pick := func(v *onnx.Value) *onnx.Value {
		return b.Op("Gather", values{v, b.in(1)}, onnx.Int("axis", int64(from)))
	}
	attrs := []onnx.Attribute{onnx.Int("axis", int64(along)), onnx.Int("block_size", block)}
	if b.elem(0).IsFloat() {
		return b.finish(pick(b.Op("DequantizeLinear", values{b.in(0), b.in(2)}, attrs...)))
	}
	data, scale, zero := pick(b.bytes(b.in(0))), pick(b.in(2)), b.in(3)
	if zero != nil {
		zero = pick(b.bytes(zero))
	}
	if b.elem(0) == onnx.Uint8 {
		if from == r-1 {
			return onnx.Unsupportedf("packed numbers cannot be gathered along their own axis")
		}
		if data, zero, err = b.unpackedRows(data, scale, zero, bits); err != nil {
			return err
		}
	}
	if along > from {
		attrs[0].I += int64(q) - 1
	}
	return b.finish(b.Op("DequantizeLinear", values{data, scale, zero}, attrs...))
}

// bytes is integers of 4 bits as such of 8, which the standard's Gather takes.
func (b lowering) bytes(v *onnx.Value) *onnx.Value {
	switch v.Type.Elem {
	case onnx.Int4:
		return b.cast(v, onnx.Int8)
	case onnx.Uint4:
		return b.cast(v, onnx.Uint8)
	}
	return v
}

// unpackedRows unpacks data and zero points along their last axis. Zero points fill the last byte of a row up, which scale has
// no entries for.
func (b lowering) unpackedRows(data, scale, zero *onnx.Value, bits int64) (_, _ *onnx.Value, err error) {
	if bits != 2 && bits != 4 && bits != 8 {
		return nil, nil, onnx.Unsupportedf("attribute bits: %d is not supported", bits)
	}
	rows := func(v *onnx.Value) *onnx.Value {
		if bits == 8 {
			return v
		}
		r, err := b.rank(v)
		if err != nil {
			b.Fail(err)
			return v
		}
		to := make([]int64, r)
		to[r-1] = -1
		return b.sized(b.unpackedBytes(v, bits), to...)
	}
	if zero == nil {
		return rows(data), b.do("Expand", b.half(bits), shapeOf(b.Builder, scale)), nil
	}
	wide := b.Op("Shape", values{scale}, onnx.Int("start", -1))
	return rows(data), b.do("Slice", rows(zero), b.ints(0), wide, b.ints(-1)), nil
}
