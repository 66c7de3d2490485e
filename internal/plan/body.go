package plan

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// body is a subgraph's plan as an operator sees it.
type body struct{ p *Plan }

// New makes a run object for the body.
func (b body) New() opdef.BodyRun { return &bodyRun{r: b.p.NewRunner()} }

// bodyRun runs a body inside another runner, which lends it budget, context, trace, seed and team.
type bodyRun struct {
	r    *Runner
	ins  []opdef.View
	outs []opdef.View
}

// Run runs the body on in and the captures of the step that holds it. The results stay valid until the next Run.
func (b *bodyRun) Run(at *opdef.Run, in []opdef.View) (outs []opdef.View, err error) {
	outer, ok := at.Host.(*Runner)
	if !ok {
		return nil, onnx.Internalf("a body runs outside of a plan")
	}
	r := b.r
	r.root, r.depth, r.Trace = outer.root, outer.depth+1, outer.Trace
	r.team, r.Seed, r.StepNo, r.Training = at.Team, at.Seed, at.StepNo, at.Training
	b.ins = append(append(b.ins[:0], in...), at.Captures...)
	if err := r.prepare(b.ins, nil, nil); err != nil {
		return nil, err
	}
	if err := r.all(at); err != nil {
		return nil, err
	}
	b.outs = b.outs[:0]
	for i := range r.p.outs {
		b.outs = append(b.outs, r.Out(i))
	}
	return b.outs, nil
}

// all runs all steps and places a panic at the body's own node.
func (r *Runner) all(at *opdef.Run) (err error) {
	defer r.recover(&err)
	if err := r.root.pay(len(r.p.steps)); err != nil {
		return err
	}
	if err := r.stopped(at.Ctx); err != nil {
		return err
	}
	return r.steps(at.Ctx, 0, len(r.p.steps))
}
