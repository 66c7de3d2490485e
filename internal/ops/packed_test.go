package ops_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

func drawn(t testing.TB, shape ...int) *onnx.Tensor {
	t.Helper()
	r := rand.New(rand.NewPCG(3, uint64(len(shape))))
	x, err := onnx.Zeros(onnx.Float32, shape...)
	require.NoError(t, err)
	for i, v := 0, onnx.View[float32](x.Mutable()); i < len(v); i++ {
		v[i] = 2*r.Float32() - 1
	}
	return x
}

// product is a node of an image or matrix x and weights w.
type product struct {
	op    string
	x, w  []int
	attrs attrs
	packs bool
}

var products = []product{
	{"Conv", []int{2, 3, 9, 7}, []int{40, 3, 3, 3}, nil, true},
	{"Conv", []int{1, 16, 5, 40}, []int{5, 16, 1, 1}, nil, true},
	{"Conv", []int{1, 4, 8, 8}, []int{8, 2, 3, 3}, attrs{onnx.Int("group", 2), onnx.Ints("strides", 2, 2)}, true},
	{"Conv", []int{1, 2, 30}, []int{3, 2, 3}, nil, true},
	{"Gemm", []int{5, 7}, []int{33, 7}, attrs{onnx.Int("transB", 1)}, true},
	{"Gemm", []int{1, 7}, []int{33, 7}, attrs{onnx.Int("transB", 1)}, true},
	{"Gemm", []int{7, 150}, []int{7, 33}, attrs{onnx.Int("transA", 1)}, true},
	{"Gemm", []int{1, 7}, []int{7, 33}, nil, true},
	{"Gemm", []int{3, 7}, []int{1, 7}, attrs{onnx.Int("transB", 1)}, false},
	{"MatMul", []int{3, 50, 7}, []int{7, 33}, nil, true},
	{"MatMul", []int{1, 7}, []int{7, 33}, nil, true},
	{"MatMul", []int{2, 150, 7}, []int{2, 7, 33}, nil, false},
}

// planOf makes the plan of p with constant weights, or with weights as the second input.
func (p product) planOf(t testing.TB, constant bool, o plan.Options) (*plan.Plan, []opdef.View) {
	t.Helper()
	return p.planWith(t, drawn(t, p.w...), constant, o)
}

func (p product) planWith(t testing.TB, w *onnx.Tensor, constant bool, o plan.Options) (*plan.Plan, []opdef.View) {
	t.Helper()
	b := shape.NewBuilder(p.op)
	x := drawn(t, p.x...)
	ins := []opdef.View{plan.ViewOf(x)}
	vs := values{b.Graph.Input("x", x.Type())}
	if constant {
		vs = append(vs, b.Const(w))
	} else {
		vs, ins = append(vs, b.Graph.Input("w", w.Type())), append(ins, plan.ViewOf(w))
	}
	b.Graph.Outputs = values{b.Op(p.op, vs, p.attrs...)}
	require.NoError(t, b.Err())
	o.Set = ops.All
	built, err := plan.Build(b.Graph, plan.NewVars(), o)
	require.NoError(t, err)
	return built, ins
}

func result(p *plan.Plan, ins []opdef.View) ([]byte, error) {
	r := p.NewRunner()
	defer r.Close()
	outs, err := r.Results(context.Background(), ins)
	if err != nil {
		return nil, err
	}
	return outs[0].(*onnx.Tensor).Bytes(), nil
}

// TestPacked holds that constant weights give the bits of weights that come as an input, are packed once for all runs, and
// are counted.
func TestPacked(t *testing.T) {
	for _, p := range products {
		for _, o := range []plan.Options{{}, {Threads: 3}, {Generic: true}} {
			t.Run(fmt.Sprint(p, o.Threads, o.Generic), func(t *testing.T) {
				fresh, ins := p.planOf(t, false, o)
				want, err := result(fresh, ins)
				require.NoError(t, err)
				require.Zero(t, fresh.WeightBytes())

				kept, ins := p.planOf(t, true, o)
				plain := kept.WeightBytes()
				var wg sync.WaitGroup
				got, errs := make([][]byte, 4), make([]error, 4)
				for i := range got {
					wg.Go(func() { got[i], errs[i] = result(kept, ins) })
				}
				wg.Wait()
				for i := range got {
					require.NoError(t, errs[i])
					require.Equal(t, want, got[i])
				}
				held := kept.WeightBytes()
				require.Equal(t, p.packs, held > plain)
				_, err = result(kept, ins)
				require.NoError(t, err)
				require.Equal(t, held, kept.WeightBytes())
			})
		}
	}
}

// leftInFile is a tensor of the elements of w that reads them from a file when they are needed.
func leftInFile(t *testing.T, w *onnx.Tensor) *onnx.Tensor {
	t.Helper()
	m := onnx.NewModel(onnx.NewGraph("w", nil))
	m.Graph.Initializer("w", w.Type(), w)
	path := filepath.Join(t.TempDir(), "w.onnx")
	require.NoError(t, onnx.WriteOptions{External: -1}.WriteFile(m, path))
	read, err := onnx.ReadOptions{Lazy: true}.ReadFile(path)
	require.NoError(t, err)
	return read.Graph.Initializers[0].Init
}

// TestPacked_parts holds that weights that are read and packed in parts are those that were in memory.
func TestPacked_parts(t *testing.T) {
	for _, p := range []product{
		{op: "Gemm", x: []int{5, 700}, w: []int{1111, 700}, attrs: attrs{onnx.Int("transB", 1)}},
		{op: "Gemm", x: []int{5, 70_000}, w: []int{35, 70_000}, attrs: attrs{onnx.Int("transB", 1)}},
		{op: "Gemm", x: []int{40, 1111}, w: []int{1111, 700}},
		{op: "MatMul", x: []int{3, 7, 1111}, w: []int{1111, 700}},
		{op: "MatMul", x: []int{1, 90}, w: []int{90, 20_001}},
		{op: "Conv", x: []int{1, 256, 6, 6}, w: []int{300, 256, 3, 3}},
		{op: "Conv", x: []int{1, 1200, 3, 3}, w: []int{600, 1200, 1, 1}},
		{op: "Conv", x: []int{1, 512, 20}, w: []int{300, 512, 3}},
	} {
		for _, o := range []plan.Options{{}, {Generic: true}} {
			t.Run(fmt.Sprint(p.op, p.w, o.Generic), func(t *testing.T) {
				w := drawn(t, p.w...)
				held, ins := p.planWith(t, w, true, o)
				want, err := result(held, ins)
				require.NoError(t, err)
				left := leftInFile(t, w)
				require.False(t, left.Held())
				read, ins := p.planWith(t, left, true, o)
				got, err := result(read, ins)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got))
				require.False(t, left.Held())
			})
		}
	}
}

// BenchmarkPacked compares constant weights with weights that come as an input, which are packed in every run.
func BenchmarkPacked(b *testing.B) {
	for _, p := range []product{
		{op: "Conv", x: []int{1, 64, 56, 56}, w: []int{64, 64, 3, 3}, attrs: attrs{onnx.Ints("pads", 1, 1, 1, 1)}},
		{op: "Conv", x: []int{1, 256, 14, 14}, w: []int{256, 256, 3, 3}, attrs: attrs{onnx.Ints("pads", 1, 1, 1, 1)}},
		{op: "Conv", x: []int{1, 512, 7, 7}, w: []int{512, 512, 3, 3}, attrs: attrs{onnx.Ints("pads", 1, 1, 1, 1)}},
		{op: "Conv", x: []int{1, 256, 14, 14}, w: []int{1024, 256, 1, 1}},
		{op: "Gemm", x: []int{1, 2048}, w: []int{1000, 2048}, attrs: attrs{onnx.Int("transB", 1)}},
		{op: "Gemm", x: []int{64, 2048}, w: []int{1000, 2048}, attrs: attrs{onnx.Int("transB", 1)}},
		{op: "MatMul", x: []int{128, 768}, w: []int{768, 768}},
	} {
		for _, constant := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/%v/%v/constant=%t", p.op, p.x, p.w, constant), func(b *testing.B) {
				pl, ins := p.planOf(b, constant, plan.Options{Threads: 1})
				r := pl.NewRunner()
				defer r.Close()
				b.ReportAllocs()
				for b.Loop() {
					_, err := r.Results(context.Background(), ins)
					require.NoError(b, err)
				}
			})
		}
	}
}
