package schema_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx/schema"
)

func ExampleLookup() {
	s, ok := schema.Lookup("", "Softmax", 12)
	fmt.Println(ok, s.Name, s.Since, s.Attribute("axis").I)
	s, ok = schema.Lookup("", "Softmax", 28)
	fmt.Println(ok, s.Name, s.Since, s.Attribute("axis").I)
	// Output:
	// true Softmax 11 1
	// true Softmax 13 -1
}

func ExampleSchema() {
	s, _ := schema.Newest("", "Conv")
	fmt.Println(s.Name, s.Since, "takes", s.MinIn, "to", s.MaxIn, "inputs")
	for _, a := range s.Attributes {
		fmt.Println(a.Name, a.Required, a.HasDefault)
	}
	// Output:
	// Conv 22 takes 2 to 3 inputs
	// auto_pad false true
	// dilations false false
	// group false true
	// kernel_shape false false
	// pads false false
	// strides false false
}

func ExampleSchema_Body() {
	s, _ := schema.Newest("", "HardSwish")
	function, ok := s.Body(schema.MaxOpset(""))
	fmt.Println(len(function) > 0, ok)
	// Output: true true
}

func ExampleParam() {
	s, _ := schema.Newest("", "Gemm")
	for _, p := range s.Inputs {
		fmt.Println(p.Name, p.Type, p.Option == schema.Optional, p.Diff == schema.DiffYes)
	}
	// Output:
	// A T false true
	// B T false true
	// C T true true
}

func ExampleTypeSet_Allows() {
	s, _ := schema.Newest("", "NonZero")
	fmt.Println(s.Constraint("T").Allows("tensor(bool)"), s.Constraint("T").Allows("seq(tensor(bool))"))
	// Output: true false
}

func ExampleAttribute() {
	s, _ := schema.Newest("", "Gemm")
	alpha := s.Attribute("alpha")
	fmt.Println(alpha.Kind == schema.Float, alpha.HasDefault, alpha.F)
	// Output: true true 1
}

func ExampleVersions() {
	for _, s := range schema.Versions("", "Clip") {
		fmt.Print(s.Since, " ")
	}
	// Output: 1 6 11 12 13
}

func ExampleNames() {
	for name := range schema.Names("ai.onnx.preview.training") {
		fmt.Println(name)
	}
	// Output:
	// Adagrad
	// Adam
	// Gradient
	// Momentum
}

func ExampleTypeConstraint() {
	s, _ := schema.Lookup("", "Relu", 22)
	fmt.Println(s.Types[0].Name, s.Types[0].Types.Allows("tensor(float)"), s.Types[0].Types.Allows("tensor(string)"))
	// Output: T true false
}
