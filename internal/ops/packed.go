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

// form is the input in a format of size elements, which pack writes.
func (p *packed[T]) form(format string, size int, pack func(dst, data []T)) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	form, ok := p.forms[format]
	if !ok {
		form = onnx.View[T](onnx.Bytes(size * int(onnx.ElemOf[T]().Size())))
		p.unpacked(func(data []T) { pack(form, data) })
		p.forms[format] = form
	}
	return form
}

// unpackedBytes are buffers for inputs while they are packed.
var unpackedBytes sync.Pool

// unpacked lends the input as it is to use.
func (p *packed[T]) unpacked(use func(data []T)) {
	scratch, _ := unpackedBytes.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	b, err := p.t.Peek(*scratch)
	if err != nil {
		panic(opdef.Fault{Err: err})
	}
	var z T
	if len(b) > 0 && uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(z) != 0 {
		*scratch = append((*scratch)[:0], b...)
		b = *scratch
	}
	use(onnx.View[T](b))
	if !p.t.Held() && cap(b) > cap(*scratch) {
		*scratch = b
	}
	unpackedBytes.Put(scratch)
}

// plain is the input as it is, for kernels that read it so: a form like the others.
func (p *packed[T]) plain() []T {
	if p.t.Held() {
		if b := p.t.Bytes(); len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(*new(T)) == 0 {
			return onnx.View[T](b)
		}
	}
	return p.form("plain", p.t.Len(), func(dst, data []T) { copy(dst, data) })
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
	form := p.form(t.Format(), gemm.PackedB(t, k, n), func(dst, data []T) {
		b.Data = data
		gemm.PackB(t, dst, k, n, b)
	})
	return gemm.Operand[T]{Data: form, Packed: true}
}
