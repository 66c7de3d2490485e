package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NonZero is the places of the elements that are not zero, in row-major order: [rank, number]. NaN is not zero, a string is
// zero when it is empty. Versions differ in types only.
var opNonZero = opdef.Def{
	Type: "NonZero",
	Infer: func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			c.Set(0, onnx.Int64, onnx.Unknown, onnx.Unknown)
			return nil
		}
		c.Set(0, onnx.Int64, onnx.Fixed(len(x)), onnx.Unknown)
		return nil
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		truth, err := truthOf(c.Elem(0))
		return moveStep(c, opdef.Step{Data: true}, func(m *mover) error { return runNonZero(m, truth) }), err
	},
	Grad: opdef.ZeroGrad,
}

// truthOf tells which elements of type e are not zero.
func truthOf(e onnx.ElemType) (func(a array, i int) bool, error) {
	if e == onnx.String {
		return func(a array, i int) bool { return a.s[i] != "" }, nil
	}
	mask := byte(0x7f) // of the highest byte: the sign of a floating-point number does not matter
	switch {
	case e.IsInteger() || e == onnx.Bool:
		mask = 0xff
	case e == onnx.Complex64 || e == onnx.Complex128:
		half := e.Size() / 2
		return func(a array, i int) bool {
			return anyBit(a.b[i*2*half:i*2*half+half], 0x7f) || anyBit(a.b[i*2*half+half:(i+1)*2*half], 0x7f)
		}, nil
	case !e.IsFloat():
		return nil, badElem(e)
	}
	return func(a array, i int) bool { return anyBit(a.b[i*a.size:(i+1)*a.size], mask) }, nil
}

func anyBit(b []byte, mask byte) bool {
	for _, v := range b[:len(b)-1] {
		if v != 0 {
			return true
		}
	}
	return b[len(b)-1]&mask != 0
}

func runNonZero(m *mover, truth func(array, int) bool) error {
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	count := 0
	for i := range x.len() {
		count += b2i(truth(x, i))
	}
	shape, to := m.shape(0), m.take(2)
	to[0], to[1] = len(shape), count
	y, err := m.bound(0, onnx.Int64, to)
	if err != nil {
		return err
	}
	out, col := opdef.Of[int64](y), 0
	for i := range x.len() {
		if !truth(x, i) {
			continue
		}
		rest := i
		for a := len(shape) - 1; a >= 0; a-- {
			out[a*count+col] = int64(rest % shape[a])
			rest /= shape[a]
		}
		col++
	}
	return nil
}
