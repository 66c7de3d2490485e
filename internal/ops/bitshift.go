package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// BitShift: Z is X shifted by Y bits in the given direction, with broadcasting. Shifting by the number of bits or more, or by
// a negative number of bits, gives 0 (-1 for a negative number to the right).
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
	return bitwise(op)(c)
}
