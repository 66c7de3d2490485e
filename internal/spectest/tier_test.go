package spectest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// counted is a tier that a test registers: plain Go behind counters.
type counted struct{ tile, tileA, tileB, wide, rows, thin, transpose, halves atomic.Int64 }

func countedTable[T gemm.Float](c *counted) *gemm.Table[T] {
	t := *gemm.For[T](cpu.Generic)
	g := t
	t.Tile = func(rows, k int, a []T, aStep int, b []T, bStep int, y []T, ldc, cols int, start gemm.Start, bias []T, relu bool) {
		c.tile.Add(1)
		g.Tile(rows, k, a, aStep, b, bStep, y, ldc, cols, start, bias, relu)
	}
	t.TileA = func(rows, k int, a []T, aOff []int, b []T, bStep int, y []T, ldc, cols int, start gemm.Start, bias []T, relu bool) {
		c.tileA.Add(1)
		g.TileA(rows, k, a, aOff, b, bStep, y, ldc, cols, start, bias, relu)
	}
	t.TileB = func(rows, k int, a []T, aStep int, b []T, bOff []int, y []T, ldc, cols int, start gemm.Start, bias []T, relu bool) {
		c.tileB.Add(1)
		g.TileB(rows, k, a, aStep, b, bOff, y, ldc, cols, start, bias, relu)
	}
	t.Wide = func(rows, k int, a []T, aStep int, b []T, bStep int, y []T, ldc, cols int, start gemm.Start, bias []T, relu bool) {
		c.wide.Add(1)
		g.Wide(rows, k, a, aStep, b, bStep, y, ldc, cols, start, bias, relu)
	}
	t.RowsTile = func(rows, k int, a []T, lda int, b []T, bStep int, y []T, ldc, cols int, add []T, ldadd int, start gemm.Start, bias, next []T, relu bool) {
		c.rows.Add(1)
		g.RowsTile(rows, k, a, lda, b, bStep, y, ldc, cols, add, ldadd, start, bias, next, relu)
	}
	t.ThinTile = func(k int, a, b []T, panel int, y, add []T, start gemm.Start, bias []T, relu bool) {
		c.thin.Add(1)
		g.ThinTile(k, a, b, panel, y, add, start, bias, relu)
	}
	t.Transpose = func(dst []T, ldd int, src []T, lds, rows, cols int) {
		c.transpose.Add(1)
		g.Transpose(dst, ldd, src, lds, rows, cols)
	}
	return &t
}

// TestTier registers a tier of its own, which must then be the one that all kernels with tables use: the suite's cases of the
// matrix products, convolutions and poolings, and the exported networks, pass on it, and every entry was called.
func TestTier(t *testing.T) {
	c := &counted{}
	defer gemm.Override(countedTable[float32](c), countedTable[float64](c))()
	halves := *pool.For(cpu.Generic)
	plain := halves.MaxHalves
	halves.MaxHalves = func(upper, lower, y []float32, indices []int64, first, width int) {
		c.halves.Add(1)
		plain(upper, lower, y, indices, first, width)
	}
	defer pool.Override(&halves)()

	var entries sync.Map
	defer vec.Override(vec.For(cpu.Generic).Traced(func(entry string) { entries.Store(entry, true) }))()

	cases, err := suite()
	require.NoError(t, err)
	ran := 0
	for _, s := range cases {
		for _, prefix := range []string{
			"test_gemm", "test_matmul", "test_conv_", "test_basic_conv", "test_maxpool", "test_averagepool", "test_add", "test_sub", "test_mul",
			"test_div", "test_relu", "test_exp", "test_sigmoid", "test_swish", "test_tanh", "test_gelu", "test_erf",
		} {
			if !strings.HasPrefix(s.name, prefix) || s.kind != "node" || expected[s.id()+" optimised"] != "" {
				continue
			}
			ran++
			for _, e := range engines {
				if e.name == "optimised" {
					require.NoError(t, check(s, e), s.name)
				}
			}
		}
	}
	require.Greater(t, ran, 40)
	for _, name := range []string{"torch-script-seed", "keras-export-seed", "torch-script-bncnn-unfolded"} {
		checkModel(t, "../../testdata/models/"+name, 0)
	}
	requireRowTimesMatrix(t)
	for name, n := range map[string]*atomic.Int64{
		"Tile": &c.tile, "TileA": &c.tileA, "TileB": &c.tileB, "Wide": &c.wide, "RowsTile": &c.rows, "ThinTile": &c.thin, "Transpose": &c.transpose, "MaxHalves": &c.halves,
	} {
		require.Positive(t, n.Load(), "the table entry %s was never called", name)
	}
	for _, name := range []string{
		"add", "sub", "mul", "div", "relu", "function 0", "function 1", "function 2", "function 3", "function 4", "function 5", "function 6",
	} {
		_, called := entries.Load(name)
		require.True(t, called, "the table entry %s of vec was never called", name)
	}
}

// requireRowTimesMatrix multiplies a row by a wide matrix, once an input and once a constant, which no case of the suite does.
func requireRowTimesMatrix(t *testing.T) {
	t.Helper()
	w := make([]float32, 4*300)
	for i := range w {
		w[i] = float32(i % 300)
	}
	wt, err := onnx.NewTensor(w, 4, 300)
	require.NoError(t, err)
	x, err := onnx.NewTensor([]float32{1, 2, 3, 4}, 1, 4)
	require.NoError(t, err)
	for _, constant := range []bool{false, true} {
		m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["": 13]> g (float[1,4] x, float[4,300] w) => (float[1,300] y) { y = MatMul(x, w) }`)
		require.NoError(t, err)
		feeds := map[string]*onnx.Tensor{"x": x, "w": wt}
		if constant {
			delete(feeds, "w")
			m.Graph.Nodes[0].SetIn(1, m.Graph.Initializer("constant", wt.Type(), wt))
			m.Graph.Inputs = m.Graph.Inputs[:1]
		}
		s, err := runtime.New(m, runtime.Options{})
		require.NoError(t, err)
		out, err := s.Run(context.Background(), feeds)
		require.NoError(t, err)
		for j, y := range onnx.Data[float32](out["y"]) {
			require.InDelta(t, 10*j, y, 0)
		}
		s.Close()
	}
}
