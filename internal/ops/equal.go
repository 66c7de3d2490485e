package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Equal: C = A == B with broadcasting; NaN equals nothing.
//
// Opset 7: numpy broadcasting instead of the attributes broadcast and axis. 11, 13: types. 19: strings.
var opEqual = opdef.Def{
	Type:    "Equal",
	Infer:   inferEqual,
	Compile: compileEqual,
	Upgrade: upgradeBroadcast,
	Grad:    opdef.ZeroGrad,
}

// inferEqual also compares contents, so that a computed shape is still known behind Where: 1 is true.
func inferEqual(c *opdef.Infer) error {
	if err := inferTruth(c); err != nil {
		return err
	}
	if out, ok := foldInts(c, equalDims); ok {
		c.SetInts(0, out)
	}
	return nil
}

func equalDims(a, b onnx.Dim) onnx.Dim {
	negative := func(d onnx.Dim) bool { return known(d) && d.N < 0 }
	switch {
	case known(a, b) && a.N != b.N, a.Name != "" && negative(b), b.Name != "" && negative(a):
		return onnx.Fixed(0)
	case known(a, b), a.Same(b):
		return onnx.Fixed(1)
	}
	return onnx.Unknown
}

func compileEqual(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Bool:
		return logic(vec.Equal)(c)
	case onnx.String:
		return opdef.Step{Run: equalStrings}, oneElem(c)
	}
	return compare(vec.Equal)(c)
}

func equalStrings(r *opdef.Run) error {
	var a, b source[string]
	out := r.Out[0].Shape
	y := opdef.Of[bool](r.Out[0])
	a.set(r.In[0].Strings(), r.In[0].Shape, out)
	b.set(r.In[1].Strings(), r.In[1].Shape, out)
	var x, z [1]string
	for i := range y {
		y[i] = a.read(x[:], nil, i)[0] == b.read(z[:], nil, i)[0]
	}
	return nil
}
