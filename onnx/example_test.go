package onnx_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/gneiss-ml/gneiss/onnx"
)

// relu is the model that the examples read: y = Relu(x + w).
const relu = `
	<ir_version: 10, opset_import: ["" : 22]>
	g (float[N,2] x) => (float[N,2] y) <float[2] w = {1, -1}> {
		[add] s = Add (x, w)
		[act] y = Relu (s)
	}`

func example() *onnx.Model {
	m, err := onnx.ParseText(relu)
	if err != nil {
		panic(err)
	}
	return m
}

func ExampleModel() {
	m := example()
	m.Producer = "example"
	fmt.Print(m.Text())
	// Output:
	// <
	//    ir_version: 10,
	//    opset_import: ["" : 22],
	//    producer_name: "example"
	// >
	// g (float[N,2] x) => (float[N,2] y)
	//    <float[2] w = {1, -1}>
	//  {
	//    [add] s = Add (x, w)
	//    [act] y = Relu (s)
	// }
}

func ExampleDecode() {
	b, err := example().Encode()
	if err != nil {
		panic(err)
	}
	m, err := onnx.Decode(b)
	fmt.Println(m.Graph.Name, len(m.Graph.Nodes), err)
	_, err = onnx.Decode(b[:len(b)-3])
	fmt.Println(errors.Is(err, onnx.ErrInvalid))
	// Output:
	// g 2 <nil>
	// true
}

func ExampleModel_WriteFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.onnx")
	if err := example().WriteFile(path); err != nil {
		panic(err)
	}
	m, err := onnx.ReadFile(path)
	fmt.Println(m.Graph.Inputs[0].Type, err)
	// Output: float[N,2] <nil>
}

func ExampleWriteOptions() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	// Tensors of 4 bytes or more go into a second file.
	err = onnx.WriteOptions{External: 4}.WriteFile(example(), filepath.Join(dir, "model.onnx"))
	if err != nil {
		panic(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	fmt.Println(len(files), err)
	// Output: 2 <nil>
}

func ExampleReadFS() {
	b, err := example().Encode()
	if err != nil {
		panic(err)
	}
	fsys := fstest.MapFS{"models/relu.onnx": {Data: b}} // or an embed.FS
	m, err := onnx.ReadFS(fsys, "models/relu.onnx")
	fmt.Println(m.Graph.Name, err)
	// Output: g <nil>
}

func ExampleReadOptions() {
	b, err := example().Encode()
	if err != nil {
		panic(err)
	}
	o := onnx.ReadOptions{Limits: onnx.Limits{Message: 100}}
	_, err = o.Decode(b)
	var limit *onnx.LimitError
	fmt.Println(errors.As(err, &limit), errors.Is(err, errors.ErrUnsupported))
	// Output: true true
}

func ExampleGraph() {
	g := onnx.NewGraph("twice", nil)
	g.SetOpset("", 22)
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N")))
	y := g.Add("", "Add", 1, []*onnx.Value{x, x}).Out(0)
	y.Type = x.Type
	g.Outputs = []*onnx.Value{y}
	fmt.Print(g.Text())
	// Output:
	// twice (float[N] x) => (float[N] add_y) {
	//    [add] add_y = Add (x, x)
	// }
}

func ExampleNode() {
	n := example().Graph.Nodes[0]
	fmt.Println(n.Label(), n.Operator(), n.Opset(), n.In(1).Name, n.Out(0).Name)
	fmt.Println(n.Text())
	// Output:
	// add Add 22 w s
	// [add] s = Add (x, w)
}

func ExampleValue() {
	g := example().Graph
	s := g.Nodes[0].Out(0)
	fmt.Println(s.Name, "is made by", s.Node().Name, "and read by", s.Uses()[0].Node.Name)
	w := g.Initializers[0]
	fmt.Println(w.Name, w.Type, onnx.Data[float32](w.Init))
	// Output:
	// s is made by add and read by act
	// w float[2] [1 -1]
}

func ExampleAttribute() {
	n := onnx.NewGraph("g", nil).Add("", "Conv", 1, nil, onnx.Ints("pads", 1, 1, 1, 1), onnx.Str("auto_pad", "NOTSET"))
	pads, ok := n.Ints("pads")
	fmt.Println(pads, ok, n.Int("group", 1))
	// Output: [1 1 1 1] true 1
}

func ExampleTensor() {
	t, err := onnx.NewTensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	fmt.Println(t, onnx.Data[float32](t), err)
	_, err = onnx.NewTensor([]float32{1, 2}, 3)
	fmt.Println(err)
	// Output:
	// float[2,3] [1 2 3 4 5 6] <nil>
	// onnx: shape [3]: expected 3 elements, received 2
}

func ExampleType() {
	image := onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(3), onnx.Unknown)
	fmt.Println(image, image.Rank(), image.IsFixed())
	fmt.Println(onnx.SequenceOf(onnx.Unranked(onnx.Int64)).TypeString())
	// Output:
	// float[N,3,?] 3 false
	// seq(tensor(int64))
}

func ExampleBuilder() {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", 22)
	b := onnx.NewBuilder(g, nil) // onnx/shape.NewBuilder makes one that infers types
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(2)))
	h := b.Op("Mul", []*onnx.Value{x, b.Const(onnx.Scalar[float32](2))})
	g.Outputs = []*onnx.Value{b.Op("Relu", []*onnx.Value{h})}
	fmt.Println(b.Err())
	fmt.Print(g.Text())
	// Output:
	// <nil>
	// g (float[2] x) => (relu_y)
	//    <float const = {2}>
	//  {
	//    [mul] mul_y = Mul (x, const)
	//    [relu] relu_y = Relu (mul_y)
	// }
}

func ExampleNameError() {
	_, err := onnx.ParseText(`<opset_import: ["" : 22]> g () => (float y) { y = Neg (x) }`)
	var name *onnx.NameError
	fmt.Println(errors.As(err, &name), errors.Is(err, onnx.ErrUndefined))
	fmt.Println(err)
	// Output:
	// true true
	// onnx: graph.node[0].input[0]: value "x" is not defined
}

func ExampleSyntaxError() {
	_, err := onnx.ParseText("g (float x) =>\n(float y { }")
	var syntax *onnx.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Println(syntax.Line, syntax.Column, syntax.Text)
	}
	// Output: 2 10 expected ")"
}

func ExampleSequence() {
	s := &onnx.Sequence{Of: onnx.Unranked(onnx.Float32), Items: []onnx.Object{onnx.Vector[float32](1, 2), onnx.Scalar[float32](3)}}
	b, err := onnx.EncodeObject(s)
	if err != nil {
		panic(err)
	}
	o, err := onnx.DecodeObject(b, s.ObjectType())
	fmt.Println(len(o.(*onnx.Sequence).Items), err)
	// Output: 2 <nil>
}

func ExampleOptional() {
	o := &onnx.Optional{Of: onnx.Unranked(onnx.Int64)}
	fmt.Println(o.ObjectType().TypeString(), o.Item == nil)
	// Output: optional(tensor(int64)) true
}

func ExampleMap() {
	scores := &onnx.Sequence{Items: []onnx.Object{onnx.Scalar[float32](0.25), onnx.Scalar[float32](0.75)}}
	m := &onnx.Map{Keys: onnx.Vector[int64](0, 1), Values: scores}
	fmt.Println(m.ObjectType().TypeString())
	// Output: map(int64,tensor(float))
}

func ExampleSparseTensor() {
	s := &onnx.SparseTensor{Values: onnx.Vector[float32](5), Indices: onnx.Vector[int64](4), Dims: []int{2, 3}}
	fmt.Println(s.ObjectType())
	// Output: sparse_tensor(float[2,3])
}
