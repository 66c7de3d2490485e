package spectest

import (
	"context"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

// engine is one way to run a model.
type engine struct {
	name    string
	options runtime.Options
}

var engines = []engine{
	{"plain", runtime.Options{Engine: runtime.Plain}},
	{"optimised", runtime.Options{Engine: runtime.Fast, Winograd: runtime.WinogradOff}},
}

// run runs m on the inputs that have no initializer.
func (e engine) run(m *onnx.Model, in []onnx.Object) ([]onnx.Object, error) {
	names, named := fed(m.Graph), map[string]onnx.Object{}
	if len(in) > len(names) {
		return nil, fmt.Errorf("%d inputs for %d", len(in), len(names))
	}
	for i, o := range in {
		named[names[i].Name] = o
	}
	s, err := runtime.New(m, e.options)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out, err := s.RunObjects(context.Background(), named)
	if err != nil {
		return nil, err
	}
	var list []onnx.Object
	for _, v := range m.Graph.Outputs {
		list = append(list, out[v.Name])
	}
	return list, nil
}
