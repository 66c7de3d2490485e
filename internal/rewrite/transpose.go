package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// transposes removes a Transpose that another undoes, with element-wise operators or nothing between them, as exporters leave
// them that think in the order NHWC, and makes one of two in a row. What is between them then computes in the order of the
// values before; results keep their bits.
func (p *optimiser) transposes() error {
	return graphs(p.g, func(g *onnx.Graph) error {
		order, err := sorted(g)
		if err != nil {
			return err
		}
		var gone []*onnx.Node
		for _, n := range order {
			if err := p.o.err(); err != nil {
				return err
			}
			perm := permutation(n)
			if perm == nil {
				continue
			}
			if p.undo(n, perm) {
				gone = append(gone, n)
				continue
			}
			if before := permutation(n.In(0).Node()); before != nil && len(before) == len(perm) && n.In(0).Graph() == g {
				n.SetAttr(onnx.Ints("perm", composed(before, perm)...))
				n.SetIn(0, n.In(0).Node().In(0))
			}
		}
		g.Remove(gone...)
		return nil
	})
}

// permutation is how n, a Transpose, permutes the axes; nil for other nodes and unknown ranks.
func permutation(n *onnx.Node) []int64 {
	if !is(n, "Transpose") || n.In(0) == nil || n.Out(0) == nil {
		return nil
	}
	rank := n.In(0).Type.Rank()
	perm, ok := n.Ints("perm")
	if rank < 1 || ok && len(perm) != rank {
		return nil
	}
	if !ok {
		for i := range rank {
			perm = append(perm, int64(rank-1-i))
		}
	}
	for i := range int64(rank) {
		if !slices.Contains(perm, i) {
			return nil
		}
	}
	return perm
}

// composed is the permutation that applies first and then second.
func composed(first, second []int64) []int64 {
	perm := make([]int64, len(second))
	for i, a := range second {
		perm[i] = first[a]
	}
	return perm
}

// undo lets n's input be made in n's order, if that spares a Transpose, and take the place of n's output.
func (p *optimiser) undo(n *onnx.Node, perm []int64) bool {
	t := turner{optimiser: p, perm: perm, g: n.Graph()}
	if !t.can(n, n.In(0), 0) || t.found == 0 {
		return false
	}
	v := n.Out(0)
	w := n.In(0)
	if permutation(w.Node()) != nil { // it stays for others
		return p.substitute(v, w.Node().In(0))
	}
	t.turn(n, 0)
	v.Name, w.Name = w.Name, v.Name
	replace(v, w, p.outputs)
	n.TrimIn(0)
	return true
}

// turner brings values into the order that a Transpose gives them.
type turner struct {
	*optimiser
	perm  []int64
	g     *onnx.Graph
	found int // Transposes that it undoes
}

// turnDepth bounds how far above a Transpose another is looked for.
const turnDepth = 64

// can reports whether v, which reader reads, can be had in the other order without a Transpose.
func (t *turner) can(reader *onnx.Node, v *onnx.Value, depth int) bool {
	if v == nil || depth > turnDepth {
		return false
	}
	if t.keeps(v) || t.row(v) != nil {
		return true
	}
	n := v.Node()
	if n == nil || n.Graph() != t.g || v.Type.Rank() != len(t.perm) {
		return false
	}
	if before := permutation(n); before != nil {
		t.found++
		return slices.IsSorted(composed(before, t.perm))
	}
	operands := elementwise(n)
	if operands == 0 || !t.onlyReader(v, reader) {
		return false
	}
	for i := range operands {
		if !t.can(n, n.In(i), depth+1) {
			return false
		}
	}
	return true
}

// keeps reports whether v is a single number, which has no order.
func (t *turner) keeps(v *onnx.Value) bool {
	return v.Type.Ranked && v.Type.Rank() <= len(t.perm) && !slices.ContainsFunc(v.Type.Shape, func(d onnx.Dim) bool { return d != onnx.Fixed(1) })
}

// row is the shape in the other order of a constant that differs along one axis only; nil for others.
func (t *turner) row(v *onnx.Value) []int {
	c := t.constant(v)
	if c == nil || len(c.Shape) > len(t.perm) {
		return nil
	}
	shape, long := make([]int, len(t.perm)), 0
	for i, axis := range t.perm {
		shape[i] = 1
		if k := int(axis) - len(t.perm) + len(c.Shape); k >= 0 {
			shape[i] = c.Shape[k]
		}
		if shape[i] != 1 {
			long++
		}
	}
	if long != 1 {
		return nil
	}
	return shape
}

// elementwise is how many inputs of n, from the first on, the result has the elements of after broadcasting; 0 for operators
// that do otherwise.
func elementwise(n *onnx.Node) int {
	if !onnx.IsDefaultDomain(n.Domain) || n.NumOut() != 1 {
		return 0
	}
	switch n.OpType {
	case "Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Tanh", "Elu", "Selu", "Celu", "Gelu", "Mish",
		"Softplus", "Softsign", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Abs", "Neg", "Floor", "Ceil", "Round", "Cast":
		return 1
	case "Add", "Sub", "Mul", "Div", "Pow", "PRelu":
		return 2
	case "Max", "Min", "Sum", "Mean":
		return n.NumIn()
	}
	return 0
}

// turn makes input i of n, which can be had in the other order, be so.
func (t *turner) turn(n *onnx.Node, i int) {
	v := n.In(i)
	if t.keeps(v) {
		return
	}
	if shape := t.row(v); shape != nil {
		c := t.constant(v).Clone()
		c.Shape = shape
		n.SetIn(i, t.optimiser.g.Initializer(v.Name+"_turned", c.Type(), c))
		return
	}
	m := v.Node()
	if permutation(m) != nil {
		n.SetIn(i, m.In(0))
		return
	}
	for k := range elementwise(m) {
		t.turn(m, k)
	}
	from := v.Type.Shape
	v.Type = v.Type.Clone()
	for k, axis := range t.perm {
		v.Type.Shape[k] = from[axis]
	}
}
