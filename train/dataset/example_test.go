package dataset_test

import (
	"bytes"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/dataset"
)

func ExamplePair() {
	x, _ := onnx.NewTensor([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	d := dataset.Pair(x, onnx.Vector[int64](0, 1, 2))
	var b dataset.Batch
	fmt.Println(d.Len(), d.Read(&b, []int{2, 0}))
	fmt.Println(onnx.Data[float32](b.Inputs[0]), onnx.Data[int64](b.Targets[0]))
	// Output:
	// 3 <nil>
	// [5 6 1 2] [2 0]
}

// squares is a data set of one's own: row i is i, its target i².
type squares struct{ n int }

func (s squares) Len() int { return s.n }

func (s squares) Read(b *dataset.Batch, rows []int) error {
	x, y := make([]float32, len(rows)), make([]float32, len(rows))
	for i, r := range rows {
		x[i], y[i] = float32(r), float32(r*r)
	}
	b.Inputs, b.Targets = []*onnx.Tensor{onnx.Vector(x...)}, []*onnx.Tensor{onnx.Vector(y...)}
	return nil
}

func ExampleDataset() {
	var b dataset.Batch
	fmt.Println(squares{10}.Read(&b, []int{3, 4}), onnx.Data[float32](b.Targets[0]))
	// Output: <nil> [9 16]
}

func ExampleBatch() {
	b := dataset.Batch{Inputs: []*onnx.Tensor{onnx.Vector[float32](1, 2, 3)}}
	fmt.Println(b.Rows())
	// Output: 3
}

func ExampleTensors() {
	d := dataset.Tensors([]*onnx.Tensor{onnx.Vector[float32](1, 2), onnx.Vector[int64](3, 4)}, nil)
	fmt.Println(d.Len())
	// Output: 2
}

func ExampleMap() {
	d := dataset.Map(squares{10}, func(b *dataset.Batch) error {
		for i, v := range onnx.View[float32](b.Inputs[0].Mutable()) {
			onnx.View[float32](b.Inputs[0].Mutable())[i] = v / 10
		}
		return nil
	})
	var b dataset.Batch
	fmt.Println(d.Read(&b, []int{5}), onnx.Data[float32](b.Inputs[0]))
	// Output: <nil> [0.5]
}

func ExampleSlice() {
	d := dataset.Slice(squares{10}, 7, 10)
	var b dataset.Batch
	fmt.Println(d.Len(), d.Read(&b, []int{0}), onnx.Data[float32](b.Inputs[0]))
	// Output: 3 <nil> [7]
}

func ExampleBatches() {
	for b, err := range dataset.Batches(squares{5}, dataset.Order(5, false, 1, 0), 2, 0) {
		fmt.Println(err, onnx.Data[float32](b.Targets[0]))
	}
	// Output:
	// <nil> [0 1]
	// <nil> [4 9]
	// <nil> [16]
}

func ExampleOrder() {
	fmt.Println(dataset.Order(4, false, 1, 0))
	fmt.Println(len(dataset.Order(4, true, 1, 0)))
	// Output:
	// [0 1 2 3]
	// 4
}

func ExampleIDX() {
	// Two labels, as MNIST stores them.
	x, err := dataset.IDX(bytes.NewReader([]byte{0, 0, 8, 1, 0, 0, 0, 2, 5, 0}))
	fmt.Println(x.Shape, onnx.Data[uint8](x), err)
	_, err = dataset.IDX(bytes.NewReader([]byte{0, 0, 8, 1, 0, 0, 0, 2, 5}))
	fmt.Println(err)
	// Output:
	// [2] [5 0] <nil>
	// dataset: idx: shape [2]: expected 2 elements, received 1
}

func ExampleOneHot() {
	y, _ := dataset.OneHot(onnx.Vector[uint8](1, 0), 2)
	fmt.Println(onnx.Data[float32](y))
	// Output: [0 1 1 0]
}

func ExampleImages() {
	x, _ := onnx.NewTensor([]uint8{0, 255}, 1, 1, 2)
	d, _ := dataset.Images(x, nil)
	var b dataset.Batch
	fmt.Println(d.Read(&b, []int{0}), b.Inputs[0].Shape, onnx.Data[float32](b.Inputs[0]))
	// Output: <nil> [1 1 1 2] [0 1]
}
