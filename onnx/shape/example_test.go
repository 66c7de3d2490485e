package shape_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

func ExampleNewBuilder() {
	b := shape.NewBuilder("mlp")
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(4)))
	w := b.Graph.Initializer("w", onnx.TensorOf(onnx.Float32, onnx.Fixed(4), onnx.Fixed(10)), nil)
	y := b.Op("Relu", []*onnx.Value{b.Op("MatMul", []*onnx.Value{x, w})})
	fmt.Println(y.Type, b.Err())

	b.Op("Add", []*onnx.Value{x, w})
	fmt.Println(b.Err() != nil)
	// Output:
	// float[N,10] <nil>
	// true
}

func ExampleInferModel() {
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 13]>
g (float[N,3,4] x) => (float y)
{
   axes = Constant <value_ints: ints = [1]> ()
   h = ReduceSum <keepdims: int = 0> (x, axes)
   y = Concat <axis: int = 1> (h, h)
}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	types, err := shape.InferModel(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(types[m.Graph.Outputs[0]], m.Graph.Outputs[0].Type)
	// Output: float[N,8] float[]
}
