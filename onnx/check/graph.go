package check

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
)

// scope is a graph with the place of its nodes, inside the scopes of the enclosing graphs.
type scope struct {
	outer *scope
	g     *onnx.Graph
	names map[string]bool
	place map[*onnx.Node]int
	at    int // the node at hand
}

// graph checks g. main says that it is the model's own graph, whose inputs and outputs must have types.
func (c *checker) graph(g *onnx.Graph, path string, outer *scope, main bool) {
	old := c.path
	c.path = path
	defer func() { c.path = old }()
	s := &scope{outer: outer, g: g, names: map[string]bool{}, place: make(map[*onnx.Node]int, len(g.Nodes))}
	for i, n := range g.Nodes {
		s.place[n] = i
	}
	c.entries("metadata_props", g.Metadata)
	for i, v := range g.Inputs {
		c.define(s, v, fmt.Sprintf("input %d", i))
		if main {
			c.typed(v, fmt.Sprintf("input %d", i))
		}
	}
	c.initializers(s)
	for i, n := range g.Nodes {
		s.at = i
		c.inNode(n, s)
	}
	c.outputs(s, main)
	if _, ok := onnx.Sorted(g, nil); !ok {
		c.fault("", "there is a cycle of nodes")
	}
}

// define notes the name of a value, which must be new in s and in the graphs around it.
func (c *checker) define(s *scope, v *onnx.Value, field string) {
	if v == nil {
		c.fault(field, "a value is missing")
		return
	}
	if v.Name == "" {
		c.fault(field, "the value has no name")
		return
	}
	if s.names[v.Name] {
		c.fault(field, "value %.128q is defined twice", v.Name)
	}
	for o := s.outer; o != nil; o = o.outer {
		if o.names[v.Name] {
			c.fault(field, "value %.128q hides one of an enclosing graph", v.Name)
			break
		}
	}
	s.names[v.Name] = true
}

// typed checks that a value has a type as far as the standard asks for one.
func (c *checker) typed(v *onnx.Value, field string) {
	if v == nil {
		return
	}
	for t := &v.Type; t != nil; t = t.Of {
		switch {
		case t.Kind == onnx.KindUnknown:
			c.fault(field, "value %.128q has no type", v.Name)
		case t.IsTensor() && t.Elem == onnx.Undefined:
			c.fault(field, "value %.128q has no element type", v.Name)
		case t.Kind == onnx.KindMap && t.Key != onnx.String && !t.Key.IsInteger():
			c.fault(field, "value %.128q: the keys of a map are integers or strings, received %v", v.Name, t.Key)
		}
	}
}

func (c *checker) initializers(s *scope) {
	seen, inputs := map[*onnx.Value]bool{}, make(map[*onnx.Value]bool, len(s.g.Inputs))
	for _, v := range s.g.Inputs {
		inputs[v] = true
	}
	for _, v := range s.g.Initializers {
		field := fmt.Sprintf("initializer %.128q", v.Name)
		switch {
		case seen[v]:
			c.fault(field, "it stands twice")
		case !inputs[v]:
			c.define(s, v, field)
			if c.m.IRVersion < 4 && s.outer == nil && c.function == nil && c.free == nil {
				c.fault(field, "in IR version %d an initializer must be an input as well", c.m.IRVersion)
			}
		}
		seen[v] = true
		switch {
		case v.Init != nil:
			c.tensor(v.Init, field)
			c.declared(v, field)
		case v.Sparse != nil:
			c.sparse(v.Sparse, field)
		default:
			c.fault(field, "it has no contents")
		}
	}
}

// declared compares the declared type of an initializer with its contents.
func (c *checker) declared(v *onnx.Value, field string) {
	t := v.Type
	if t.Kind == onnx.KindUnknown {
		return
	}
	bad := !t.IsTensor() || t.Elem != onnx.Undefined && t.Elem != v.Init.Elem
	if t.Ranked && !bad {
		bad = len(t.Shape) != len(v.Init.Shape)
		for i := 0; !bad && i < len(t.Shape); i++ {
			bad = t.Shape[i].IsFixed() && t.Shape[i].N != int64(v.Init.Shape[i])
		}
	}
	if bad {
		c.fault(field, "declared as %v, its contents are %v", t, v.Init.Type())
	}
}

func (c *checker) outputs(s *scope, main bool) {
	s.at = len(s.g.Nodes)
	for i, v := range s.g.Outputs {
		field := fmt.Sprintf("output %d", i)
		if v == nil {
			c.fault(field, "a value is missing")
			continue
		}
		c.visible(s, v, field)
		if main {
			c.typed(v, field)
		}
	}
}

// visible checks that v is defined in s or around it, before the node at hand.
func (c *checker) visible(s *scope, v *onnx.Value, field string) {
	for o := s; o != nil; o = o.outer {
		if o.g != v.Graph() {
			continue
		}
		n := v.Node()
		if n == nil {
			if !o.names[v.Name] && !c.free[v.Name] {
				c.fault(field, "value %.128q is not defined", v.Name)
			}
			return
		}
		switch place, ok := o.place[n]; {
		case !ok:
			c.fault(field, "value %.128q is made by a node that is not in the graph", v.Name)
		case place >= o.at:
			c.fault(field, "value %.128q is made only later, by node %.128q", v.Name, n.Label())
		}
		return
	}
	c.fault(field, "value %.128q belongs to another graph", v.Name)
}
