package ops_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

type (
	values  = []*onnx.Value
	tensors = []*onnx.Tensor
	attrs   = []onnx.Attribute
)

// engine runs graphs on the given number of threads.
func engine(threads int) gradcheck.Engine {
	return func(g *onnx.Graph) (gradcheck.Run, error) {
		p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All, Threads: threads})
		if err != nil {
			return nil, err
		}
		return func(feeds map[string]*onnx.Tensor) ([]*onnx.Tensor, error) {
			var in []opdef.View
			for _, v := range g.Inputs {
				in = append(in, plan.ViewOf(feeds[v.Name]))
			}
			r := p.NewRunner()
			defer r.Close()
			objects, err := r.Results(context.Background(), in)
			outs := make([]*onnx.Tensor, len(objects))
			for i, o := range objects {
				outs[i], _ = o.(*onnx.Tensor)
			}
			return outs, err
		}, nil
	}
}

// node makes a graph of one node whose inputs are the graph's; nil tensors are absent inputs.
func node(t *testing.T, domain, op string, nOut int, in tensors, a ...onnx.Attribute) (*onnx.Graph, map[string]*onnx.Tensor) {
	t.Helper()
	b := shape.NewBuilder(op)
	feeds := map[string]*onnx.Tensor{}
	var vs values
	for _, x := range in {
		if x == nil {
			vs = append(vs, nil)
			continue
		}
		v := b.Graph.Input("x", x.Type())
		feeds[v.Name] = x
		vs = append(vs, v)
	}
	n := b.Node(domain, op, nOut, vs, a...)
	require.NoError(t, b.Err())
	b.Graph.Outputs = n.Outputs()
	return b.Graph, feeds
}

// eval runs one node of the standard with one output.
func eval(t *testing.T, op string, in tensors, a ...onnx.Attribute) *onnx.Tensor {
	t.Helper()
	y, err := tryEval(t, op, in, a...)
	require.NoError(t, err)
	return y
}

func tryEval(t *testing.T, op string, in tensors, a ...onnx.Attribute) (*onnx.Tensor, error) {
	t.Helper()
	g, feeds := node(t, "", op, 1, in, a...)
	run, err := engine(1)(g)
	require.NoError(t, err)
	outs, err := run(feeds)
	if err != nil {
		return nil, err
	}
	return outs[0], nil
}

// old runs one node of an older opset through its Upgrade.
func old(t *testing.T, opset int, op string, in tensors, a ...onnx.Attribute) *onnx.Tensor {
	t.Helper()
	g := onnx.NewGraph("old", nil)
	g.SetOpset("", opset)
	feeds := map[string]*onnx.Tensor{}
	var vs values
	for _, x := range in {
		v := g.Input("x", x.Type())
		feeds[v.Name] = x
		vs = append(vs, v)
	}
	g.Outputs = g.Add("", op, 1, vs, a...).Outputs()
	p, err := rewrite.Prepare(&onnx.Model{Graph: g, IRVersion: 8}, ops.All, rewrite.Options{})
	require.NoError(t, err)
	run, err := engine(1)(p)
	require.NoError(t, err)
	outs, err := run(feeds)
	require.NoError(t, err)
	return outs[0]
}

// tensor makes a tensor of the given shape.
func tensor[T onnx.Number](t *testing.T, data []T, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(data, shape...)
	require.NoError(t, err)
	return x
}

// random makes a tensor of numbers between lo and hi.
func random[T float32 | float64](t *testing.T, seed uint64, lo, hi float64, shape ...int) *onnx.Tensor {
	t.Helper()
	r, n := rand.New(rand.NewPCG(seed, 1)), 1
	for _, d := range shape {
		n *= d
	}
	data := make([]T, n)
	for i := range data {
		data[i] = T(lo + (hi-lo)*r.Float64())
	}
	return tensor(t, data, shape...)
}

// gradient is the gradient of the sum of g's first output in its first input.
func gradient(t *testing.T, g *onnx.Graph, feeds map[string]*onnx.Tensor) *onnx.Tensor {
	t.Helper()
	b, y := shape.BuilderFor(g, ops.All), g.Outputs[0]
	n := 1
	var dims []int
	for _, d := range y.Type.Shape {
		dims = append(dims, int(d.N))
		n *= int(d.N)
	}
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	dxs, err := autodiff.Gradients(b, ops.All, values{y}, values{b.Const(tensor(t, ones, dims...))}, g.Inputs[:1])
	require.NoError(t, err)
	g.Outputs = dxs
	run, err := engine(1)(g)
	require.NoError(t, err)
	outs, err := run(feeds)
	require.NoError(t, err)
	return outs[0]
}
