package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.GatherNDGrad: x, indices, dy -> dx, the sum of the blocks of dy that each block of x went to, added in the order of
// the tuples. Only the shape of x is read.
var opGatherNDGrad = opdef.Def{
	Type:   "GatherNDGrad",
	Domain: onnx.Private,
	Schema: private(3, 1),
	Infer:  opdef.SameAsFirst,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(2, c.Op("GatherND", values{c.DY(0), c.In(1)}, onnx.Int("batch_dims", c.Node.Int("batch_dims", 0))))
		return nil
	},
	Compile: summing(2, func(m *mover, add combine, dx, dy array) error {
		t, err := tuplesOf(m, m.shape(0), 1, m.Node.Int("batch_dims", 0))
		if err != nil {
			return err
		}
		if dy.len() != t.count*t.block {
			return onnx.Invalidf("expected a gradient of shape %v, received %v", append([]int(nil), t.out...), m.shape(2))
		}
		return t.each(func(i, at int) { add.put(dx, at, dy, i*t.block, t.block) })
	}),
}
