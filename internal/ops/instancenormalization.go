package ops

import "github.com/gneiss-ml/gneiss/internal/opdef"

// InstanceNormalization: y = scale·(x - mean)/√(variance + epsilon) + B, where mean and population variance are those of each
// channel of each sample.
//
// Opset 1: consumed_inputs. 6, 22: types.
var opInstanceNormalization = opdef.Def{
	Type:    "InstanceNormalization",
	Infer:   inferGroups,
	Compile: rowNormFloats(channelGroups, true),
	Grad:    gradGroups,
	Upgrade: dropConsumed,
}
