package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/blocked"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// blockedConv is the state of a convolution whose result is blocked: the plan of the kernel, made anew when sizes change.
type blockedConv struct {
	node    *onnx.Node
	options blocked.Options
	x, w    []int
	plan    *blocked.Plan
	packed  []float32 // constant weights as the plan reads them; nil: not yet known
}

// of is the plan for the given shapes.
func (s *blockedConv) of(x, w []int) (*blocked.Plan, error) {
	if s.plan != nil && slices.Equal(s.x, x) && slices.Equal(s.w, w) {
		return s.plan, nil
	}
	g, err := convGeometry(s.node, x, w)
	if err != nil {
		return nil, err
	}
	if !blocked.Supports(len(g.In), g.C, g.M, g.Groups) {
		return nil, onnx.Internalf("no blocked convolution of %v by %v", x, w)
	}
	s.plan, s.x, s.w, s.packed = blocked.NewPlan(nil, g, s.options), slices.Clone(x), slices.Clone(w), nil
	return s.plan, nil
}

// blockedConvStep compiles Conv and FusedConv with a blocked result; the image may be plain. Constant weights are packed once.
func blockedConvStep(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Float32 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	e, err := epilogueOf(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	k := &blockedKernel{epilogue: e, packed: packedInput[float32](c, 1)}
	fresh := func() *blockedConv {
		return &blockedConv{node: c.Node, options: blocked.Options{PlainInput: c.InLayout[0] == opdef.Plain, Direct: c.Direct}}
	}
	s := opdef.Step{
		Scratch:   func(b *opdef.Bound) int { return k.scratch(fresh(), b) },
		Cost:      func(b *opdef.Bound) opdef.Cost { return convCost(c.Node, b, 0, 1) },
		Held:      k.packed.held(),
		ShapeOnly: k.packed.shapeOnly(1),
		State:     func() any { return fresh() },
		Run:       k.run,
	}
	if c.Node.In(3) != nil {
		s.Alias = []opdef.Alias{{In: 3}}
	}
	return s, nil
}

// blockedKernel is what all runs of a step share.
type blockedKernel struct {
	epilogue blocked.Epilogue
	packed   *packed[float32]
}

func (k *blockedKernel) scratch(s *blockedConv, b *opdef.Bound) int {
	p, err := s.of(b.In[0].Shape, b.In[1].Shape)
	if err != nil {
		return 0 // run says it
	}
	n := p.Scratch(b.Threads)
	if k.packed == nil {
		n += p.PackedWeights()
	}
	return n * onnx.Float32.Size()
}

func (k *blockedKernel) run(r *opdef.Run) error {
	s := r.State.(*blockedConv)
	p, err := s.of(r.In[0].Shape, r.In[1].Shape)
	if err != nil {
		return err
	}
	scratch := onnx.View[float32](r.Scratch)
	w := s.packed
	switch {
	case k.packed == nil:
		n := p.PackedWeights()
		w, scratch = scratch[:n:n], scratch[n:]
		p.PackWeights(w, opdef.Of[float32](r.In[1]))
	case w == nil:
		w = k.packed.formOf("blocked "+p.Format(), p.PackedWeights(), p.PackUnit(), p.PackPart)
		s.packed = w
	}
	e := k.epilogue
	e.Bias, e.Residual = inputOf[float32](r, 2), inputOf[float32](r, 3)
	y := opdef.Of[float32](r.Out[0])
	if e.Residual != nil && !slices.Equal(r.In[3].Shape, r.Out[0].Shape) {
		return onnx.Invalidf("expected a residual of shape %v, received %v", r.Out[0].Shape, r.In[3].Shape)
	}
	p.Run(r.Team, opdef.Of[float32](r.In[0]), w, e, y, scratch)
	return nil
}

// epilogueOf is the activation of a convolution.
func epilogueOf(n *onnx.Node) (e blocked.Epilogue, err error) {
	e.Alpha, e.Beta = n.Float("alpha", 0), n.Float("beta", 0)
	name := n.Str("activation", "")
	act, ok := blockedActivations[name]
	if !ok {
		return e, onnx.Unsupportedf("activation %.128q is not supported", name)
	}
	e.Act = act
	return e, nil
}

var blockedActivations = map[string]blocked.Activation{
	"": blocked.Identity, "Relu": blocked.Relu, "Clip": blocked.Clip, "LeakyRelu": blocked.LeakyRelu, "Sigmoid": blocked.Sigmoid,
	"Swish": blocked.SiLU, "HardSigmoid": blocked.HardSigmoid, "HardSwish": blocked.HardSwish, "Tanh": blocked.Tanh,
}

const (
	// maxPlainChannels is the most channels of a plain image that a convolution with a blocked result reads as it is.
	maxPlainChannels = 4
	// assumedSize stands for a spatial size that is not known yet.
	assumedSize = 32
	// denseGain and depthwiseGain are floating-point operations that take as much longer on plain tensors as a change of layout
	// takes for one element.
	denseGain, depthwiseGain = 100, 10
	// fewPixels is the number of pixels in a result below which a convolution is bound by reading its weights in any layout.
	fewPixels = 4
)

// convLayouts is the Layouts of Conv and FusedConv: with constant weights the result may be blocked, from a blocked image or a
// plain one of few channels.
func convLayouts(c *opdef.Layouts) (b opdef.Blocking) {
	x, y, w := c.Node.In(0), c.Node.Out(0), c.Const(c.Node.In(1))
	if w == nil || !opdef.CanBlock(x) || !opdef.CanBlock(y) || len(w.Shape) != x.Type.Rank() || w.Elem != onnx.Float32 {
		return b
	}
	channels, groups := int(opdef.Channels(x)), int(c.Node.Int("group", 1))
	if groups < 1 || !blocked.Supports(len(w.Shape)-2, channels, w.Shape[0], groups) {
		return b
	}
	b.Out = []int{0}
	if c.Blocked(x) || groups > 1 || channels > maxPlainChannels {
		b.In = append(b.In, 0)
	}
	if c.Node.In(3) != nil {
		if !opdef.CanBlock(c.Node.In(3)) {
			return opdef.Blocking{}
		}
		b.In = append(b.In, 3)
	}
	pixels := assumedPixels(y.Type.Shape[2:])
	if pixels < fewPixels {
		return b
	}
	b.Gain = 2 * pixels * float64(w.Len())
	if groups > 1 && groups == channels {
		b.Gain /= depthwiseGain
	} else {
		b.Gain /= denseGain
	}
	return b
}

// assumedPixels is the product of spatial sizes, of which some may be unknown.
func assumedPixels(ds []onnx.Dim) float64 {
	n := 1.0
	for _, d := range ds {
		if d.IsFixed() {
			n *= float64(d.N)
		} else {
			n *= assumedSize
		}
	}
	return n
}
