package check_test

import (
	"errors"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/check"
)

// faulty is a model with an attribute that its operator lacks.
func faulty() *onnx.Model {
	m, err := onnx.ParseText(`
		<ir_version: 10, opset_import: ["" : 22]>
		g (float[N] x) => (float[N] y) { [act] y = Relu <alpha = 0.1> (x) }`)
	if err != nil {
		panic(err)
	}
	return m
}

func ExampleFault() {
	for _, f := range check.Model(faulty(), check.Options{}) {
		fmt.Println(f.Node, f.Op, f.Field)
	}
	// Output: act Relu attribute "alpha"
}

func ExampleError() {
	err := check.Err(check.Model(faulty(), check.Options{}))
	var faults check.Error
	fmt.Println(errors.As(err, &faults), len(faults), errors.Is(err, onnx.ErrInvalid))
	// Output: true 1 true
}

func ExampleOptions() {
	m, err := onnx.ParseText(`
		<ir_version: 10, opset_import: ["" : 22, "own" : 1]>
		g (float[N] x) => (float[N] y) { y = own.Foo (x) }`)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(check.Model(m, check.Options{})), len(check.Model(m, check.Options{Strict: true})))
	// Output: 0 1
}
