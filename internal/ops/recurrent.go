package ops

import (
	"math"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/rnn"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// recurrent is what RNN, GRU and LSTM differ in.
type recurrent struct {
	kind rnn.Kind
	acts []string // default activations of a direction
	grad string   // the private operator of the gradient
}

var (
	recurrentRNN  = recurrent{rnn.Simple, []string{"tanh"}, "RNNGrad"}
	recurrentGRU  = recurrent{rnn.GRU, []string{"sigmoid", "tanh"}, "GRUGrad"}
	recurrentLSTM = recurrent{rnn.LSTM, []string{"sigmoid", "tanh", "tanh"}, "LSTMGrad"}
)

// saved is the output that holds, inside a training step, what the gradient needs; 0: there is none.
func (k recurrent) saved() int { return [...]int{rnn.GRU: 2, rnn.LSTM: 3}[k.kind] }

// recurrentDirections is the number of directions of n.
func recurrentDirections(n *onnx.Node) (count int64, reverse []bool, err error) {
	switch d := n.Str("direction", "forward"); d {
	case "forward":
		return 1, []bool{false}, nil
	case "reverse":
		return 1, []bool{true}, nil
	case "bidirectional":
		return 2, []bool{false, true}, nil
	default:
		return 0, nil, onnx.Invalidf("attribute direction: expected forward, reverse or bidirectional, received %.128q", d)
	}
}

// infer is the Infer of the recurrent operators.
func (k recurrent) infer(c *opdef.Infer) error {
	outs := 2 + map[bool]int{true: 1}[k.kind == rnn.LSTM]
	for i := range max(outs, len(c.Outs)) {
		c.SetUnranked(i, c.Elem(0))
	}
	dirs, _, err := recurrentDirections(c.Node)
	if err != nil {
		return err
	}
	x, err := c.ShapeRank(0, 3)
	if err != nil {
		return err
	}
	hidden := onnx.Unknown
	if r, err := c.ShapeRank(2, 3); err == nil {
		hidden = r[2]
	}
	if h := c.Node.Int("hidden_size", 0); !hidden.IsFixed() && h > 0 {
		hidden = onnx.Fixed(int(h))
	}
	d, steps, batch := onnx.Fixed(int(dirs)), x[0], x[1]
	y, state := []onnx.Dim{steps, d, batch, hidden}, []onnx.Dim{d, batch, hidden}
	if c.Node.Int("layout", 0) != 0 {
		steps, batch = x[1], x[0]
		y, state = []onnx.Dim{batch, steps, d, hidden}, []onnx.Dim{batch, d, hidden}
	}
	c.Set(0, c.Elem(0), y...)
	for i := 1; i < outs; i++ {
		c.Set(i, c.Elem(0), state...)
	}
	if i := k.saved(); i > 0 && i < len(c.Outs) {
		width := mulDims(hidden, onnx.Fixed(k.kind.Gates()+1))
		c.Set(i, c.Elem(0), d, mulDims(steps, batch), width)
	}
	return nil
}

// upgradeRecurrent drops output_sequence, which before opset 7 said whether there is an output 0.
func upgradeRecurrent(c *opdef.Rewrite) error {
	c.Node.DropAttr("output_sequence")
	return nil
}

// activations reads the functions of all directions. Values of activation_alpha and activation_beta go to those functions
// that have such a parameter, in their order.
func activations[T gemm.Float](n *onnx.Node, defaults []string, dirs int, level cpu.Level) ([][]rnn.Activation[T], error) {
	names, given := slices.Repeat(defaults, dirs), false
	if a := n.Attr("activations"); a != nil && len(a.Strings) > 0 {
		names, given = a.Strings, true
	}
	if given && len(names) != len(defaults)*dirs {
		return nil, onnx.Invalidf("attribute activations: expected %d names, received %d", len(defaults)*dirs, len(names))
	}
	alpha, beta := floatsOf(n, "activation_alpha"), floatsOf(n, "activation_beta")
	var all []rnn.Activation[T]
	for _, name := range names {
		f, ok := recurrentActivations[strings.ToLower(name)]
		if !ok {
			return nil, onnx.Unsupportedf("attribute activations: %.128q is not supported", name)
		}
		a, b := f.alpha, f.beta
		if f.params > 0 {
			a, alpha = shift(a, alpha)
		}
		if f.params > 1 {
			b, beta = shift(b, beta)
		}
		at, slope := f.of(a, b)
		act := rnn.Activation[T]{At: at, Slope: slope}
		if quick, ok := recurrentFunctions[strings.ToLower(name)]; ok && onnx.ElemOf[T]() == onnx.Float32 {
			act.At, act.All = vec.Scalar(quick), vec.For(level).Kernel(quick)
		}
		all = append(all, act)
	}
	return slices.Collect(slices.Chunk(all, len(defaults))), nil
}

// shift is the first of list and the rest, or def when it is empty.
func shift(def float64, list []float32) (float64, []float32) {
	if len(list) == 0 {
		return def, nil
	}
	return float64(list[0]), list[1:]
}

func floatsOf(n *onnx.Node, name string) []float32 {
	if a := n.Attr(name); a != nil {
		return a.Floats
	}
	return nil
}

type scalarFunc = func(float64) float64

// recurrentActivation is a function and its derivative by its result; alpha and beta are its defaults.
type recurrentActivation struct {
	params      int
	alpha, beta float64
	of          func(alpha, beta float64) (at, slope scalarFunc)
}

// plainActivation is one without parameters.
func plainActivation(at, slope scalarFunc) recurrentActivation {
	return recurrentActivation{of: func(_, _ float64) (scalarFunc, scalarFunc) { return at, slope }}
}

// recurrentFunctions are those that have kernels of their own for float32.
var recurrentFunctions = map[string]vec.Function{"sigmoid": vec.SigmoidOf, "tanh": vec.TanhOf}

// recurrentActivations are the functions that the standard lists, by their name in lower case.
var recurrentActivations = map[string]recurrentActivation{
	"sigmoid":  plainActivation(rnn.Sigmoid, rnn.SigmoidSlope),
	"tanh":     plainActivation(math.Tanh, rnn.TanhSlope),
	"relu":     plainActivation(func(x float64) float64 { return max(x, 0) }, positive),
	"softsign": plainActivation(func(x float64) float64 { return x / (1 + math.Abs(x)) }, func(y float64) float64 { return (1 - math.Abs(y)) * (1 - math.Abs(y)) }),
	"softplus": plainActivation(func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, func(y float64) float64 { return -math.Expm1(-y) }),
	"affine": {2, 1, 0, func(a, b float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 { return a*x + b }, func(float64) float64 { return a }
	}},
	"scaledtanh": {2, 1, 1, func(a, b float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 { return a * math.Tanh(b*x) }, func(y float64) float64 { return b * (a - y*y/a) }
	}},
	"hardsigmoid": {2, 0.2, 0.5, func(a, b float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 { return min(max(a*x+b, 0), 1) }, func(y float64) float64 {
			if y <= 0 || y >= 1 {
				return 0
			}
			return a
		}
	}},
	"leakyrelu": {1, 0.01, 0, func(a, _ float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 { return max(x, 0) + a*min(x, 0) }, func(y float64) float64 {
			if y > 0 {
				return 1
			}
			return a
		}
	}},
	"thresholdedrelu": {1, 1, 0, func(a, _ float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 {
				if x > a {
					return x
				}
				return 0
			}, func(y float64) float64 {
				if y != 0 {
					return 1
				}
				return 0
			}
	}},
	"elu": {1, 1, 0, func(a, _ float64) (scalarFunc, scalarFunc) {
		return func(x float64) float64 {
				if x < 0 {
					return a * math.Expm1(x)
				}
				return x
			}, func(y float64) float64 {
				if y < 0 {
					return y + a
				}
				return 1
			}
	}},
}

func positive(y float64) float64 {
	if y > 0 {
		return 1
	}
	return 0
}

// recurrentPlan makes layers for a node of RNN, GRU or LSTM or of their gradients.
type recurrentPlan[T gemm.Float] struct {
	recurrent
	node    *onnx.Node
	reverse []bool
	table   *gemm.Table[T]
	w, r    *packed[T] // of the forward pass, both or none
	format  string     // of the two
}

// recurrentState is the state of a step.
type recurrentState[T gemm.Float] struct {
	recurrentPlan[T]
	layer rnn.Layer[T]
}

func newRecurrentPlan[T gemm.Float](k recurrent, c *opdef.Compile) (recurrentPlan[T], error) {
	_, reverse, err := recurrentDirections(c.Node)
	if err == nil {
		_, err = activations[T](c.Node, k.acts, len(reverse), cpu.Generic)
	}
	return recurrentPlan[T]{recurrent: k, node: c.Node, reverse: reverse, table: gemmTable[T](c.Generic)}, err
}

// pack makes the plan keep the weights packed if they are constants and no gradient wants what is saved.
func (p *recurrentPlan[T]) pack(c *opdef.Compile) {
	if i := p.saved(); i > 0 && c.Node.Out(i) != nil {
		return
	}
	if w, r := packedInput[T](c, 1), packedInput[T](c, 2); w != nil && r != nil {
		p.w, p.r, p.format = w, r, "recurrent "+p.table.Format()
	}
}

// shapeOnly is the inputs of which a plan with packed weights reads the shape alone.
func (p *recurrentPlan[T]) shapeOnly() []int {
	if p.w == nil {
		return nil
	}
	return []int{1, 2}
}

// held answers for opdef.Step.Held.
func (p *recurrentPlan[T]) held() func() int64 {
	if p.w == nil {
		return nil
	}
	w, r := p.w.held(), p.r.held()
	return func() int64 { return w() + r() }
}

// weights points the layer at its weights.
func (p *recurrentPlan[T]) weights(l *rnn.Layer[T], r *opdef.Run) {
	if p.w == nil {
		l.W, l.R = inputOf[T](r, 1), inputOf[T](r, 2)
		return
	}
	l.W = p.w.form(p.format, l.PackedW(), l.PackW)
	l.R = p.r.form(p.format, l.PackedR(), l.PackR)
}

// fresh is a layer without sizes and data.
func (p recurrentPlan[T]) fresh() rnn.Layer[T] {
	acts, _ := activations[T](p.node, p.acts, len(p.reverse), p.table.Level) // checked when compiled
	return rnn.Layer[T]{
		Table: p.table, Reverse: p.reverse, Acts: acts, Clip: T(p.node.Float("clip", 0)), Coupled: p.node.Int("input_forget", 0) != 0,
		Packed: p.w != nil,
	}
}

// sizes sets the layer's shape from those of the inputs and checks that all fit. Inputs are X, W, R, B, sequence_lens,
// initial_h, initial_c, P.
func (p recurrentPlan[T]) sizes(l *rnn.Layer[T], in []opdef.View) error {
	if len(in) < 3 || len(in[0].Shape) != 3 || len(in[1].Shape) != 3 || len(in[2].Shape) != 3 {
		return onnx.Invalidf("expected input, weights and recurrent weights of rank 3")
	}
	x, w := in[0].Shape, in[1].Shape
	s := rnn.Shape{
		Kind: p.kind, Steps: x[0], Batch: x[1], Input: x[2], Hidden: in[2].Shape[2], Directions: len(p.reverse),
		BatchFirst: p.node.Int("layout", 0) != 0, LinearBeforeReset: p.node.Int("linear_before_reset", 0) != 0,
	}
	if s.BatchFirst {
		s.Steps, s.Batch = x[1], x[0]
	}
	if h := p.node.Int("hidden_size", int64(s.Hidden)); h != int64(s.Hidden) {
		return onnx.Invalidf("attribute hidden_size is %d, the recurrent weights are %v", h, in[2].Shape)
	}
	d, g := s.Directions, w[1]
	if s.Hidden == 0 || g%s.Hidden != 0 || g/s.Hidden != p.kind.Gates() {
		return onnx.Invalidf("expected weights with %d gates of %d rows, received shape %v", p.kind.Gates(), s.Hidden, w)
	}
	state := [3]int{d, s.Batch, s.Hidden}
	if s.BatchFirst {
		state = [3]int{s.Batch, d, s.Hidden}
	}
	ranks := [...]int{3, 3, 3, 2, 1, 3, 3, 2}
	shapes := [...][3]int{{x[0], x[1], x[2]}, {d, g, s.Input}, {d, g, s.Hidden}, {d, 2 * g}, {s.Batch}, state, state, {d, 3 * s.Hidden}}
	for i := range min(len(in), len(shapes)) {
		if want := shapes[i][:ranks[i]]; !in[i].Absent() && !slices.Equal(in[i].Shape, want) {
			return onnx.Invalidf("input %d: expected shape %v, received %v", i, slices.Clone(want), in[i].Shape)
		}
	}
	l.Shape = s
	return nil
}

// data points the layer at the inputs.
func (p recurrentPlan[T]) data(l *rnn.Layer[T], r *opdef.Run) error {
	if err := p.sizes(l, r.In); err != nil {
		return err
	}
	l.X, l.B = inputOf[T](r, 0), inputOf[T](r, 3)
	p.weights(l, r)
	l.Lens, l.H0 = inputOf[int32](r, 4), inputOf[T](r, 5)
	if p.kind == rnn.LSTM {
		l.C0, l.P = inputOf[T](r, 6), inputOf[T](r, 7)
	}
	for b, n := range l.Lens {
		if n < 0 || int(n) > l.Steps {
			return onnx.Invalidf("sequence_lens[%d] is %d, expected 0 to %d", b, n, l.Steps)
		}
	}
	return nil
}

// scratch is the bytes that size wants for a layer of known sizes.
func (p recurrentPlan[T]) scratch(b *opdef.Bound, inputs int, size func(l *rnn.Layer[T], threads int) int) int {
	l := p.fresh()
	if err := p.sizes(&l, b.In[:min(inputs, len(b.In))]); err != nil {
		return 0 // Run says it
	}
	return size(&l, max(b.Threads, 1)) * onnx.ElemOf[T]().Size()
}

// cost is times as many FLOP as the products of the forward pass.
func (p recurrentPlan[T]) cost(b *opdef.Bound, times int64) opdef.Cost {
	var l rnn.Layer[T]
	if err := p.sizes(&l, b.In[:min(3, len(b.In))]); err != nil {
		return opdef.Cost{}
	}
	per := int64(l.Kind.Gates()) * int64(l.Hidden) * int64(l.Input+l.Hidden)
	return opdef.Cost{FLOP: times * 2 * per * int64(l.Steps) * int64(l.Batch) * int64(l.Directions), Bytes: allBytes(b)}
}

func recurrentStep[T gemm.Float](k recurrent) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		p, err := newRecurrentPlan[T](k, c)
		if err != nil {
			return opdef.Step{}, err
		}
		inputs := c.Node.NumIn()
		p.pack(c)
		return opdef.Step{
			ShapeOnly: p.shapeOnly(), Held: p.held(),
			Scratch: func(b *opdef.Bound) int { return p.scratch(b, inputs, (*rnn.Layer[T]).ForwardScratch) },
			Cost:    func(b *opdef.Bound) opdef.Cost { return p.cost(b, 1) },
			State:   func() any { return &recurrentState[T]{p, p.fresh()} },
			Run:     func(r *opdef.Run) error { return r.State.(*recurrentState[T]).run(r) },
		}, nil
	}
}

func (s *recurrentState[T]) run(r *opdef.Run) error {
	l := &s.layer
	if err := s.data(l, r); err != nil {
		return err
	}
	l.Y, l.YH = outOf[T](r, 0), outOf[T](r, 1)
	if s.kind == rnn.LSTM {
		l.YC = outOf[T](r, 2)
	}
	if i := s.saved(); i > 0 {
		l.Keep = outOf[T](r, i)
	}
	l.Forward(r.Team, onnx.View[T](r.Scratch))
	return nil
}

// compile is the Compile of the recurrent operators.
func (k recurrent) compile(c *opdef.Compile) (opdef.Step, error) {
	return floatKernel(0, recurrentStep[float32](k), recurrentStep[float64](k))(c)
}

// recurrentInputs is how many inputs of the forward operator its gradient has first; what the forward pass saved, Y, and the
// gradients of Y, Y_h and Y_c follow.
const recurrentInputs = 8

// gradient is the Grad of the recurrent operators.
func (k recurrent) gradient(c *opdef.Grad) error {
	n := c.Node
	ins := make(values, recurrentInputs, recurrentInputs+5)
	for i := range ins {
		if i < 6 || k.kind == rnn.LSTM {
			ins[i] = c.In(i)
		}
	}
	var saved *onnx.Value
	if i := k.saved(); i > 0 {
		saved = c.Y(i)
	}
	ins = append(ins, saved, c.Y(0), c.DY(0), c.DY(1))
	if k.kind == rnn.LSTM {
		ins = append(ins, c.DY(2))
	}
	var attrs []onnx.Attribute
	for _, name := range []string{
		"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "input_forget", "layout", "linear_before_reset",
	} {
		if a := n.Attr(name); a != nil {
			attrs = append(attrs, *a)
		}
	}
	g := c.Builder.Node(onnx.Private, k.grad, recurrentInputs, ins, attrs...)
	for i := range recurrentInputs {
		if i != 4 && ins[i] != nil {
			c.SetDX(i, g.Out(i))
		}
	}
	return nil
}

// inferGrad gives output i the type of input i.
func inferRecurrentGrad(c *opdef.Infer) error {
	for i := range c.Outs {
		if !c.Has(i) {
			c.Set(i, c.Elem(0), onnx.Fixed(0))
			continue
		}
		if err := c.Like(i, i); err != nil {
			return err
		}
	}
	return nil
}

func recurrentGradStep[T gemm.Float](k recurrent) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		p, err := newRecurrentPlan[T](k, c)
		if err != nil {
			return opdef.Step{}, err
		}
		return opdef.Step{
			Scratch: func(b *opdef.Bound) int { return p.scratch(b, recurrentInputs, (*rnn.Layer[T]).BackwardScratch) },
			Cost:    func(b *opdef.Bound) opdef.Cost { return p.cost(b, 2) },
			State:   func() any { return &recurrentState[T]{p, p.fresh()} },
			Run:     func(r *opdef.Run) error { return r.State.(*recurrentState[T]).runGrad(r) },
		}, nil
	}
}

func (s *recurrentState[T]) runGrad(r *opdef.Run) error {
	l, all := &s.layer, r.In
	r.In = all[:recurrentInputs]
	err := s.data(l, r)
	r.In = all
	if err != nil {
		return err
	}
	i := recurrentInputs
	l.Keep, l.Y, l.DY, l.DYH, l.DYC = inputOf[T](r, i), inputOf[T](r, i+1), inputOf[T](r, i+2), inputOf[T](r, i+3), inputOf[T](r, i+4)
	out := func(i int) []T {
		if !r.Has(i) {
			return nil
		}
		return outOf[T](r, i)
	}
	l.DX, l.DW, l.DR, l.DB, l.DH0, l.DC0, l.DP = out(0), out(1), out(2), out(3), out(5), out(6), out(7)
	l.Backward(r.Team, onnx.View[T](r.Scratch))
	return nil
}

func (k recurrent) compileGrad(c *opdef.Compile) (opdef.Step, error) {
	return floatKernel(0, recurrentGradStep[float32](k), recurrentGradStep[float64](k))(c)
}
