package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// network builds models with drawn weights.
type network struct {
	*onnx.Builder
	t testing.TB
	r *rand.Rand
}

func (n *network) weights(shape ...int) *onnx.Value {
	x := tensor(n.t, shape...)
	v := onnx.View[float32](x.Mutable())
	for i := range v {
		v[i] = (n.r.Float32() - 0.5) / 8
	}
	return n.Const(x)
}

func (n *network) relu(x *onnx.Value) *onnx.Value { return n.Op("Relu", vs{x}) }

// conv is a convolution of kernel x kernel, padded so that stride 1 keeps the size.
func (n *network) conv(x *onnx.Value, in, out, kernel, stride int) *onnx.Value {
	pad, s := int64(kernel/2), int64(stride)
	return n.Op("Conv", vs{x, n.weights(out, in, kernel, kernel), n.weights(out)}, onnx.Ints("pads", pad, pad, pad, pad), onnx.Ints("strides", s, s))
}

// seedNetwork is the CNN that the project's figures are about.
func (n *network) seedNetwork() {
	x := n.Graph.Input("x", f32("N", 1, 28, 28))
	for _, c := range [][2]int{{1, 32}, {32, 64}} {
		x = n.relu(n.Op("Conv", vs{x, n.weights(c[1], c[0], 3, 3), n.weights(c[1])}))
		x = n.Op("MaxPool", vs{x}, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2))
	}
	x = n.Op("Flatten", vs{x})
	x = n.relu(n.Op("Gemm", vs{x, n.weights(128, 1600), n.weights(128)}, onnx.Int("transB", 1)))
	x = n.Op("Gemm", vs{x, n.weights(10, 128), n.weights(10)}, onnx.Int("transB", 1))
	output(n.Builder, "y", n.Op("Softmax", vs{x}))
}

// residual is stacks of two residual blocks each, of the sizes of ResNet-18.
func (n *network) residual() {
	x := n.Graph.Input("x", f32("N", 64, 56, 56))
	in := 64
	for i, out := range []int{64, 128, 256, 512} {
		for j := range 2 {
			stride, short := 1, x
			if i > 0 && j == 0 {
				stride, short = 2, n.conv(x, in, out, 1, 2)
			}
			h := n.relu(n.conv(x, in, out, 3, stride))
			x = n.relu(n.Op("Add", vs{n.conv(h, out, out, 3, 1), short}))
			in = out
		}
	}
	output(n.Builder, "y", n.Op("GlobalAveragePool", vs{x}))
}

// transformer is a layer of the size of BERT-base without its attention.
func (n *network) transformer() {
	const width = 768
	x := n.Graph.Input("x", f32("N", 128, width))
	h := n.Op("Gelu", vs{n.Op("Add", vs{n.Op("MatMul", vs{x, n.weights(width, 4*width)}), n.weights(4 * width)})})
	h = n.Op("Add", vs{n.Op("MatMul", vs{h, n.weights(4*width, width)}), n.weights(width)})
	h = n.Op("LayerNormalization", vs{n.Op("Add", vs{h, x}), n.weights(width), n.weights(width)})
	output(n.Builder, "y", h)
}

// recurrent is two layers of LSTM over 100 steps.
func (n *network) recurrent() {
	const width = 256
	x := n.Graph.Input("x", f32(100, "N", width))
	for range 2 {
		y := n.Node("", "LSTM", 1, vs{x, n.weights(1, 4*width, width), n.weights(1, 4*width, width)}, onnx.Int("hidden_size", width)).Out(0)
		x = n.Op("Squeeze", vs{y, n.Const(onnx.Vector[int64](1))})
	}
	output(n.Builder, "y", x)
}

// BenchmarkBound runs models bound to their inputs and outputs.
func BenchmarkBound(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func(*network)
		batch int
	}{
		{"seed", (*network).seedNetwork, 1},
		{"seed", (*network).seedNetwork, 64},
		{"residual", (*network).residual, 1},
		{"transformer", (*network).transformer, 1},
		{"recurrent", (*network).recurrent, 1},
	} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/batch=%d/threads=%d", c.name, c.batch, threads), func(b *testing.B) {
				n := &network{shape.NewBuilder(c.name), b, rand.New(rand.NewPCG(1, 1))}
				c.build(n)
				in := n.Graph.Inputs[0]
				s := session(b, n.Builder, runtime.Options{Threads: threads})
				var dims []int
				for _, d := range in.Type.Shape {
					if !d.IsFixed() {
						d.N = int64(c.batch)
					}
					dims = append(dims, int(d.N))
				}
				x := tensor(b, dims...)
				outs, err := s.Run(context.Background(), tensors{in.Name: x})
				require.NoError(b, err)
				bound, err := s.Bind(tensors{in.Name: x}, outs)
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, bound.Close()) })
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, bound.Run(context.Background()))
				}
			})
		}
	}
}
