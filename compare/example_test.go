package compare_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/onnx"
)

func ExampleRow() {
	r := compare.Tensors(onnx.Vector[float32](1, 2.5), onnx.Vector[float32](1, 2), compare.Torch)
	fmt.Println(r.Verdict, r.MaxAbs, r.WorstIndex, r.Got, r.Want)
	// Output: outside 0.5 1 2.5 2
}

func ExampleVerdict() {
	fmt.Println(compare.Within.OK(), compare.Outside.OK(), compare.Missing.OK())
	// Output: true false false
}

func ExampleTolerance() {
	p := compare.Torch.With(compare.Tolerance{Rel: 0, Abs: 0.5})
	fmt.Println(compare.Tensors(onnx.Vector[float32](2.25), onnx.Vector[float32](2), p).Verdict)
	// Output: within
}

func ExampleLoosening() {
	got := map[string]*onnx.Tensor{"head/logits": onnx.Vector[float32](1.01)}
	want := map[string]*onnx.Tensor{"head/logits": onnx.Vector[float32](1)}
	l := compare.Loosening{Pattern: "head/*", Tolerance: compare.Tolerance{Rel: 0.1}, Reason: "weights are stored in 8 bits"}
	r := compare.Named([]string{"head/logits"}, got, want, compare.Torch, l)
	fmt.Println(r.OK(), r.Loosened[0].Reason)
	// Output: true weights are stored in 8 bits
}
