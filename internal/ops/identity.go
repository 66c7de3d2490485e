package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Identity passes any kind of value on. Versions differ in types only.
var opIdentity = opdef.Def{
	Type:    "Identity",
	Infer:   inferIdentity,
	Compile: compileIdentity,
	Grad:    func(c *opdef.Grad) error { c.SetDX(0, c.DY(0)); return nil },
	Upgrade: dropConsumed,
}

func inferIdentity(c *opdef.Infer) error {
	err := opdef.SameAsFirst(c)
	if err == nil {
		copyInts(c)
	}
	return err
}

// compileIdentity copies tensors only where their buffers differ; other kinds of value are shared, since they never change.
func compileIdentity(c *opdef.Compile) (opdef.Step, error) {
	if t := c.Node.In(0).Type; t.Kind == onnx.KindTensor && t.Elem != onnx.String && t.Elem != onnx.Undefined {
		return copyStep(c, opdef.Step{}, func(m *mover) ([]int, error) { return m.shape(0), nil }), nil
	}
	return opdef.Step{Data: true, Run: func(r *opdef.Run) error { return passOn(r, 0, r.In[0]) }}, nil
}

// passOn makes v output i of a step with Data set: tensors are copied, other values shared.
func passOn(r *opdef.Run, i int, v opdef.View) error {
	if !r.Wants(i) {
		return nil
	}
	if v.Box != nil {
		r.SetBox(i, v)
		return nil
	}
	y, err := r.Alloc(i, v.Elem, v.Shape...)
	if err == nil {
		copy(y.Data, v.Data)
	}
	return err
}
