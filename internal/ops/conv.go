package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Conv: Y[n,m,p] = B[m] + Σ X[n,c,p·stride + t·dilation - pad]·W[m,c,t], over the channels c of m's group and the taps t, for
// any number of spatial axes.
//
// Opset 11, 22: types and wording. float16 and bfloat16 are computed in float32.
var opConv = opdef.Def{
	Type:    "Conv",
	Infer:   inferConv,
	Compile: compileConv,
	Layouts: convLayouts,
	Grad:    gradConv,
}

func compileConv(c *opdef.Compile) (opdef.Step, error) {
	if c.OutLayout[0] == opdef.Blocked {
		return blockedConvStep(c)
	}
	return floatKernel(0, forwardStep[float32](false), forwardStep[float64](false))(c)
}

func inferConv(c *opdef.Infer) error {
	x, errX := c.Shape(0)
	w, errW := c.Shape(1)
	for _, err := range []error{errX, errW} {
		if err != nil {
			c.SetUnranked(0, c.Elem(0))
			return err
		}
	}
	if len(x) < 3 || len(w) != len(x) {
		return onnx.Invalidf("expected an image of rank 3 or more and weights of the same rank, received %v and %v", c.Ins[0], c.Ins[1])
	}
	groups := c.Node.Int("group", 1)
	if groups < 1 {
		return onnx.Invalidf("attribute group: expected at least 1, received %d", groups)
	}
	if x[1].IsFixed() && w[1].IsFixed() && (x[1].N%groups != 0 || x[1].N/groups != w[1].N) {
		return onnx.Invalidf("%v channels in %d groups do not fit weights of %v", x[1], groups, c.Ins[1])
	}
	if w[0].IsFixed() && w[0].N%groups != 0 {
		return onnx.Invalidf("%v output channels cannot be in %d groups", w[0], groups)
	}
	if b, err := c.Shape(2); c.Has(2) && err == nil && (len(b) != 1 || b[0].IsFixed() && w[0].IsFixed() && b[0] != w[0]) {
		return onnx.Invalidf("expected a bias of %v elements, received %v", w[0], c.Ins[2])
	}
	out := []onnx.Dim{x[0], w[0]}
	kernel, known := fixedSizes(w[2:])
	if _, given := c.Node.Ints("kernel_shape"); !known && !given {
		for range x[2:] {
			out = append(out, onnx.Unknown)
		}
		c.Set(0, c.Elem(0), out...)
		return nil
	}
	window, err := opdef.WindowOf(c.Node, len(x)-2, kernel)
	if err != nil {
		return err
	}
	spatial, err := window.Out(x[2:])
	if err != nil {
		return err
	}
	c.Set(0, c.Elem(0), append(out, spatial...)...)
	return nil
}

// fixedSizes is the sizes of dims when all are known; kernel sizes that do not fit an int are unknown.
func fixedSizes(ds []onnx.Dim) ([]int, bool) {
	s := make([]int, len(ds))
	for i, d := range ds {
		if !d.IsFixed() || int64(int32(d.N)) != d.N {
			return nil, false
		}
		s[i] = int(d.N)
	}
	return s, true
}

// forwardStep compiles Conv, with relu also what it does with negative results. Constant weights are packed once.
func forwardStep[T gemm.Float](relu bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		packed := packedInput[T](c, 1)
		s, err := convStep(c, 0, 1,
			func(p *conv.Plan[T], threads int) int { return p.ForwardScratch(threads, packed != nil) },
			func(p *conv.Plan[T], r *opdef.Run) error {
				w := conv.Weights[T]{Data: opdef.Of[T](r.In[1])}
				if packed != nil {
					w.Data, w.Packed = packed.form(p.Format(), p.PackedWeights(), p.PackWeights), true
				}
				p.Forward(r.Team, opdef.Of[T](r.In[0]), w, inputOf[T](r, 2), relu, opdef.Of[T](r.Out[0]), onnx.View[T](r.Scratch))
				return nil
			})
		s.Held, s.ShapeOnly = packed.held(), packed.shapeOnly(1)
		return s, err
	}
}

// convAttributes are the attributes of n that its gradients need.
func convAttributes(n *onnx.Node) []onnx.Attribute {
	var attrs []onnx.Attribute
	for _, name := range []string{"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"} {
		if a := n.Attr(name); a != nil {
			attrs = append(attrs, *a)
		}
	}
	return attrs
}

func gradConv(c *opdef.Grad) error {
	dy, attrs := c.DY(0), convAttributes(c.Node)
	if c.Needs(0) {
		c.SetDX(0, c.Private("ConvDataGrad", values{dy, c.In(1), c.In(0)}, attrs...))
	}
	if c.Needs(1) {
		c.SetDX(1, c.Private("ConvWeightGrad", values{c.In(0), dy, c.In(1)}, attrs...))
	}
	if c.Needs(2) {
		c.SetDX(2, c.Private("ChannelSum", values{dy}))
	}
	return nil
}
