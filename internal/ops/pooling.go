package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// inferPool gives all outputs the pooled shape; the elements of output 0 are the input's, those of output 1 are positions.
func inferPool(c *opdef.Infer) error {
	s, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(0, c.Elem(0))
		if len(c.Outs) > 1 {
			c.SetUnranked(1, onnx.Int64)
		}
		return err
	}
	if len(s) < 3 {
		return onnx.Invalidf("expected an image of rank 3 or more, received %v", c.Ins[0])
	}
	w, err := opdef.WindowOf(c.Node, len(s)-2, nil)
	if err != nil {
		return err
	}
	spatial, err := w.Out(s[2:])
	if err != nil {
		return err
	}
	out := append([]onnx.Dim{s[0], s[1]}, spatial...)
	c.Set(0, c.Elem(0), out...)
	c.Set(1, onnx.Int64, out...)
	return nil
}

// inferGlobalPool gives the output spatial sizes of 1.
func inferGlobalPool(c *opdef.Infer) error {
	s, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(0, c.Elem(0))
		return err
	}
	if len(s) < 3 {
		return onnx.Invalidf("expected an image of rank 3 or more, received %v", c.Ins[0])
	}
	out := slices.Clone(s[:2])
	for range s[2:] {
		out = append(out, onnx.Fixed(1))
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// pooling is what the steps of a pooling and of its gradient share: the plan of the kernel, made anew when sizes change.
type pooling[T pool.Number] struct {
	node  *onnx.Node
	table *pool.Table
	x     []int
	plan  *pool.Plan[T]
}

// poolTable is the kernels that a run uses: those of this CPU, or plain Go.
func poolTable(generic bool) *pool.Table {
	if generic {
		return pool.For(cpu.Generic)
	}
	return pool.Best()
}

// of is the plan for an image of shape x.
func (s *pooling[T]) of(x []int) (*pool.Plan[T], error) {
	if s.plan != nil && slices.Equal(s.x, x) {
		return s.plan, nil
	}
	g, err := poolGeometry(s.node, x)
	if err != nil {
		return nil, err
	}
	s.plan, s.x = pool.NewPlan[T](s.table, g), slices.Clone(x)
	return s.plan, nil
}

// poolGeometry is the windows of n over an image of shape x; without a kernel_shape the window is the image.
func poolGeometry(n *onnx.Node, x []int) (*pool.Geometry, error) {
	if len(x) < 3 {
		return nil, onnx.Invalidf("expected an image of rank 3 or more, received shape %v", x)
	}
	g, err := pool.Global(x[0], x[1], x[2:])
	if _, ok := n.Ints("kernel_shape"); ok {
		g, err = windowGeometry(n, x)
	}
	if err != nil {
		return nil, onnx.Invalidf("%w", err)
	}
	return g, nil
}

func windowGeometry(n *onnx.Node, x []int) (*pool.Geometry, error) {
	w, err := opdef.WindowOf(n, len(x)-2, nil)
	if err != nil {
		return nil, err
	}
	pads, err := w.PadsFor(x[2:])
	if err != nil {
		return nil, err
	}
	out := make([]int, len(x)-2)
	for i := range out {
		if out[i], _, _, err = w.Place(i, x[2+i]); err != nil {
			return nil, err
		}
	}
	return pool.NewGeometry(x[0], x[1], x[2:], out, w.Kernel, w.Strides, w.Dilations, pads)
}

// poolStep compiles a step of the pooling family; image is the input whose shape is the image's.
func poolStep[T pool.Number](c *opdef.Compile, image int, run func(p *pool.Plan[T], r *opdef.Run) error) (opdef.Step, error) {
	return opdef.Step{
		State: func() any { return &pooling[T]{node: c.Node, table: poolTable(c.Generic)} },
		Run: func(r *opdef.Run) error {
			p, err := r.State.(*pooling[T]).of(r.In[image].Shape)
			if err != nil {
				return err
			}
			return run(p, r)
		},
	}, nil
}

// poolAttributes are the attributes of n that its gradient needs.
func poolAttributes(n *onnx.Node) []onnx.Attribute {
	var attrs []onnx.Attribute
	for _, name := range []string{"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"} {
		if a := n.Attr(name); a != nil {
			attrs = append(attrs, *a)
		}
	}
	return attrs
}

func maxStep[T pool.Number](c *opdef.Compile) (opdef.Step, error) {
	columnMajor := c.Node.Int("storage_order", 0) == 1
	return poolStep(c, 0, func(p *pool.Plan[T], r *opdef.Run) error {
		p.Max(r.Team, onnx.View[T](r.In[0].Data), onnx.View[T](r.Out[0].Data), outOf[int64](r, 1), columnMajor)
		return nil
	})
}

func compileMaxPool(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Int8:
		return maxStep[int8](c)
	case onnx.Uint8:
		return maxStep[uint8](c)
	}
	return floatKernel(0, maxStep[float32], maxStep[float64])(c)
}

func averageStep[T float](c *opdef.Compile) (opdef.Step, error) {
	countPads := c.Node.Int("count_include_pad", 0) != 0
	return poolStep(c, 0, func(p *pool.Plan[T], r *opdef.Run) error {
		p.Average(r.Team, opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0]), countPads)
		return nil
	})
}

func gradMaxPool(c *opdef.Grad) error {
	attrs := poolAttributes(c.Node)
	var indices *onnx.Value
	if c.Node.Int("storage_order", 0) != 0 { // of no use: those of the other order
		indices = c.Builder.Node("", "MaxPool", 2, values{c.In(0)}, attrs...).Out(1)
	} else {
		indices = c.Y(1)
	}
	c.SetDX(0, c.Private("MaxPoolGrad", values{c.DY(0), indices, c.In(0)}, attrs...))
	return nil
}

func gradAveragePool(c *opdef.Grad) error {
	c.SetDX(0, c.Private("AveragePoolGrad", values{c.DY(0), c.In(0)}, poolAttributes(c.Node)...))
	return nil
}
