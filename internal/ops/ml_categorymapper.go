package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CategoryMapper turns strings into integers and integers into strings: cats_strings[i] and cats_int64s[i] stand for each
// other. What is in neither becomes default_int64 or default_string.
var opCategoryMapper = opdef.Def{
	Type:   "CategoryMapper",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		e := onnx.String
		if c.Elem(0) == onnx.String {
			e = onnx.Int64
		}
		return c.LikeElem(0, 0, e)
	},
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		words, ints := stringsAttr(c.Node, "cats_strings"), intsAttr(c.Node, "cats_int64s")
		if len(words) != len(ints) {
			return opdef.Step{}, onnx.Invalidf("%d strings for %d integers", len(words), len(ints))
		}
		keys, vals, def := array{s: words}, array{size: 8, b: onnx.BytesOf(ints)}, array{size: 8, b: onnx.BytesOf([]int64{c.Node.Int("default_int64", -1)})}
		from, to := onnx.String, onnx.Int64
		if c.Elem(0) == onnx.Int64 {
			keys, vals, def = vals, keys, array{s: []string{c.Node.Str("default_string", "_Unused")}}
			from, to = to, from
		}
		return lookupStep(c, from, to, keys, vals, def)
	},
	Grad: opdef.NoGrad,
}
