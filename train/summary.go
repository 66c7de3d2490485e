package train

import (
	"fmt"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/layer"
)

// Summary is a table for people: the layers with their output shapes and numbers of parameters, the totals, and once
// compiled the optimizer and its state. A model read from a file lists its parameters.
func (m *Model) Summary() string {
	if err := m.build(convention.Keras); err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	if m.b != nil {
		layerTable(&b, m.b.Layers)
	} else {
		parameterTable(&b, m.params)
	}
	m.totals(&b)
	return b.String()
}

const tableFormat = "%-34s %-24s %12s\n"

func layerTable(b *strings.Builder, rows []layer.Row) {
	fmt.Fprintf(b, tableFormat, "Layer (type)", "Output shape", "Param #")
	for _, r := range rows {
		n := 0
		for _, p := range r.Parameters {
			n += product(p.Value.Type)
		}
		fmt.Fprintf(b, tableFormat, r.Name+" ("+r.Kind+")", shapeText(r.Output), commas(n))
	}
}

func parameterTable(b *strings.Builder, params []*Parameter) {
	fmt.Fprintf(b, tableFormat, "Parameter", "Shape", "Elements")
	for _, p := range params {
		name := p.Name
		if !p.Trainable {
			name += " (" + p.Reason + ")"
		}
		fmt.Fprintf(b, tableFormat, name, fmt.Sprint(p.Shape), commas(p.Size()))
	}
}

func (m *Model) totals(b *strings.Builder) {
	trainable, rest, bytes := 0, 0, 0
	for _, p := range m.params {
		bytes += p.Size() * p.Elem.Size()
		if p.Trainable {
			trainable += p.Size()
		} else {
			rest += p.Size()
		}
	}
	fmt.Fprintf(b, "Total params: %s (%.2f KB)   Trainable: %s   Non-trainable: %s\n",
		commas(trainable+rest), float64(bytes)/1024, commas(trainable), commas(rest))
	if c := m.current(); c != nil {
		fmt.Fprintf(b, "Optimizer: %s, state: %s\n", c.cfg.Optimizer.Describe(c.cfg.Convention), commas(c.slots))
	}
}

func product(t onnx.Type) int {
	n, _ := onnx.NumElements(sizes(t))
	return n
}

func shapeText(t onnx.Type) string {
	s := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		s[i] = d.String()
	}
	return "(" + strings.Join(s, ", ") + ")"
}

// commas writes n with a comma between groups of three digits.
func commas(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
