package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.MatMulNBits: A times the transpose of B, [N, K], plus bias, where B is stored in 2, 4 or 8 bits: blocks of
// block_size numbers of a row have one scale and one zero point, 2^(bits-1) where zero_points is absent. B is uint8, [N, blocks,
// bytes of a block], the low bits first; zero_points is packed likewise, a row at a time, or has the type of A. B stays as it is
// in memory: some columns of the product at a time are widened in a cache. accuracy_level is a hint that is not followed:
// products are float.
//
// g_idx and weight_prepacked are not supported, nor are gradients of scales and zero points.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsMatMulNBits = opdef.Def{
	Type:    "MatMulNBits",
	Domain:  msDomain,
	Schema:  nBitsSchema,
	Infer:   inferNBits,
	Compile: floatKernel(0, compileNBits, noFloat64),
	Grad:    gradNBits,
	Body:    lowered(expandNBits),
}

var nBitsSchema = contrib("MatMulNBits", "A:T1 B:T2 scales:T1 zero_points?:T3 g_idx?:T4 bias?:T1", "Y:T1",
	"T1=float,float16,bfloat16 T2=uint8 T3=uint8,float16,float,bfloat16 T4=int32",
	"K!:int N!:int accuracy_level:int bits:int block_size!:int weight_prepacked:int")

// nBits is what the attributes say of B.
type nBits struct {
	n, k, block, blocks, bits int64
}

func nBitsOf(n *onnx.Node) (nBits, error) {
	s := nBits{n: n.Int("N", 0), k: n.Int("K", 0), block: n.Int("block_size", 0), bits: n.Int("bits", 4)}
	if s.bits != 2 && s.bits != 4 && s.bits != 8 {
		return s, onnx.Unsupportedf("attribute bits: %d is not supported", s.bits)
	}
	const most = 1 << 30
	if s.n < 1 || s.k < 1 || s.n > most || s.k > most || s.block < 16 || s.block > most || s.block&(s.block-1) != 0 {
		return s, onnx.Invalidf("expected N and K of at least 1 and a block_size that is a power of 2 of at least 16, received %d, %d and %d", s.n, s.k, s.block)
	}
	if n.In(4) != nil {
		return s, onnx.Unsupportedf("input 4 (g_idx) is not supported")
	}
	if v := n.Int("weight_prepacked", 0); v != 0 {
		return s, onnx.Unsupportedf("attribute weight_prepacked: %d is not supported", v)
	}
	s.blocks = (s.k + s.block - 1) / s.block
	return s, nil
}

// zeroBytes is the bytes of the packed zero points of a row.
func (s *nBits) zeroBytes() int64 { return (s.blocks*s.bits + 7) / 8 }

func inferNBits(c *opdef.Infer) error {
	s, err := nBitsOf(c.Node)
	if err != nil {
		return err
	}
	a, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(0, c.Elem(0))
		return err
	}
	if len(a) == 0 {
		return onnx.Invalidf("expected A of rank 1 or more, received %v", c.Ins[0])
	}
	if last := a[len(a)-1]; last.IsFixed() && last.N != s.k {
		return onnx.Invalidf("expected A with a last axis of %d, received %v", s.k, c.Ins[0])
	}
	c.Set(0, c.Elem(0), append(slices.Clone(a[:len(a)-1]), onnx.Dim{N: s.n})...)
	return nil
}

// Columns of the product that are computed together, and steps of their sums that are widened at a time, so that these stay
// in a near cache. Neither changes a result: a sum is one chain in the order of k.
const (
	nBitsCols  = 64
	nBitsSteps = 512
)

// widenBits computes some columns of the product.
type widenBits struct {
	nBits
	table         *gemm.Table[float32]
	m             int
	a, y, bias    []float32
	b, zeros      []byte
	scales, wides []float32 // wides: zero points that are floats
	scratch       []float32
	each          int // elements of scratch of each worker
}

func compileNBits(c *opdef.Compile) (opdef.Step, error) {
	s, err := nBitsOf(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	table := gemmTable[float32](c.Generic)
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int { return 4 * max(b.Threads, 1) * nBitsScratch(table, rowsOf(b.In[0].Shape)) },
		Cost: func(b *opdef.Bound) opdef.Cost {
			return productCost(b, 1, rowsOf(b.In[0].Shape), int(s.n), int(s.k))
		},
		State: func() any { return &widenBits{nBits: s, table: table} },
		Run:   func(r *opdef.Run) error { return r.State.(*widenBits).run(r) },
	}, nil
}

// noFloat64 is the compiler for a type that there is no kernel for.
func noFloat64(*opdef.Compile) (opdef.Step, error) { return opdef.Step{}, badElem(onnx.Float64) }

// rowsOf is the number of rows of a tensor of the given shape.
func rowsOf(shape []int) int { return product(shape[:max(len(shape)-1, 0)]) }

// nBitsScratch is the elements that a worker needs.
func nBitsScratch(t *gemm.Table[float32], m int) int {
	a, b := gemm.Operand[float32]{Stride: nBitsSteps}, gemm.Operand[float32]{Stride: nBitsCols}
	return nBitsSteps*nBitsCols + nBitsCols*16 + gemm.Scratch(t, 1, m, nBitsCols, nBitsSteps, a, b)
}

func (w *widenBits) run(r *opdef.Run) error {
	a := r.In[0].Shape
	if len(a) == 0 || int64(a[len(a)-1]) != w.k {
		return onnx.Invalidf("expected A with a last axis of %d, received shape %v", w.k, a)
	}
	w.m, w.a, w.y, w.bias = rowsOf(a), opdef.Of[float32](r.In[0]), opdef.Of[float32](r.Out[0]), inputOf[float32](r, 5)
	w.b, w.scales, w.zeros, w.wides = opdef.Of[uint8](r.In[1]), opdef.Of[float32](r.In[2]), nil, nil
	zeros := w.n * w.blocks
	if r.Has(3) && r.In[3].Elem == onnx.Uint8 {
		w.zeros, zeros = opdef.Of[uint8](r.In[3]), w.n*w.zeroBytes()
	} else if r.Has(3) {
		w.wides = opdef.Of[float32](r.In[3])
	}
	for _, x := range []struct {
		name       string
		have, want int64
	}{
		{"B", int64(len(w.b)), w.n * (w.blocks * w.block / 8 * w.bits)},
		{"scales", int64(len(w.scales)), w.n * w.blocks},
		{"zero_points", int64(max(len(w.zeros), len(w.wides))), zeros},
		{"bias", int64(len(w.bias)), w.n},
	} {
		if x.have != x.want && (x.have > 0 || x.name == "B" || x.name == "scales") {
			return onnx.Invalidf("%s: expected %d elements, received %d", x.name, x.want, x.have)
		}
	}
	if w.m == 0 {
		return nil
	}
	w.each, w.scratch = nBitsScratch(w.table, w.m), onnx.View[float32](r.Scratch)
	r.Team.DoWorkers(int((w.n+nBitsCols-1)/nBitsCols), w)
	return nil
}

// Tile computes nBitsCols columns of the product.
func (w *widenBits) Tile(worker, i int) {
	scratch := w.scratch[worker*w.each : (worker+1)*w.each]
	panel, looks, rest := scratch[:nBitsSteps*nBitsCols], scratch[nBitsSteps*nBitsCols:][:nBitsCols*16], scratch[nBitsSteps*nBitsCols+nBitsCols*16:]
	j0, n, k := i*nBitsCols, int(w.n), int(w.k)
	cols := min(nBitsCols, n-j0)
	e := gemm.Epilogue[float32]{}
	if w.bias != nil {
		e.Start, e.Bias = gemm.FromColBias, w.bias[j0:j0+cols]
	}
	for k0 := 0; k0 < k; k0 += nBitsSteps {
		steps := min(nBitsSteps, k-k0)
		w.widen(panel, looks, j0, cols, k0, steps)
		a := gemm.Operand[float32]{Data: w.a[k0:], Stride: k}
		gemm.Mul(w.table, nil, w.m, cols, steps, a, gemm.Operand[float32]{Data: panel, Stride: cols}, w.y[j0:], n, e, rest)
		e = gemm.Epilogue[float32]{Start: gemm.FromC}
	}
}

// widen writes the numbers k0 to k0+steps of cols rows of B from j0 on into panel, [steps, cols].
func (w *widenBits) widen(panel, looks []float32, j0, cols, k0, steps int) {
	block := int(w.block)
	for k := k0; k < k0+steps; {
		at := k / block
		end := min(at*block+block, k0+steps)
		switch to := panel[(k-k0)*cols : (end-k0)*cols]; w.bits {
		case 4:
			w.widen4(to, looks, j0, cols, at, k%block)
		default:
			w.widenAny(to, j0, cols, at, k%block)
		}
		k = end
	}
}

// point is the scale and the zero point of a block of a row.
func (w *widenBits) point(row, at int) (scale, zero float32) {
	i := row*int(w.blocks) + at
	switch {
	case w.wides != nil:
		zero = w.wides[i]
	case w.zeros == nil:
		zero = float32(int(1) << (w.bits - 1))
	default:
		bits := int(w.bits)
		zero = float32(w.zeros[row*int(w.zeroBytes())+at*bits/8] >> (at * bits % 8) & byte(1<<bits-1))
	}
	return w.scales[i], zero
}

// bytesOf is the bytes of a block of a row.
func (w *widenBits) bytesOf(row, at int) []byte {
	n := int(w.block * w.bits / 8)
	lo := (row*int(w.blocks) + at) * n
	return w.b[lo : lo+n]
}

// widen4 widens numbers of block at of some rows, from number first on, which is even: a table of the 16 values of each row
// lies in looks, so that a number costs a look.
func (w *widenBits) widen4(to, looks []float32, j0, cols, at, first int) {
	for j := range cols {
		scale, zero := w.point(j0+j, at)
		look := looks[16*j : 16*j+16]
		for v := range look {
			look[v] = (float32(v) - zero) * scale
		}
	}
	pairs, rest := len(to)/cols/2, len(to)/cols%2
	for j := range cols {
		from, look := w.bytesOf(j0+j, at)[first/2:], (*[16]float32)(looks[16*j:])
		p := j
		for _, v := range from[:pairs] {
			to[p], to[p+cols] = look[v&15], look[v>>4]
			p += 2 * cols
		}
		if rest > 0 {
			to[p] = look[from[pairs]&15]
		}
	}
}

// widenAny is widen4 for any number of bits, one number at a time.
func (w *widenBits) widenAny(to []float32, j0, cols, at, first int) {
	bits := int(w.bits)
	for j := range cols {
		from := w.bytesOf(j0+j, at)
		scale, zero := w.point(j0+j, at)
		for i := range len(to) / cols {
			bit := (first + i) * bits
			v := from[bit/8] >> (bit % 8) & byte(1<<bits-1)
			to[i*cols+j] = (float32(v) - zero) * scale
		}
	}
}

func gradNBits(c *opdef.Grad) error {
	if c.Needs(2) || c.Needs(3) {
		return onnx.Unsupportedf("the gradient of scales and zero_points is not supported")
	}
	b := lowering{recipe{&opdef.Rewrite{Builder: c.Builder, Node: c.Node}}}
	w, err := b.nBits()
	if err != nil {
		return err
	}
	c.SetDX(0, c.Op("MatMul", values{c.DY(0), w}))
	if c.Needs(5) {
		c.SetDX(5, sumTo(c, c.DY(0), c.In(5)))
	}
	return nil
}

func expandNBits(b lowering) error {
	w, err := b.nBits()
	if err != nil {
		return err
	}
	return b.finish(b.sum(b.do("MatMul", b.in(0), b.transpose(w, 1, 0)), b.in(5)))
}

// nBits is B, [N, K], in the type of A.
func (b lowering) nBits() (*onnx.Value, error) {
	s, err := nBitsOf(b.Node)
	if err != nil {
		return nil, err
	}
	rows, cols, block, blocks, bits := s.n, s.k, s.block, s.blocks, s.bits
	w := b.narrow(b.in(1), bits, rows, blocks*block, cols)
	scale := b.sized(b.in(2), rows, blocks)
	zero, kind := b.in(3), onnx.Int("axis", 1)
	size := onnx.Int("block_size", block)
	switch {
	case zero == nil:
		zero = b.do("Expand", b.half(bits), b.ints(rows, blocks))
	case zero.Type.Elem == onnx.Uint8:
		zero = b.narrow(zero, bits, rows, s.zeroBytes()*8/bits, blocks)
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
