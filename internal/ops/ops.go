// Package ops holds every operator, one file each, named like the operator. All lists them.
package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// All is the built-in set of operators.
var All = opdef.NewSet(nil,
	&opAdd,
	&opGemm,
	&opMatMul,
	&opMul,
	&opSub,
	&opSumTo,
	&opZerosLike,
)

// values is a list of inputs of a node.
type values = []*onnx.Value
