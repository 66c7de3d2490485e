package ops

import (
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// quantConv is the state of a convolution of bytes: the plan of the kernel, made anew when sizes change.
type quantConv struct {
	node   *onnx.Node
	x, w   []int
	plan   *blocked.Quantized
	packed []byte
}

func (s *quantConv) of(x, w []int) (*blocked.Quantized, error) {
	if s.plan != nil && slices.Equal(s.x, x) && slices.Equal(s.w, w) {
		return s.plan, nil
	}
	g, err := convGeometry(s.node, x, w)
	if err != nil {
		return nil, err
	}
	p := blocked.NewQuantized(nil, g)
	if p == nil {
		return nil, onnx.Unsupportedf("no convolution of bytes of %v by %v", x, w)
	}
	s.plan, s.x, s.w, s.packed = p, slices.Clone(x), slices.Clone(w), nil
	return p, nil
}

// quantWeights is the constant weights of a step, in the forms that kernels read.
type quantWeights struct {
	w, scale, bias *onnx.Tensor // bias may be nil
	xZero          uint8

	mu    sync.Mutex
	forms map[string][]byte
}

// form is the weights as p reads them.
func (q *quantWeights) form(p *blocked.Quantized) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	name := p.Format()
	if q.forms[name] == nil {
		form := onnx.Bytes(p.PackedBytes())
		p.Pack(form, onnx.Data[int8](q.w), onnx.Data[int32](q.bias), onnx.Data[float32](q.scale), q.xZero)
		q.forms[name] = form
		q.w.Release()
	}
	return q.forms[name]
}

func (q *quantWeights) held() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := int64(0)
	for _, form := range q.forms {
		n += int64(len(form))
	}
	return n
}

// quantKernel is what all runs of a step share.
type quantKernel struct {
	weights           quantWeights
	yZero             uint8
	plainIn, plainOut bool
}

func compileQuantConv(c *opdef.Compile) (opdef.Step, error) {
	k := &quantKernel{
		weights: quantWeights{w: c.Const(1), scale: c.Const(2), bias: c.Const(3), xZero: uint8(c.Node.Int("x_zero", 0)), forms: map[string][]byte{}},
		yZero:   uint8(c.Node.Int("y_zero", 0)), plainIn: c.InLayout[0] == opdef.Plain, plainOut: c.OutLayout[0] == opdef.Plain,
	}
	if k.weights.w == nil || k.weights.scale == nil || c.Node.In(3) != nil && k.weights.bias == nil || c.Elem(0) != onnx.Uint8 {
		return opdef.Step{}, onnx.Internalf("expected bytes and constant weights")
	}
	return opdef.Step{
		ShapeOnly: []int{1, 2, 3},
		Scratch: func(b *opdef.Bound) int {
			x, y := blockedBytes(b.In[0].Shape), blockedBytes(b.Out[0].Shape)
			return k.buffers(x, y)
		},
		Cost:  func(b *opdef.Bound) opdef.Cost { return convCost(c.Node, b, 0, 1) },
		Held:  k.weights.held,
		State: func() any { return &quantConv{node: c.Node} },
		Run:   k.run,
	}, nil
}

// buffers is the scratch for images that are plain.
func (k *quantKernel) buffers(x, y int) int {
	n := 0
	if k.plainIn {
		n += alignUp(x)
	}
	if k.plainOut {
		n += alignUp(y)
	}
	return n
}

// blockedBytes is the size of a blocked tensor of bytes.
func blockedBytes(shape []int) int { return blocked.Len(shape[0], shape[1], product(shape[2:])) }

func (k *quantKernel) run(r *opdef.Run) error {
	s := r.State.(*quantConv)
	p, err := s.of(r.In[0].Shape, r.In[1].Shape)
	if err != nil {
		return err
	}
	if s.packed == nil {
		s.packed = k.weights.form(p)
	}
	return k.with(r, func(x, y, _ []byte) error {
		p.Run(r.Team, x, s.packed, k.yZero, y)
		return nil
	})
}

// with calls f with input and output 0, blocked, and the rest of the scratch.
func (k *quantKernel) with(r *opdef.Run, f func(x, y, scratch []byte) error) error {
	x, y, scratch := r.In[0].Data, r.Out[0].Data, r.Scratch
	xs, ys := r.In[0].Shape, r.Out[0].Shape
	if k.plainIn {
		x = scratch[:blockedBytes(xs)]
		scratch = scratch[alignUp(len(x)):]
		blocked.PackBytes(x, r.In[0].Data, xs[0], xs[1], product(xs[2:]))
	}
	if k.plainOut {
		y = scratch[:blockedBytes(ys)]
		scratch = scratch[alignUp(len(y)):]
	}
	if err := f(x, y, scratch); err != nil {
		return err
	}
	if k.plainOut {
		blocked.UnpackBytes(r.Out[0].Data, y, ys[0], ys[1], product(ys[2:]))
	}
	return nil
}

// quantConvLayouts is the Layouts of QuantConv.
func quantConvLayouts(c *opdef.Layouts) opdef.Blocking {
	if !opdef.CanBlockBytes(c.Node.In(0)) || !opdef.CanBlockBytes(c.Node.Out(0)) {
		return opdef.Blocking{}
	}
	pixels := assumedPixels(c.Node.Out(0).Type.Shape[2:])
	return opdef.Blocking{In: []int{0}, Out: []int{0}, Gain: 2 * pixels * float64(opdef.Channels(c.Node.Out(0)))}
}
