package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// DictVectorizer is the values of a map as [1, N], in the order of a vocabulary of N keys; 0 or "" for keys that the map
// lacks. Keys that the vocabulary lacks are left out.
var opDictVectorizer = opdef.Def{
	Type:    "DictVectorizer",
	Domain:  mlDomain,
	Infer:   inferDictVectorizer,
	Compile: boxing(runDictVectorizer),
	Grad:    opdef.NoGrad,
}

func inferDictVectorizer(c *opdef.Infer) error {
	words, ints := stringsAttr(c.Node, "string_vocabulary"), intsAttr(c.Node, "int64_vocabulary")
	if (words == nil) == (ints == nil) {
		return onnx.Invalidf("expected one of the attributes string_vocabulary and int64_vocabulary")
	}
	e := onnx.Undefined
	if t, ok := c.In(0); ok && t.Kind == onnx.KindMap && t.Of != nil {
		e = t.Of.Elem
	}
	c.Set(0, e, onnx.Fixed(1), onnx.Fixed(len(words)+len(ints)))
	return nil
}

func runDictVectorizer(m *mover) error {
	keys, vals, err := mapAt(m.Run, 0)
	if err != nil {
		return err
	}
	at := map[any]int{}
	switch keys.Elem {
	case onnx.String:
		for i, k := range keys.StringData() {
			at[k] = i
		}
	case onnx.Int64:
		for i, k := range onnx.Data[int64](keys) {
			at[k] = i
		}
	default:
		return badElem(keys.Elem)
	}
	words, ints := stringsAttr(m.Node, "string_vocabulary"), intsAttr(m.Node, "int64_vocabulary")
	y, err := m.output(0, vals.Elem, []int{1, len(words) + len(ints)})
	if err != nil {
		return err
	}
	y.fill(array{})
	x := spreadTensor(vals)
	put := func(place int, key any) {
		if i, ok := at[key]; ok {
			y.from(place, x, i, 1)
		}
	}
	for i, k := range words {
		put(i, k)
	}
	for i, k := range ints {
		put(i, k)
	}
	return nil
}
