package onnxgo

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/iterator"
	"gonum.org/v1/gonum/graph/simple"
	"gorgonia.org/tensor"
)

var (
	_ onnxgo.Backend     = (*Graph)(nil)
	_ onnxgo.Namer       = (*Node)(nil)
	_ onnxgo.Documenter  = (*Node)(nil)
	_ onnxgo.DataCarrier = (*Node)(nil)
)

// Options of a Graph.
type Options struct {
	// Opset is the model's opset of the default domain, which onnx-go does not pass on (see Opset). It must be given to run
	// a model that onnx-go read; a Model knows its own.
	Opset int
	// Runtime is how models are run; its zero value is the usual choice.
	Runtime runtime.Options
}

// Graph is a backend for onnx-go: a directed graph of values, whose edges lead from what an operation makes to what it reads
// and weigh the position of the input. It is not safe for concurrent use.
type Graph struct {
	options    Options
	nodes      []*Node           // by ID
	values     map[string]*value // by name
	operations []*operation
	err        error // the first thing that the interface had no way to report
	prepared   *prepared
	whole      *whole // what NewModel keeps; nil for a model that onnx-go read
}

// NewGraph makes an empty backend.
func NewGraph(o Options) *Graph { return &Graph{options: o, values: map[string]*value{}} }

// value is one value of the model. Nodes of the same name share it: onnx-go makes a second node for an input that the
// model's list of values names again.
type value struct {
	name, description string
	tensor            tensor.Tensor
	declared          bool // it was there before the first operation: an input, an output, an initializer or listed
	fed               bool // its tensor was set after the operations were known: it is an input of a run
	read              bool
	maker             *operation
	edges             []edge // what the operation that makes it reads
}

type edge struct {
	weight float64
	to     *Node
}

// Node is a value of the graph. It carries a name, a description and a tensor, as onnx-go asks.
type Node struct {
	id int64
	g  *Graph
	v  *value
}

// ID is the place in which the node was made, from 0.
func (n *Node) ID() int64 { return n.id }

// GetName is the name of the value.
func (n *Node) GetName() string { return n.v.name }

// SetName names the value. Nodes of one name are one value.
func (n *Node) SetName(name string) {
	known, ok := n.g.values[name]
	if !ok {
		known = n.v
		n.g.values[name] = known
	}
	n.v, known.name = known, name
}

// GetDescription is what SetDescription said.
func (n *Node) GetDescription() string { return n.v.description }

// SetDescription keeps a text.
func (n *Node) SetDescription(s string) { n.v.description = s }

// GetTensor is the value: what SetTensor gave or the last run computed; nil when there is none.
func (n *Node) GetTensor() tensor.Tensor { return n.v.tensor }

// SetTensor gives the node a value, which must not change during a run.
func (n *Node) SetTensor(t tensor.Tensor) error {
	if t == nil {
		return onnx.Invalidf("onnxgo: value %.128q: expected a tensor, received nil", n.v.name)
	}
	n.v.tensor, n.v.fed = t, n.v.fed || n.g.sealed()
	return nil
}

// sealed reports whether the operations are known, so that tensors that come now are inputs.
func (g *Graph) sealed() bool { return len(g.operations) > 0 || g.whole != nil }

// NewNode makes a node that AddNode will add.
func (g *Graph) NewNode() graph.Node {
	return &Node{id: int64(len(g.nodes)), g: g, v: &value{}}
}

// AddNode adds a node that NewNode made.
func (g *Graph) AddNode(n graph.Node) {
	node, ok := n.(*Node)
	if !ok || node.g != g || node.id != int64(len(g.nodes)) {
		g.fail(onnx.Invalidf("onnxgo: expected the newest node of this graph, received %T %d", n, n.ID()))
		return
	}
	node.v.declared = node.v.declared || !g.sealed()
	g.nodes = append(g.nodes, node)
}

func (g *Graph) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// node is n if it is one of g's.
func (g *Graph) node(n graph.Node) *Node {
	if node, ok := n.(*Node); ok && node.g == g && node.id < int64(len(g.nodes)) {
		return node
	}
	g.fail(onnx.Invalidf("onnxgo: a %T is no node of this graph", n))
	return nil
}

// Node is the node with the given ID; nil when there is none.
func (g *Graph) Node(id int64) graph.Node {
	if n := g.at(id); n != nil {
		return n
	}
	return nil
}

func (g *Graph) at(id int64) *Node {
	if id < 0 || id >= int64(len(g.nodes)) {
		return nil
	}
	return g.nodes[id]
}

// Nodes are all nodes.
func (g *Graph) Nodes() graph.Nodes { return ordered(g.nodes) }

func ordered(nodes []*Node) graph.Nodes {
	if len(nodes) == 0 {
		return graph.Empty
	}
	all := make([]graph.Node, len(nodes))
	for i, n := range nodes {
		all[i] = n
	}
	return iterator.NewOrderedNodes(all)
}

// NewWeightedEdge makes an edge that SetWeightedEdge will add.
func (g *Graph) NewWeightedEdge(from, to graph.Node, w float64) graph.WeightedEdge {
	return simple.WeightedEdge{F: from, T: to, W: w}
}

// SetWeightedEdge adds an edge. Two nodes may have several, for an operation that reads a value twice.
func (g *Graph) SetWeightedEdge(e graph.WeightedEdge) {
	from, to := g.node(e.From()), g.node(e.To())
	if from != nil && to != nil {
		from.v.edges = append(from.v.edges, edge{e.Weight(), to})
	}
}

// From are the nodes that the node with the given ID is made from.
func (g *Graph) From(id int64) graph.Nodes {
	n := g.at(id)
	if n == nil {
		return graph.Empty
	}
	var to []*Node
	seen := map[*Node]bool{}
	for _, e := range n.v.edges {
		if !seen[e.to] {
			seen[e.to] = true
			to = append(to, e.to)
		}
	}
	return ordered(to)
}

// To are the nodes that are made from the node with the given ID.
func (g *Graph) To(id int64) graph.Nodes {
	var from []*Node
	for _, n := range g.nodes {
		if g.HasEdgeFromTo(n.id, id) {
			from = append(from, n)
		}
	}
	return ordered(from)
}

// HasEdgeFromTo reports whether the node uid is made from the node vid.
func (g *Graph) HasEdgeFromTo(uid, vid int64) bool { return g.WeightedEdge(uid, vid) != nil }

// HasEdgeBetween reports whether one of the nodes is made from the other.
func (g *Graph) HasEdgeBetween(xid, yid int64) bool {
	return g.HasEdgeFromTo(xid, yid) || g.HasEdgeFromTo(yid, xid)
}

// Edge is the first edge from uid to vid; nil when there is none.
func (g *Graph) Edge(uid, vid int64) graph.Edge {
	if e := g.WeightedEdge(uid, vid); e != nil {
		return e
	}
	return nil
}

// WeightedEdge is the first edge from uid to vid; nil when there is none.
func (g *Graph) WeightedEdge(uid, vid int64) graph.WeightedEdge {
	from := g.at(uid)
	if from == nil {
		return nil
	}
	for _, e := range from.v.edges {
		if e.to.id == vid {
			return g.NewWeightedEdge(from, e.to, e.weight)
		}
	}
	return nil
}
