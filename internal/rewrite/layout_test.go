package rewrite_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// net draws a convolutional network.
type net struct {
	*testing.T
	*onnx.Builder
	r *rand.Rand
}

func (n *net) weights(shape ...int) *onnx.Value {
	x := drawnTensor(n.T, n.r, shape...)
	fan := 1
	for _, d := range shape[1:] {
		fan *= d
	}
	v := onnx.View[float32](x.Mutable())
	for i := range v {
		v[i] *= float32(math.Sqrt(3 / float64(fan)))
	}
	return n.Const(x)
}

func (n *net) one(list ...int) int { return list[n.r.IntN(len(list))] }

func channels(v *onnx.Value) int { return int(v.Type.Shape[1].N) }

// conv is a convolution that keeps the size of the image.
func (n *net) conv(x *onnx.Value, m, kernel, groups int) *onnx.Value {
	in := values{x, n.weights(m, channels(x)/groups, kernel, kernel)}
	if n.r.IntN(2) == 0 {
		in = append(in, n.Const(drawnTensor(n.T, n.r, m)))
	}
	p := int64(kernel / 2)
	return n.Op("Conv", in, onnx.Ints("pads", p, p, p, p), onnx.Int("group", int64(groups)))
}

func (n *net) activation(x *onnx.Value) *onnx.Value {
	scalar := func(v float32) *onnx.Value { return n.Const(onnx.Scalar(v)) }
	switch n.r.IntN(12) {
	case 0:
		return n.Op("Clip", values{x, scalar(0), scalar(0.5)})
	case 1:
		return n.Op("LeakyRelu", values{x}, onnx.Float("alpha", 0.1))
	case 2:
		return n.Op("Mul", values{x, n.Op("Sigmoid", values{x})})
	case 3:
		return n.Op("HardSwish", values{x})
	case 4:
		return n.Op("HardSigmoid", values{x})
	case 5:
		return n.Op("Tanh", values{x})
	case 6:
		return n.Op("Swish", values{x})
	case 7:
		return n.Op("Add", values{x, n.Const(drawnTensor(n.T, n.r, channels(x), 1, 1))})
	case 8:
		return n.Op("Mul", values{n.Op("Elu", values{x}), scalar(0.7)})
	case 9:
		return n.Op("PRelu", values{x, n.Const(drawnTensor(n.T, n.r, channels(x), 1, 1))})
	}
	return n.Op("Relu", values{x})
}

// excite multiplies x by what its channels' means say.
func (n *net) excite(x *onnx.Value) *onnx.Value {
	s := n.Op("GlobalAveragePool", values{x})
	s = n.activation(n.conv(s, n.one(4, 8, 16), 1, 1))
	return n.Op("Mul", values{n.Op("Sigmoid", values{n.conv(s, channels(x), 1, 1)}), x})
}

func (n *net) block(x *onnx.Value) *onnx.Value {
	c := channels(x)
	switch n.r.IntN(9) {
	case 0:
		return n.activation(n.Op("Add", values{n.conv(n.activation(n.conv(x, n.one(16, 24, 32), 3, 1)), c, 3, 1), x}))
	case 1:
		return n.Op("Concat", values{n.activation(n.conv(x, n.one(16, 20, 32), 1, 1)), n.conv(x, n.one(5, 16), 3, 1)}, onnx.Int("axis", 1))
	case 2:
		return n.activation(n.conv(x, c, n.one(3, 5), c))
	case 3:
		return n.excite(x)
	case 4:
		return n.Node("", "MaxPool", 1, values{x}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1)).Out(0)
	case 5:
		return n.Op("AveragePool", values{x}, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("pads", 1, 1, 0, 0))
	case 6:
		y := n.conv(x, c, 1, 1)
		return n.Op("Sub", values{n.activation(y), n.Op("Add", values{n.conv(x, c, 3, 1), y})})
	case 7:
		y := n.Op("Transpose", values{n.conv(x, c, 3, 1)}, onnx.Ints("perm", 0, 2, 3, 1))
		y = n.Op("Tanh", values{n.Op("Mul", values{y, n.Const(drawnTensor(n.T, n.r, c))})})
		return n.Op("Add", values{n.Op("Transpose", values{y}, onnx.Ints("perm", 0, 3, 1, 2)), x})
	}
	return n.activation(n.conv(x, n.one(16, 30, 32, 48), n.one(1, 3), 1))
}

// drawnNet is a network over images of 3, 5 or 16 channels whose number and size are not known.
func drawnNet(t *testing.T, seed uint64) *onnx.Graph {
	r := rand.New(rand.NewPCG(seed, 1))
	n := &net{t, shape.BuilderFor(onnx.NewGraph("net", nil), set), r}
	n.Graph.SetOpset("", shape.Newest(""))
	dims := []onnx.Dim{onnx.Named("N"), onnx.Fixed(n.one(3, 5, 16)), onnx.Named("H"), onnx.Named("W")}
	x := n.Graph.Input("x", onnx.TensorOf(onnx.Float32, dims...))
	y := n.activation(n.conv(x, n.one(16, 24, 32), 3, 1))
	for range 3 + r.IntN(5) {
		z := n.block(y)
		if n.r.IntN(6) == 0 {
			n.Graph.Outputs = append(n.Graph.Outputs, z)
		}
		y = z
	}
	n.Graph.Outputs = append(n.Graph.Outputs, n.Op("GlobalAveragePool", values{y}))
	require.NoError(t, n.Err())
	return n.Graph
}

// TestLayout_random holds networks with blocked values against themselves without.
func TestLayout_random(t *testing.T) {
	reorders, blocked := 0, 0
	for seed := range uint64(60) {
		g := drawnNet(t, seed)
		r := rand.New(rand.NewPCG(seed, 2))
		var ins [2]*onnx.Tensor
		for i, s := range [][]int{{1, channels(g.Inputs[0]), 12, 11}, {2, channels(g.Inputs[0]), 7, 9}} {
			ins[i] = drawnTensor(t, r, s...)
		}
		optimised := drawnNet(t, seed)
		optimise(t, optimised, rewrite.Options{Level: 2})
		layouts, err := rewrite.Layout(optimised, ops.All, rewrite.Options{})
		require.NoError(t, err)
		blocked += len(layouts)
		for _, op := range opTypes(optimised) {
			if op == "Reorder" {
				reorders++
			}
		}
		plain, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
		require.NoError(t, err)
		fast, err := plan.Build(optimised, plan.NewVars(), plan.Options{Set: set, Layouts: layouts, Threads: 2})
		require.NoError(t, err)
		a, b := plain.NewRunner(), fast.NewRunner()
		for _, in := range append(ins[:], ins[0]) {
			want, err := a.Results(context.Background(), []opdef.View{plan.ViewOf(in)})
			require.NoError(t, err)
			got, err := b.Results(context.Background(), []opdef.View{plan.ViewOf(in)})
			require.NoError(t, err)
			for i := range want {
				closeTo(t, want[i].(*onnx.Tensor), got[i].(*onnx.Tensor), seed)
			}
		}
	}
	require.Greater(t, blocked, 200)
	require.NotZero(t, reorders)
}

// TestLayout_golden holds the nodes that the layout pass leaves of a model: a file of testdata/layout is the model, whose inputs
// called w... are constants here, then the nodes, with a * after the names of blocked values.
func TestLayout_golden(t *testing.T) {
	files, err := filepath.Glob("testdata/layout/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			text, _, _ := strings.Cut(string(b), "\n==>")
			m, err := onnx.ParseText(text)
			require.NoError(t, err)
			setWeights(t, m.Graph)
			g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
			require.NoError(t, err)
			optimise(t, g, rewrite.Options{Level: 2})
			layouts, err := rewrite.Layout(g, ops.All, rewrite.Options{})
			require.NoError(t, err)
			got := text + "\n==>\n" + nodesText(g, layouts, "")
			if *update {
				require.NoError(t, os.WriteFile(f, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(b), got)
		})
	}
}

// setWeights makes constants of the inputs called w...
func setWeights(t *testing.T, g *onnx.Graph) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, v := range slices.Clone(g.Inputs) {
		if !strings.HasPrefix(v.Name, "w") {
			continue
		}
		var s []int
		for _, d := range v.Type.Shape {
			s = append(s, int(d.N))
		}
		g.Inputs = slices.DeleteFunc(g.Inputs, func(w *onnx.Value) bool { return v == w })
		name := v.Name
		v.Name = ""
		w := g.Initializer(name, v.Type, drawnTensor(t, r, s...))
		w.Name = name
		v.ReplaceUses(w)
	}
}

// nodesText lists nodes, those of subgraphs indented.
func nodesText(g *onnx.Graph, layouts map[*onnx.Value]opdef.Layout, indent string) string {
	var s strings.Builder
	list := func(vs values) string {
		var names []string
		for _, v := range vs {
			switch {
			case v == nil:
				names = append(names, "")
			case layouts[v] == opdef.Blocked:
				names = append(names, v.Name+"*")
			default:
				names = append(names, v.Name)
			}
		}
		return strings.Join(names, ", ")
	}
	for _, n := range g.Nodes {
		fmt.Fprintf(&s, "%s%s = %s(%s)\n", indent, list(n.Outputs()), n.OpType, list(n.Inputs()))
		for _, sub := range n.Subgraphs() {
			s.WriteString(nodesText(sub, layouts, indent+"   "))
		}
	}
	fmt.Fprintf(&s, "%sreturn %s\n", indent, list(g.Outputs))
	return s.String()
}

// closeTo allows differences of 1e-4 of the root mean square.
func closeTo(t *testing.T, want, got *onnx.Tensor, seed uint64) {
	t.Helper()
	require.Equal(t, want.Shape, got.Shape)
	w, g := onnx.Data[float32](want), onnx.Data[float32](got)
	sum := 0.0
	for _, v := range w {
		sum += float64(v) * float64(v)
	}
	rms := math.Sqrt(sum / float64(max(len(w), 1)))
	for i := range w {
		require.InDelta(t, w[i], g[i], 1e-4*rms+1e-6, "network %d, element %d", seed, i)
	}
}
