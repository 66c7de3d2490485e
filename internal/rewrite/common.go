package rewrite

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// smallBytes is the size up to which constants and attributes are compared by contents.
const smallBytes = 1024

// common computes equal things once: small constants, and nodes of the same graph with equal operator, attributes and
// inputs.
func (p *optimiser) common() error {
	p.commonConstants()
	return graphs(p.g, func(g *onnx.Graph) error {
		order, err := sorted(g)
		if err != nil {
			return err
		}
		first := map[string]*onnx.Node{}
		k := keyer{ids: map[*onnx.Value]uint64{}}
		var gone []*onnx.Node
		for _, n := range order {
			if !p.mergeable(n) {
				continue
			}
			key, ok := k.node(n)
			if !ok {
				continue
			}
			old := first[key]
			if old == nil {
				first[key] = n
				continue
			}
			for i, v := range n.Outputs() {
				if v != nil {
					replace(v, old.Out(i), p.outputs)
				}
			}
			gone = append(gone, n)
		}
		g.Remove(gone...)
		return nil
	})
}

// mergeable reports whether n may make place for an equal node.
func (p *optimiser) mergeable(n *onnx.Node) bool {
	for _, v := range n.Outputs() {
		if v != nil && p.outputs[v] {
			return false
		}
	}
	return pure(n, p.set.Find(n.Domain, n.OpType))
}

func (p *optimiser) commonConstants() {
	first := map[string]*onnx.Value{}
	for _, v := range p.g.Initializers {
		t := p.constant(v)
		if t == nil || t.Elem == onnx.String || t.ByteLen() > smallBytes || p.outputs[v] {
			continue
		}
		key := fmt.Sprint(t.Elem, t.Shape) + string(t.Bytes())
		if old := first[key]; old != nil {
			replace(v, old, p.outputs)
			continue
		}
		first[key] = v
	}
}

// keyer makes keys that are equal for nodes that compute the same.
type keyer struct{ ids map[*onnx.Value]uint64 }

func (k *keyer) node(n *onnx.Node) (string, bool) {
	var s strings.Builder
	fmt.Fprintf(&s, "%q %q %d %d", n.Domain, n.OpType, n.Opset(), n.NumOut())
	for _, v := range n.Outputs() {
		fmt.Fprint(&s, v != nil)
	}
	for _, v := range n.Inputs() {
		s.Write(binary.LittleEndian.AppendUint64(nil, k.id(v)))
	}
	attrs := map[string]string{}
	names := make([]string, 0, len(n.Attrs))
	for i := range n.Attrs {
		a := &n.Attrs[i]
		val, ok := attrKey(a)
		if !ok {
			return "", false
		}
		attrs[a.Name] = val
		names = append(names, a.Name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&s, "%q %s", name, attrs[name])
	}
	return s.String(), true
}

// id is a number of v, 0 for an absent value.
func (k *keyer) id(v *onnx.Value) uint64 {
	if v == nil {
		return 0
	}
	id, ok := k.ids[v]
	if !ok {
		id = uint64(len(k.ids) + 1)
		k.ids[v] = id
	}
	return id
}

func attrKey(a *onnx.Attribute) (string, bool) {
	switch a.Kind {
	case onnx.AttrFloat, onnx.AttrInt, onnx.AttrString, onnx.AttrFloats, onnx.AttrInts, onnx.AttrStrings:
		return fmt.Sprintf("%d %x %d %q %x %d %q", a.Kind, a.F, a.I, a.S, a.Floats, a.Ints, a.Strings), true
	case onnx.AttrTensor:
		if t := a.T; t != nil && t.Elem != onnx.String && t.ByteLen() <= smallBytes {
			return fmt.Sprintf("t %v %v %x", t.Elem, t.Shape, t.Bytes()), true
		}
	}
	return "", false
}
