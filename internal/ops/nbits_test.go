package ops_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// nBitsModel is a MatMulNBits whose first input is the graph's, of m rows; zero is how zero points come.
func nBitsModel(t *testing.T, m, n, k, block, bits int, zero string, bias bool) (*onnx.Graph, map[string]*onnx.Tensor) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(bits)))
	bytes := func(shape ...int) *onnx.Tensor {
		x, err := onnx.Zeros(onnx.Uint8, shape...)
		require.NoError(t, err)
		b := x.Mutable()
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return x
	}
	g := onnx.NewGraph("nbits", nil)
	g.SetOpset("", shape.Newest(""))
	g.SetOpset("com.microsoft", 1)
	blocks, levels := (k+block-1)/block, 1<<bits
	constant := func(x *onnx.Tensor) *onnx.Value { return g.Initializer("w", x.Type(), x) }
	x := random[float32](t, 1, -1, 1, m, k)
	in := g.Input("x", x.Type())
	vs := values{in, constant(bytes(n, blocks, block/8*bits)), constant(random[float32](t, 2, 0.1/float64(levels), 1/float64(levels), n*blocks)), nil, nil, nil}
	switch zero {
	case "packed":
		vs[3] = constant(bytes(n * ((blocks*bits + 7) / 8)))
	case "float":
		vs[3] = constant(random[float32](t, 3, 0, float64(levels-1), n*blocks))
	}
	if bias {
		vs[5] = constant(random[float32](t, 4, -1, 1, n))
	}
	g.Outputs = g.Add("com.microsoft", "MatMulNBits", 1, vs, onnx.Int("N", int64(n)), onnx.Int("K", int64(k)),
		onnx.Int("block_size", int64(block)), onnx.Int("bits", int64(bits))).Outputs()
	return g, map[string]*onnx.Tensor{in.Name: x}
}

func runNBits(t *testing.T, g *onnx.Graph, feeds map[string]*onnx.Tensor, threads int, expand bool) *onnx.Tensor {
	t.Helper()
	o := rewrite.Options{}
	if expand {
		o.Expand = func(n *onnx.Node) bool { return n.OpType == "MatMulNBits" }
	}
	p, err := rewrite.Prepare(&onnx.Model{Graph: g, IRVersion: 10}, ops.All, o)
	require.NoError(t, err)
	run, err := engine(threads)(p)
	require.NoError(t, err)
	outs, err := run(feeds)
	require.NoError(t, err)
	return outs[0]
}

// TestMatMulNBits compares the kernel with the body, beyond the sizes of its tiles and panels, and threads with each other.
func TestMatMulNBits(t *testing.T) {
	for _, bits := range []int{2, 4, 8} {
		for _, zero := range []string{"", "packed", "float"} {
			for _, s := range [][4]int{{1, 70, 1100, 32}, {3, 130, 544, 64}, {20, 1, 17, 16}, {2, 64, 512, 1024}} {
				t.Run(fmt.Sprintf("%d/%s/%v", bits, zero, s), func(t *testing.T) {
					g, feeds := nBitsModel(t, s[0], s[1], s[2], s[3], bits, zero, s[0] > 1)
					got := runNBits(t, g, feeds, 1, false)
					nearTensor(t, runNBits(t, g, feeds, 1, true), got)
					require.Equal(t, got.Bytes(), runNBits(t, g, feeds, 3, false).Bytes())
				})
			}
		}
	}
}

// TestMatMulNBits_gradient compares the gradient of the kernel's node with that of its body.
func TestMatMulNBits_gradient(t *testing.T) {
	g, feeds := nBitsModel(t, 3, 10, 40, 16, 4, "packed", true)
	var dxs []*onnx.Tensor
	for _, expand := range []bool{false, true} {
		p, err := rewrite.Prepare(&onnx.Model{Graph: g, IRVersion: 10}, ops.All, rewrite.Options{Expand: func(n *onnx.Node) bool { return expand && n.OpType == "MatMulNBits" }})
		require.NoError(t, err)
		b := shape.BuilderFor(p, ops.All)
		dy := b.Const(random[float32](t, 7, -1, 1, 3, 10))
		ds, err := autodiff.Gradients(b, ops.All, p.Outputs, values{dy}, p.Inputs)
		require.NoError(t, err)
		p.Outputs = ds
		run, err := engine(1)(p)
		require.NoError(t, err)
		outs, err := run(feeds)
		require.NoError(t, err)
		dxs = append(dxs, outs[0])
	}
	nearTensor(t, dxs[1], dxs[0])
}

// TestMatMulNBits_refuses holds that what does not fit is said.
func TestMatMulNBits_refuses(t *testing.T) {
	for i, want := range map[int]string{0: "last axis", 1: "B: expected", 2: "scales: expected", 3: "zero_points: expected", 5: "bias: expected"} {
		g, feeds := nBitsModel(t, 2, 10, 40, 16, 4, "packed", true)
		n := g.Nodes[0]
		v := n.In(i)
		short, err := onnx.Zeros(v.Type.Elem, 3)
		require.NoError(t, err)
		if i == 0 {
			v.Type, feeds[v.Name] = short.Type(), short
		} else {
			v.Type, v.Init = short.Type(), short
		}
		p, err := rewrite.Prepare(&onnx.Model{Graph: g, IRVersion: 10}, ops.All, rewrite.Options{})
		if err == nil {
			var run func(map[string]*onnx.Tensor) ([]*onnx.Tensor, error)
			run, err = engine(1)(p)
			require.NoError(t, err)
			_, err = run(feeds)
		}
		require.ErrorIs(t, err, onnx.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func BenchmarkMatMulNBits(b *testing.B) {
	t := &testing.T{}
	for _, m := range []int{1, 64} {
		for _, expand := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx2048x2048/body=%v", m, expand), func(b *testing.B) {
				g, feeds := nBitsModel(t, m, 2048, 2048, 32, 4, "packed", false)
				p, err := rewrite.Prepare(&onnx.Model{Graph: g, IRVersion: 10}, ops.All, rewrite.Options{Expand: func(n *onnx.Node) bool { return expand && n.OpType == "MatMulNBits" }})
				if err != nil {
					b.Fatal(err)
				}
				run, err := engine(1)(p)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := run(feeds); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
