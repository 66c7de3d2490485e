package onnx

// Sorted lists g's nodes so that makers stand before readers (readers inside subgraphs count as the node that holds them)
// and the nodes in before, which may be nil, before the node they belong to. It keeps the order of g.Nodes where it may.
// ok is false when there is a cycle; the nodes of the cycle are then left out.
func Sorted(g *Graph, before map[*Node][]*Node) (order []*Node, ok bool) {
	s := sorter{g: g, before: before, state: make(map[*Node]uint8, len(g.Nodes)), ok: true}
	for _, n := range g.Nodes {
		s.visit(n)
	}
	return s.order, s.ok
}

const (
	open = iota + 1
	done
)

type sorter struct {
	g      *Graph
	before map[*Node][]*Node
	state  map[*Node]uint8
	order  []*Node
	stack  []frame
	ok     bool
}

type frame struct {
	n    *Node
	deps []*Node
}

// visit walks depth first with its own stack, since a graph may be as deep as it has nodes.
func (s *sorter) visit(root *Node) {
	if s.state[root] != 0 {
		return
	}
	s.push(root)
	for len(s.stack) > 0 {
		f := &s.stack[len(s.stack)-1]
		if len(f.deps) == 0 {
			s.state[f.n] = done
			s.order = append(s.order, f.n)
			s.stack = s.stack[:len(s.stack)-1]
			continue
		}
		m := f.deps[0]
		f.deps = f.deps[1:]
		switch s.state[m] {
		case open:
			s.ok = false
		case 0:
			s.push(m)
		}
	}
}

func (s *sorter) push(n *Node) {
	s.state[n] = open
	f := frame{n: n}
	for _, in := range n.in {
		f.deps = s.dep(f.deps, in.v)
	}
	for _, v := range n.Captures() {
		f.deps = s.dep(f.deps, v)
	}
	f.deps = append(f.deps, s.before[n]...)
	s.stack = append(s.stack, f)
}

func (s *sorter) dep(deps []*Node, v *Value) []*Node {
	if v != nil && v.node != nil && v.graph == s.g && s.state[v.node] != done {
		return append(deps, v.node)
	}
	return deps
}
