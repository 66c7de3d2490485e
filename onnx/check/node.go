package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// inNode checks n and the graphs that it holds.
func (c *checker) inNode(n *onnx.Node, s *scope) {
	old := c.node
	c.node = n
	defer func() { c.node = old }()
	for i, v := range n.Inputs() {
		if v != nil {
			c.visible(s, v, fmt.Sprintf("input %d", i))
		}
	}
	c.entries("metadata_props", n.Metadata)
	c.attributes(n, s)
	c.operator(n)
	for i, v := range n.Outputs() {
		if v != nil {
			c.define(s, v, fmt.Sprintf("output %d", i))
		}
	}
}

// attributes checks what holds for attributes of any operator.
func (c *checker) attributes(n *onnx.Node, s *scope) {
	seen := map[string]bool{}
	for i := range n.Attrs {
		a := &n.Attrs[i]
		field := fmt.Sprintf("attribute %.128q", a.Name)
		if a.Name == "" {
			c.fault("attributes", "an attribute has no name")
		}
		if seen[a.Name] {
			c.fault(field, "it stands twice")
		}
		seen[a.Name] = true
		if a.Kind == onnx.AttrUndefined {
			c.fault(field, "it has no kind")
		}
		c.reference(a, field)
		c.contents(a, field)
		c.subgraphs(n, a, s)
	}
}

// reference checks an attribute that takes the value of one of the function around it.
func (c *checker) reference(a *onnx.Attribute, field string) {
	switch {
	case a.Ref == "":
	case c.function == nil:
		c.fault(field, "it refers to attribute %.128q of a function, outside of any", a.Ref)
	case !hasAttribute(c.function, a.Ref):
		c.fault(field, "the function has no attribute %.128q", a.Ref)
	}
}

func hasAttribute(f *onnx.Function, name string) bool {
	if slices.Contains(f.Attributes, name) {
		return true
	}
	for i := range f.Defaults {
		if f.Defaults[i].Name == name {
			return true
		}
	}
	return false
}

// contents checks the tensors of an attribute.
func (c *checker) contents(a *onnx.Attribute, field string) {
	if a.T != nil {
		c.tensor(a.T, field)
	}
	for _, t := range a.Tensors {
		c.tensor(t, field)
	}
	if a.Sparse != nil {
		c.sparse(a.Sparse, field)
	}
	for _, s := range a.SparseTensors {
		c.sparse(s, field)
	}
}

func (c *checker) subgraphs(n *onnx.Node, a *onnx.Attribute, s *scope) {
	check := func(g *onnx.Graph, name string) {
		node := c.node
		c.node = nil
		c.graph(g, fmt.Sprintf("%s/%.128s.%s", c.path, n.Label(), name), s, false)
		c.node = node
	}
	if a.G != nil {
		check(a.G, a.Name)
	}
	for i, g := range a.Graphs {
		check(g, fmt.Sprintf("%s[%d]", a.Name, i))
	}
}

// operator finds what defines the operator of n and checks n against it.
func (c *checker) operator(n *onnx.Node) {
	domain := domainName(n.Domain)
	f := c.functions[call{n.Domain, n.OpType, n.Overload}]
	switch {
	case n.OpType == "":
		c.fault("", "the node has no operator")
		return
	case domain == onnx.Private && !c.o.Private:
		c.fault("", "the domain %q is private to the program and must not stand in a model", onnx.Private)
		return
	case n.Opset() == 0:
		c.fault("", "the domain %.128q is not imported", n.Domain)
		return
	case f != nil:
		c.callOf(n, f)
		return
	case !isStandard(domain):
		if c.o.Strict && domain != onnx.Private {
			c.fault("", "nothing defines the operator")
		}
		return
	}
	s, ok := schema.Lookup(domain, n.OpType, n.Opset())
	switch {
	case !ok && n.Opset() > schema.MaxOpset(domain): // the import is the fault
	case !ok:
		c.fault("", "opset %d has no such operator", n.Opset())
	case s.Deprecated:
		c.fault("", "the operator is deprecated since opset %d", s.Since)
	default:
		c.against(n, s)
	}
}

// callOf checks a call of a function.
func (c *checker) callOf(n *onnx.Node, f *onnx.Function) {
	if have, most := n.NumIn(), len(f.Body.Inputs); have > most {
		c.fault("inputs", "the function takes %d, received %d", most, have)
	}
	if have, most := n.NumOut(), len(f.Body.Outputs); have > most {
		c.fault("outputs", "the function gives %d, received %d", most, have)
	}
	// A call may leave out any attribute: nodes of the body that refer to it then lack theirs, as readers in use take it.
}

// against checks n against the facts of the standard.
func (c *checker) against(n *onnx.Node, s *schema.Schema) {
	c.count("inputs", n.Inputs(), s.MinIn, s.MaxIn)
	c.count("outputs", n.Outputs(), s.MinOut, s.MaxOut)
	bound := map[string]string{}
	c.params("input", n.Inputs(), s.Input, s, bound)
	c.params("output", n.Outputs(), s.Output, s, bound)
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if strings.HasPrefix(a.Name, "__") {
			continue // a note of some tool, as the standard's own checker sees it
		}
		field := fmt.Sprintf("attribute %.128q", a.Name)
		switch fact := s.Attribute(a.Name); {
		case fact == nil:
			c.fault(field, "%s-%d has no such attribute", s.Name, s.Since)
		case a.Kind != onnx.AttrUndefined && int32(a.Kind) != int32(fact.Kind):
			c.fault(field, "expected kind %d, received %d", fact.Kind, a.Kind)
		}
	}
	for i := range s.Attributes {
		if fact := &s.Attributes[i]; fact.Required && n.Attr(fact.Name) == nil {
			c.fault("attributes", "%s-%d needs attribute %q", s.Name, s.Since, fact.Name)
		}
	}
}

func (c *checker) count(field string, list []*onnx.Value, least, most int) {
	n := len(list)
	for n > 0 && list[n-1] == nil {
		n--
	}
	// Absent outputs count as given: upstream counts names, empty ones included.
	if len(list) < least || n > most {
		limit := fmt.Sprint(most)
		if most == schema.Unlimited {
			limit = "any number"
		}
		c.fault(field, "expected %d to %s, received %d", least, limit, len(list))
	}
}

// params checks presence and types; bound holds the type that each constraint has got.
func (c *checker) params(kind string, list []*onnx.Value, param func(int) *schema.Param, s *schema.Schema, bound map[string]string) {
	for i, v := range list {
		p := param(i)
		if p == nil {
			continue // count reports it
		}
		field := fmt.Sprintf("%s %d", kind, i)
		if v == nil {
			if kind == "input" && p.Option == schema.Single {
				c.fault(field, "%s is required", p.Name)
			}
			continue
		}
		t := v.Type
		if !known(t) {
			continue
		}
		word := t.TypeString()
		if set := s.Constraint(p.Type); !set.Allows(word) {
			c.fault(field, "%s of %s-%d cannot be %s", p.Name, s.Name, s.Since, word)
			continue
		}
		if p.Option == schema.Variadic && !p.Homogeneous {
			continue
		}
		if old, ok := bound[p.Type]; ok && old != word {
			c.fault(field, "%s is %s where another value of type %s is %s", p.Name, word, p.Type, old)
			continue
		}
		bound[p.Type] = word
	}
}

// known reports whether the type of a value is known as far as constraints go.
func known(t onnx.Type) bool {
	switch t.Kind {
	case onnx.KindTensor, onnx.KindSparseTensor:
		return t.Elem != onnx.Undefined
	case onnx.KindSequence, onnx.KindOptional:
		return t.Of != nil && known(*t.Of)
	case onnx.KindMap:
		return t.Key != onnx.Undefined && t.Of != nil && known(*t.Of)
	}
	return false
}
