package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// If runs one of two subgraphs, which may give shapes that differ. Versions differ in types only.
var opIf = opdef.Def{
	Type:    "If",
	Infer:   inferIf,
	Compile: compileIf,
	Grad:    gradIf,
}

func inferIf(c *opdef.Infer) error {
	a, err := bodyTypes(c, "then_branch", nil)
	if err != nil {
		return err
	}
	b, err := bodyTypes(c, "else_branch", nil)
	if err != nil {
		return err
	}
	if len(a) != len(b) || len(a) < len(c.Outs) {
		return onnx.Invalidf("branches with %d and %d outputs for %d outputs", len(a), len(b), len(c.Outs))
	}
	for i := range c.Outs {
		c.SetType(i, meet(a[i], b[i]))
	}
	return nil
}

func compileIf(c *opdef.Compile) (opdef.Step, error) {
	then, err := bodyOf(c, "then_branch")
	if err != nil {
		return opdef.Step{}, err
	}
	other, err := bodyOf(c, "else_branch")
	if err != nil {
		return opdef.Step{}, err
	}
	return opdef.Step{Data: true, Run: runIf, State: func() any {
		return &[2]opdef.BodyRun{then.New(), other.New()}
	}}, nil
}

// truthAt is the only element of boolean v.
func truthAt(v opdef.View) (bool, error) {
	if v.Elem != onnx.Bool || v.Len() != 1 {
		return false, onnx.Invalidf("condition: expected 1 bool, received shape %v of type %v", v.Shape, v.Elem)
	}
	return v.Data[0] != 0, nil
}

func runIf(r *opdef.Run) error {
	cond, err := truthAt(r.In[0])
	if err != nil {
		return err
	}
	body := r.State.(*[2]opdef.BodyRun)[1-b2i(cond)]
	outs, err := body.Run(r, nil)
	if err != nil {
		return err
	}
	if len(outs) < len(r.Out) {
		return onnx.Invalidf("a branch with %d outputs for %d outputs", len(outs), len(r.Out))
	}
	for i := range r.Out {
		if err := passOn(r, i, outs[i]); err != nil {
			return err
		}
	}
	return nil
}

// gradIf is an If whose branches compute those of the forward If again and go back through them.
func gradIf(c *opdef.Grad) error {
	caps := c.Captures()
	if len(caps) == 0 {
		return nil
	}
	var dys values
	for i := range c.Node.NumOut() {
		dys = append(dys, c.DY(i))
	}
	var attrs []onnx.Attribute
	for _, name := range []string{"then_branch", "else_branch"} {
		i := bodyIndex(c.Node, name)
		if i < 0 {
			return onnx.Invalidf("attribute %s is missing", name)
		}
		if err := mustRepeat(c.Node.Subgraphs()[i]); err != nil {
			return err
		}
		b := c.Sub(name)
		_, d, err := c.Differentiate(i, b, nil, dys)
		if err != nil {
			return err
		}
		for _, v := range caps {
			b.Graph.Outputs = append(b.Graph.Outputs, d[v])
		}
		attrs = append(attrs, onnx.GraphAttr(name, b.Graph))
	}
	n := c.Builder.Node("", "If", len(caps), values{c.In(0)}, attrs...)
	for i, v := range caps {
		c.SetDCapture(v, n.Out(i))
	}
	return nil
}
