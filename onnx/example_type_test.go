package onnx_test

import (
	"errors"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
)

func ExampleElemType() {
	for _, e := range []onnx.ElemType{onnx.Float32, onnx.BFloat16, onnx.Int4, onnx.String} {
		bytes, _ := e.NumBytes(3)
		fmt.Println(e, e.Bits(), bytes)
	}
	// Output:
	// float 32 12
	// bfloat16 16 6
	// int4 4 2
	// string 0 0
}

func ExampleKind() {
	t := onnx.SequenceOf(onnx.TensorOf(onnx.Int64, onnx.Named("N")))
	fmt.Println(t.Kind == onnx.KindSequence, t.Of.Kind == onnx.KindTensor, t)
	// Output: true true seq(int64[N])
}

func ExampleAttrKind() {
	a := onnx.Ints("strides", 2, 2)
	fmt.Println(a.Kind == onnx.AttrInts, a.Ints)
	// Output: true [2 2]
}

func ExampleNumber() {
	fmt.Println(onnx.ElemOf[float32](), onnx.ElemOf[onnx.F16](), onnx.ElemOf[bool]())
	// Output: float float16 bool
}

func ExampleEntry() {
	m := example()
	m.Metadata = []onnx.Entry{{Key: "task", Value: "digits"}}
	fmt.Println(m.Metadata[0].Key, m.Metadata[0].Value)
	// Output: task digits
}

func ExampleNodeError() {
	n := example().Graph.Nodes[0]
	err := onnx.At(n, onnx.Invalidf("shapes do not broadcast"))
	var e *onnx.NodeError
	fmt.Println(errors.As(err, &e), e.Node, e.OpType, errors.Is(err, onnx.ErrInvalid))
	// Output: true add Add true
}

func ExampleCopied() {
	m := example()
	g, parts := m.Graph.Copy(nil)
	fmt.Println(parts.Values[m.Graph.Inputs[0]] == g.Inputs[0], parts.Nodes[m.Graph.Nodes[1]].Name)
	// Output: true act
}

func ExampleUpdate() {
	g := onnx.NewGraph("counter", nil)
	n := g.Initializer("n", onnx.TensorOf(onnx.Int64), onnx.Scalar[int64](0))
	one := g.Initializer("one", onnx.TensorOf(onnx.Int64), onnx.Scalar[int64](1))
	next := g.Add("", "Add", 1, []*onnx.Value{n, one}).Out(0)
	g.Updates = append(g.Updates, onnx.Update{Var: n, New: next})
	fmt.Println(g.Updates[0].Var.Name, "becomes", next.Name)
	// Output: n becomes add_y
}

func ExampleFunction() {
	m, err := onnx.ParseText(`
		<ir_version: 10, opset_import: ["" : 22, "own" : 1]>
		g (float[N] x) => (float[N] y) { y = own.Twice (x) }
		<domain: "own", opset_import: ["" : 22]>
		Twice (a) => (b) { b = Add (a, a) }`)
	if err != nil {
		panic(err)
	}
	f := m.Functions[0]
	fmt.Println(f.Domain, f.Name, len(f.Body.Nodes))
	// Output: own Twice 1
}

func ExampleTrainingInfo() {
	m := example()
	m.Training = []*onnx.TrainingInfo{{
		Algorithm: onnx.NewGraph("step", nil), UpdateBinding: []onnx.Entry{{Key: "w", Value: "w_new"}},
	}}
	fmt.Println(m.Training[0].UpdateBinding[0].Key)
	// Output: w
}
