package train

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/layer"
)

// Model is a graph, its parameters and, once compiled, a training step.
//
// Predict, Evaluate, ONNX and Parameters may be called while Fit runs: they see the parameters as they were after a finished
// step. Fit, Epochs, Compile and Load must not run at the same time as one another.
type Model struct {
	layers []layer.Layer  // of a Sequential that is not built yet
	b      *layer.Builder // of a model made from layers
	source *onnx.Model    // the inference graph; its initializers hold the initial values
	params []*Parameter

	mu       sync.Mutex // guards compiled
	compiled *compiled
}

// Parameter is a tensor of the model that training may change.
type Parameter struct {
	Name      string
	Shape     []int
	Elem      onnx.ElemType
	Trainable bool   // whether gradients change it
	Reason    string // why it is trainable or not
	Users     int    // nodes that read it

	param *layer.Parameter // of a model made from layers
	state bool             // running statistics of a model read from a file
}

// Size is the number of elements.
func (p *Parameter) Size() int {
	n, _ := onnx.NumElements(p.Shape)
	return n
}

// Sequential is a model in which each layer takes the output of the one before. The first layer is a layer.Input. The
// layers are built at Compile or at the first Summary, under the convention that Compile is given.
func Sequential(layers ...layer.Layer) (*Model, error) {
	if len(layers) == 0 {
		return nil, onnx.Invalidf("train: a sequential model needs a layer")
	}
	if _, ok := layers[0].(layer.Input); !ok {
		return nil, onnx.Invalidf("train: expected a layer.Input first, received %T", layers[0])
	}
	m := &Model{layers: slices.Clone(layers)}
	return m, m.probe()
}

// probe builds the layers once and throws the result away, so that mistakes show where the model is made.
func (m *Model) probe() error {
	_, err := m.chain(convention.Keras)
	return err
}

func (m *Model) chain(c convention.Convention) (*layer.Builder, error) {
	b := layer.NewBuilder("sequential", c)
	var x *onnx.Value
	for i, l := range m.layers {
		if i == 0 {
			x = l.Build(b)
			continue
		}
		x = l.Build(b, x)
		if b.Err() != nil {
			return nil, fmt.Errorf("train: layer %d (%T): %w", i, l, b.Err())
		}
	}
	if b.Err() == nil && x != nil {
		b.Graph.Outputs = []*onnx.Value{x}
	}
	return b, b.Err()
}

// Functional is a model of what was built on b: inputs, which b.Input made, and outputs.
func Functional(b *layer.Builder, inputs, outputs []*onnx.Value) (*Model, error) {
	if b.Err() != nil {
		return nil, fmt.Errorf("train: %w", b.Err())
	}
	if len(outputs) == 0 || slices.Contains(outputs, nil) || slices.Contains(inputs, nil) {
		return nil, onnx.Invalidf("train: a functional model needs outputs, and none may be nil")
	}
	b.Graph.Inputs, b.Graph.Outputs = slices.Clone(inputs), slices.Clone(outputs)
	m := &Model{}
	m.adopt(b)
	return m, nil
}

// build makes the graph of a Sequential under convention c.
func (m *Model) build(c convention.Convention) error {
	if m.source != nil {
		return nil
	}
	b, err := m.chain(c)
	if err != nil {
		return err
	}
	m.adopt(b)
	return nil
}

func (m *Model) adopt(b *layer.Builder) {
	m.b, m.source = b, onnx.NewModel(b.Graph)
	for _, p := range b.Parameters {
		m.params = append(m.params, &Parameter{
			Name: p.Value.Name, Shape: sizes(p.Value.Type), Elem: p.Value.Type.Elem, Trainable: p.Trainable,
			Users: len(p.Value.Uses()), Reason: reason(p.Trainable), param: p,
		})
	}
}

func reason(trainable bool) string {
	if trainable {
		return "made by a layer"
	}
	return "state of a layer"
}

func sizes(t onnx.Type) []int {
	s := make([]int, len(t.Shape))
	for i, d := range t.Shape {
		s[i] = int(d.N)
	}
	return s
}

// Parameters lists the parameters in the order of the graph.
func (m *Model) Parameters() []Parameter {
	out := make([]Parameter, len(m.params))
	for i, p := range m.params {
		out[i] = *p
	}
	return out
}

// Freeze makes the parameters whose names match a pattern not trainable. * stands for any run of characters. It is an error
// if the model is compiled already or a pattern matches nothing.
func (m *Model) Freeze(patterns ...string) error { return m.setTrainable(false, "frozen", patterns) }

// Unfreeze makes the parameters whose names match a pattern trainable; see Freeze.
func (m *Model) Unfreeze(patterns ...string) error {
	return m.setTrainable(true, "unfrozen", patterns)
}

func (m *Model) setTrainable(yes bool, why string, patterns []string) error {
	if m.current() != nil {
		return onnx.Invalidf("train: freeze and unfreeze before Compile")
	}
	if err := m.build(convention.Keras); err != nil {
		return err
	}
	for _, pattern := range patterns {
		found := false
		for _, p := range m.params {
			if onnx.MatchName(pattern, p.Name) {
				p.Trainable, p.Reason, found = yes, why, true
			}
		}
		if !found {
			return onnx.Invalidf("train: no parameter matches %.128q", pattern)
		}
	}
	return nil
}

func (m *Model) current() *compiled {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.compiled
}

// ready is the compiled model, or an error that says to call Compile.
func (m *Model) ready() (*compiled, error) {
	if c := m.current(); c != nil {
		return c, nil
	}
	return nil, onnx.Invalidf("train: the model is not compiled: call Compile first")
}
