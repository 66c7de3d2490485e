package reduce_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/stretchr/testify/require"
)

func numbers(n int) []float64 {
	r, x := rand.New(rand.NewPCG(uint64(n), 7)), make([]float64, n)
	for i := range x {
		x[i] = 2*r.Float64() - 0.9
	}
	return x
}

// plain is what an Op means, one number after the other.
func plain(op reduce.Op, x []float64, shift float64) float64 {
	y := reduce.Identity[float64](op)
	for _, v := range x {
		switch op {
		case reduce.SumAbs:
			y += math.Abs(v)
		case reduce.SumSquare:
			y += v * v
		case reduce.SumExp:
			y += math.Exp(v - shift)
		default:
			y = reduce.Join(op, y, v)
		}
	}
	return y
}

func TestAll(t *testing.T) {
	for _, op := range []reduce.Op{reduce.Sum, reduce.SumAbs, reduce.SumSquare, reduce.SumExp, reduce.Prod, reduce.Max, reduce.Min} {
		for _, n := range []int{0, 1, 2, 15, 16, 17, 100, 1023, 1024, 1025, 2048, 5000, 70000} {
			x := numbers(n)
			want := plain(op, x, 0.5)
			require.InDelta(t, 0, relative(want, reduce.All(op, x, 0.5)), 1e-12, "op %d of %d", op, n)
			require.InDelta(t, 0, relative(want, tree(op, x, 1)), 1e-12, "tree of op %d of %d", op, n)
		}
	}
}

func relative(want, got float64) float64 {
	if want == got {
		return 0
	}
	return (got - want) / max(1, math.Abs(want))
}

// tree reduces x through a Tree of rows of the given width, which it repeats, and gives the last column.
func tree(op reduce.Op, x []float64, width int) float64 {
	var t reduce.Tree[float64]
	row, shift := make([]float64, width), make([]float64, width)
	t.Reset(op, width)
	for _, v := range x {
		for i := range row {
			row[i], shift[i] = v, 0.5
		}
		reduce.Rows(op, t.Leaf(), row, shift)
		t.Next()
	}
	return t.Result()[width-1]
}

func TestTree_reuse(t *testing.T) {
	var tr reduce.Tree[float32]
	for _, width := range []int{3, 1, 7} {
		tr.Reset(reduce.Sum, width)
		for range 2500 {
			leaf := tr.Leaf()
			for i := range leaf {
				leaf[i]++
			}
			tr.Next()
		}
		for _, v := range tr.Result() {
			require.Equal(t, float32(2500), v)
		}
	}
}

// TestAll_accuracy holds that the error of a long sum does not grow with its length.
func TestAll_accuracy(t *testing.T) {
	x, exact := make([]float32, 1<<20), 0.0
	for i, v := range numbers(len(x)) {
		x[i] = float32(v)
		exact += float64(x[i])
	}
	require.InEpsilon(t, exact, reduce.All(reduce.Sum, x, 0), 2e-6)
}

func TestIdentity(t *testing.T) {
	require.Equal(t, int8(math.MinInt8), reduce.Identity[int8](reduce.Max))
	require.Equal(t, int64(math.MaxInt64), reduce.Identity[int64](reduce.Min))
	require.Equal(t, uint16(math.MaxUint16), reduce.Identity[uint16](reduce.Min))
	require.Equal(t, uint32(0), reduce.Identity[uint32](reduce.Max))
	require.Equal(t, math.Inf(1), reduce.Identity[float64](reduce.Min))
	require.Equal(t, float32(math.Inf(-1)), reduce.Identity[float32](reduce.Max))
}

func TestDot(t *testing.T) {
	for _, n := range []int{0, 1, 17, 1024, 3000} {
		x, want := numbers(n), 0.0
		for _, v := range x {
			want += v * v
		}
		require.InDelta(t, want, reduce.Dot(x, x), 1e-11)
	}
}
