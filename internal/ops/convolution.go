package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// convolution is what the steps of a convolution and of its gradients share: the plan of the kernel, made anew when sizes
// change. x and w are the shapes of image and weights.
type convolution[T gemm.Float] struct {
	node  *onnx.Node
	table *gemm.Table[T]
	x, w  []int
	plan  *conv.Plan[T]
}

// of is the plan for the given shapes.
func (s *convolution[T]) of(x, w []int) (*conv.Plan[T], error) {
	if s.plan != nil && slices.Equal(s.x, x) && slices.Equal(s.w, w) {
		return s.plan, nil
	}
	g, err := convGeometry(s.node, x, w)
	if err != nil {
		return nil, err
	}
	s.plan, s.x, s.w = conv.NewPlan(s.table, g), slices.Clone(x), slices.Clone(w)
	return s.plan, nil
}

// convGeometry is the sizes of the convolution of an image by weights, by the attributes of n.
func convGeometry(n *onnx.Node, x, w []int) (*conv.Geometry, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, onnx.Invalidf("expected an image of rank 3 or more and weights of the same rank, received %v and %v", x, w)
	}
	window, err := opdef.WindowOf(n, len(x)-2, w[2:])
	if err != nil {
		return nil, err
	}
	if !slices.Equal(window.Kernel, w[2:]) {
		return nil, onnx.Invalidf("attribute kernel_shape is %v, the weights are %v", window.Kernel, w)
	}
	pads, err := window.PadsFor(x[2:])
	if err != nil {
		return nil, err
	}
	groups := n.Int("group", 1)
	if groups < 1 || groups > int64(max(x[1], 1)) || x[1] != w[1]*int(groups) {
		return nil, onnx.Invalidf("%d channels in %d groups do not fit weights for %d channels a group", x[1], groups, w[1])
	}
	g, err := conv.NewGeometry(x[0], x[1], w[0], int(groups), x[2:], w[2:], window.Strides, window.Dilations, pads)
	if err != nil {
		return nil, onnx.Invalidf("%w", err)
	}
	return g, nil
}

// convStep compiles a step of the convolution family. image and weights are the inputs whose shapes they are; scratch and run
// use the plan.
func convStep[T gemm.Float](c *opdef.Compile, image, weights int, scratch func(p *conv.Plan[T], threads int) int,
	run func(p *conv.Plan[T], r *opdef.Run) error,
) (opdef.Step, error) {
	fresh := func() *convolution[T] {
		return &convolution[T]{node: c.Node, table: gemmTable[T](c.Generic)}
	}
	return opdef.Step{
		Scratch: func(b *opdef.Bound) int {
			p, err := fresh().of(b.In[image].Shape, b.In[weights].Shape)
			if err != nil {
				return 0 // Run says it
			}
			return scratch(p, max(b.Threads, 1)) * onnx.ElemOf[T]().Size()
		},
		Cost:  func(b *opdef.Bound) opdef.Cost { return convCost(c.Node, b, image, weights) },
		State: func() any { return fresh() },
		Run: func(r *opdef.Run) error {
			p, err := r.State.(*convolution[T]).of(r.In[image].Shape, r.In[weights].Shape)
			if err != nil {
				return err
			}
			return run(p, r)
		},
	}, nil
}

// convCost counts the products and sums of a convolution that is summed directly, however it is computed.
func convCost(n *onnx.Node, b *opdef.Bound, image, weights int) opdef.Cost {
	g, err := convGeometry(n, b.In[image].Shape, b.In[weights].Shape)
	if err != nil {
		return opdef.Cost{}
	}
	return opdef.Cost{FLOP: 2 * int64(g.N) * int64(g.Pixels()) * int64(g.Weights()), Bytes: allBytes(b)}
}

// inputOf is the elements of input i; nil when absent.
func inputOf[T onnx.Number](r *opdef.Run, i int) []T {
	if !r.Has(i) {
		return nil
	}
	return opdef.Of[T](r.In[i])
}
