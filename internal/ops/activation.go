package ops

import (
	"strconv"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// function compiles y = f(x) for the floating-point types.
func function(f func(float64) float64) compiler {
	return floats(vec.Each[float32](f), vec.Each[float64](f))
}

// quick is a function that has kernels of its own for float32.
type quick struct {
	f     vec.Function
	exact func(float64) float64
}

// compile compiles y = f(x); alpha counts for Swish only.
func (q quick) compile(alpha float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		return floats(vecTable(c.Generic).Of(q.f, alpha), vec.Each[float64](q.exact))(c)
	}
}

// kernelOr compiles y = f(x) by a kernel for float32 and 16-bit types and by exact for float64; both depend on attributes.
func kernelOr(by func(*onnx.Node) (kernel func(t *vec.Table, y, x []float32), exact func(float64) float64)) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		kernel, exact := by(c.Node)
		t := vecTable(c.Generic)
		return floats(func(y []float32, x [][]float32) { kernel(t, y, x[0]) }, vec.Each[float64](exact))(c)
	}
}

// activation is function for an f that depends on attributes.
func activation(by func(*onnx.Node) func(float64) float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) { return function(by(c.Node))(c) }
}

// pairs compiles y = f(a, b), which depends on attributes, for the floating-point types.
func pairs(by func(*onnx.Node) func(a, b float64) float64) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		f := by(c.Node)
		return floats(vec.Pairs[float32](f), vec.Pairs[float64](f))(c)
	}
}

// gradFromOutput is the Grad of y = g(x) by a private operator of dy and y.
func gradFromOutput(op string) func(*opdef.Grad) error {
	return func(c *opdef.Grad) error {
		c.SetDX(0, c.Private(op, values{c.DY(0), c.Y(0)}))
		return nil
	}
}

// realAttr is a float attribute as its author wrote it: the float64 of the shortest decimal that is the attribute's float32.
// So 0.1 is 0.1 also in float64 arithmetic.
func realAttr(n *onnx.Node, name string, def float64) float64 {
	a := n.Attr(name)
	if a == nil || a.Kind != onnx.AttrFloat {
		return def
	}
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(a.F), 'g', -1, 32), 64)
	if err != nil { // infinities and NaN parse as well
		return float64(a.F)
	}
	return v
}
