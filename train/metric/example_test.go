package metric_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/metric"
)

func ExampleAccuracy() {
	y, _ := onnx.NewTensor([]float32{0.1, 0.9, 0.8, 0.2}, 2, 2)
	classes := onnx.Vector[int64](1, 1)
	a, _ := metric.Accuracy{}.New(y.Type(), classes.Type())
	fmt.Println(a.Add(y, classes), a.Value())
	// Output: <nil> 0.5
}

// largest is a metric of one's own: the largest prediction. It is its own accumulator.
type largest struct{ most float32 }

func (*largest) Name() string                                   { return "largest" }
func (*largest) New(y, t onnx.Type) (metric.Accumulator, error) { return &largest{}, nil }
func (l *largest) Value() float64                               { return float64(l.most) }
func (l *largest) Reset()                                       { l.most = 0 }
func (l *largest) Add(y, _ *onnx.Tensor) error {
	for _, x := range onnx.Data[float32](y) {
		l.most = max(l.most, x)
	}
	return nil
}

func ExampleMetric() {
	var m metric.Metric = &largest{}
	y := onnx.Vector[float32](1, 3, 2)
	a, _ := m.New(y.Type(), y.Type())
	fmt.Println(m.Name(), a.Add(y, y), a.Value())
	// Output: largest <nil> 3
}

// An accumulator counts over batches; Reset begins anew.
func ExampleAccumulator() {
	y, _ := onnx.NewTensor([]float32{0.1, 0.9}, 1, 2)
	a, _ := metric.Accuracy{}.New(y.Type(), onnx.TensorOf(onnx.Int64, onnx.Named("N")))
	for _, class := range []int64{1, 1, 0, 1} {
		if err := a.Add(y, onnx.Vector(class)); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(a.Value())
	a.Reset()
	fmt.Println(a.Value())
	// Output:
	// 0.75
	// 0
}
