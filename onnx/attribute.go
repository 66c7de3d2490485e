package onnx

import "slices"

// AttrKind is the kind of an attribute's value, with the numbers of AttributeProto.AttributeType.
type AttrKind int32

// Kinds of attribute.
const (
	AttrUndefined     AttrKind = 0
	AttrFloat         AttrKind = 1
	AttrInt           AttrKind = 2
	AttrString        AttrKind = 3
	AttrTensor        AttrKind = 4
	AttrGraph         AttrKind = 5
	AttrFloats        AttrKind = 6
	AttrInts          AttrKind = 7
	AttrStrings       AttrKind = 8
	AttrTensors       AttrKind = 9
	AttrGraphs        AttrKind = 10
	AttrSparseTensor  AttrKind = 11
	AttrSparseTensors AttrKind = 12
	AttrType          AttrKind = 13
	AttrTypes         AttrKind = 14
)

// Attribute is a named constant of a node. Kind says which field holds the value; Ref, when not empty, is the attribute of
// the enclosing function whose value it takes.
type Attribute struct {
	Name string
	Kind AttrKind
	Ref  string
	Doc  string

	F             float32
	I             int64
	S             string
	T             *Tensor
	G             *Graph
	Sparse        *SparseTensor
	Type          *Type
	Floats        []float32
	Ints          []int64
	Strings       []string
	Tensors       []*Tensor
	Graphs        []*Graph
	SparseTensors []*SparseTensor
	Types         []Type

	present present
	types   [][]byte // Type or Types as they stood in the file
	unknown []byte
}

// Int makes an integer attribute.
func Int(name string, v int64) Attribute { return Attribute{Name: name, Kind: AttrInt, I: v} }

// Float makes a float attribute.
func Float(name string, v float32) Attribute { return Attribute{Name: name, Kind: AttrFloat, F: v} }

// Str makes a string attribute.
func Str(name, v string) Attribute { return Attribute{Name: name, Kind: AttrString, S: v} }

// Ints makes a list-of-integers attribute.
func Ints(name string, v ...int64) Attribute {
	return Attribute{Name: name, Kind: AttrInts, Ints: slices.Clone(v)}
}

// Floats makes a list-of-floats attribute.
func Floats(name string, v ...float32) Attribute {
	return Attribute{Name: name, Kind: AttrFloats, Floats: slices.Clone(v)}
}

// TensorAttr makes a tensor attribute.
func TensorAttr(name string, t *Tensor) Attribute {
	return Attribute{Name: name, Kind: AttrTensor, T: t}
}

// GraphAttr makes a graph attribute.
func GraphAttr(name string, g *Graph) Attribute { return Attribute{Name: name, Kind: AttrGraph, G: g} }

// Attr is the attribute called name; nil when n has none.
func (n *Node) Attr(name string) *Attribute {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	return nil
}

// SetAttr adds a or replaces the attribute of its name.
func (n *Node) SetAttr(a Attribute) {
	if old := n.Attr(a.Name); old != nil {
		*old = a
		return
	}
	n.Attrs = append(n.Attrs, a)
}

// DropAttr removes the attributes called by one of the names.
func (n *Node) DropAttr(names ...string) {
	n.Attrs = slices.DeleteFunc(n.Attrs, func(a Attribute) bool { return slices.Contains(names, a.Name) })
}

// Int is the integer attribute called name, or def when n has none of that name and kind.
func (n *Node) Int(name string, def int64) int64 {
	if a := n.Attr(name); a != nil && a.Kind == AttrInt {
		return a.I
	}
	return def
}

// Float is the float attribute called name, or def when n has none of that name and kind.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.Attr(name); a != nil && a.Kind == AttrFloat {
		return a.F
	}
	return def
}

// Str is the string attribute called name, or def when n has none of that name and kind.
func (n *Node) Str(name, def string) string {
	if a := n.Attr(name); a != nil && a.Kind == AttrString {
		return a.S
	}
	return def
}

// Ints is the list-of-integers attribute called name; ok is false when n has none of that name and kind.
func (n *Node) Ints(name string) (v []int64, ok bool) {
	if a := n.Attr(name); a != nil && a.Kind == AttrInts {
		return a.Ints, true
	}
	return nil, false
}

// Subgraphs lists the graphs among n's attributes in order.
func (n *Node) Subgraphs() []*Graph {
	var gs []*Graph
	for i := range n.Attrs {
		if g := n.Attrs[i].G; g != nil {
			gs = append(gs, g)
		}
		gs = append(gs, n.Attrs[i].Graphs...)
	}
	return gs
}

// Subgraph is the graph attribute called name; nil when n has none.
func (n *Node) Subgraph(name string) *Graph {
	if a := n.Attr(name); a != nil {
		return a.G
	}
	return nil
}
