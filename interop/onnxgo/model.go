package onnxgo

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"gonum.org/v1/gonum/graph"
	"gorgonia.org/tensor"
)

// Model has the methods of onnx-go's Model but keeps the whole file, so that the Graph that it was given to runs whatever
// Gneiss runs: any domain and opset that it knows, functions and subgraphs. The graph's nodes are the inputs and the outputs.
type Model struct {
	// Input and Output are the IDs of the nodes. Inputs that have a default are left out, as in onnx-go.
	Input, Output []int64
	backend       *Graph
}

// NewModel makes a model that dst will run.
func NewModel(dst *Graph) *Model { return &Model{backend: dst} }

// whole is a model that was read without onnx-go.
type whole struct {
	session *runtime.Session
	in, out map[string]*value
	needed  []string // inputs without a default
}

// UnmarshalBinary reads a model from the bytes of a file and makes it ready to run. A model whose weights are in other files
// needs ReadFile.
//
// Errors name what is wrong or not supported; the model that was there before then stays.
func (m *Model) UnmarshalBinary(data []byte) error {
	f, err := onnx.Decode(bytes.Clone(data))
	if err != nil {
		return err
	}
	return m.set(f)
}

// ReadFile reads a model from a file, with the files beside it that hold its weights, and makes it ready to run.
func (m *Model) ReadFile(path string) error {
	f, err := onnx.ReadFile(path)
	if err != nil {
		return err
	}
	return m.set(f)
}

func (m *Model) set(f *onnx.Model) error {
	s, err := runtime.New(f, m.backend.options.Runtime)
	if err != nil {
		return err
	}
	g := NewGraph(m.backend.options)
	w := &whole{session: s, in: map[string]*value{}, out: map[string]*value{}}
	m.Input, m.Output = nil, nil
	for _, i := range s.Inputs() {
		n := g.named(i)
		w.in[i.Name] = n.v
		if !i.Optional {
			w.needed, m.Input = append(w.needed, i.Name), append(m.Input, n.id)
		}
	}
	for _, o := range s.Outputs() {
		n := g.named(o)
		w.out[o.Name] = n.v
		m.Output = append(m.Output, n.id)
	}
	err = m.backend.Close()
	*m.backend = *g
	for _, n := range m.backend.nodes {
		n.g = m.backend
	}
	m.backend.whole = w
	return err
}

// named adds a node for an input or an output.
func (g *Graph) named(i runtime.Info) *Node {
	n := g.NewNode().(*Node)
	n.SetName(i.Name)
	n.SetDescription(i.Doc)
	g.AddNode(n)
	if n.v.tensor == nil {
		n.v.tensor = placeholder(i.Type)
	}
	return n
}

func (w *whole) run(ctx context.Context) error {
	in := map[string]*value{}
	for name, v := range w.in {
		if v.fed {
			in[name] = v
		}
	}
	for _, name := range w.needed {
		if in[name] == nil {
			return onnx.Invalidf("onnxgo: input %.128q has no tensor: SetInput was not called", name)
		}
	}
	return execute(ctx, w.session, in, w.out)
}

// GetNodeByName is the node of an input or an output.
func (m *Model) GetNodeByName(name string) (graph.Node, bool) {
	for _, n := range m.backend.nodes {
		if n.v.name == name {
			return n, true
		}
	}
	return nil, false
}

// SetInput gives the i-th input, counted without those that have a default, a tensor.
func (m *Model) SetInput(i int, t tensor.Tensor) error {
	if i < 0 || i >= len(m.Input) {
		return onnx.Invalidf("onnxgo: input %d: the model has %d inputs", i, len(m.Input))
	}
	return m.backend.at(m.Input[i]).SetTensor(t)
}

// GetInputTensors are the tensors of the inputs: what SetInput gave, or before that zeros of the dims that are fixed; nil for
// types that gorgonia.org/tensor does not have.
func (m *Model) GetInputTensors() []tensor.Tensor { return m.tensors(m.Input) }

// GetOutputTensors are the tensors that the last run of the graph computed. It is an error if there was none.
func (m *Model) GetOutputTensors() ([]tensor.Tensor, error) {
	ts := m.tensors(m.Output)
	for i, t := range ts {
		if t == nil {
			return nil, onnx.Invalidf("onnxgo: output %d has no tensor yet", i)
		}
	}
	return ts, nil
}

func (m *Model) tensors(ids []int64) []tensor.Tensor {
	ts := make([]tensor.Tensor, len(ids))
	for i, id := range ids {
		ts[i] = m.backend.at(id).v.tensor
	}
	return ts
}

// Opset is the opset of the default domain that a model in the bytes of a file imports, for Options.Opset.
func Opset(data []byte) (int, error) {
	m, err := onnx.Decode(bytes.Clone(data))
	if err != nil {
		return 0, err
	}
	for _, o := range m.Graph.Opsets {
		if onnx.IsDefaultDomain(o.Domain) {
			return o.Version, nil
		}
	}
	return 0, fmt.Errorf("onnxgo: %w", onnx.Invalidf("the model imports no opset of the default domain"))
}
