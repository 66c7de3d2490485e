package plan

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// order is the nodes to run: those whose results somebody outside reads, then the commit section. early holds the new
// values of variables whose node comes after all other readers of the variable, so that it may write in place.
type order struct {
	main, commit []*onnx.Node
	early        map[*onnx.Value]bool
}

// order sorts the graph. The commit section holds every node that makes the new value of a variable, or depends on one that
// does, and whose results reach only updates. All that may run before it does: the commit holds a lock and is not cancelled.
func (p *Plan) order() (order, error) {
	sorted, ok := onnx.Sorted(p.g, nil)
	if !ok {
		return order{}, onnx.Invalidf("graph %.128q has a cycle", p.g.Name)
	}
	o := order{early: map[*onnx.Value]bool{}}
	if len(p.g.Updates) > 0 {
		sorted = o.readersFirst(p.g, sorted)
	}
	use := p.useful(sorted)
	late := map[*onnx.Node]bool{}
	for _, u := range p.g.Updates {
		late[u.New.Node()] = true
	}
	for _, n := range sorted {
		switch {
		case use[n] == forUpdates && (late[n] || dependsOn(n, late)):
			late[n] = true
			o.commit = append(o.commit, n)
		case use[n] != forNobody:
			delete(late, n)
			o.main = append(o.main, n)
		}
	}
	return o, nil
}

// dependsOn reports whether n reads an output of one of the nodes in set.
func dependsOn(n *onnx.Node, set map[*onnx.Node]bool) bool {
	return slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return v.Node() != nil && set[v.Node()] })
}

// reads lists the values that n and its subgraphs read.
func reads(n *onnx.Node) []*onnx.Value {
	vs := slices.DeleteFunc(n.Inputs(), func(v *onnx.Value) bool { return v == nil })
	return append(vs, n.Captures()...)
}

const (
	forNobody = iota
	forUpdates
	forOutputs
)

// useful says for whom each node works.
func (p *Plan) useful(sorted []*onnx.Node) map[*onnx.Node]int {
	need := map[*onnx.Value]int{}
	for _, u := range p.g.Updates {
		need[u.New] = forUpdates
	}
	for _, v := range p.outputs {
		need[v] = forOutputs
	}
	use := make(map[*onnx.Node]int, len(sorted))
	for _, n := range slices.Backward(sorted) {
		level := forNobody
		for _, v := range n.Outputs() {
			if v != nil {
				level = max(level, need[v])
			}
		}
		if p.o.Keep && level == forNobody {
			level = forOutputs
		}
		use[n] = level
		for _, v := range reads(n) {
			need[v] = max(need[v], level)
		}
	}
	return use
}

// readersFirst sorts so that a node that makes the new value of a variable stands after the variable's other readers. A
// variable of which a reader depends on the new value is left out: its new value is copied at the end.
func (o *order) readersFirst(g *onnx.Graph, sorted []*onnx.Node) []*onnx.Node {
	readers := readersOf(g)
	place := make(map[*onnx.Node]int, len(sorted))
	for i, n := range sorted {
		place[n] = i
	}
	before := map[*onnx.Node][]*onnx.Node{}
	for _, u := range g.Updates {
		n := u.New.Node()
		if n == nil {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(readers[u.Var]), func(r *onnx.Node) bool { return r == n })
		later := slices.DeleteFunc(slices.Clone(others), func(r *onnx.Node) bool { return place[r] < place[n] })
		if !depend(sorted[place[n]:], later) {
			before[n] = append(before[n], others...)
			o.early[u.New] = true
		}
	}
	again, ok := onnx.Sorted(g, before)
	if !ok { // updates that wait for each other: none is written in place
		clear(o.early)
		return sorted
	}
	return again
}

// readersOf lists for each variable that g updates the nodes of g that read it, themselves or in a subgraph.
func readersOf(g *onnx.Graph) map[*onnx.Value][]*onnx.Node {
	readers := map[*onnx.Value][]*onnx.Node{}
	for _, u := range g.Updates {
		readers[u.Var] = nil
	}
	for _, n := range g.Nodes {
		for _, v := range reads(n) {
			if old, ok := readers[v]; ok && !slices.Contains(old, n) {
				readers[v] = append(old, n)
			}
		}
	}
	return readers
}

// depend reports whether one of nodes depends on the first node of sorted.
func depend(sorted, nodes []*onnx.Node) bool {
	if len(nodes) == 0 {
		return false
	}
	down := map[*onnx.Node]bool{sorted[0]: true}
	for _, m := range sorted[1:] {
		if dependsOn(m, down) {
			down[m] = true
			if slices.Contains(nodes, m) {
				return true
			}
		}
	}
	return false
}

// update plans how a variable gets its new value.
func (p *Plan) update(u onnx.Update, early bool) error {
	id, err := p.id(u.New)
	if err != nil {
		return err
	}
	into, err := p.id(u.Var)
	if err != nil {
		return err
	}
	v := &p.vals[id]
	up := update{v: p.vals[into].vr, val: id, step: -1}
	switch {
	case up.v == nil:
		return onnx.Invalidf("update: %.128q is not a variable", u.Var.Name)
	case v.vr != nil && slices.ContainsFunc(p.g.Updates, func(w onnx.Update) bool { return w.Var == u.New }):
		return onnx.Unsupportedf("update: %.128q takes the value of the variable %.128q, which is updated as well", u.Var.Name, u.New.Name)
	}
	v.last = len(p.steps)
	if v.def >= p.commit {
		up.step = v.def
		up.inPlace = early && !p.o.Keep && v.inPlace == nil && p.writesInto(v.def, id, into)
	}
	if up.inPlace {
		v.inPlace = up.v
	}
	p.updates = append(p.updates, up)
	return nil
}

// writesInto reports whether step k may write value id over value into.
func (p *Plan) writesInto(k, id, into int) bool {
	for _, a := range p.steps[k].s.Alias {
		if o, i, ok := p.steps[k].pair(a); ok && o == id && i == into {
			return true
		}
	}
	return false
}
