package check

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
)

// maxCalls is how deep calls of functions may nest.
const maxCalls = 100

func (c *checker) allFunctions() {
	seen := map[call]bool{}
	for _, f := range c.m.Functions {
		c.path = "function " + functionName(f)
		key := call{f.Domain, f.Name, f.Overload}
		if seen[key] {
			c.fault("", "it is defined twice")
		}
		seen[key] = true
		c.functionBody(f)
		c.path = ""
	}
	c.cycles()
}

func functionName(f *onnx.Function) string {
	name := f.Domain + "." + f.Name
	if f.Overload != "" {
		name += ":" + f.Overload
	}
	return fmt.Sprintf("%.128s", name)
}

func (c *checker) functionBody(f *onnx.Function) {
	if f.Name == "" {
		c.fault("", "it has no name")
	}
	c.imports(f.Body.Opsets)
	c.entries("metadata_props", f.Metadata)
	names := map[string]bool{}
	for _, a := range f.Attributes {
		if names[a] {
			c.fault("attributes", "attribute %.128q stands twice", a)
		}
		names[a] = true
	}
	for i := range f.Defaults {
		a := &f.Defaults[i]
		if names[a.Name] {
			c.fault("attributes", "attribute %.128q stands twice", a.Name)
		}
		names[a.Name] = true
		c.contents(a, fmt.Sprintf("attribute %.128q", a.Name))
	}
	c.function = f
	c.graph(f.Body, c.path, nil, false)
	c.function = nil
}

// cycles walks the calls of functions, those inside subgraphs included, and reports a function that comes to call itself and
// calls that nest too deep. Each function is walked once, however often it is called.
func (c *checker) cycles() {
	w := callWalk{checker: c, height: map[*onnx.Function]int{}}
	for _, f := range c.m.Functions {
		if h := w.visit(f); h == maxCalls+1 {
			w.report(f, "calls nest deeper than %d", maxCalls)
		}
	}
}

// open is the height of a function whose calls are being walked.
const open = -1

type callWalk struct {
	*checker
	height map[*onnx.Function]int // levels of calls, the function's own included
}

func (w *callWalk) report(f *onnx.Function, format string, args ...any) {
	w.path = "function " + functionName(f)
	w.fault("", format, args...)
	w.path = ""
}

func (w *callWalk) visit(f *onnx.Function) int {
	if h := w.height[f]; h != 0 {
		return h
	}
	w.height[f] = open
	w.height[f] = 1 + w.graph(f, f.Body)
	return w.height[f]
}

// graph is the height of the calls in g, which is inside f.
func (w *callWalk) graph(f *onnx.Function, g *onnx.Graph) (height int) {
	for _, n := range g.Nodes {
		if callee := w.functions[call{n.Domain, n.OpType, n.Overload}]; callee != nil {
			h := w.visit(callee)
			if h == open {
				w.report(f, "it comes to call itself through %.128s", functionName(callee))
				continue
			}
			height = max(height, h)
		}
		for _, s := range n.Subgraphs() {
			height = max(height, w.graph(f, s))
		}
	}
	return height
}
