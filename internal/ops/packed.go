package ops

import (
	"sync"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// packed is an input that never changes, in the forms that kernels read. Each form is made when it is first needed and kept
// as long as the step, for all of its runs.
type packed[T gemm.Float] struct {
	data  []T
	mu    sync.Mutex
	forms map[string][]T // by format
}

// packedInput is input i of a step when it is a constant of elements T; nil otherwise.
func packedInput[T gemm.Float](c *opdef.Compile, i int) *packed[T] {
	t := c.Const(i)
	if t == nil || t.Elem != onnx.ElemOf[T]() {
		return nil
	}
	return &packed[T]{data: onnx.View[T](t.Bytes()), forms: map[string][]T{}}
}

// form is the input in a format of size elements, which pack writes.
func (p *packed[T]) form(format string, size int, pack func(dst, data []T)) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	form, ok := p.forms[format]
	if !ok {
		form = make([]T, size)
		pack(form, p.data)
		p.forms[format] = form
	}
	return form
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
	if p == nil || !gemm.PacksB(t, m, n, k, a, b) {
		return b
	}
	form := p.form(t.Format(), gemm.PackedB(t, k, n), func(dst, _ []T) { gemm.PackB(t, dst, k, n, b) })
	return gemm.Operand[T]{Data: form, Packed: true}
}
