package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gneiss.TileGrad: x, repeats, dy -> dx, the sum of all repetitions, added in their order. Only the shape of x is read.
var opTileGrad = opdef.Def{
	Type:   "TileGrad",
	Domain: onnx.Private,
	Schema: private(3, 1),
	Infer:  opdef.SameAsFirst,
	Grad: func(c *opdef.Grad) error {
		c.SetDX(2, c.Op("Tile", values{c.DY(0), c.In(1)}))
		return nil
	},
	Compile: summing(2, func(m *mover, add combine, dx, dy array) error {
		to, box, big, small, err := tiled(m, m.shape(0))
		if err != nil {
			return err
		}
		if !slices.Equal(to, m.shape(2)) {
			return onnx.Invalidf("expected a gradient of shape %v, received %v", slices.Clone(to), m.shape(2))
		}
		if len(box) == 0 {
			add.put(dx, 0, dy, 0, 1)
			return nil
		}
		run := len(box) - 1 // the last axis lies together in both
		eachPlace(m, box[:run], big, small, func(i, at int) { add.put(dx, at, dy, i, box[run]) })
		return nil
	}),
}

// eachPlace calls do for every place of a box in row-major order, with its offsets by two sets of strides.
func eachPlace(m *mover, box, as, bs []int, do func(a, b int)) {
	place, a, b := m.take(len(box)), 0, 0
	if slices.Contains(box, 0) {
		return
	}
	for {
		do(a, b)
		i := len(box) - 1
		for ; i >= 0; i-- {
			place[i]++
			a, b = a+as[i], b+bs[i]
			if place[i] < box[i] {
				break
			}
			a, b, place[i] = a-as[i]*box[i], b-bs[i]*box[i], 0
		}
		if i < 0 {
			return
		}
	}
}
