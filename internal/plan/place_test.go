package plan

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func randomItems(n int) []item {
	r := rand.New(rand.NewPCG(1, 2))
	items := make([]item, n)
	for i := range items {
		from := r.IntN(n)
		items[i] = item{life: life{from, from + r.IntN(20)}, n: 64 * (1 + r.IntN(50)), id: i}
	}
	return items
}

// disjoint checks that what lives at the same time does not overlap, and what the peak of the living is.
func disjoint(t *testing.T, items []item, total int) (peak int) {
	t.Helper()
	byStep := map[int][]item{}
	for _, it := range items {
		require.GreaterOrEqual(t, it.off, 0)
		require.LessOrEqual(t, it.off+it.n, total)
		for k := it.from; k <= it.to; k++ {
			byStep[k] = append(byStep[k], it)
		}
	}
	for _, live := range byStep {
		slices.SortFunc(live, func(x, y item) int { return x.off - y.off })
		sum := live[0].n
		for i := range live[1:] {
			require.LessOrEqual(t, live[i].off+live[i].n, live[i+1].off)
			sum += live[i+1].n
		}
		peak = max(peak, sum)
	}
	return peak
}

func TestPack(t *testing.T) {
	items := randomItems(2000)
	total, err := pack(items, false)
	require.NoError(t, err)
	peak := disjoint(t, items, total)
	require.Less(t, float64(total), 1.5*float64(peak))

	items = randomItems(2000)
	total, err = packInOrder(items)
	require.NoError(t, err)
	disjoint(t, items, total)
	require.Less(t, float64(total), 2*float64(peak))

	for _, f := range []func([]item) (int, error){packInOrder, func(i []item) (int, error) { return pack(i, false) }} {
		_, err := f([]item{{n: math.MaxInt/2 + 1}, {n: math.MaxInt / 2}, {n: 64}})
		require.ErrorIs(t, err, onnx.ErrInvalid)
	}
}

// A graph with very many nodes, all of whose values are outputs, is planned in a moment.
func TestPlan_many(t *testing.T) {
	b := builder("many")
	x := b.Graph.Input("x", f32("N"))
	for range 40_000 {
		b.Graph.Outputs = append(b.Graph.Outputs, op(b, "Half", x))
	}
	r := mustBuild(t, b, nil, Options{}).NewRunner()
	require.Len(t, results(t, r, floats(1)), 40_000)
	require.NoError(t, r.Run(t.Context(), []opdef.View{floats(1)}, nil))
}
