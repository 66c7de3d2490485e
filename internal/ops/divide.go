package ops

import (
	"bytes"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// dividing compiles an operator whose second input must have no 0 when it is an integer, unless the output is empty.
func dividing(compile compiler) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		s, err := compile(c)
		if err != nil || !c.Elem(0).IsInteger() {
			return s, err
		}
		run, size := s.Run, c.Elem(0).Size()
		s.Run = func(r *opdef.Run) error {
			if len(r.Out[0].Data) > 0 && hasZero(r.In[1].Data, size) {
				return onnx.Invalidf("integer division by zero")
			}
			return run(r)
		}
		return s, nil
	}
}

// hasZero reports whether one of the integers of the given size is 0.
func hasZero(data []byte, size int) bool {
	var zero [8]byte
	for ; len(data) >= size; data = data[size:] {
		if bytes.Equal(data[:size], zero[:size]) {
			return true
		}
	}
	return false
}
