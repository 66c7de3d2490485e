package ops

import (
	"sync"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// packed is an input that never changes, in the forms that kernels read. Each form is made when it is first needed and kept
// as long as the step, for all of its runs. The input itself need not stay in memory, so that the step lists it as ShapeOnly.
type packed[T gemm.Float] struct {
	t     *onnx.Tensor
	mu    sync.Mutex
	forms map[string][]T // by format
}

// packedInput is input i of a step when it is a constant of elements T; nil otherwise.
func packedInput[T gemm.Float](c *opdef.Compile, i int) *packed[T] {
	t := c.Const(i)
	if t == nil || t.Elem != onnx.ElemOf[T]() {
		return nil
	}
	return &packed[T]{t: t, forms: map[string][]T{}}
}

// shapeOnly is the inputs that a step with p as input i lists as such.
func (p *packed[T]) shapeOnly(i int) []int {
	if p == nil {
		return nil
	}
	return []int{i}
}

// form is the input in a format of size elements, which pack writes from all of the input.
func (p *packed[T]) form(format string, size int, pack func(dst, data []T)) []T {
	return p.formOf(format, size, p.t.Len(), func(dst, part []T, _ int) { pack(dst, part) })
}

// formOf is the same where pack can take the input in parts, each a multiple of unit elements: at is the place of the first.
func (p *packed[T]) formOf(format string, size, unit int, pack func(dst, part []T, at int)) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	form, ok := p.forms[format]
	if !ok {
		form = onnx.View[T](onnx.Bytes(size * int(onnx.ElemOf[T]().Size())))
		p.parts(unit, func(part []T, at int) { pack(form, part, at) })
		p.forms[format] = form
	}
	return form
}

// unpackedBytes are buffers of partBytes for inputs while they are packed.
var unpackedBytes = sync.Pool{New: func() any { b := onnx.Bytes(partBytes); return &b }}

// partBytes is about what is read before it is packed: it should stay in the second cache meanwhile.
const partBytes = 1 << 20

// parts lends the input as it is to use, in parts that are multiples of unit elements.
func (p *packed[T]) parts(unit int, use func(part []T, at int)) {
	scratch := unpackedBytes.Get().(*[]byte)
	defer unpackedBytes.Put(scratch)
	size := onnx.ElemOf[T]().Size()
	err := p.t.PeekParts(unit*size, *scratch, func(offset int, b []byte) { use(aligned[T](b), offset/size) })
	if err != nil {
		panic(opdef.Fault{Err: err})
	}
}

// aligned is b, or a copy, as elements.
func aligned[T gemm.Float](b []byte) []T {
	var z T
	if len(b) > 0 && uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(z) != 0 {
		b = append(onnx.Bytes(len(b))[:0], b...)
	}
	return onnx.View[T](b)
}

// plain is the input as it is, for kernels that read it so: a form like the others.
func (p *packed[T]) plain() []T {
	if p.t.Held() {
		if b := p.t.Bytes(); len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(*new(T)) == 0 {
			return onnx.View[T](b)
		}
	}
	return p.formOf("plain", p.t.Len(), 1, func(dst, part []T, at int) { copy(dst[at:], part) })
}

// held answers for opdef.Step.Held; nil for an input that is not packed.
func (p *packed[T]) held() func() int64 {
	if p == nil {
		return nil
	}
	return func() int64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := int64(0)
		for _, form := range p.forms {
			n += int64(len(form))
		}
		return n * int64(onnx.ElemOf[T]().Size())
	}
}

// operandB is b, which is all of p, packed if the product would otherwise pack it; p may be nil.
func (p *packed[T]) operandB(t *gemm.Table[T], m, n, k int, a, b gemm.Operand[T]) gemm.Operand[T] {
	if p == nil {
		return b
	}
	if !gemm.PacksB(t, m, n, k, a, b) {
		b.Data = p.plain()
		return b
	}
	form := p.formOf(t.Format(), gemm.PackedB(t, k, n), unitB(t, n, k, b), func(dst, part []T, at int) {
		b.Data = part
		if b.Trans {
			gemm.PackB(t, dst[at:], k, len(part)/max(k, 1), b)
		} else {
			gemm.PackBRows(t, dst, k, n, b, at/max(n, 1), len(part)/max(n, 1))
		}
	})
	return gemm.Operand[T]{Data: form, Packed: true}
}

// unitB is the least elements of b, n columns of k, that are packed at a time: whole panels, or so many rows that each panel
// gets more than a page of memory.
func unitB[T gemm.Float](t *gemm.Table[T], n, k int, b gemm.Operand[T]) int {
	if b.Trans {
		return min(t.Cols, n) * k
	}
	return min(rowsB, k) * n
}

const rowsB = 32
