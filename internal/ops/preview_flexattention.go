package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ai.onnx.preview.FlexAttention: Y = prob_mod(softmax(score_mod(scale·Q·Kᵀ)))·V for each head, where score_mod and prob_mod are
// subgraphs from [batch, heads of queries, queries, keys] to the same, both optional, and a head of keys serves the next
// heads of queries. They and the softmax compute in softmax_precision: float64 for float64 inputs, else float32. There is no
// kernel: the body stands in its place, so that its parts are fused and differentiated, and subgraphs may read outer values.
//
// One version, of opset 1 of ai.onnx.preview.
var opFlexAttention = opdef.Def{
	Type:   "FlexAttention",
	Domain: "ai.onnx.preview",
	Infer:  inferFlexAttention,
	Body:   bodyFlexAttention,
}

// flexPrecision is the type that the softmax computes in.
func flexPrecision(n *onnx.Node, e onnx.ElemType) (onnx.ElemType, error) {
	def := onnx.Float32
	if e == onnx.Float64 {
		def = onnx.Float64
	}
	switch p := n.Int("softmax_precision", int64(def)); onnx.ElemType(p) {
	case onnx.Float16, onnx.BFloat16, onnx.Float32, onnx.Float64:
		return onnx.ElemType(p), nil
	default:
		return 0, onnx.Invalidf("attribute softmax_precision: expected the number of a float type, received %d", p)
	}
}

func inferFlexAttention(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	precision, err := flexPrecision(c.Node, c.Elem(0))
	if err != nil {
		return err
	}
	var s [3][]onnx.Dim
	for i := range s {
		if c.Elem(i) != c.Elem(0) {
			return onnx.Invalidf("expected Q, K and V of one type, received %v and %v", c.Ins[0], c.Ins[i])
		}
		if s[i], err = c.ShapeRank(i, 4); err != nil {
			return err
		}
	}
	q, k, v := s[0], s[1], s[2]
	if err := flexSizes(q, k, v); err != nil {
		return err
	}
	c.Set(0, c.Elem(0), q[0], q[1], q[2], v[3])
	scores := onnx.TensorOf(precision, q[0], q[1], q[2], k[2])
	for _, name := range []string{"score_mod", "prob_mod"} {
		if bodyIndex(c.Node, name) < 0 {
			continue
		}
		if _, err := bodyTypes(c, name, []onnx.Type{scores}); err != nil {
			return err
		}
	}
	return nil
}

// flexSizes holds the sizes that must agree against one another.
func flexSizes(q, k, v []onnx.Dim) error {
	differ := func(a, b onnx.Dim) bool { return a.IsFixed() && b.IsFixed() && a.N != b.N }
	if differ(q[0], k[0]) || differ(q[0], v[0]) || differ(q[3], k[3]) || differ(k[1], v[1]) || differ(k[2], v[2]) {
		return onnx.Invalidf("heads of shapes %v, %v and %v do not fit together", q, k, v)
	}
	if q[1].IsFixed() && k[1].IsFixed() && (k[1].N < 1 || q[1].N%k[1].N != 0) {
		return onnx.Invalidf("%v heads of queries are no multiple of %v heads of keys", q[1], k[1])
	}
	return nil
}

func bodyFlexAttention(c *opdef.Rewrite) error {
	b := recipe{c}
	q, k, v, e := b.in(0), b.in(1), b.in(2), b.elem(0)
	precision, err := flexPrecision(c.Node, e)
	if err != nil {
		return err
	}
	root := b.rootScale(q, e)
	keys := b.do("Mul", b.shareHeads(q, k), root)
	scores := b.cast(b.do("MatMul", b.do("Mul", q, root), b.transpose(keys, 0, 1, 3, 2)), precision)
	scores = b.apply("score_mod", scores)
	p := b.apply("prob_mod", b.Op("Softmax", values{scores}, onnx.Int("axis", 3)))
	return b.finish(b.cast(b.do("MatMul", p, b.cast(b.shareHeads(q, v), precision)), e))
}

// rootScale is the square root of the scale of an attention over q, [..., size], as type e: of the attribute scale or 1/√size.
func (b recipe) rootScale(q *onnx.Value, e onnx.ElemType) *onnx.Value {
	if b.Node.Attr("scale") != nil {
		return b.num(e, float32(math.Sqrt(float64(b.Node.Float("scale", 1)))))
	}
	size := b.do("Sqrt", b.cast(b.dim(q, 3), onnx.Float32))
	return b.cast(b.do("Sqrt", b.do("Div", b.Builder.Const(onnx.Vector[float32](1)), size)), e)
}

// shareHeads repeats the heads of keys or values, so that they are as many as those of q.
func (b recipe) shareHeads(q, k *onnx.Value) *onnx.Value {
	batch, heads, length, size := b.dim(q, 0), b.dim(k, 1), b.dim(k, 2), b.dim(k, 3)
	repeat := b.do("Div", b.dim(q, 1), heads)
	wide := b.do("Expand", b.do("Unsqueeze", k, b.ints(2)), b.concat(0, batch, heads, repeat, length, size))
	return b.Op("Reshape", values{wide, b.concat(0, batch, b.dim(q, 1), length, size)}, onnx.Int("allowzero", 1))
}
