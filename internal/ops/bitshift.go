package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// BitShift: Z is X shifted by Y bits in the given direction, with broadcasting. Shifting by the number of bits or more gives 0
// (-1 for a negative number to the right). A negative number of bits is an error.
//
// Opset 28: signed integers.
var opBitShift = opdef.Def{
	Type:    "BitShift",
	Infer:   inferVariadic,
	Compile: compileBitShift,
	Grad:    opdef.ZeroGrad,
}

func compileBitShift(c *opdef.Compile) (opdef.Step, error) {
	op := vec.ShiftLeft
	switch d := c.Node.Str("direction", ""); d {
	case "LEFT":
	case "RIGHT":
		op = vec.ShiftRight
	default:
		return opdef.Step{}, onnx.Invalidf("direction: expected \"LEFT\" or \"RIGHT\", received %.128q", d)
	}
	return guarded(bitwise(op), negative, "a shift by a negative number of bits")(c)
}
