package onnxgo_test

import (
	"fmt"
	"log"

	"github.com/gneiss-ml/gneiss/interop/onnxgo"
	"github.com/gneiss-ml/gneiss/onnx"
	upstream "github.com/owulveryck/onnx-go"
	"gorgonia.org/tensor"
)

// file is the bytes of a model in ONNX's text syntax.
func file(text string) []byte {
	m, err := onnx.ParseText(text)
	if err != nil {
		log.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// perceptron is relu(x·w + b).
const perceptron = `<ir_version: 4, opset_import: ["" : 9]> perceptron (float[1,2] x) => (float[1,2] y)
	<float[2,2] w = {1, 2, 3, 4}, float[2] b = {0.5, -100}> { h = MatMul(x, w) s = Add(h, b) y = Relu(s) }`

// A program written against onnx-go changes one line: the backend.
func ExampleGraph() {
	backend := onnxgo.NewGraph(onnxgo.Options{Opset: 9}) // was: gorgonnx.NewGraph()
	model := upstream.NewModel(backend)
	if err := model.UnmarshalBinary(file(perceptron)); err != nil {
		log.Fatal(err)
	}
	if err := model.SetInput(0, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{1, 2}))); err != nil {
		log.Fatal(err)
	}
	if err := backend.Run(); err != nil {
		log.Fatal(err)
	}
	output, err := model.GetOutputTensors()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(output[0].Shape(), output[0].Data())
	// Output: (1, 2) [7.5 0]
}

// With the model changed as well, the same program runs what onnx-go's reader does not know: here a branch.
func ExampleModel() {
	backend := onnxgo.NewGraph(onnxgo.Options{})
	model := onnxgo.NewModel(backend) // was: onnx.NewModel(backend)
	err := model.UnmarshalBinary(file(`<ir_version: 8, opset_import: ["" : 17]> branch (bool c, float[2] x) => (float[2] y) {
		y = If(c) <then_branch = t () => (float[2] a) { a = Neg(x) }, else_branch = e () => (float[2] b) { b = Exp(x) }>
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for i, t := range []tensor.Tensor{tensor.New(tensor.FromScalar(true)), tensor.New(tensor.WithBacking([]float32{1, -2}))} {
		if err := model.SetInput(i, t); err != nil {
			log.Fatal(err)
		}
	}
	if err := backend.Run(); err != nil {
		log.Fatal(err)
	}
	output, err := model.GetOutputTensors()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(output[0].Data())
	// Output: [-1 2]
}

func ExampleOpset() {
	fmt.Println(onnxgo.Opset(file(perceptron)))
	// Output: 9 <nil>
}

func ExampleFromGorgonia() {
	t := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	if err := t.T(); err != nil { // a transposed view
		log.Fatal(err)
	}
	x, err := onnxgo.FromGorgonia(t)
	fmt.Println(x.Shape, onnx.Data[float32](x), err)
	// Output: [3 2] [1 4 2 5 3 6] <nil>
}

func ExampleToGorgonia() {
	t, err := onnxgo.ToGorgonia(onnx.Vector[int64](1, 2, 3))
	fmt.Println(t, err)
	// Output: [1  2  3] <nil>
}
