package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// gneiss.FusedConv: act(Conv(X, W, B) + R), with Conv's inputs and attributes. R, the optional input 3, has the shape of the
// result. act is the attribute activation: "" (none), or the operator of that name: Relu, Clip (to alpha and beta), LeakyRelu
// (alpha), Sigmoid, Swish (its alpha is 1), HardSigmoid (alpha, beta), HardSwish, Tanh. All but Relu are for float32.
var opFusedConv = opdef.Def{
	Type:    "FusedConv",
	Domain:  onnx.Private,
	Schema:  &schema.Schema{MinIn: 2, MaxIn: 4, MinOut: 1, MaxOut: 1},
	Infer:   inferConv,
	Compile: compileFusedConv,
	Layouts: convLayouts,
	Grad:    opdef.NoGrad,
}

func compileFusedConv(c *opdef.Compile) (opdef.Step, error) {
	if c.OutLayout[0] == opdef.Blocked {
		return blockedConvStep(c)
	}
	if c.Node.Str("activation", "") == "Relu" && c.Node.In(3) == nil {
		return floatKernel(0, forwardStep[float32](true), forwardStep[float64](true))(c)
	}
	if c.Elem(0) != onnx.Float32 || c.Node.In(3) != nil && c.Elem(3) != onnx.Float32 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	act, err := activationOf(c)
	if err != nil {
		return opdef.Step{}, err
	}
	return finishedConv(c, act)
}

// finishedConv is the step of a convolution whose result the residual is added to and act then changed by.
func finishedConv(c *opdef.Compile, act func(y []float32, x [][]float32)) (opdef.Step, error) {
	s, err := forwardStep[float32](false)(c)
	if err != nil {
		return s, err
	}
	add := vecTable(c.Generic).Arith(vec.Add)
	inner, state := s.Run, s.State
	s.State = func() any { return &finishing{conv: state().(*convolution[float32]), add: add, act: act} }
	s.Run = func(r *opdef.Run) error {
		f := r.State.(*finishing)
		r.State = f.conv
		err := inner(r)
		r.State = f
		if err != nil {
			return err
		}
		return f.run(r)
	}
	return s, nil
}

// finishing is the state of a convolution with more behind it, and the task that does that.
type finishing struct {
	conv     *convolution[float32]
	add, act func(y []float32, x [][]float32)
	y, r     []float32
	in       [][2][]float32 // by worker: what the functions read
}

func (f *finishing) run(r *opdef.Run) error {
	f.y, f.r = opdef.Of[float32](r.Out[0]), inputOf[float32](r, 3)
	if f.r != nil && len(f.r) != len(f.y) {
		return onnx.Invalidf("expected a residual of shape %v, received %v", r.Out[0].Shape, r.In[3].Shape)
	}
	for len(f.in) < r.Team.Threads() {
		f.in = append(f.in, [2][]float32{})
	}
	r.Team.DoWorkers(tiles(len(f.y)), f)
	return nil
}

// Tile finishes a part of the result.
func (f *finishing) Tile(worker, i int) {
	lo, hi := i*tileSize, min((i+1)*tileSize, len(f.y))
	y, in := f.y[lo:hi], &f.in[worker]
	in[0] = y
	if f.r != nil {
		in[1] = f.r[lo:hi]
		f.add(y, in[:])
	}
	if f.act != nil {
		f.act(y, in[:1])
	}
}

// activationOf is the function that the attribute activation names; nil for none.
func activationOf(c *opdef.Compile) (func(y []float32, x [][]float32), error) {
	t := vecTable(c.Generic)
	alpha, beta := float64(c.Node.Float("alpha", 0)), float64(c.Node.Float("beta", 0))
	switch name := c.Node.Str("activation", ""); name {
	case "":
		return nil, nil
	case "Relu":
		return t.Arith(vec.Relu), nil
	case "Sigmoid":
		return t.Of(vec.SigmoidOf, 1), nil
	case "Swish":
		return t.Of(vec.SwishOf, 1), nil
	case "Tanh":
		return t.Of(vec.TanhOf, 1), nil
	case "Clip":
		return vec.Each[float32](func(v float64) float64 { return min(max(v, alpha), beta) }), nil
	case "LeakyRelu":
		return vec.Each[float32](leakyRelu(alpha)), nil
	case "HardSigmoid":
		return vec.Each[float32](hardSigmoid(alpha, beta)), nil
	case "HardSwish":
		return vec.Each[float32](hardSwish), nil
	default:
		return nil, onnx.Unsupportedf("activation %.128q is not supported", name)
	}
}

func leakyRelu(alpha float64) func(float64) float64 {
	return func(v float64) float64 {
		if v < 0 {
			return alpha * v
		}
		return v
	}
}

func hardSigmoid(alpha, beta float64) func(float64) float64 {
	return func(v float64) float64 { return max(0, min(1, float64(alpha*v)+beta)) }
}

func hardSwish(v float64) float64 { return v * max(0, min(1, v/6+0.5)) }
