package compose

import (
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Limits bounds what inlining may make. Zero means the default, a negative value lifts the limit.
type Limits struct {
	Nodes     int // nodes after inlining, those of subgraphs included; 200,000
	Depth     int // functions that call one another; 100
	Functions int // functions of a model; 10,000
}

func limit(v, def int) int64 {
	switch {
	case v < 0:
		return math.MaxInt64
	case v == 0:
		return int64(def)
	}
	return int64(v)
}

// Inline gives a copy of m in which every call of one of m's functions is replaced by the function's body. m is not
// changed. Recursion is an error of the invalid kind; exceeding a limit is an onnx.LimitError, found before anything is
// expanded.
func Inline(m *onnx.Model, l Limits) (*onnx.Model, error) {
	c := m.Copy()
	fs, err := NewFunctions(c, l)
	if err != nil {
		return nil, err
	}
	if err := fs.Inline(c.Graph); err != nil {
		return nil, err
	}
	c.Functions = nil
	return c, nil
}

// Functions are a model's functions, checked for recursion, depth and number.
type Functions struct {
	byKey  map[key]*function
	limits Limits
}

type key struct{ domain, name, overload string }

func keyOf(domain, name, overload string) key {
	if onnx.IsDefaultDomain(domain) {
		domain = ""
	}
	return key{domain, name, overload}
}

// function is a function with what is known of its expansion.
type function struct {
	*onnx.Function
	colour uint8
	nodes  int64 // nodes of the body once every call in it is expanded
	height int64 // functions below it that call one another, itself included
}

// NewFunctions looks m's functions over.
func NewFunctions(m *onnx.Model, l Limits) (*Functions, error) {
	fs := &Functions{byKey: make(map[key]*function, len(m.Functions)), limits: l}
	if max := limit(l.Functions, 10_000); int64(len(m.Functions)) > max {
		return nil, &onnx.LimitError{Limit: "functions in a model", Value: max, Asked: int64(len(m.Functions)), Unit: "functions"}
	}
	for _, f := range m.Functions {
		k := keyOf(f.Domain, f.Name, f.Overload)
		if fs.byKey[k] != nil {
			return nil, onnx.Invalidf("function %.128q of domain %.128q is defined twice", f.Name, f.Domain)
		}
		fs.byKey[k] = &function{Function: f}
	}
	for _, f := range m.Functions {
		if err := fs.visit(fs.byKey[keyOf(f.Domain, f.Name, f.Overload)], 1); err != nil {
			return nil, err
		}
	}
	return fs, nil
}

// Find is the function that n calls; nil when n is an operator.
func (fs *Functions) Find(n *onnx.Node) *onnx.Function {
	if f := fs.find(n); f != nil {
		return f.Function
	}
	return nil
}

func (fs *Functions) find(n *onnx.Node) *function {
	if fs == nil || len(fs.byKey) == 0 {
		return nil
	}
	return fs.byKey[keyOf(n.Domain, n.OpType, n.Overload)]
}

const (
	open = iota + 1
	done
)

// visit is the three-colour walk: it refuses recursion, measures the depth of calls and counts the nodes of the expansion.
// It never goes deeper than the limit.
func (fs *Functions) visit(f *function, depth int64) error {
	switch f.colour {
	case open:
		return onnx.Invalidf("function %.128q calls itself", f.Name)
	case done:
		return fs.deep(depth - 1 + f.height)
	}
	if err := fs.deep(depth); err != nil {
		return err
	}
	f.colour, f.height = open, 1
	n, h, err := fs.measure(f.Body, depth)
	if err != nil {
		return err
	}
	f.colour, f.nodes, f.height = done, n, h+1
	return nil
}

func (fs *Functions) deep(depth int64) error {
	if max := limit(fs.limits.Depth, 100); depth > max {
		return &onnx.LimitError{Limit: "function call depth", Value: max, Asked: depth, Unit: "calls"}
	}
	return nil
}

// measure gives the nodes of g once it is expanded and the depth of the calls in it; subgraphs count.
func (fs *Functions) measure(g *onnx.Graph, depth int64) (nodes, height int64, err error) {
	for _, n := range g.Nodes {
		size := int64(1)
		if f := fs.find(n); f != nil {
			if err := fs.visit(f, depth+1); err != nil {
				return 0, 0, onnx.At(n, err)
			}
			size, height = f.nodes, max(height, f.height)
		}
		nodes = add(nodes, size)
		for _, s := range n.Subgraphs() {
			k, h, err := fs.measure(s, depth)
			if err != nil {
				return 0, 0, err
			}
			nodes, height = add(nodes, k), max(height, h)
		}
	}
	return nodes, height, nil
}

// add is a+b, at most MaxInt64.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Check counts the nodes of g once every call is expanded and refuses more than the limit, before anything is expanded.
func (fs *Functions) Check(g *onnx.Graph) error {
	_, err := fs.Expanded(g)
	return err
}

// Expanded is the number of nodes of g once every call is expanded; more than the limit are an error.
func (fs *Functions) Expanded(g *onnx.Graph) (int64, error) {
	nodes, _, err := fs.measure(g, 0)
	if err != nil {
		return 0, err
	}
	return nodes, fs.count(nodes)
}

func (fs *Functions) count(nodes int64) error {
	if max := limit(fs.limits.Nodes, 200_000); nodes > max {
		return &onnx.LimitError{Limit: "nodes after inlining", Value: max, Asked: nodes, Unit: "nodes"}
	}
	return nil
}

// Inline replaces the calls in g and its subgraphs by the functions' bodies, until none is left.
func (fs *Functions) Inline(g *onnx.Graph) error {
	if err := fs.Check(g); err != nil || len(fs.byKey) == 0 {
		return err
	}
	total, outputs := Size(g), borders{}
	outputs.graph(g)
	return fs.inline(g, &total, outputs)
}

func (fs *Functions) inline(g *onnx.Graph, total *int64, outputs borders) error {
	var calls []*onnx.Node
	for i := 0; i < len(g.Nodes); i++ { // grows while it is walked: what a body brings is looked at as well
		n := g.Nodes[i]
		f := fs.find(n)
		if f == nil {
			for _, s := range n.Subgraphs() {
				if err := fs.inline(s, total, outputs); err != nil {
					return err
				}
			}
			continue
		}
		*total = add(*total, expansion(n, f.Function))
		if err := fs.count(*total); err != nil {
			return onnx.At(n, err)
		}
		if _, err := expand(n, f.Function, outputs); err != nil {
			return onnx.At(n, err)
		}
		calls = append(calls, n)
	}
	g.Remove(calls...)
	return nil
}

// Size is the number of nodes of g, those of subgraphs included.
func Size(g *onnx.Graph) int64 {
	size := int64(len(g.Nodes))
	for _, n := range g.Nodes {
		for _, s := range n.Subgraphs() {
			size = add(size, Size(s))
		}
	}
	return size
}

// expansion is the number of nodes that a call brings: the body's, and a graph attribute's once for each reference to it.
func expansion(n *onnx.Node, f *onnx.Function) int64 {
	graphs := map[string]int64{}
	for i := range n.Attrs {
		for _, g := range attrGraphs(&n.Attrs[i]) {
			graphs[n.Attrs[i].Name] = add(graphs[n.Attrs[i].Name], Size(g))
		}
	}
	for i := range f.Defaults {
		if n.Attr(f.Defaults[i].Name) == nil {
			for _, g := range attrGraphs(&f.Defaults[i]) {
				graphs[f.Defaults[i].Name] = add(graphs[f.Defaults[i].Name], Size(g))
			}
		}
	}
	return bring(f.Body, graphs)
}

func attrGraphs(a *onnx.Attribute) []*onnx.Graph {
	if a.G != nil {
		return []*onnx.Graph{a.G}
	}
	return a.Graphs
}

func bring(g *onnx.Graph, graphs map[string]int64) int64 {
	size := int64(len(g.Nodes))
	for _, n := range g.Nodes {
		for i := range n.Attrs {
			if n.Attrs[i].Ref != "" {
				size = add(size, graphs[n.Attrs[i].Ref])
			}
		}
		for _, s := range n.Subgraphs() {
			size = add(size, bring(s, graphs))
		}
	}
	return size
}
