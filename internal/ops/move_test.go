package ops_test

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

func ints(v ...int64) *onnx.Tensor { return onnx.Vector(v...) }

// asType is x in another element type.
func asType(t *testing.T, x *onnx.Tensor, e onnx.ElemType) *onnx.Tensor {
	return eval(t, "Cast", tensors{x}, onnx.Int("to", int64(e)))
}

// TestMove_everyType moves small numbers of every element type and compares with moving them as int64.
func TestMove_everyType(t *testing.T) {
	data := make([]int64, 2*3*5)
	for i := range data {
		data[i] = int64(i % 2)
	}
	x := tensor(t, data, 2, 3, 5)
	for op, c := range map[string]struct {
		in tensors
		a  attrs
	}{
		"Transpose":       {tensors{x}, attrs{onnx.Ints("perm", 2, 0, 1)}},
		"Reshape":         {tensors{x, ints(3, -1)}, nil},
		"Slice":           {tensors{x, ints(4, 1), ints(-100, 3), ints(2, 1), ints(-2, 1)}, nil},
		"Gather":          {tensors{x, ints(-1, 0, 0)}, attrs{onnx.Int("axis", 2)}},
		"GatherElements":  {tensors{x, tensor(t, []int64{0, 1, -1}, 1, 1, 3)}, attrs{onnx.Int("axis", 1)}},
		"GatherND":        {tensors{x, tensor(t, []int64{1, 2, 0, 1}, 2, 2)}, nil},
		"Expand":          {tensors{x, ints(2, 1, 1, 1)}, nil},
		"Tile":            {tensors{x, ints(1, 2, 2)}, nil},
		"Unsqueeze":       {tensors{x, ints(0, -1)}, nil},
		"Pad":             {tensors{x, ints(1, 0, -1, 0, 2, 3)}, attrs{onnx.Str("mode", "edge")}},
		"Compress":        {tensors{x, onnx.Vector(true, false, true)}, attrs{onnx.Int("axis", 1)}},
		"ReverseSequence": {tensors{x, ints(1, 2, 0)}, nil},
		"Trilu":           {tensors{x, onnx.Scalar[int64](-1)}, attrs{onnx.Int("upper", 0)}},
	} {
		want := eval(t, op, c.in, c.a...)
		for e := onnx.Float32; e.Valid(); e++ {
			if e == onnx.String && op == "Trilu" {
				continue // its zero is the empty string, which is no number
			}
			if e == onnx.Float8E8M0 {
				continue // it has no zero
			}
			in := append(tensors{asType(t, x, e)}, c.in[1:]...)
			got := eval(t, op, in, c.a...)
			require.Equal(t, want.Shape, got.Shape, "%s of %v", op, e)
			require.Equal(t, onnx.Data[int64](want), onnx.Data[int64](asType(t, got, onnx.Int64)), "%s of %v", op, e)
		}
	}
}

// TestTranspose_large compares tiles and borders with the definition.
func TestTranspose_large(t *testing.T) {
	const a, b, c = 37, 18, 41
	x := random[float32](t, 1, -1, 1, a, b, c)
	y := onnx.Data[float32](eval(t, "Transpose", tensors{x}, onnx.Ints("perm", 2, 0, 1)))
	for i := range a {
		for j := range b {
			for k := range c {
				require.Equal(t, onnx.Data[float32](x)[(i*b+j)*c+k], y[(k*a+i)*b+j])
			}
		}
	}
}

// TestTranspose_threads holds that threads change nothing.
func TestTranspose_threads(t *testing.T) {
	g, feeds := node(t, "", "Transpose", 1, tensors{random[float32](t, 1, -1, 1, 3, 130, 7, 110)}, onnx.Ints("perm", 0, 3, 2, 1))
	var want *onnx.Tensor
	for _, threads := range []int{1, 2, 3, 7} {
		run, err := engine(threads)(g)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		if want == nil {
			want = outs[0]
		}
		require.Equal(t, want.Bytes(), outs[0].Bytes())
	}
}

func TestMove_empty(t *testing.T) {
	x := tensor(t, []float32{}, 0, 3)
	require.Equal(t, []int{3, 0}, eval(t, "Transpose", tensors{x}).Shape)
	require.Equal(t, []int{0, 3}, eval(t, "Concat", tensors{x, x}, onnx.Int("axis", 0)).Shape)
	require.Equal(t, []int{0, 1}, eval(t, "Gather", tensors{x, ints(2)}, onnx.Int("axis", 1)).Shape)
	require.Equal(t, []int{2, 3}, eval(t, "Pad", tensors{x, ints(1, 0, 1, 0)}).Shape)
	require.Equal(t, []int{2, 0}, eval(t, "NonZero", tensors{x}).Shape)
	require.Equal(t, []int{0}, eval(t, "Reshape", tensors{x, ints(0)}, onnx.Int("allowzero", 1)).Shape)
	require.Equal(t, []int{0}, eval(t, "Unique", tensors{x}).Shape)
	require.Equal(t, []int{}, append([]int{}, eval(t, "Squeeze", tensors{tensor(t, []float32{1}, 1, 1)}).Shape...))
}

// TestMove_errors looks for an error, never a panic, where inputs are wrong.
func TestMove_errors(t *testing.T) {
	x := random[float32](t, 1, 0, 1, 2, 3)
	big := int64(1) << 62
	for _, c := range []struct {
		op string
		in tensors
		a  attrs
	}{
		{"Reshape", tensors{x, ints(4, -1)}, nil},
		{"Reshape", tensors{x, ints(-1, -1)}, nil},
		{"Reshape", tensors{x, ints(-2)}, nil},
		{"Reshape", tensors{x, ints(1, 2, 0)}, nil},
		{"Reshape", tensors{x, ints(big, big)}, nil},
		{"Squeeze", tensors{x, ints(0)}, nil},
		{"Squeeze", tensors{x, ints(2)}, nil},
		{"Unsqueeze", tensors{x, ints(1, 1)}, nil},
		{"Unsqueeze", tensors{x, ints(9)}, nil},
		{"Concat", tensors{x, random[float32](t, 1, 0, 1, 2, 4)}, attrs{onnx.Int("axis", 0)}},
		{"Split", tensors{x, ints(1, 2)}, nil},
		{"Slice", tensors{x, ints(0), ints(1), ints(0), ints(0)}, nil},
		{"Slice", tensors{x, ints(0), ints(1), ints(5)}, nil},
		{"Gather", tensors{x, ints(2)}, nil},
		{"Gather", tensors{x, ints(-3)}, nil},
		{"Gather", tensors{x, ints(1 << 40)}, nil},
		{"GatherElements", tensors{x, tensor(t, []int64{5}, 1, 1)}, nil},
		{"GatherElements", tensors{x, tensor(t, make([]int64, 4), 1, 4)}, nil},
		{"GatherND", tensors{x, tensor(t, []int64{0, 0, 0}, 1, 3)}, nil},
		{"GatherND", tensors{x, tensor(t, []int64{0, 3}, 1, 2)}, nil},
		{"ScatterElements", tensors{x, tensor(t, []int64{7}, 1, 1), tensor(t, []float32{1}, 1, 1)}, nil},
		{"ScatterElements", tensors{x, tensor(t, []int64{0}, 1, 1), tensor(t, []float32{1, 2}, 1, 2)}, nil},
		{"ScatterND", tensors{x, tensor(t, []int64{2}, 1, 1), tensor(t, []float32{1, 2, 3}, 1, 3)}, nil},
		{"Expand", tensors{x, ints(3, 2)}, nil},
		{"Tile", tensors{x, ints(1, -1)}, nil},
		{"Tile", tensors{x, ints(big, 8)}, nil},
		{"Pad", tensors{x, ints(0, 0, 0, -4)}, nil},
		{"Pad", tensors{x, ints(1, 2)}, nil},
		{"Pad", tensors{x, ints(big, big, big, big)}, nil},
		{"TopK", tensors{x, ints(4)}, nil},
		{"TopK", tensors{x, ints(-1)}, nil},
		{"Range", tensors{onnx.Scalar[int64](0), onnx.Scalar[int64](5), onnx.Scalar[int64](0)}, nil},
		{"Range", tensors{onnx.Scalar(0.0), onnx.Scalar(1e30), onnx.Scalar(1e-30)}, nil},
		{"ConstantOfShape", tensors{ints(-1)}, nil},
		{"OneHot", tensors{ints(1), onnx.Scalar[int64](-1), onnx.Vector[float32](0, 1)}, nil},
		{"ReverseSequence", tensors{x, ints(1, 2, 9)}, nil},
		{"Compress", tensors{x, onnx.Vector(true, true, true)}, attrs{onnx.Int("axis", 0)}},
	} {
		g, feeds := looseNode(t, c.op, c.in, c.a...)
		run, err := engine(1)(g)
		if err == nil {
			_, err = run(feeds)
		}
		require.ErrorIs(t, err, onnx.ErrInvalid, "%s of %v", c.op, c.in)
	}
}

// looseNode is a graph of one node of which nothing was inferred but the element type.
func looseNode(t *testing.T, op string, in tensors, a ...onnx.Attribute) (*onnx.Graph, map[string]*onnx.Tensor) {
	t.Helper()
	g, feeds := onnx.NewGraph(op, nil), map[string]*onnx.Tensor{}
	var vs values
	for _, x := range in {
		v := g.Input("x", onnx.Unranked(x.Elem))
		feeds[v.Name] = x
		vs = append(vs, v)
	}
	n := g.Add("", op, 1, vs, a...)
	n.Out(0).Type = onnx.Unranked(in[len(in)-1].Elem)
	if op != "OneHot" {
		n.Out(0).Type.Elem = in[0].Elem
	}
	if op == "ConstantOfShape" {
		n.Out(0).Type.Elem = onnx.Float32
	}
	g.Outputs = n.Outputs()
	return g, feeds
}

func TestOldForms(t *testing.T) {
	x := tensor(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	data := func(y *onnx.Tensor) []float32 { return onnx.Data[float32](y) }
	require.Equal(t, []int{3, 2}, old(t, 1, "Reshape", tensors{x}, onnx.Ints("shape", 3, -1)).Shape)
	require.Equal(t, []float32{2, 5}, data(old(t, 1, "Slice", tensors{x}, onnx.Ints("starts", 1), onnx.Ints("ends", 2), onnx.Ints("axes", 1))))
	require.Equal(t, []int{2, 3, 1}, old(t, 11, "Unsqueeze", tensors{x}, onnx.Ints("axes", 2)).Shape)
	require.Equal(t, []int{2, 6}, old(t, 1, "Concat", tensors{x, x}).Shape, "axis was 1 by default")
	require.Equal(t, []int32{1, 2, 3, 4, 5, 6}, onnx.Data[int32](old(t, 5, "Cast", tensors{x}, onnx.Str("to", "INT32"))))
	require.Equal(t, []int{2, 6}, old(t, 1, "Tile", tensors{x, onnx.Scalar[float32](2), onnx.Scalar[float32](1)}).Shape)
	y := old(t, 2, "Pad", tensors{x}, onnx.Ints("pads", 0, 1, 0, 0), onnx.Float("value", 7))
	require.Equal(t, []float32{7, 1, 2, 3, 7, 4, 5, 6}, data(y))
	require.Equal(t, []int{2, 4}, old(t, 1, "Pad", tensors{x}, onnx.Ints("paddings", 0, 1, 0, 0)).Shape)
	require.Equal(t, data(x), data(old(t, 7, "Dropout", tensors{x}, onnx.Float("ratio", 0.9))))
	require.Equal(t, data(x), data(old(t, 1, "Dropout", tensors{x}, onnx.Int("is_test", 1))))
}

// TestMove_gradients checks what the official cases leave out.
func TestMove_gradients(t *testing.T) {
	x := random[float64](t, 1, -1, 1, 3, 4)
	for _, mode := range []string{"constant", "reflect", "edge", "wrap"} {
		checkGrad(t, "Pad", tensors{x, ints(1, 2, 2, 1)}, onnx.Str("mode", mode))
		checkGrad(t, "Pad", tensors{x, ints(-1, 0, 1, 2)}, onnx.Str("mode", mode))
	}
	checkGrad(t, "Pad", tensors{x, ints(1, 2, 2, 1), onnx.Scalar(0.5)})
	checkGrad(t, "Gather", tensors{x, ints(1, 1, -1, 0)}, onnx.Int("axis", 1))
	checkGrad(t, "GatherND", tensors{x, tensor(t, []int64{1, 1, 0, 3, 1, 1}, 3, 2)})
	checkGrad(t, "GatherND", tensors{x, tensor(t, []int64{1, 3, 1}, 3, 1)}, onnx.Int("batch_dims", 1))
	checkGrad(t, "GatherElements", tensors{x, tensor(t, []int64{1, 1, 0, 3}, 2, 2)}, onnx.Int("axis", 1))
	checkGrad(t, "Tile", tensors{x, ints(2, 3)})
	checkGrad(t, "Slice", tensors{x, ints(3, 0), ints(-9, 3), ints(1, 0), ints(-2, 2)})
	checkGrad(t, "Compress", tensors{x, onnx.Vector(true, false, true)}, onnx.Int("axis", 0))
	checkGrad(t, "Compress", tensors{x, onnx.Vector(true, false, true, true)})
	for _, a := range []attrs{nil, {onnx.Int("exclusive", 1)}, {onnx.Int("reverse", 1)}, {onnx.Int("exclusive", 1), onnx.Int("reverse", 1)}} {
		checkGrad(t, "CumProd", tensors{x, onnx.Scalar[int64](1)}, a...)
		checkGrad(t, "CumProd", tensors{tensor(t, []float64{2, 0, 3, 0, -1}, 5), onnx.Scalar[int64](0)}, a...)
	}
	checkGrad(t, "OneHot", tensors{ints(1, -3, 7), onnx.Scalar[int64](4), onnx.Vector(0.25, 2.0)})
	checkGrad(t, "ScatterElements", tensors{x, tensor(t, []int64{0, 0, 2}, 1, 3), random[float64](t, 2, -1, 1, 1, 3)}, onnx.Str("reduction", "add"))
	checkGradOuts(t, "Split", 3, tensors{x, ints(1, 0, 3)}, onnx.Int("axis", 1))
	checkGradOuts(t, "TopK", 1, tensors{x, ints(2)})
	checkGrad(t, "DepthToSpace", tensors{random[float64](t, 3, -1, 1, 1, 8, 1, 2)}, onnx.Int("blocksize", 2), onnx.Str("mode", "CRD"))
}

// TestMove_noAllocation runs the operators of shape chains and views with shapes that were seen before.
func TestMove_noAllocation(t *testing.T) {
	b := shape.BuilderFor(onnx.NewGraph("g", nil), ops.All)
	x := b.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named("N"), onnx.Fixed(4), onnx.Fixed(6)))
	y := b.Op("Transpose", values{x}, onnx.Ints("perm", 0, 2, 1))
	y = b.Op("Slice", values{y, b.Const(ints(1)), b.Const(ints(5)), b.Const(ints(1))})
	y = b.Op("Concat", values{y, y}, onnx.Int("axis", 2))
	y = b.Op("Gather", values{y, b.Const(ints(3, 0))}, onnx.Int("axis", 1))
	n := b.Op("Gather", values{b.Op("Shape", values{x}), b.Const(ints(0))})
	y = b.Op("Reshape", values{y, b.Op("Concat", values{n, b.Const(ints(-1))}, onnx.Int("axis", 0))})
	y = b.Op("Unsqueeze", values{y, b.Const(ints(1))})
	y = b.Op("Expand", values{y, b.Const(ints(1, 2, 1))})
	y = b.Op("Cast", values{y}, onnx.Int("to", int64(onnx.Float64)))
	s := b.Node("", "Split", 2, values{y}, onnx.Int("axis", 2), onnx.Int("num_outputs", 2))
	b.Graph.Outputs = values{s.Out(0), b.Op("Flatten", values{s.Out(1)})}
	require.NoError(t, b.Err())
	require.Equal(t, "double[N,2,8]", s.Out(0).Type.String())
	p, err := plan.Build(b.Graph, plan.NewVars(), plan.Options{Set: ops.All})
	require.NoError(t, err)
	r := p.NewRunner()
	defer r.Close()
	in := []opdef.View{plan.ViewOf(random[float32](t, 1, 0, 1, 3, 4, 6))}
	ctx := context.Background()
	require.NoError(t, r.Run(ctx, in, nil))
	require.Equal(t, []int{3, 2, 8}, r.Out(0).Shape)
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if err := r.Run(ctx, in, nil); err != nil {
			panic(err)
		}
	}))
}
