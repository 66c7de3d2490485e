// Package check says whether a model is valid: structure, single assignment, order, scoping, imports, attributes, counts and
// types of inputs and outputs against the schemas of the version in force, functions and external references.
//
// It reports faults and repairs nothing. It knows types as far as the model declares them; onnx/shape infers the others.
//
// Source: IR.md and the checker of onnx 1.23. Where readers in use are laxer than the standard (nodes out of order, an
// import given twice) a fault is reported although onnx.Decode accepts it.
package check

import (
	"fmt"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// Options says what counts as a fault. The zero Options is the default.
type Options struct {
	// Strict makes operators of other domains than the standard's faults unless the model defines them as functions.
	Strict bool
	// Private allows the domain of operators that exist only inside the program.
	Private bool
}

// Fault is one thing that is wrong and its place.
type Fault struct {
	Graph   string // path of the graph: "graph", "graph/if_1.then_branch", "function com.example.F"; "" for the model itself
	Node    string // label of the node; "" where it is none
	Op      string // its operator with domain
	Field   string // "input 2", "attribute axis", "initializer w"; "" for the whole
	Message string // one line
}

// String is the fault on one line, names cut to 128 bytes.
func (f Fault) String() string {
	parts := make([]string, 0, 4)
	if f.Graph != "" {
		parts = append(parts, fmt.Sprintf("%.512s", f.Graph))
	}
	if f.Node != "" {
		parts = append(parts, fmt.Sprintf("node %.128q (%.128s)", f.Node, f.Op))
	}
	if f.Field != "" {
		parts = append(parts, f.Field)
	}
	return strings.Join(append(parts, f.Message), ": ")
}

// Error makes faults usable as an error of the invalid kind: the first one, and how many there are.
type Error []Fault

// Error is the first fault and the number of the others.
func (e Error) Error() string {
	if len(e) == 1 {
		return e[0].String()
	}
	return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
}

// Unwrap says that the error is of the invalid kind.
func (e Error) Unwrap() error { return onnx.ErrInvalid }

// Err is nil when there are no faults, else an Error.
func Err(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return Error(faults)
}

// Model lists what is wrong with m, in the order of the file; nothing when m is valid.
func Model(m *onnx.Model, o Options) []Fault {
	c := &checker{m: m, o: o, functions: map[call]*onnx.Function{}}
	for _, f := range m.Functions {
		c.functions[call{f.Domain, f.Name, f.Overload}] = f
	}
	c.model()
	c.graph(m.Graph, "graph", nil, true)
	c.training()
	c.allFunctions()
	return c.faults
}

// call identifies a function.
type call struct{ domain, name, overload string }

type checker struct {
	m         *onnx.Model
	o         Options
	functions map[call]*onnx.Function
	faults    []Fault

	path     string          // of the graph at hand
	node     *onnx.Node      // at hand, or nil
	function *onnx.Function  // whose body is at hand, or nil
	free     map[string]bool // names that a training recipe may take from the model
}

func (c *checker) fault(field, format string, args ...any) {
	f := Fault{Graph: c.path, Field: field, Message: fmt.Sprintf(format, args...)}
	if c.node != nil {
		f.Node, f.Op = c.node.Label(), c.node.Operator()
	}
	c.faults = append(c.faults, f)
}

func (c *checker) model() {
	if v := c.m.IRVersion; v < onnx.MinIR || v > onnx.MaxIR {
		c.fault("ir_version", "expected %d to %d, received %d", onnx.MinIR, onnx.MaxIR, v)
	}
	c.entries("metadata_props", c.m.Metadata)
	c.imports(c.m.Graph.Opsets)
	if c.m.Graph.Name == "" {
		c.fault("graph", "it has no name")
	}
}

// entries checks that keys are not repeated.
func (c *checker) entries(field string, list []onnx.Entry) {
	seen := map[string]bool{}
	for _, e := range list {
		if seen[e.Key] {
			c.fault(field, "the key %.128q stands twice", e.Key)
		}
		seen[e.Key] = true
	}
}

func domainName(d string) string {
	if onnx.IsDefaultDomain(d) {
		return ""
	}
	return d
}

func isStandard(domain string) bool { return schema.MaxOpset(domain) > 0 }

func (c *checker) imports(list []onnx.Opset) {
	seen := map[string]bool{}
	for _, o := range list {
		d := domainName(o.Domain)
		if seen[d] {
			c.fault("opset_import", "the domain %.128q is imported twice", o.Domain)
		}
		seen[d] = true
		switch most := schema.MaxOpset(d); {
		case most > 0 && o.Version > most:
			c.fault("opset_import", "domain %.128q: opset %d is newer than %d, the newest known", o.Domain, o.Version, most)
		case o.Version < 1:
			c.fault("opset_import", "domain %.128q: expected an opset from 1 on, received %d", o.Domain, o.Version)
		}
	}
}

func (c *checker) training() {
	weights := map[string]bool{}
	for _, v := range c.m.Graph.Initializers {
		weights[v.Name] = true
	}
	for i, t := range c.m.Training {
		for _, part := range []struct {
			name string
			g    *onnx.Graph
			bind []onnx.Entry
		}{{"initialization", t.Initialization, t.InitializationBinding}, {"algorithm", t.Algorithm, t.UpdateBinding}} {
			path := fmt.Sprintf("training_info[%d].%s", i, part.name)
			outs := map[string]bool{}
			if part.g != nil {
				c.recipe(part.g, path)
				for _, v := range part.g.Outputs {
					outs[v.Name] = true
				}
				for _, v := range part.g.Initializers {
					weights[v.Name] = true
				}
			}
			c.path = path
			for _, e := range part.bind {
				if !weights[e.Key] {
					c.fault("binding", "%.128q is not an initializer", e.Key)
				}
				if !outs[e.Value] {
					c.fault("binding", "%.128q is not an output of the graph", e.Value)
				}
			}
			c.path = ""
		}
	}
}

// recipe checks a graph that is appended to the model's, whose values it may read.
func (c *checker) recipe(g *onnx.Graph, path string) {
	c.free = map[string]bool{}
	main := c.m.Graph
	for _, list := range [][]*onnx.Value{main.Inputs, main.Initializers} {
		for _, v := range list {
			c.free[v.Name] = true
		}
	}
	for _, n := range main.Nodes {
		for _, v := range n.Outputs() {
			if v != nil {
				c.free[v.Name] = true
			}
		}
	}
	c.graph(g, path, nil, false)
	c.free = nil
}
