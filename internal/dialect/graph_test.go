package dialect

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// PyTorch's exporter nests functions of its own domains: attributes go through by reference, one name has overloads.
func TestNestedFunctions(t *testing.T) {
	m := parse(t, `<ir_version: 10, opset_import: ["" : 21, "pkg.torch" : 1, "pkg.onnxscript" : 1]>
		g (float[2] x) => (float[2] y, float[2] z) {
			y = pkg.torch.layer:first <slope = 0.5> (x)
			z = pkg.torch.layer:second (x)
		}
		<domain: "pkg.onnxscript", opset_import: ["" : 21]>
		leaky <alpha> (x) => (y) { y = LeakyRelu <alpha: float = @alpha> (x) }
		<domain: "pkg.torch", overload: "first", opset_import: ["" : 21, "pkg.onnxscript" : 1]>
		layer <slope> (x) => (y) {
			t = pkg.onnxscript.leaky <alpha: float = @slope> (x)
			y = Add (t, t)
		}
		<domain: "pkg.torch", overload: "second", opset_import: ["" : 21, "pkg.onnxscript" : 1]>
		layer <slope: float = 0.25> (x) => (y) { y = pkg.onnxscript.leaky <alpha: float = @slope> (x) }`)
	gives(t, m, tensors{"x": f32(-4, 3)}, tensors{"y": f32(-4, 6), "z": f32(-1, 3)})
}

// An input named "" is absent, whether others follow or not.
func TestEmptyInputs(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (float[3] x) => (float[3] high, float[3] low, float[3] open) <float hi = {1}, float lo = {-1}> {
			high = Clip(x, "", hi)
			low = Clip(x, lo, "")
			open = Clip(x, "", "")
		}`)
	gives(t, m, tensors{"x": f32(-3, 0.5, 3)}, tensors{"high": f32(-3, 0.5, 1), "low": f32(-1, 0.5, 3), "open": f32(-3, 0.5, 3)})
}

// The innermost branch reads values of every graph around it.
func TestCaptureFourLevels(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 16]>
		g (float[1] x, bool c) => (float[1] y) {
			a = Add(x, x)
			y = If (c) <
				then_branch = t1 () => (float[1] y1) {
					b = Add(a, x)
					y1 = If (c) <
						then_branch = t2 () => (float[1] y2) {
							d = Add(b, x)
							y2 = If (c) <
								then_branch = t3 () => (float[1] y3) {
									e = Add(d, x)
									y3 = If (c) <
										then_branch = t4 () => (float[1] y4) { s = Sum(x, a, b, d, e)  y4 = Identity(s) },
										else_branch = e4 () => (float[1] z4) { z4 = Identity(x) }
									>
								},
								else_branch = e3 () => (float[1] z3) { z3 = Neg(b) }
							>
						},
						else_branch = e2 () => (float[1] z2) { z2 = Identity(a) }
					>
				},
				else_branch = e1 () => (float[1] z1) { z1 = Neg(x) }
			>
		}`)
	gives(t, m, tensors{"x": f32(1), "c": onnx.Scalar(true)}, tensors{"y": f32(1 + 2 + 3 + 4 + 5)})
	gives(t, m, tensors{"x": f32(1), "c": onnx.Scalar(false)}, tensors{"y": f32(-1)})
}

// A branch decides the rank; PyTorch's squeeze is exported so.
func TestBranchesOfDifferentRank(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[1,2] x, bool c) => (float y) {
			y = If (c) <
				then_branch = a () => (float[2] p) { axes = Constant <value_ints = [0]> ()  p = Squeeze(x, axes) },
				else_branch = b () => (float[1,2] q) { q = Identity(x) }
			>
		}`)
	m.Graph.Outputs[0].Type = onnx.Unranked(onnx.Float32)
	x := shaped[float32](t, []int{1, 2}, 5, 6)
	gives(t, m, tensors{"x": x, "c": onnx.Scalar(true)}, tensors{"y": f32(5, 6)})
	gives(t, m, tensors{"x": x, "c": onnx.Scalar(false)}, tensors{"y": x})
}

// Trip count and condition of a Loop are both optional.
func TestLoopWithoutCondition(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (int64 n, float[1] x) => (float[1] y, float[K,1] all) {
			y, all = Loop (n, "", x) <body = b (int64 i, bool c, float[1] s) => (bool more, float[1] next, float[1] scan) {
				more = Identity(c)
				next = Add(s, s)
				scan = Identity(next)
			}>
		}`)
	gives(t, m, tensors{"n": onnx.Scalar[int64](3), "x": f32(1)}, tensors{"y": f32(8), "all": shaped[float32](t, []int{3, 1}, 2, 4, 8)})
	gives(t, m, tensors{"n": onnx.Scalar[int64](0), "x": f32(1)}, tensors{"y": f32(1), "all": shaped[float32](t, []int{0, 1})})
}

func TestLoopWithoutTripCount(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (bool c, float[1] x) => (float[1] y) <float[1] limit = {100}> {
			y = Loop ("", c, x) <body = b (int64 i, bool k, float[1] s) => (bool more, float[1] next) {
				next = Add(s, s)
				l = Less(next, limit)
				more = Squeeze(l)
			}>
		}`)
	gives(t, m, tensors{"c": onnx.Scalar(true), "x": f32(1)}, tensors{"y": f32(128)})
	gives(t, m, tensors{"c": onnx.Scalar(false), "x": f32(1)}, tensors{"y": f32(1)})
}

// ONNX Runtime takes nodes in any order, so files have them so.
func TestNodesOutOfOrder(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x) => (float[2] y) {
			y = Neg(b)
			b = Add(a, x)
			a = Mul(x, x)
		}`)
	gives(t, m, tensors{"x": f32(1, 2)}, tensors{"y": f32(-2, -6)})
}

// Node names may be empty or the same: values have names that matter.
func TestRepeatedNodeNames(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2] x) => (float[2] y) { a = Neg(x)  b = Exp(a)  y = Log(b) }`)
	for _, n := range m.Graph.Nodes {
		n.Name = "Plus214"
	}
	gives(t, reread(t, m), tensors{"x": f32(1, 2)}, tensors{"y": f32(-1, -2)})
}

// Names hold slashes, colons, dots, blanks, even JSON; none of it means anything.
func TestNames(t *testing.T) {
	names := []string{
		"serving_default_x:0", "model/dense/MatMul;model/dense/Relu", "/layer.1/Conv_output_0", "onnx::MatMul_123",
		`{"op": "x", "id": [1]}`, "p2o.DynamicDimension.0", "a b\tc", "", "é😀", `quote " and \ backslash`, "%s %d", "../up",
	}
	g := onnx.NewGraph("a/b:c", nil)
	g.SetOpset("", 17)
	v, want := g.Input(`input "x":0`, onnx.TensorOf(onnx.Float32, onnx.Named("p2o.DynamicDimension.0"))), float32(1)
	in := tensors{v.Name: f32(1)}
	for _, name := range names {
		if name == "" {
			continue // an absent value has that name; a node may
		}
		n := g.Add("", "Neg", 1, []*onnx.Value{v})
		v, want = n.Out(0), -want
		n.Name, v.Name = name, name
	}
	g.Nodes[0].Name = ""
	g.Outputs = append(g.Outputs, v)
	m := reread(t, onnx.NewModel(g))
	gives(t, m, in, tensors{v.Name: f32(want)})
	again, err := onnx.ParseText(m.Text())
	require.NoError(t, err)
	gives(t, again, in, tensors{v.Name: f32(want)})
}

// Inputs and weights of rank 0.
func TestRankZero(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float x, int64 i) => (float y, int64[2] s) <float two = {2}, int64 axis = {0}> {
			y = Mul(x, two)
			u = Unsqueeze(i, axes)
			axes = Constant <value_ints = [0]> ()
			s = Concat <axis = 0> (u, u)
		}`)
	gives(t, m, tensors{"x": onnx.Scalar[float32](3), "i": onnx.Scalar[int64](4)}, tensors{"y": onnx.Scalar[float32](6), "s": i64(4, 4)})
}

// Sizes are named, are -1, have no name, are expressions, "None" or "?"; none of it limits what runs.
func TestOpenDims(t *testing.T) {
	dims := []onnx.Dim{onnx.Named("batch"), {N: -1}, onnx.Unknown, onnx.Named("2*s1"), onnx.Named("None"), onnx.Named("?"), onnx.Named("unk__17")}
	for _, d := range dims {
		g := onnx.NewGraph("g", nil)
		g.SetOpset("", 17)
		x := g.Input("x", onnx.TensorOf(onnx.Float32, d, onnx.Fixed(2)))
		y := g.Add("", "Relu", 1, []*onnx.Value{x}).Out(0)
		y.Name, y.Type = "y", onnx.TensorOf(onnx.Float32, d, onnx.Fixed(2))
		g.Outputs = append(g.Outputs, y)
		m := reread(t, onnx.NewModel(g))
		for _, rows := range []int{0, 1, 3} {
			in, want := make([]float32, 2*rows), make([]float32, 2*rows)
			for i := range in {
				in[i] = float32(i) - 2
				want[i] = max(in[i], 0)
			}
			gives(t, m, tensors{"x": shaped(t, []int{rows, 2}, in...)}, tensors{"y": shaped(t, []int{rows, 2}, want...)})
		}
	}
}

// "?" and "None" are no names: two of them are two sizes.
func TestDimsWithoutNames(t *testing.T) {
	for _, name := range []string{"?", "None"} {
		g := onnx.NewGraph("g", nil)
		g.SetOpset("", 17)
		x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Named(name), onnx.Named(name)))
		y := g.Add("", "Neg", 1, []*onnx.Value{x}).Out(0)
		y.Name = "y"
		g.Outputs = append(g.Outputs, y)
		gives(t, reread(t, onnx.NewModel(g)), tensors{"x": shaped[float32](t, []int{1, 2}, 1, 2)}, tensors{"y": shaped[float32](t, []int{1, 2}, -1, -2)})
	}
}

// Declared types of inner values and outputs are hints: they are missing or wrong.
func TestWrongValueInfo(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 17]>
		g (float[2,2] x) => (float[7] y, float[3,3,3] z) <float[5,5,5] t> {
			t = Relu(x)
			y = ReduceSum <keepdims = 0> (t)
			z = Add(t, y)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{2, 2}, -1, 1, 2, 3)},
		tensors{"y": onnx.Scalar[float32](6), "z": shaped[float32](t, []int{2, 2}, 6, 7, 8, 9)})
}

// PyTorch's view is a chain that computes a shape.
func TestShapeChain(t *testing.T) {
	m := parse(t, `<ir_version: 8, opset_import: ["" : 13]>
		g (float[N,C,2] x) => (float[N,M] y) <int64 zero = {0}, int64[1] minus = {-1}, int64[1] axis = {0}> {
			s = Shape(x)
			n = Gather <axis = 0> (s, zero)
			u = Unsqueeze(n, axis)
			to = Concat <axis = 0> (u, minus)
			y = Reshape(x, to)
		}`)
	gives(t, m, tensors{"x": shaped[float32](t, []int{2, 1, 2}, 1, 2, 3, 4)}, tensors{"y": shaped[float32](t, []int{2, 2}, 1, 2, 3, 4)})
}
