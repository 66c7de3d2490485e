package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.GradientOf: ai.onnx.preview.training.Gradient with the values that it names as further inputs, behind those to put in
// their place: xs, zs and y. The attribute xs is the number of xs. It stands in a graph only while that is prepared.
var opGradientOf = opdef.Def{
	Type:   "GradientOf",
	Domain: onnx.Private,
	Schema: &schema.Schema{
		MinIn: 3, MaxIn: math.MaxInt, MinOut: 1, MaxOut: math.MaxInt,
		Attributes: []schema.Attribute{{Name: "xs", Kind: schema.Int, Required: true}},
	},
	Infer: inferGradient,
	Compile: func(*opdef.Compile) (opdef.Step, error) {
		return opdef.Step{}, onnx.Internalf("a gradient was not taken")
	},
	Grad: opdef.NoGrad,
}
