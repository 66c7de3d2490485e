package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// SequenceMap runs its body for each item of the first sequence. Of the other inputs, the body receives the item at the same
// place of a sequence, and a tensor as it is. Each output of the body is collected into a sequence.
var opSequenceMap = opdef.Def{
	Type:    "SequenceMap",
	Infer:   inferSequenceMap,
	Compile: compileSequenceMap,
	Grad:    opdef.NoGrad,
	Body:    bodySequenceMap,
}

func inferSequenceMap(c *opdef.Infer) error {
	in := make([]onnx.Type, c.Node.NumIn())
	for i := range in {
		if in[i], _ = c.In(i); i > 0 && in[i].Kind != onnx.KindSequence {
			continue
		}
		t, err := itemTypeOf(c, i)
		if err != nil {
			return err
		}
		in[i] = t
	}
	out, err := bodyTypes(c, "body", in)
	if err != nil {
		return err
	}
	if len(out) < len(c.Outs) {
		return onnx.Invalidf("a body with %d outputs for %d outputs", len(out), len(c.Outs))
	}
	for i := range c.Outs {
		c.SetType(i, onnx.SequenceOf(out[i]))
	}
	return nil
}

func compileSequenceMap(c *opdef.Compile) (opdef.Step, error) {
	body, err := bodyOf(c, "body")
	if err != nil {
		return opdef.Step{}, err
	}
	if g := c.Node.Subgraph("body"); len(g.Inputs) != c.Node.NumIn() || len(g.Outputs) < c.Node.NumOut() {
		return opdef.Step{}, onnx.Invalidf("a body with %d inputs and %d outputs for %d inputs and %d outputs",
			len(g.Inputs), len(g.Outputs), c.Node.NumIn(), c.Node.NumOut())
	}
	return opdef.Step{Data: true, State: func() any { return body.New() }, Run: runSequenceMap}, nil
}

func runSequenceMap(r *opdef.Run) error {
	s, err := sequenceAt(r, 0)
	if err != nil {
		return err
	}
	outs := make([][]opdef.View, len(r.Out))
	seed := r.Seed
	defer func() { r.Seed = seed }()
	for i := range s.Items {
		if err := r.Host.Charge(1); err != nil {
			return err
		}
		r.Seed = iterationSeed(seed, int64(i))
		if err := mapItem(r, i, len(s.Items), outs); err != nil {
			return err
		}
	}
	for i, items := range outs {
		setSequence(r, i, onnx.Type{}, items)
	}
	return nil
}

// mapItem runs the body for the n-th of count items and appends its results.
func mapItem(r *opdef.Run, n, count int, outs [][]opdef.View) error {
	in := make([]opdef.View, len(r.In))
	for i, v := range r.In {
		if in[i] = v; v.Box == nil {
			continue
		}
		if s, ok := v.Box.(*opdef.Seq); ok {
			if len(s.Items) != count {
				return onnx.Invalidf("sequences of %d and %d items", count, len(s.Items))
			}
			in[i] = s.Items[n]
		}
	}
	res, err := r.State.(opdef.BodyRun).Run(r, in)
	if err != nil {
		return err
	}
	for i := range outs {
		v, err := owned(r, res[i])
		if err != nil {
			return err
		}
		outs[i] = append(outs[i], v)
	}
	return nil
}

func bodySequenceMap(c *opdef.Rewrite) error {
	b := recipe{c}
	g := c.Node.Subgraph("body")
	s := recipe{&opdef.Rewrite{Builder: b.Sub("items"), Node: c.Node}}
	i := s.Graph.Input("i", onnx.TensorOf(onnx.Int64))
	going := s.Graph.Input("going", onnx.TensorOf(onnx.Bool))
	ins := values{b.do("SequenceLength", b.in(0)), b.Builder.Const(onnx.Scalar(true))}
	var lists, items values
	for k := range c.Node.NumOut() {
		t := g.Outputs[min(k, len(g.Outputs)-1)].Type
		if !t.IsTensor() || t.Elem == onnx.Undefined {
			return onnx.Unsupportedf("the body needs known types of its outputs, received %v", t)
		}
		empty := b.Op("SequenceEmpty", nil, onnx.Int("dtype", int64(t.Elem)))
		ins, lists = append(ins, empty), append(lists, s.Graph.Input("list", onnx.SequenceOf(onnx.Unranked(t.Elem))))
	}
	for _, v := range c.Node.Inputs() {
		if v != nil && v.Type.Kind == onnx.KindSequence {
			v = s.do("SequenceAt", v, i)
		}
		items = append(items, v)
	}
	outs, ok := s.inline(g, items...)
	if !ok || len(outs) < len(lists) {
		return onnx.Invalidf("a body with %d inputs and %d outputs for %d inputs and %d outputs", len(g.Inputs), len(g.Outputs), len(items), len(lists))
	}
	s.Graph.Outputs = values{s.do("Identity", going)}
	for k, list := range lists {
		s.Graph.Outputs = append(s.Graph.Outputs, s.do("SequenceInsert", list, outs[k]))
	}
	return b.finish(b.Builder.Node("", "Loop", len(lists), ins, onnx.GraphAttr("body", s.Graph)).Outputs()...)
}
