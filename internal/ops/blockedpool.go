package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// blockedPooling is the state of a pooling of blocked images: the plan of the kernel, made anew when sizes change.
type blockedPooling struct {
	x    []int
	plan *blocked.Pool
}

// poolLayouts is the Layouts of the poolings, but for those that say where a maximum stands.
func poolLayouts(c *opdef.Layouts) opdef.Blocking {
	x, y := c.Node.In(0), c.Node.Out(0)
	if !opdef.CanBlock(x) || !opdef.CanBlock(y) || c.Node.Out(1) != nil || !blocked.PoolSupports(x.Type.Rank()-2) {
		return opdef.Blocking{}
	}
	return opdef.Blocking{In: []int{0}, Out: []int{0}}
}

// reduceMeanLayouts is the Layouts of a ReduceMean that is a global average.
func reduceMeanLayouts(c *opdef.Layouts) opdef.Blocking {
	axes := c.Node.In(1)
	if axes == nil || c.Node.Int("keepdims", 1) == 0 || !opdef.CanBlock(c.Node.In(0)) {
		return opdef.Blocking{}
	}
	if t := c.Const(axes); t == nil || t.Elem != onnx.Int64 || !areSpatial(onnx.Data[int64](t), c.Node.In(0).Type.Rank()) {
		return opdef.Blocking{}
	}
	return poolLayouts(c)
}

// areSpatial reports whether axes are all but those of samples and channels.
func areSpatial(axes []int64, rank int) bool {
	mask, err := opdef.AxisMask(axes, rank)
	return err == nil && len(axes) == rank-2 && !mask[0] && !mask[1]
}

// orBlocked compiles a pooling whose result is blocked, and leaves others to plain.
func orBlocked(plan func(*onnx.Node, *pool.Geometry) *blocked.Pool, plain compiler) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		if c.OutLayout[0] != opdef.Blocked {
			return plain(c)
		}
		if c.Elem(0) != onnx.Float32 {
			return opdef.Step{}, badElem(c.Elem(0))
		}
		return opdef.Step{
			State: func() any { return &blockedPooling{} },
			Run: func(r *opdef.Run) error {
				s, x := r.State.(*blockedPooling), r.In[0].Shape
				if s.plan == nil || !slices.Equal(s.x, x) {
					g, err := poolGeometry(r.Node, x)
					if err != nil {
						return err
					}
					s.plan, s.x = plan(r.Node, g), slices.Clone(x)
				}
				s.plan.Run(r.Team, opdef.Of[float32](r.In[0]), opdef.Of[float32](r.Out[0]))
				return nil
			},
		}, nil
	}
}

func blockedMax(_ *onnx.Node, g *pool.Geometry) *blocked.Pool { return blocked.NewMaxPool(nil, g) }

func blockedAverage(n *onnx.Node, g *pool.Geometry) *blocked.Pool {
	return blocked.NewAveragePool(nil, g, n.Int("count_include_pad", 0) != 0)
}
