package runtime

import (
	"context"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Operator is an operator of the caller's own domain. It is shared by concurrent runs.
type Operator interface {
	// Name is the domain, which must not be one of this project's or the standard's, and the operator's name.
	Name() (domain, opType string)
	// Infer gives the types of the outputs from those of the inputs; dims may be named or unknown, ranks may be unknown.
	// Absent inputs have the zero Type.
	Infer(n *onnx.Node, in []onnx.Type) ([]onnx.Type, error)
	// Run computes the outputs. Absent inputs are nil; inputs must not be written to or kept. The results are copied.
	Run(ctx context.Context, n *onnx.Node, in []*onnx.Tensor) ([]*onnx.Tensor, error)
}

// Differentiable is an Operator with a gradient.
type Differentiable interface {
	Operator
	// Grad emits nodes with b and returns the gradient of each input, nil for none. dy are the gradients of the outputs, nil
	// where an output does not reach the loss.
	Grad(b *onnx.Builder, n *onnx.Node, dy []*onnx.Value) ([]*onnx.Value, error)
}

// OperatorSet puts own operators on top of the built-in ones, for the other packages of this project.
func OperatorSet(own []Operator) (*opdef.Set, error) {
	var defs []*opdef.Def
	for _, o := range own {
		domain, opType := o.Name()
		if onnx.IsDefaultDomain(domain) || domain == onnx.Private || opType == "" {
			return nil, onnx.Invalidf("runtime: operator %.128q of domain %.128q: own operators need a domain of their own", opType, domain)
		}
		defs = append(defs, define(o, domain, opType))
	}
	return opdef.NewSet(ops.All, defs...), nil
}

func define(o Operator, domain, opType string) *opdef.Def {
	d := &opdef.Def{
		Type: opType, Domain: domain, Grad: opdef.NoGrad,
		Infer: func(c *opdef.Infer) error {
			types, err := o.Infer(c.Node, slices.Clone(c.Ins))
			for i, t := range types {
				c.SetType(i, t)
			}
			return err
		},
		Compile: func(*opdef.Compile) (opdef.Step, error) {
			return opdef.Step{Data: true, Run: func(r *opdef.Run) error { return runOperator(o, r) }}, nil
		},
	}
	if g, ok := o.(Differentiable); ok {
		d.Grad = func(c *opdef.Grad) error { return gradOperator(g, c) }
	}
	return d
}

// runOperator hands over the inputs and takes copies of the results.
func runOperator(o Operator, r *opdef.Run) error {
	in := make([]*onnx.Tensor, len(r.In))
	for i, v := range r.In {
		t, err := borrow(v)
		if err != nil {
			return onnx.Unsupportedf("input %d: %w", i, err)
		}
		in[i] = t
	}
	out, err := o.Run(r.Ctx, r.Node, in)
	if err != nil {
		return err
	}
	for i := range r.Out {
		if !r.Wants(i) {
			continue
		}
		if i >= len(out) || out[i] == nil {
			return onnx.Invalidf("the operator returned no output %d", i)
		}
		if err := setOutput(r, i, plan.ViewOf(out[i])); err != nil {
			return err
		}
	}
	return nil
}

func borrow(v opdef.View) (*onnx.Tensor, error) {
	if v.Absent() {
		return nil, nil
	}
	if v.Elem == onnx.Undefined || v.Elem == onnx.String {
		return plan.TensorOf(v)
	}
	return onnx.Borrow(v.Elem, v.Shape, v.Data)
}

func setOutput(r *opdef.Run, i int, v opdef.View) error {
	if v.Elem == onnx.String {
		r.SetBox(i, v)
		return nil
	}
	w, err := r.Alloc(i, v.Elem, v.Shape...)
	copy(w.Data, v.Data)
	return err
}

func gradOperator(g Differentiable, c *opdef.Grad) error {
	dy := make([]*onnx.Value, c.Node.NumOut())
	for i := range dy {
		dy[i] = c.DY(i)
	}
	dx, err := g.Grad(c.Builder, c.Node, dy)
	for i, v := range dx {
		c.SetDX(i, v)
	}
	return err
}
