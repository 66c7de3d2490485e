// Package optimizer has the rules by which parameters move. An optimizer is a struct literal; its zero fields are the
// defaults of the convention, Keras's or PyTorch's, which differ in numbers and in form.
//
// Sources: Keras 3 optimizers, PyTorch torch.optim.
package optimizer

import (
	"fmt"
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
)

// Zero stands for 0 in fields whose zero value means the convention's default.
const Zero = math.SmallestNonzeroFloat64

// Optimizer appends the nodes of an update. Any type with these methods is one.
type Optimizer interface {
	// Rate is the learning rate where no schedule says otherwise.
	Rate(c convention.Convention) float64
	// Update appends the nodes that give a parameter and its slots their new values.
	Update(u *Update)
	// Describe is the literal with every number resolved.
	Describe(c convention.Convention) string
}

// Update is one parameter's update being built.
type Update struct {
	*onnx.Builder
	Convention convention.Convention
	W, Grad    *onnx.Value // the parameter and its gradient
	Rate       *onnx.Value // learning rate, a scalar of type double
	Scale      *onnx.Value // factor that the gradient is multiplied by, a scalar of type double
	T          *onnx.Value // number of this update from 1, int64 scalar
	Apply      *onnx.Value // bool scalar: when false nothing changes
	// NewSlot adds state of W's shape that starts with every element at fill. Its variable is called
	// optimizer.<name>.<parameter>.
	NewSlot func(name string, fill float64) *onnx.Value
}

// Becomes says that variable v has the value next when the step ends.
func (u *Update) Becomes(v, next *onnx.Value) {
	u.Graph.Updates = append(u.Graph.Updates, onnx.Update{Var: v, New: next})
}

// node appends a private update operator: its first inputs are the variables it changes, its outputs their new values.
func (u *Update) node(opType string, vars []*onnx.Value, attrs ...onnx.Attribute) {
	attrs = append(attrs, onnx.Str("convention", u.Convention.String()))
	ins := append(slices.Clone(vars), u.Grad, u.Rate, u.Scale, u.Apply, u.T)
	n := u.Node(onnx.Private, opType, len(vars), ins, attrs...)
	for i, v := range vars {
		u.Becomes(v, n.Out(i))
	}
}

// pick resolves a field: 0 is the convention's default, Zero is 0.
func pick(v float64, c convention.Convention, keras, torch float64) float64 {
	switch v {
	case 0:
		return convention.Pick(c, keras, torch)
	case Zero:
		return 0
	}
	return v
}

// SGD is gradient descent, with momentum when that is not 0.
//
// Keras: m ← μm - ηg, w ← w + m; Nesterov w ← w + μm - ηg. Its default learning rate is 0.01.
// PyTorch: b ← μb + g, w ← w - ηb; Nesterov w ← w - η(g + μb). Its default learning rate is 0.001.
type SGD struct {
	LearningRate float64 // per update; 0: the convention's
	Momentum     float64
	Nesterov     bool
	Convention   convention.Convention
}

// Rate is the learning rate.
func (o SGD) Rate(c convention.Convention) float64 {
	return pick(o.LearningRate, o.Convention.Or(c), 0.01, 0.001)
}

// Update appends the update.
func (o SGD) Update(u *Update) {
	u.Convention = o.Convention.Or(u.Convention)
	if o.Momentum == 0 {
		u.node("SGD", []*onnx.Value{u.W})
		return
	}
	m := u.NewSlot("momentum", 0)
	u.node("Momentum", []*onnx.Value{u.W, m},
		onnx.Float("momentum", float32(o.Momentum)), onnx.Int("nesterov", btoi(o.Nesterov)))
}

// Describe is the literal with every number resolved.
func (o SGD) Describe(c convention.Convention) string {
	return fmt.Sprintf("sgd(learning_rate=%g, momentum=%g, nesterov=%v, convention=%v)", o.Rate(c), o.Momentum, o.Nesterov, o.Convention.Or(c))
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Adam moves by the ratio of the running mean of the gradient to the root of that of its square.
//
// Keras adds epsilon to the uncorrected root: w -= η√(1-β2ᵗ)/(1-β1ᵗ) · m/(√v + ε), ε 1e-7.
// PyTorch adds it to the corrected one: w -= η/(1-β1ᵗ) · m/(√v/√(1-β2ᵗ) + ε), ε 1e-8.
// Both: η 0.001, β1 0.9, β2 0.999. Keras computes the powers and the step size in float32, PyTorch in float64.
//
// Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
type Adam struct {
	LearningRate float64
	Beta1, Beta2 float64
	Epsilon      float64
	Convention   convention.Convention
}

// Rate is the learning rate.
func (o Adam) Rate(c convention.Convention) float64 {
	return pick(o.LearningRate, o.Convention.Or(c), 0.001, 0.001)
}

// Update appends the update.
func (o Adam) Update(u *Update) {
	u.Convention = o.Convention.Or(u.Convention)
	b1, b2, eps := o.numbers(u.Convention)
	m, v := u.NewSlot("m", 0), u.NewSlot("v", 0)
	u.node("Adam", []*onnx.Value{u.W, m, v},
		onnx.Float("beta_1", float32(b1)), onnx.Float("beta_2", float32(b2)), onnx.Float("epsilon", float32(eps)))
}

func (o Adam) numbers(c convention.Convention) (b1, b2, eps float64) {
	return pick(o.Beta1, c, 0.9, 0.9), pick(o.Beta2, c, 0.999, 0.999), pick(o.Epsilon, c, 1e-7, 1e-8)
}

// Describe is the literal with every number resolved.
func (o Adam) Describe(c convention.Convention) string {
	c = o.Convention.Or(c)
	b1, b2, eps := o.numbers(c)
	return fmt.Sprintf("adam(learning_rate=%g, beta_1=%g, beta_2=%g, epsilon=%g, convention=%v)", o.Rate(c), b1, b2, eps, c)
}
