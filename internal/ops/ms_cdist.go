package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.CDist: the distances of each row of A from each row of B, euclidean or their squares (sqeuclidean, the default),
// as |a|² - 2a·b + |b|², at least 0.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsCDist = opdef.Def{
	Type:   "CDist",
	Domain: msDomain,
	Schema: contrib("CDist", "A:T B:T", "C:T", "T=float,double", "metric:string"),
	Body: lowered(func(b lowering) error {
		metric := b.Node.Str("metric", "sqeuclidean")
		if metric != "sqeuclidean" && metric != "euclidean" {
			return onnx.Invalidf("attribute metric: expected \"euclidean\" or \"sqeuclidean\", received %.128q", metric)
		}
		norm := func(v *onnx.Value) *onnx.Value { return b.reduce("ReduceSumSquare", v, 1) }
		e := b.elem(0)
		twice := b.do("Mul", b.Op("Gemm", values{b.in(0), b.in(1)}, onnx.Int("transB", 1)), b.num(e, -2))
		d := b.do("Add", b.do("Add", norm(b.in(0)), twice), b.transpose(norm(b.in(1)), 1, 0))
		d = b.do("Max", d, b.num(e, 0))
		if metric == "euclidean" {
			d = b.do("Sqrt", d)
		}
		return b.finish(d)
	}),
}
