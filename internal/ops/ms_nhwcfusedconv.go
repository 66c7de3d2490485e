package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.NhwcFusedConv: FusedConv of images whose channels stand last, Z's too; the weights are those of Conv.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsNhwcFusedConv = opdef.Def{
	Type:   "NhwcFusedConv",
	Domain: msDomain,
	Schema: contrib("NhwcFusedConv", "X:T W:T B?:T Z?:T", "Y:T", "T=float,float16", convAttrs+" activation:string activation_params:floats"),
	Body: lowered(func(b lowering) error {
		y, err := b.channelsLast(b.in(0), true, func(x *onnx.Value) (*onnx.Value, error) {
			z := b.in(3)
			if z != nil {
				last, err := b.rank(z)
				if err != nil {
					return nil, err
				}
				perm := []int64{0, int64(last) - 1}
				for i := 1; i < last-1; i++ {
					perm = append(perm, int64(i))
				}
				z = b.transpose(z, perm...)
			}
			return b.fusedConv(x, z)
		})
		if err != nil {
			return err
		}
		return b.finish(y)
	}),
}
