package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// Opset says which version of a domain's operators is meant.
type Opset struct {
	Domain  string // "" is ai.onnx
	Version int
}

// Value is one edge of a graph: an input, an initializer or an output of a node. A nil *Value is an absent optional.
type Value struct {
	Name string
	Type Type
	Doc  string

	// Init is the contents of an initializer; nil for other values, and for initializers whose contents are drawn later.
	Init *Tensor
	// Sparse is the contents of a sparse initializer; Init is then nil until it is made dense.
	Sparse *SparseTensor

	node  *Node
	index int
	graph *Graph
	init  bool
	uses  []Use
}

// Use is one reader of a value: input Index of Node.
type Use struct {
	Node  *Node
	Index int
}

// Node is the node that makes v; nil for inputs and initializers.
func (v *Value) Node() *Node { return v.node }

// Index is which output of Node v is.
func (v *Value) Index() int { return v.index }

// Graph is the graph that v belongs to.
func (v *Value) Graph() *Graph { return v.graph }

// IsInitializer reports whether v is an initializer: a constant, a weight or other state bound by name.
func (v *Value) IsInitializer() bool { return v.init }

// IsInput reports whether v is an input of its graph (in IR 3 an initializer is one too).
func (v *Value) IsInput() bool { return v.node == nil && slices.Contains(v.graph.Inputs, v) }

// Uses lists the readers, those inside subgraphs included, in no particular but a reproducible order. The list changes when
// the graph does; copy it to change the graph while walking.
func (v *Value) Uses() []Use { return v.uses }

// Node is one application of an operator.
type Node struct {
	Name, Domain, OpType, Overload string
	Doc                            string
	Attrs                          []Attribute
	Metadata                       []Entry

	ID      int   // number in the loaded graph, kept by copies and rewrites; random streams and errors use it
	Origin  []int // IDs of the loaded nodes that a rewritten node came from; nil: its own
	Version int   // version of the domain in force; 0: as the graph's imports say

	in, out []slot
	graph   *Graph
	dead    bool
	present present
	unknown []byte
}

// slot is one input or output: the value and, for an input, the place of this use in the value's list.
type slot struct {
	v   *Value
	pos int
}

// In is input i; nil when absent.
func (n *Node) In(i int) *Value {
	if i < 0 || i >= len(n.in) {
		return nil
	}
	return n.in[i].v
}

// Out is output i; nil when absent.
func (n *Node) Out(i int) *Value {
	if i < 0 || i >= len(n.out) {
		return nil
	}
	return n.out[i].v
}

// NumIn is the number of inputs, absent ones between others included.
func (n *Node) NumIn() int { return len(n.in) }

// NumOut is the number of outputs, absent ones between others included.
func (n *Node) NumOut() int { return len(n.out) }

// Inputs is a new list of the inputs; absent ones are nil.
func (n *Node) Inputs() []*Value { return values(n.in) }

// Outputs is a new list of the outputs; absent ones are nil.
func (n *Node) Outputs() []*Value { return values(n.out) }

func values(s []slot) []*Value {
	vs := make([]*Value, len(s))
	for i := range s {
		vs[i] = s[i].v
	}
	return vs
}

// Graph is the graph that n belongs to.
func (n *Node) Graph() *Graph { return n.graph }

// Label is the node's name, or one made from its operator and number.
func (n *Node) Label() string {
	if n.Name != "" {
		return n.Name
	}
	return fmt.Sprintf("%s#%d", n.OpType, n.ID)
}

// Operator is the operator with its domain when that is not the standard's: "Conv", "com.example.Foo".
func (n *Node) Operator() string {
	if IsDefaultDomain(n.Domain) {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}

// Opset is the version of n's domain in force; 0 when nothing says it, which means the newest.
func (n *Node) Opset() int {
	if n.Version > 0 {
		return n.Version
	}
	for g := n.graph; g != nil; g = g.Outer {
		if v := g.opset(n.Domain); v > 0 {
			return v
		}
	}
	return 0
}

// IsDefaultDomain reports whether domain is a spelling of ai.onnx.
func IsDefaultDomain(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (g *Graph) opset(domain string) int {
	for _, o := range g.Opsets {
		if o.Domain == domain || IsDefaultDomain(o.Domain) && IsDefaultDomain(domain) {
			return o.Version
		}
	}
	return 0
}

// SetOpset says which version of domain g's nodes mean.
func (g *Graph) SetOpset(domain string, version int) {
	for i, o := range g.Opsets {
		if o.Domain == domain || IsDefaultDomain(o.Domain) && IsDefaultDomain(domain) {
			g.Opsets[i].Version = version
			return
		}
	}
	g.Opsets = append(g.Opsets, Opset{domain, version})
}

// Update says that the variable Var becomes New when a run ends (TrainingInfo.update_binding of the standard).
type Update struct{ Var, New *Value }

// Graph is nodes and values. Nodes may stand in any order; Sorted gives one that respects the flow of data.
type Graph struct {
	Name, Doc       string
	Inputs, Outputs []*Value
	Initializers    []*Value
	Nodes           []*Node
	Updates         []Update
	Opsets          []Opset // the model's imports; on the outermost graph and on function bodies only
	Metadata        []Entry
	Outer           *Graph // the graph whose node holds g as an attribute; nil for the outermost

	names *names
	info  graphInfo
}

// graphInfo is what the file said of a graph beside its parts.
type graphInfo struct {
	inputs, outputs, valueInfo []declared
	quant                      [][]byte    // quantization_annotation
	opsets                     []opsetForm // of Opsets
	present                    present
	unknown                    []byte
}

// opsetForm is how an import stood in the file.
type opsetForm struct {
	present present
	unknown []byte
}

// declared is a ValueInfoProto as it stood in the file, so that denotations, metadata and the presence of fields survive as
// long as the value keeps its name.
type declared struct {
	name  string
	raw   []byte
	stray bool // value_info of a name that the graph does not define
	other bool // its type is not the one the value got, which another declaration gave
}

// present has bit n set where field n of a message stood in the file: protobuf tells an empty string from none. Bit 0 says
// that the message came from a file at all.
type present uint32

const fromFile present = 1

func (p present) has(field int) bool { return p&(1<<field) != 0 }

// names is the name space of an outermost graph and its subgraphs.
type names struct {
	used map[string]int
	ids  int
}

// NewGraph makes an empty graph; outer is nil for an outermost graph.
func NewGraph(name string, outer *Graph) *Graph {
	g := &Graph{Name: name, Outer: outer}
	if outer != nil {
		g.names = outer.names
	} else {
		g.names = &names{used: map[string]int{}}
	}
	return g
}

// Unique makes a name that no value and no node has: base, or base with a number.
func (g *Graph) Unique(base string) string {
	n, taken := g.names.used[base]
	if !taken {
		g.names.used[base] = 1
		return base
	}
	for ; ; n++ {
		name := fmt.Sprintf("%s_%d", base, n)
		if _, taken := g.names.used[name]; !taken {
			g.names.used[base], g.names.used[name] = n+1, 1
			return name
		}
	}
}

func (g *Graph) claim(name string) {
	if _, taken := g.names.used[name]; !taken {
		g.names.used[name] = 1
	}
}

// Input adds an input called name, or name with a number if that is taken.
func (g *Graph) Input(name string, t Type) *Value {
	v := &Value{Name: g.Unique(name), Type: t, graph: g}
	g.Inputs = append(g.Inputs, v)
	return v
}

// Initializer adds an initializer called name, or name with a number if that is taken. init may be nil when the contents
// are drawn later.
func (g *Graph) Initializer(name string, t Type, init *Tensor) *Value {
	v := &Value{Name: g.Unique(name), Type: t, graph: g, init: true, Init: init}
	g.Initializers = append(g.Initializers, v)
	return v
}

// Add appends a node with nOut outputs, whose names are made from the node's.
func (g *Graph) Add(domain, opType string, nOut int, in []*Value, attrs ...Attribute) *Node {
	g.names.ids++
	n := &Node{Domain: domain, OpType: opType, Attrs: attrs, graph: g, ID: g.names.ids}
	n.Name = g.Unique(strings.ToLower(opType))
	for _, v := range in {
		n.AddIn(v)
	}
	for range nOut {
		n.AddOut()
	}
	g.Nodes = append(g.Nodes, n)
	return n
}

// SetIn makes v input i of n, which must exist; nil makes it absent.
func (n *Node) SetIn(i int, v *Value) {
	s := &n.in[i]
	if s.v != nil {
		s.v.dropUse(s.pos)
	}
	s.v, s.pos = v, 0
	if v != nil {
		s.pos = len(v.uses)
		v.uses = append(v.uses, Use{n, i})
	}
}

// dropUse removes use pos by moving the last one there.
func (v *Value) dropUse(pos int) {
	last := len(v.uses) - 1
	if pos != last {
		u := v.uses[last]
		v.uses[pos] = u
		u.Node.in[u.Index].pos = pos
	}
	v.uses = v.uses[:last]
}

// AddIn appends an input; nil is an absent one.
func (n *Node) AddIn(v *Value) {
	n.in = append(n.in, slot{})
	n.SetIn(len(n.in)-1, v)
}

// TrimIn removes the inputs from i on.
func (n *Node) TrimIn(i int) {
	for j := i; j < len(n.in); j++ {
		n.SetIn(j, nil)
	}
	n.in = n.in[:min(i, len(n.in))]
}

// AddOut appends an output.
func (n *Node) AddOut() *Value { return n.addOut(n.graph.Unique(n.Name + "_y")) }

func (n *Node) addOut(name string) *Value {
	v := &Value{Name: name, graph: n.graph, node: n, index: len(n.out)}
	n.out = append(n.out, slot{v: v})
	return v
}

// MakeOut gives n an output i where it is absent, with absent ones before it, and returns it.
func (n *Node) MakeOut(i int) *Value {
	for len(n.out) <= i {
		n.out = append(n.out, slot{})
	}
	if n.out[i].v == nil {
		n.out[i].v = &Value{Name: n.graph.Unique(n.Label() + "_y"), graph: n.graph, node: n, index: i}
	}
	return n.out[i].v
}

// DropOut makes output i absent. Its value must be unused.
func (n *Node) DropOut(i int) {
	if i < len(n.out) {
		n.out[i].v = nil
	}
	for len(n.out) > 0 && n.out[len(n.out)-1].v == nil {
		n.out = n.out[:len(n.out)-1]
	}
}

// ReplaceUses makes every reader of v, graph outputs and updates included, read w instead. Readers that w depends on
// directly (w's own node) keep v.
func (v *Value) ReplaceUses(w *Value) {
	for _, u := range slices.Clone(v.uses) {
		if u.Node != w.node {
			u.Node.SetIn(u.Index, w)
		}
	}
	for g := v.graph; g != nil; g = g.Outer {
		g.replaceOutputs(v, w)
	}
	v.graph.eachSubgraph(func(s *Graph) { s.replaceOutputs(v, w) })
}

func (g *Graph) replaceOutputs(v, w *Value) {
	for i, o := range g.Outputs {
		if o == v {
			g.Outputs[i] = w
		}
	}
	for i, u := range g.Updates {
		if u.New == v {
			g.Updates[i].New = w
		}
	}
}

// eachSubgraph calls do for the graphs inside g, not for g.
func (g *Graph) eachSubgraph(do func(*Graph)) {
	for _, n := range g.Nodes {
		for i := range n.Attrs {
			if n.Attrs[i].G == nil && n.Attrs[i].Graphs == nil {
				continue
			}
			for _, s := range n.Subgraphs() {
				do(s)
				s.eachSubgraph(do)
			}
		}
	}
}

// Remove deletes nodes, whose outputs must be unused. Subgraphs go with them.
func (g *Graph) Remove(nodes ...*Node) {
	for _, n := range nodes {
		n.release()
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool { return n.dead })
}

func (n *Node) release() {
	n.dead = true
	n.TrimIn(0)
	for _, s := range n.Subgraphs() {
		for _, m := range s.Nodes {
			m.release()
		}
	}
}

// Captures lists the values of enclosing graphs that g reads, in order of first use.
func (g *Graph) Captures() []*Value {
	c := captures{g: g, seen: map[*Value]bool{}}
	c.graph(g)
	return c.list
}

// Captures lists the outer values that n's subgraphs read, in order of first use.
func (n *Node) Captures() []*Value {
	subs := n.Subgraphs()
	if len(subs) == 0 {
		return nil
	}
	c := captures{seen: map[*Value]bool{}}
	for _, s := range subs {
		c.g = s
		c.graph(s)
	}
	return c.list
}

type captures struct {
	g    *Graph
	seen map[*Value]bool
	list []*Value
}

func (c *captures) add(v *Value) {
	if v != nil && !c.seen[v] && !c.g.owns(v) {
		c.seen[v] = true
		c.list = append(c.list, v)
	}
}

func (c *captures) graph(g *Graph) {
	for _, n := range g.Nodes {
		for _, s := range n.in {
			c.add(s.v)
		}
		for _, s := range n.Subgraphs() {
			c.graph(s)
		}
	}
	for _, v := range g.Outputs {
		c.add(v)
	}
}

// owns reports whether v belongs to g or to a graph inside it.
func (g *Graph) owns(v *Value) bool {
	for o := v.graph; o != nil; o = o.Outer {
		if o == g {
			return true
		}
	}
	return false
}

// Depth is the number of graphs around g.
func (g *Graph) Depth() int {
	d := 0
	for o := g.Outer; o != nil; o = o.Outer {
		d++
	}
	return d
}

// Used reports whether somebody reads v: a node, a graph output or an update.
func (v *Value) Used() bool {
	if len(v.uses) > 0 {
		return true
	}
	used := func(g *Graph) bool {
		return slices.Contains(g.Outputs, v) || slices.ContainsFunc(g.Updates, func(u Update) bool { return u.New == v })
	}
	if used(v.graph) {
		return true
	}
	found := false
	v.graph.eachSubgraph(func(s *Graph) { found = found || used(s) })
	return found
}
