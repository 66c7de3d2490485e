package layer

import (
	"fmt"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
)

// Layer appends nodes to a graph. Any type with this method is a layer, so a network may be a struct of layers.
type Layer interface {
	// Build appends the layer's nodes for the inputs x and returns its output. It makes new parameters at each call. Errors
	// are kept by b.
	Build(b *Builder, x ...*onnx.Value) *onnx.Value
}

// Builder is an onnx.Builder that infers types and keeps the table of parameters.
type Builder struct {
	*onnx.Builder
	Convention convention.Convention // never Inherit
	Elem       onnx.ElemType         // element type of the parameters: Float32, or Float64 for gradient checks
	Parameters []*Parameter          // in the order in which they were made
	Layers     []Row                 // rows of the summary
	training   []TrainingForm
	counts     map[string]int
}

// Parameter is one row of the table of parameters.
type Parameter struct {
	Value       *onnx.Value
	Trainable   bool // false for state that is not learned by gradients, such as running statistics
	Initializer initializer.Initializer
	Fans        initializer.Fans
}

// Row is a layer's line in a summary.
type Row struct {
	Name, Kind string
	Output     onnx.Type
	Parameters []*Parameter
}

// TrainingForm says what becomes of a node when the graph is trained. Do is nil when the operator itself knows.
type TrainingForm struct {
	Node *onnx.Node
	Do   func(b *onnx.Builder, n *onnx.Node)
}

// NewBuilder starts a model called name.
func NewBuilder(name string, c convention.Convention) *Builder {
	return &Builder{
		Builder: shape.NewBuilder(name), Convention: c.Or(convention.Keras), Elem: onnx.Float32, counts: map[string]int{},
	}
}

// Input adds an input of the model. dims are sizes (int) or names (string).
func (b *Builder) Input(name string, e onnx.ElemType, dims ...any) *onnx.Value {
	ds := make([]onnx.Dim, len(dims))
	for i, d := range dims {
		switch d := d.(type) {
		case int:
			ds[i] = onnx.Fixed(d)
		case string:
			ds[i] = onnx.Named(d)
		default:
			b.Fail(onnx.Invalidf("layer: input %.128q: dim %d: expected an int or a string, received %T", name, i, d))
		}
	}
	return b.Graph.Input(name, onnx.TensorOf(e, ds...))
}

// Parameter adds a trainable parameter called name.
func (b *Builder) Parameter(name string, init initializer.Initializer, f initializer.Fans, shape ...int) *onnx.Value {
	return b.parameter(name, init, f, true, shape)
}

// State adds a parameter that gradients do not change.
func (b *Builder) State(name string, init initializer.Initializer, shape ...int) *onnx.Value {
	return b.parameter(name, init, initializer.Fans{}, false, shape)
}

func (b *Builder) parameter(name string, init initializer.Initializer, f initializer.Fans, trainable bool, shape []int) *onnx.Value {
	if n, ok := onnx.NumElements(shape); !ok || n == 0 {
		b.Fail(onnx.Invalidf("layer: parameter %.128q cannot have shape %v", name, shape))
		shape = nil
	}
	v := b.Graph.Initializer(name, onnx.TensorOf(b.Elem, fixed(shape)...), nil)
	b.Parameters = append(b.Parameters, &Parameter{Value: v, Trainable: trainable, Initializer: init, Fans: f})
	return v
}

func fixed(shape []int) []onnx.Dim {
	ds := make([]onnx.Dim, len(shape))
	for i, d := range shape {
		ds[i] = onnx.Fixed(d)
	}
	return ds
}

// Training registers what becomes of node n when the graph is trained. With a nil do the operator's own training form is
// taken.
func (b *Builder) Training(n *onnx.Node, do func(b *onnx.Builder, n *onnx.Node)) {
	b.training = append(b.training, TrainingForm{n, do})
}

// TrainingForms lists what Training registered.
func (b *Builder) TrainingForms() []TrainingForm { return slices.Clone(b.training) }

// Scalar adds a constant of the builder's element type.
func (b *Builder) Scalar(v float64) *onnx.Value {
	if b.Elem == onnx.Float64 {
		return b.Const(onnx.Scalar(v))
	}
	return b.Const(onnx.Scalar(float32(v)))
}

// Dim is the size of dim i of v, which must be fixed; the error is kept by b.
func (b *Builder) Dim(v *onnx.Value, i int) int {
	if b.Err() != nil || v == nil {
		return 1
	}
	if i >= len(v.Type.Shape) || !v.Type.Shape[i].IsFixed() || v.Type.Shape[i].N == 0 {
		b.Fail(onnx.Invalidf("layer: value %.128q has type %v: dim %d must be fixed and positive", v.Name, v.Type, i))
		return 1
	}
	return int(v.Type.Shape[i].N)
}

// rank checks that v has the given rank; the error is kept by b.
func (b *Builder) rank(kind string, v *onnx.Value, rank int) bool {
	if b.Err() != nil {
		return false
	}
	if v == nil || v.Type.Rank() != rank {
		b.Fail(onnx.Invalidf("layer: %s: expected an input of rank %d, received %v", kind, rank, typeOf(v)))
		return false
	}
	return true
}

func typeOf(v *onnx.Value) string {
	if v == nil {
		return "none"
	}
	return v.Type.String()
}

// begin opens a layer: it fixes its name (the given one, or kind with a number as Keras counts) and its row in the summary.
func (b *Builder) begin(kind, name, given string) (full string, end func(*onnx.Value) *onnx.Value) {
	full = given
	if full == "" {
		full = name
		if n := b.counts[name]; n > 0 {
			full = fmt.Sprintf("%s_%d", name, n)
		}
		b.counts[name]++
	}
	from := len(b.Parameters)
	return full, func(y *onnx.Value) *onnx.Value {
		row := Row{Name: full, Kind: kind, Parameters: slices.Clone(b.Parameters[from:])}
		if y != nil {
			row.Output = y.Type
		}
		b.Layers = append(b.Layers, row)
		return y
	}
}

// one is the only input of a layer; the error is kept by b.
func (b *Builder) one(kind string, x []*onnx.Value) *onnx.Value {
	if len(x) != 1 || x[0] == nil {
		b.Fail(onnx.Invalidf("layer: %s: expected one input, received %d", kind, len(x)))
		return nil
	}
	return x[0]
}
