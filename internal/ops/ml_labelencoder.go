package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// LabelEncoder maps each element from a list of keys to the list of values; what is no key becomes a default. NaN is a key
// like others; of equal keys the last counts.
//
// Version 2 made classes_strings, which stood for 0, 1 ... both ways, keys and values; 4 added tensors and types.
var opLabelEncoder = opdef.Def{
	Type:   "LabelEncoder",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		_, to, _, err := encoderLists(c.Node)
		if err != nil {
			return err
		}
		return c.LikeElem(0, 0, to.Elem)
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		keys, to, def, err := encoderLists(c.Node)
		if err != nil {
			return opdef.Step{}, err
		}
		return lookupStep(c, keys.Elem, to.Elem, spreadTensor(keys), spreadTensor(to), spreadTensor(def))
	},
	Grad:    opdef.NoGrad,
	Upgrade: upgradeLabelEncoder,
}

func upgradeLabelEncoder(c *opdef.Rewrite) error {
	a := c.Node.Attr("classes_strings")
	if c.Version >= 2 || a == nil {
		return nil
	}
	words := onnx.Attribute{Kind: onnx.AttrStrings, Strings: a.Strings}
	places := make([]int64, len(a.Strings))
	for i := range places {
		places[i] = int64(i)
	}
	c.Node.DropAttr("classes_strings")
	switch c.Node.In(0).Type.Elem {
	case onnx.String:
		words.Name = "keys_strings"
		c.Node.SetAttr(onnx.Ints("values_int64s", places...))
	case onnx.Int64:
		words.Name = "values_strings"
		c.Node.SetAttr(onnx.Ints("keys_int64s", places...))
	default:
		return onnx.Unsupportedf("version 1 needs an input of known type, strings or int64")
	}
	c.Node.SetAttr(words)
	return nil
}

// encoderLists is the keys, the values and the default of a LabelEncoder.
func encoderLists(n *onnx.Node) (keys, vals, def *onnx.Tensor, err error) {
	if keys, err = encoderList(n, "keys_"); err != nil {
		return nil, nil, nil, err
	}
	if vals, err = encoderList(n, "values_"); err != nil {
		return nil, nil, nil, err
	}
	if keys.Len() != vals.Len() {
		return nil, nil, nil, onnx.Invalidf("%d keys for %d values", keys.Len(), vals.Len())
	}
	if a := n.Attr("default_tensor"); a != nil && a.T != nil {
		if a.T.Len() != 1 || a.T.Elem != vals.Elem {
			return nil, nil, nil, onnx.Invalidf("default_tensor: expected one element of type %v, received shape %v of type %v", vals.Elem, a.T.Shape, a.T.Elem)
		}
		return keys, vals, a.T, nil
	}
	def, err = encoderDefault(n, vals.Elem)
	return keys, vals, def, err
}

// encoderList is the list that one of the attributes starting with prefix holds.
func encoderList(n *onnx.Node, prefix string) (*onnx.Tensor, error) {
	if a := n.Attr(prefix + "tensor"); a != nil && a.T != nil {
		return a.T, nil
	}
	if a := n.Attr(prefix + "strings"); a != nil {
		return onnx.Strings(a.Strings, len(a.Strings))
	}
	if a := n.Attr(prefix + "int64s"); a != nil {
		return onnx.Vector(a.Ints...), nil
	}
	if a := n.Attr(prefix + "floats"); a != nil {
		return onnx.Vector(a.Floats...), nil
	}
	return nil, onnx.Invalidf("expected one of the attributes %stensor, %[1]sstrings, %[1]sint64s and %[1]sfloats", prefix)
}

func encoderDefault(n *onnx.Node, e onnx.ElemType) (*onnx.Tensor, error) {
	switch e {
	case onnx.String:
		return onnx.Strings([]string{n.Str("default_string", "_Unused")}, 1)
	case onnx.Float32:
		return onnx.Vector(n.Float("default_float", float32(math.Copysign(0, -1)))), nil
	case onnx.Float64:
		return onnx.Vector(float64(n.Float("default_float", float32(math.Copysign(0, -1))))), nil
	case onnx.Int64:
		return onnx.Vector(n.Int("default_int64", -1)), nil
	case onnx.Int32:
		return onnx.Vector(int32(n.Int("default_int64", -1))), nil
	case onnx.Int16:
		return onnx.Vector(int16(n.Int("default_int64", -1))), nil
	}
	return nil, badElem(e)
}

// lookupStep maps the elements of input 0, of type from, through a table; def is the value of what is no key.
func lookupStep(c *opdef.Compile, from, to onnx.ElemType, keys, vals, def array) (opdef.Step, error) {
	if e := c.Elem(0); e != from {
		return opdef.Step{}, onnx.Invalidf("expected an input of type %v, as the keys are, received %v", from, e)
	}
	if from == onnx.String {
		table := make(map[string]int, len(keys.s))
		for i, k := range keys.s {
			table[k] = i
		}
		find := func(x array, i int) (int, bool) { at, ok := table[x.s[i]]; return at, ok }
		return moveStep(c, opdef.Step{}, func(m *mover) error { return runLookup(m, to, vals, def, find) }), nil
	}
	key, err := lookupKey(from)
	if err != nil {
		return opdef.Step{}, err
	}
	table := make(map[uint64]int, keys.len())
	for i := range keys.len() {
		table[key(keys, i)] = i
	}
	find := func(x array, i int) (int, bool) { at, ok := table[key(x, i)]; return at, ok }
	return moveStep(c, opdef.Step{}, func(m *mover) error { return runLookup(m, to, vals, def, find) }), nil
}

// lookupKey is a number that equal elements of type e share: -0 equals 0 and NaN equals NaN.
func lookupKey(e onnx.ElemType) (func(x array, i int) uint64, error) {
	float := func(v float64) uint64 {
		switch {
		case v == 0:
			return 0
		case v != v:
			return math.MaxUint64
		}
		return math.Float64bits(v)
	}
	switch e {
	case onnx.Float32:
		return func(x array, i int) uint64 { return float(float64(onnx.View[float32](x.b)[i])) }, nil
	case onnx.Float64:
		return func(x array, i int) uint64 { return float(onnx.View[float64](x.b)[i]) }, nil
	case onnx.Int64:
		return func(x array, i int) uint64 { return uint64(onnx.View[int64](x.b)[i]) }, nil
	case onnx.Int32:
		return func(x array, i int) uint64 { return uint64(onnx.View[int32](x.b)[i]) }, nil
	case onnx.Int16:
		return func(x array, i int) uint64 { return uint64(onnx.View[int16](x.b)[i]) }, nil
	}
	return nil, badElem(e)
}

func runLookup(m *mover, to onnx.ElemType, vals, def array, find func(x array, i int) (int, bool)) error {
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, to, m.shape(0))
	if err != nil {
		return err
	}
	for i := range x.len() {
		if at, ok := find(x, i); ok {
			y.from(i, vals, at, 1)
		} else {
			y.from(i, def, 0, 1)
		}
	}
	return nil
}
