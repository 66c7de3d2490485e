package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// OneHotEncoder replaces each element by a row with a 1 at the place of its category. Numbers are cut to integers first. An
// element that is no category gives zeros, or is an error when the attribute zeros is 0.
var opOneHotEncoder = opdef.Def{
	Type:    "OneHotEncoder",
	Domain:  mlDomain,
	Infer:   inferOneHotEncoder,
	Compile: compileOneHotEncoder,
	Grad:    opdef.NoGrad,
}

func inferOneHotEncoder(c *opdef.Infer) error {
	n := len(stringsAttr(c.Node, "cats_strings")) + len(intsAttr(c.Node, "cats_int64s"))
	x, err := c.Shape(0)
	if err != nil {
		return setElem(c, 0, onnx.Float32, err)
	}
	c.Set(0, onnx.Float32, append(slices.Clone(x), onnx.Fixed(n))...)
	return nil
}

func compileOneHotEncoder(c *opdef.Compile) (opdef.Step, error) {
	words, ints := stringsAttr(c.Node, "cats_strings"), intsAttr(c.Node, "cats_int64s")
	if (len(words) == 0) == (len(ints) == 0) {
		return opdef.Step{}, onnx.Invalidf("expected one of the attributes cats_strings and cats_int64s")
	}
	if (c.Elem(0) == onnx.String) != (len(words) > 0) {
		return opdef.Step{}, onnx.Invalidf("the categories do not fit an input of type %v", c.Elem(0))
	}
	byWord, byInt := map[string]int{}, map[int64]int{}
	for i, w := range words {
		byWord[w] = i
	}
	for i, v := range ints {
		byInt[v] = i
	}
	n, strict := len(words)+len(ints), c.Node.Int("zeros", 1) == 0
	conv, err := newConversion(c.Elem(0), onnx.Int64, float8{})
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		to := append(slices.Clone(m.shape(0)), n)
		v, err := m.bound(0, onnx.Float32, to)
		if err != nil {
			return err
		}
		y := opdef.Of[float32](v)
		clear(y)
		x, err := m.elements(0)
		if err != nil {
			return err
		}
		w, num := new(wide), make([]int64, 1)
		for i := range x.len() {
			var at int
			var ok bool
			if x.size == 0 {
				at, ok = byWord[x.s[i]]
			} else {
				if err := convertOne(conv, w, array{size: 8, b: onnx.BytesOf(num)}, x.cut(i, 1)); err != nil {
					return err
				}
				at, ok = byInt[num[0]]
			}
			switch {
			case ok:
				y[i*n+at] = 1
			case strict:
				return onnx.Invalidf("element %d is in no category", i)
			}
		}
		return nil
	}), err
}
