package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// gradExtreme is the Grad of Min and Max: the inputs that equal the output share its gradient equally.
func gradExtreme(c *opdef.Grad) error {
	f, n := formula{c}, c.Node.NumIn()
	hit := make(values, n)
	var count *onnx.Value
	for i := range n {
		hit[i] = f.test("Equal", c.In(i), c.Y(0))
		one := f.where(hit[i], f.num(1), f.num(0))
		if count == nil {
			count = one
		} else {
			count = f.add(count, one)
		}
	}
	share := f.div(c.DY(0), count)
	for i := range n {
		if c.Needs(i) {
			c.SetDX(i, sumTo(c, f.where(hit[i], share, f.num(0)), c.In(i)))
		}
	}
	return nil
}
