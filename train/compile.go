package train

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/initializer"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/optimizer"
)

// compiled is a model that can be trained.
type compiled struct {
	cfg     Config
	set     *opdef.Set
	vars    *plan.Vars
	inputs  []*onnx.Value // of the inference graph
	output  onnx.Type     // of the first output
	target  onnx.Type
	slots   int // elements of optimizer state
	step    *plan.Plan
	run     *plan.Runner
	scalars scalars

	predict, evaluation runners

	mu      sync.Mutex // held by a running step, so that state is read between steps
	updates int64      // updates done
	micro   int        // batches accumulated since the last update
	epoch   int        // epochs finished
	batch   int        // batches of the epoch at hand finished
}

// Compile draws the initial values, appends loss, gradient and optimizer to a copy of the graph, and plans the training step
// and the prediction. Compiling again starts anew with the given Config; the parameters of a compiled model are drawn again.
func (m *Model) Compile(cfg Config) error {
	if err := m.compile(cfg); err != nil {
		return fmt.Errorf("train: compile: %w", err)
	}
	return nil
}

func (m *Model) compile(cfg Config) error {
	if err := m.build(cfg.Convention.Or(convention.Keras)); err != nil {
		return err
	}
	cfg, err := cfg.resolve(m)
	if err != nil {
		return err
	}
	c := &compiled{cfg: cfg, set: ops.All, vars: plan.NewVars(), inputs: m.source.Graph.Inputs}
	m.draw(cfg.Seed)
	first, err := c.prepare(m)
	if err != nil {
		return err
	}
	if err := c.define(m, first); err != nil {
		return err
	}
	g, err := c.trainingGraph(m)
	if err != nil {
		return err
	}
	if c.step, err = c.plan(g.Graph); err != nil {
		return err
	}
	if err := c.inferencePlans(m); err != nil {
		return err
	}
	c.run = c.step.NewRunner()
	m.mu.Lock()
	m.compiled = c
	m.mu.Unlock()
	return nil
}

// draw sets the initial values of parameters that layers made.
func (m *Model) draw(seed uint64) {
	for _, p := range m.params {
		if p.param != nil {
			p.param.Value.Init = drawn(p.param, seed)
		}
	}
}

func drawn(p *layer.Parameter, seed uint64) *onnx.Tensor {
	shape := sizes(p.Value.Type)
	n, _ := onnx.NumElements(shape)
	v := make([]float64, n)
	p.Initializer.Fill(v, p.Fans, initializer.Stream(seed, p.Value.Name))
	t, err := onnx.Zeros(p.Value.Type.Elem, shape...)
	if err != nil {
		return nil // Builder.parameter has checked the shape
	}
	if t.Elem == onnx.Float64 {
		copy(onnx.View[float64](t.Mutable()), v)
		return t
	}
	for i, dst := 0, onnx.View[float32](t.Mutable()); i < n; i++ {
		dst[i] = float32(v[i])
	}
	return t
}

// define makes variables of the parameters that training changes. g is a prepared graph, in which constants of the file are
// initializers as well.
func (c *compiled) define(m *Model, g *onnx.Graph) error {
	init := map[string]*onnx.Tensor{}
	for _, v := range g.Initializers {
		init[v.Name] = v.Init
	}
	for _, p := range m.params {
		if p.Trainable || p.param != nil || p.state && c.cfg.BatchNorm == UpdateStatistics {
			if err := c.vars.Define(p.Name, init[p.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare is a private copy of the inference graph in its newest forms.
func (c *compiled) prepare(m *Model) (*onnx.Graph, error) {
	return rewrite.Prepare(m.source, c.set, rewrite.Options{Variable: c.variable})
}

// variable reports whether v is one that training changes.
func (c *compiled) variable(v *onnx.Value) bool { return v.IsInitializer() && c.vars.Has(v.Name) }

// graph is a training graph being made.
type graph struct {
	*onnx.Builder
	loss, output *onnx.Value
	params       []*onnx.Value // trainable parameters
	grads        []*onnx.Value // their gradients
}

// lossGraph is the prepared graph with training forms, loss and gradients.
func (c *compiled) lossGraph(m *Model) (*graph, error) {
	pg, err := c.prepare(m)
	if err != nil {
		return nil, err
	}
	if len(pg.Outputs) == 0 {
		return nil, onnx.Invalidf("the model has no outputs")
	}
	g := &graph{Builder: shape.BuilderFor(pg, c.set), output: pg.Outputs[0]}
	if err := c.trainingForms(m, g.Builder); err != nil {
		return nil, err
	}
	g.output = pg.Outputs[0]
	loss, target, err := c.appendLoss(g.Builder)
	if err != nil {
		return nil, err
	}
	g.loss, c.output, c.target = loss, g.output.Type, target.Type
	return g, c.differentiate(m, g)
}

// trainingForms replaces the nodes that differ in training.
func (c *compiled) trainingForms(m *Model, b *onnx.Builder) error {
	if m.b == nil {
		return c.importedForms(b)
	}
	byID, keep := map[int]*onnx.Node{}, map[int]bool{}
	for _, n := range b.Graph.Nodes {
		byID[n.ID] = n
	}
	for _, f := range m.b.TrainingForms() {
		n := byID[f.Node.ID]
		switch {
		case n == nil:
			return onnx.Internalf("node %.128q has no copy", f.Node.Label())
		case f.Do != nil:
			f.Do(b, n)
		default:
			keep[n.ID] = true
		}
	}
	return rewrite.Training(b, c.set, func(n *onnx.Node) bool { return keep[n.ID] })
}

// importedForms replaces the nodes of a model read from a file that the configuration says to train.
func (c *compiled) importedForms(b *onnx.Builder) error {
	update := c.cfg.BatchNorm == UpdateStatistics
	if update && c.cfg.Convention == convention.PyTorch {
		for _, n := range slices.Clone(b.Graph.Nodes) {
			if n.OpType == "BatchNormalization" && n.Domain == "" {
				layer.UnbiasedBatchNormalization(b, n)
			}
		}
		update = false
	}
	return rewrite.Training(b, c.set, func(n *onnx.Node) bool {
		switch n.OpType {
		case "Dropout":
			return c.cfg.Dropout
		case "BatchNormalization":
			return update
		}
		return true
	})
}

// differentiate appends the gradient of the loss with respect to the trainable parameters.
func (c *compiled) differentiate(m *Model, g *graph) error {
	trainable := map[string]bool{}
	for _, p := range m.params {
		trainable[p.Name] = p.Trainable
	}
	for _, v := range g.Graph.Initializers {
		if trainable[v.Name] {
			g.params = append(g.params, v)
		}
	}
	if len(g.params) == 0 {
		return onnx.Invalidf("no parameter is trainable")
	}
	grads, err := autodiff.Gradients(g.Builder, c.set, []*onnx.Value{g.loss}, []*onnx.Value{nil}, g.params)
	if err != nil {
		return err
	}
	g.grads = grads
	return g.Err()
}

// scalars are the inputs of a training step that are numbers.
type scalars struct {
	rate, scale, t, apply, first *onnx.Tensor
}

// trainingGraph is the whole training step: its inputs are the model's, the target, and five scalars; its outputs the loss
// and the prediction.
func (c *compiled) trainingGraph(m *Model) (*graph, error) {
	g, err := c.lossGraph(m)
	if err != nil {
		return nil, err
	}
	scalar := func(name string, e onnx.ElemType) *onnx.Value { return g.Graph.Input(name, onnx.TensorOf(e)) }
	rate, scale := scalar("learning_rate", onnx.Float64), scalar("gradient_scale", onnx.Float64)
	t, apply, first := scalar("update", onnx.Int64), scalar("apply", onnx.Bool), scalar("first", onnx.Bool)
	for i, w := range g.params {
		if g.grads[i] == nil {
			continue // the loss does not depend on it
		}
		u := &optimizer.Update{
			Builder: g.Builder, Convention: c.cfg.Convention, W: w, Grad: g.grads[i], Rate: rate, Scale: scale, T: t, Apply: apply,
		}
		u.NewSlot = func(name string, fill float64) *onnx.Value { return c.slot(g, "optimizer."+name+".", w, fill) }
		if c.cfg.Accumulate > 1 {
			acc := c.slot(g, "accumulator.", w, 0)
			u.Grad = g.Private("Accumulate", []*onnx.Value{acc, u.Grad, first})
			u.Becomes(acc, u.Grad)
		}
		c.cfg.Optimizer.Update(u)
	}
	g.Graph.Outputs = []*onnx.Value{g.loss, g.output}
	c.scalars = newScalars()
	return g, g.Err()
}

func newScalars() scalars {
	return scalars{
		rate: onnx.Scalar(0.0), scale: onnx.Scalar(0.0), t: onnx.Scalar(int64(0)), apply: onnx.Scalar(false), first: onnx.Scalar(false),
	}
}

// slot adds optimizer state of w's shape, every element at fill.
func (c *compiled) slot(g *graph, prefix string, w *onnx.Value, fill float64) *onnx.Value {
	init, err := onnx.Zeros(w.Type.Elem, sizes(w.Type)...)
	if err != nil {
		g.Fail(err)
		return w
	}
	fillWith(init, fill)
	c.slots += init.Len()
	v := g.Graph.Initializer(prefix+w.Name, w.Type, init)
	g.Fail(c.vars.Define(v.Name, init))
	return v
}

func fillWith(t *onnx.Tensor, v float64) {
	if t.Elem == onnx.Float64 {
		initializer.Constant{Value: v}.Fill(onnx.View[float64](t.Mutable()), initializer.Fans{}, nil)
		return
	}
	dst := onnx.View[float32](t.Mutable())
	for i := range dst {
		dst[i] = float32(v)
	}
}

// plan optimises a graph as the engine asks and plans it.
func (c *compiled) plan(g *onnx.Graph) (*plan.Plan, error) {
	o := plan.Options{Set: c.set, Threads: c.threads(), Generic: c.cfg.Engine == runtime.Plain}
	if c.cfg.Engine != runtime.Plain {
		if err := rewrite.Optimise(g, c.set, rewrite.Options{Variable: c.variable, Level: 2}); err != nil {
			return nil, err
		}
	}
	return plan.Build(g, c.vars, o)
}

func (c *compiled) threads() int {
	if c.cfg.Threads > 0 {
		return c.cfg.Threads
	}
	return goruntime.NumCPU()
}

// inferencePlans are the inference graph over the same variables, without and with the loss.
func (c *compiled) inferencePlans(m *Model) error {
	g, err := c.prepare(m)
	if err != nil {
		return err
	}
	if c.predict.p, err = c.plan(g); err != nil {
		return err
	}
	if g, err = c.prepare(m); err != nil {
		return err
	}
	loss, _, err := c.appendLoss(shape.BuilderFor(g, c.set))
	if err != nil {
		return err
	}
	g.Outputs = []*onnx.Value{loss, g.Outputs[0]}
	c.evaluation.p, err = c.plan(g)
	return err
}

// appendLoss appends the loss of the graph's first output; the target becomes an input.
func (c *compiled) appendLoss(b *onnx.Builder) (loss, target *onnx.Value, err error) {
	y := b.Graph.Outputs[0]
	lb := &layer.Builder{Builder: b, Convention: c.cfg.Convention, Elem: y.Type.Elem}
	target = b.Graph.Input("target", c.cfg.Loss.Target(y.Type))
	if loss = c.cfg.Loss.Build(lb, y, target); b.Err() != nil {
		return nil, nil, fmt.Errorf("loss: %w", b.Err())
	}
	return loss, target, nil
}

// gradientPlan is the loss and the gradients of the named parameters.
func (c *compiled) gradientPlan(m *Model) (*plan.Plan, []string, error) {
	g, err := c.lossGraph(m)
	if err != nil {
		return nil, nil, err
	}
	g.Graph.Updates = nil
	names := make([]string, len(g.params))
	g.Graph.Outputs = []*onnx.Value{g.loss}
	for i, p := range g.params {
		names[i] = p.Name
		d := g.grads[i]
		if d == nil {
			d = ops.Zeros(g.Builder, p)
		}
		g.Graph.Outputs = append(g.Graph.Outputs, d)
	}
	p, err := c.plan(g.Graph)
	return p, names, err
}
