package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// StringConcat joins strings at the same place, with broadcasting.
var opStringConcat = opdef.Def{
	Type:    "StringConcat",
	Infer:   func(c *opdef.Infer) error { return c.SetBroadcast(0, onnx.String, 0, 1) },
	Compile: moving(runStringConcat),
	Grad:    opdef.NoGrad,
}

func runStringConcat(m *mover) error {
	if err := wantStrings(m, 0, 1); err != nil {
		return err
	}
	out, err := opdef.BroadcastShape(m.In[0].Shape, m.In[1].Shape)
	if err != nil {
		return err
	}
	z, err := m.output(0, onnx.String, out)
	if err != nil {
		return err
	}
	var x, y source[string]
	x.set(m.In[0].Strings(), m.In[0].Shape, out)
	y.set(m.In[1].Strings(), m.In[1].Shape, out)
	for i := range z.s {
		var a, b [1]string
		s, t := x.read(a[:], nil, i)[0], y.read(b[:], nil, i)[0]
		if err := m.text(len(s) + len(t)); err != nil {
			return err
		}
		z.s[i] = s + t
	}
	return nil
}

// wantStrings is an error when one of the inputs is not a tensor of strings.
func wantStrings(m *mover, inputs ...int) error {
	for _, i := range inputs {
		if e := m.In[i].Elem; e != onnx.String {
			return onnx.Invalidf("input %d: expected strings, received %v", i, e)
		}
	}
	return nil
}

// text charges the run for n bytes of new strings.
func (m *mover) text(n int) error { return m.Host.Memory(int64(n)) }
