package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// relu is a model of one node.
func relu() *onnx.Model {
	b := shape.NewBuilder("relu")
	x := b.Graph.Input("x", f32("N"))
	output(b, "y", b.Op("Relu", vs{x}))
	return onnx.NewModel(b.Graph)
}

func ExampleSession_Run() {
	s, err := runtime.New(relu(), runtime.Options{}) // a file: runtime.Open("model.onnx", runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Vector[float32](-1, 0, 2)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(onnx.Data[float32](out["y"]))
	// Output: [0 0 2]
}

func ExampleSession_Inputs() {
	s, err := runtime.New(relu(), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range append(s.Inputs(), s.Outputs()...) {
		fmt.Println(i.Name, i.Type)
	}
	_, err = s.Run(context.Background(), map[string]*onnx.Tensor{"image": onnx.Vector[float32](1)})
	fmt.Println(err)
	// Output:
	// x float[N]
	// y float[N]
	// runtime: no input is called "image"; the inputs are "x"
}

func ExampleSession_RunObjects() {
	b := shape.NewBuilder("list")
	x := b.Graph.Input("x", onnx.SequenceOf(f32("N")))
	output(b, "y", b.Op("Identity", vs{x}))
	s, err := runtime.New(onnx.NewModel(b.Graph), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	list := &onnx.Sequence{Items: []onnx.Object{onnx.Vector[float32](-1, 2), onnx.Vector[float32](3)}}
	out, err := s.RunObjects(context.Background(), map[string]onnx.Object{"x": list})
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range out["y"].(*onnx.Sequence).Items {
		fmt.Println(onnx.Data[float32](item.(*onnx.Tensor)))
	}
	// Output:
	// [-1 2]
	// [3]
}

func ExampleSession_Metadata() {
	m := relu()
	m.Producer, m.ModelVersion = "pytorch", 2
	s, err := runtime.New(m, runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	md := s.Metadata()
	fmt.Println(md.Producer, md.Version, md.Graph)
	// Output: pytorch 2 relu
}

// A run says at which node it failed, and of what kind the error is.
func ExampleNodeError() {
	b := shape.NewBuilder("add")
	x, y := b.Graph.Input("x", f32("N")), b.Graph.Input("y", f32("M"))
	output(b, "z", b.Op("Add", vs{x, y}))
	s, err := runtime.New(onnx.NewModel(b.Graph), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Vector[float32](1, 2), "y": onnx.Vector[float32](1, 2, 3)})
	var at *runtime.NodeError
	if errors.As(err, &at) {
		fmt.Println(at.Node, at.OpType, at.Inputs)
	}
	fmt.Println(errors.Is(err, onnx.ErrInvalid))
	// Output:
	// add Add [float[2] float[3]]
	// true
}

func ExampleBinding() {
	s, err := runtime.New(relu(), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	x, y := onnx.Vector[float32](-1, 0, 2), onnx.Vector[float32](0, 0, 0)
	b, err := s.Bind(map[string]*onnx.Tensor{"x": x}, map[string]*onnx.Tensor{"y": y})
	if err != nil {
		log.Fatal(err)
	}
	for step := range 2 {
		onnx.View[float32](x.Mutable())[0] = float32(step) // in place: no copies, no allocation
		if err := b.Run(context.Background()); err != nil {
			log.Fatal(err)
		}
		fmt.Println(onnx.Data[float32](y))
	}
	// Output:
	// [0 0 2]
	// [1 0 2]
}

func ExampleBinding_Profile() {
	s, err := runtime.New(relu(), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	b, err := s.Bind(map[string]*onnx.Tensor{"x": onnx.Vector[float32](-1, 0, 2)}, nil)
	if err != nil {
		log.Fatal(err)
	}
	b.Profile(func(e runtime.Event) { fmt.Println(e.OpType, e.Outputs) })
	if err := b.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: Relu [float[3]]
}

// Limits and named dims are plain fields; zero is the default.
func ExampleOptions() {
	s, err := runtime.New(relu(), runtime.Options{
		Engine:  runtime.Plain,
		Threads: 1,
		Dims:    map[string]int{"N": 3},
		Limits:  runtime.Limits{Memory: 1 << 20, Nodes: -1},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Inputs()[0].Type)
	// Output: float[3]
}

// square is an operator of one's own.
type square struct{}

func (square) Name() (domain, opType string) { return "com.example", "Square" }

func (square) Infer(_ *onnx.Node, in []onnx.Type) ([]onnx.Type, error) { return in[:1], nil }

func (square) Run(_ context.Context, _ *onnx.Node, in []*onnx.Tensor) ([]*onnx.Tensor, error) {
	x := slices.Clone(onnx.Data[float32](in[0]))
	for i := range x {
		x[i] *= x[i]
	}
	y, err := onnx.NewTensor(x, in[0].Shape...)
	return []*onnx.Tensor{y}, err
}

func ExampleOperator() {
	g := onnx.NewGraph("own", nil)
	x := g.Input("x", f32("N"))
	y := g.Add("com.example", "Square", 1, []*onnx.Value{x}).Out(0)
	y.Name = "y"
	g.Outputs = []*onnx.Value{y}

	_, err := runtime.New(onnx.NewModel(g), runtime.Options{})
	fmt.Println(err)
	s, err := runtime.New(onnx.NewModel(g), runtime.Options{Operators: []runtime.Operator{square{}}})
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Vector[float32](3, -2)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(onnx.Data[float32](out["y"]))
	// Output:
	// runtime: node "square", com.example.Square on (float[N]): operator "com.example.Square" is not supported: domain "com.example" is not known
	// [9 4]
}

// bad is an operator that breaks its promises.
type bad struct{ domain string }

func (b bad) Name() (domain, opType string) { return b.domain, "Bad" }

func (bad) Infer(_ *onnx.Node, in []onnx.Type) ([]onnx.Type, error) { return in[:1], nil }

func (bad) Run(_ context.Context, n *onnx.Node, in []*onnx.Tensor) ([]*onnx.Tensor, error) {
	switch n.Int("how", 0) {
	case 0:
		return nil, nil
	case 1:
		return []*onnx.Tensor{onnx.Vector[int64](1)}, nil
	}
	panic("it gives up")
}

func TestOperator_errors(t *testing.T) {
	_, err := runtime.New(relu(), runtime.Options{Operators: []runtime.Operator{bad{""}}})
	require.ErrorContains(t, err, "own operators need a domain of their own")
	for how, text := range []string{"returned no output 0", "expected elements of type float, received int64", "it gives up"} {
		g := onnx.NewGraph("bad", nil)
		x := g.Input("x", f32("N"))
		y := g.Add("com.example", "Bad", 1, []*onnx.Value{x}, onnx.Int("how", int64(how))).Out(0)
		g.Outputs = []*onnx.Value{y}
		s, err := runtime.New(onnx.NewModel(g), runtime.Options{Operators: []runtime.Operator{bad{"com.example"}}})
		require.NoError(t, err)
		_, err = s.Run(t.Context(), tensors{"x": tensor(t, 2)})
		var at *runtime.NodeError
		require.ErrorAs(t, err, &at)
		require.Equal(t, "com.example.Bad", at.OpType)
		require.ErrorContains(t, err, text)
	}
}

func ExampleInfo() {
	s, err := runtime.New(relu(), runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	i := s.Inputs()[0]
	fmt.Println(i.Name, i.Type, i.Optional)
	// Output: x float[N] false
}

func ExampleLevel() {
	s, err := runtime.New(relu(), runtime.Options{Level: runtime.Exact})
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Vector[float32](-1, 3)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(onnx.Data[float32](out["y"]))
	// Output: [0 3]
}

func ExampleWinograd() {
	s, err := runtime.New(relu(), runtime.Options{Winograd: runtime.WinogradOff})
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Vector[float32](-1, 3)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(onnx.Data[float32](out["y"]))
	// Output: [0 3]
}
