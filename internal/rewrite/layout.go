package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Layout chooses the values of g, which Optimise left, that are blocked in memory, and puts a Reorder where one is needed in
// the other layout: one for each such value, shared by all its readers. Inputs and outputs of graphs and what subgraphs read
// of the graphs around them stay plain.
//
// A node whose operator gains by it starts a region of blocked values; nodes that can go on with a blocked input join it. A
// region that saves less than the Reorders at its border cost is given up. Sizes are those of one sample; one that is not
// known is taken for 32.
func Layout(g *onnx.Graph, set *opdef.Set, o Options) (map[*onnx.Value]opdef.Layout, error) {
	layouts := map[*onnx.Value]opdef.Layout{}
	p := &optimiser{g: g, set: set, o: o}
	p.look()
	err := graphs(g, func(g *onnx.Graph) error {
		l := &layouter{optimiser: p, g: g, layouts: layouts, joined: map[*onnx.Node]opdef.Blocking{}, region: map[*onnx.Node]*region{}}
		return l.run()
	})
	return layouts, err
}

// layouter chooses the layouts of one graph.
type layouter struct {
	*optimiser
	g       *onnx.Graph
	layouts map[*onnx.Value]opdef.Layout
	order   []*onnx.Node
	joined  map[*onnx.Node]opdef.Blocking
	region  map[*onnx.Node]*region
}

// region is nodes that are connected by blocked values.
type region struct {
	in   *region // the region that this one is now part of
	gain float64
}

func (r *region) root() *region {
	for r.in != nil {
		r = r.in
	}
	return r
}

func (l *layouter) run() (err error) {
	if l.order, err = sorted(l.g); err != nil {
		return err
	}
	for _, n := range l.order {
		if err := l.o.err(); err != nil {
			return err
		}
		l.visit(n)
	}
	l.judge()
	l.insert()
	l.g.Nodes, err = sorted(l.g)
	return err
}

// visit lets n join if it gains by itself or an input is blocked already.
func (l *layouter) visit(n *onnx.Node) {
	def := l.set.Find(n.Domain, n.OpType)
	if def == nil || def.Layouts == nil {
		return
	}
	b := def.Layouts(&opdef.Layouts{Node: n, Blocked: l.blocked, Const: l.constant})
	if len(b.In)+len(b.Out) == 0 {
		return
	}
	r := &region{gain: b.Gain}
	join := b.Gain > 0
	for _, i := range b.In {
		if v := n.In(i); l.blocked(v) {
			join = true
			if s := l.region[v.Node()].root(); s != r {
				s.in, r.gain = r, r.gain+s.gain
			}
		}
	}
	if !join {
		return
	}
	l.joined[n], l.region[n] = b, r
	for _, i := range b.Out {
		l.layouts[n.Out(i)] = opdef.Blocked
	}
}

// blocked reports whether v is a blocked value of this graph.
func (l *layouter) blocked(v *onnx.Value) bool {
	return l.layouts[v] == opdef.Blocked && v.Graph() == l.g
}

// reorderCost is what a Reorder costs beside the elements that it moves, in elements.
const reorderCost = 1000

// judge gives up regions that do not pay.
func (l *layouter) judge() {
	for _, n := range l.order {
		b, ok := l.joined[n]
		if !ok {
			continue
		}
		r := l.region[n].root()
		for k, i := range b.In {
			if v := n.In(i); !l.blocked(v) && !slices.ContainsFunc(b.In[:k], func(j int) bool { return n.In(j) == v }) {
				r.gain -= sampleSize(v) + reorderCost
			}
		}
		for _, i := range b.Out {
			if v := n.Out(i); l.leaves(v) {
				r.gain -= sampleSize(v) + reorderCost
			}
		}
	}
	for n, b := range l.joined {
		if l.region[n].root().gain > 0 {
			continue
		}
		delete(l.joined, n)
		for _, i := range b.Out {
			delete(l.layouts, n.Out(i))
		}
	}
}

// sampleSize is the elements of v for one sample.
func sampleSize(v *onnx.Value) float64 {
	size := 1.0
	for _, d := range v.Type.Shape[1:] {
		if d.IsFixed() {
			size *= float64(d.N)
		} else {
			size *= 32
		}
	}
	return size
}

// leaves reports whether v, which is blocked, is needed plain as well.
func (l *layouter) leaves(v *onnx.Value) bool {
	return l.outputs[v] || slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool { return !l.readsBlocked(u) })
}

// readsBlocked reports whether a reader takes its input blocked.
func (l *layouter) readsBlocked(u onnx.Use) bool {
	return slices.Contains(l.joined[u.Node].In, u.Index)
}

// insert puts in the Reorders.
func (l *layouter) insert() {
	into := map[*onnx.Value]*onnx.Value{}
	for _, n := range l.order {
		b := l.joined[n]
		for _, i := range b.In {
			v := n.In(i)
			if l.blocked(v) {
				continue
			}
			if into[v] == nil {
				into[v] = l.reorder(v, "_blocked")
				l.layouts[into[v]] = opdef.Blocked
			}
			n.SetIn(i, into[v])
		}
		for _, i := range b.Out {
			if v := n.Out(i); l.leaves(v) {
				l.leave(v)
			}
		}
	}
}

// reorder appends a Reorder of v.
func (l *layouter) reorder(v *onnx.Value, suffix string) *onnx.Value {
	n := l.g.Add(onnx.Private, "Reorder", 1, values{v})
	n.Origin = []int{}
	if v.Node() != nil {
		n.Name, n.Origin = l.g.Unique(v.Node().Label()+"_reorder"), origin(v.Node())
	}
	w := n.Out(0)
	w.Name, w.Type = l.g.Unique(v.Name+suffix), v.Type.Clone()
	return w
}

// leave lets a plain form of v, which keeps the name, serve all that reads it plain.
func (l *layouter) leave(v *onnx.Value) {
	var readers []onnx.Use
	for _, u := range v.Uses() {
		if l.readsBlocked(u) {
			readers = append(readers, u)
		}
	}
	w := l.reorder(v, "_blocked")
	v.Name, w.Name = w.Name, v.Name
	replace(v, w, l.outputs)
	for _, u := range readers {
		u.Node.SetIn(u.Index, v)
	}
}
