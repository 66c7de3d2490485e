package optimizer_test

import (
	"context"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/optimizer"
)

// weight trains w = 1 for n steps on (1, 0), whose gradient is 2w, and gives w.
func weight(o optimizer.Optimizer, n int) float32 {
	m, err := scalarModel(o, convention.Keras)
	if err != nil {
		panic(err)
	}
	one, _ := onnx.NewTensor([]float32{1}, 1, 1)
	zero, _ := onnx.NewTensor([]float32{0}, 1, 1)
	for range n {
		if _, err := m.TrainBatch(context.Background(), &dataset.Batch{Inputs: []*onnx.Tensor{one}, Targets: []*onnx.Tensor{zero}}); err != nil {
			panic(err)
		}
	}
	state, err := m.State()
	if err != nil {
		panic(err)
	}
	return onnx.Data[float32](state["d.weight"])[0]
}

func ExampleSGD() {
	fmt.Printf("%.3f\n", weight(optimizer.SGD{LearningRate: 0.1}, 2)) // 1 - 0.2, then 0.8 - 0.16
	// Output: 0.640
}

func ExampleAdam() {
	fmt.Printf("%.3f\n", weight(optimizer.Adam{}, 1)) // the first step is the learning rate, 0.001
	fmt.Println(optimizer.Adam{}.Describe(convention.PyTorch))
	// Output:
	// 0.999
	// adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, convention=pytorch)
}

// signSGD is an optimizer of one's own: it moves by the sign of the gradient.
type signSGD struct{ rate float64 }

func (o signSGD) Rate(convention.Convention) float64    { return o.rate }
func (o signSGD) Describe(convention.Convention) string { return fmt.Sprintf("sign(%g)", o.rate) }
func (o signSGD) Update(u *optimizer.Update) {
	rate := u.Op("Cast", []*onnx.Value{u.Rate}, onnx.Int("to", int64(u.W.Type.Elem)))
	step := u.Op("Mul", []*onnx.Value{u.Op("Sign", []*onnx.Value{u.Grad}), rate})
	u.Becomes(u.W, u.Op("Sub", []*onnx.Value{u.W, step}))
}

func ExampleOptimizer() {
	fmt.Printf("%.2f\n", weight(signSGD{rate: 0.25}, 3))
	// Output: 0.25
}

// An update may keep state of its own: here the sum of all gradients.
type dualAveraging struct{ rate float64 }

func (o dualAveraging) Rate(convention.Convention) float64    { return o.rate }
func (o dualAveraging) Describe(convention.Convention) string { return "dual averaging" }
func (o dualAveraging) Update(u *optimizer.Update) {
	sum := u.NewSlot("sum", 0)
	next := u.Op("Add", []*onnx.Value{sum, u.Grad})
	rate := u.Op("Cast", []*onnx.Value{u.Rate}, onnx.Int("to", int64(u.W.Type.Elem)))
	u.Becomes(sum, next)
	u.Becomes(u.W, u.Op("Neg", []*onnx.Value{u.Op("Mul", []*onnx.Value{next, rate})}))
}

func ExampleUpdate() {
	fmt.Printf("%.1f\n", weight(dualAveraging{rate: 0.1}, 1))
	// Output: -0.2
}
