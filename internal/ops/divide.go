package ops

import (
	"bytes"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// dividing compiles an operator whose second input must have no 0 when it is an integer.
func dividing(compile compiler) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		if !c.Elem(0).IsInteger() {
			return compile(c)
		}
		return guarded(compile, zero, "integer division by zero")(c)
	}
}

// guarded compiles an operator that fails when bad holds for an element of the second input, unless the output is empty.
func guarded(compile compiler, bad func(element []byte) bool, message string) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		s, err := compile(c)
		run := s.Run
		s.Run = func(r *opdef.Run) error {
			size, data := r.In[1].Elem.Size(), r.In[1].Data
			for i := 0; i < len(data) && len(r.Out[0].Data) > 0; i += size {
				if bad(data[i : i+size]) {
					return onnx.Invalidf("%s", message)
				}
			}
			return run(r)
		}
		if c.Elem(0).IsUnsigned() && !bad([]byte{0}) {
			s.Run = run // unsigned numbers are never negative
		}
		return s, err
	}
}

// zero reports whether a little-endian integer is 0.
func zero(element []byte) bool { return len(bytes.Trim(element, "\x00")) == 0 }

// negative reports whether a little-endian signed integer is below 0.
func negative(element []byte) bool { return element[len(element)-1]&0x80 != 0 }
