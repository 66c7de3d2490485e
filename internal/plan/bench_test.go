package plan

import (
	"context"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/stretchr/testify/require"
)

// BenchmarkBind binds 300 steps, of which most depend on a dim that grows each time.
func BenchmarkBind(b *testing.B) {
	g := builder("decoder")
	past, x := g.Graph.Input("past", f32("P", 8)), g.Graph.Input("x", f32(1, 8))
	h := op(g, "Join", past, x)
	g.Graph.Outputs = vs{h, op(g, "Half", chain(g, h, 149))}
	p, err := Build(g.Graph, NewVars(), Options{Set: testSet})
	require.NoError(b, err)
	var prev *Binding
	n := 1
	b.ReportAllocs()
	for b.Loop() {
		n++
		if prev, err = p.Bind([][]int{{n, 8}, {1, 8}}, prev); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRun runs 300 steps that do next to nothing: the price of a step.
func BenchmarkRun(b *testing.B) {
	g := builder("chain")
	x := g.Graph.Input("x", f32(1))
	g.Graph.Outputs = vs{chain(g, x, 150)}
	p, err := Build(g.Graph, NewVars(), Options{Set: testSet})
	require.NoError(b, err)
	r := p.NewRunner()
	ins, outs := []opdef.View{floats(1)}, []opdef.View{floats(0)}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Run(context.Background(), ins, outs); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlace plans the arena of a graph with 8,000 values.
func BenchmarkPlace(b *testing.B) {
	items := make([]item, 8_000)
	for b.Loop() {
		for i := range items {
			items[i] = item{life{i, i + 3 + i%50}, 64 * (1 + i%97), 0, i}
		}
		if _, err := pack(items, false); err != nil {
			b.Fatal(err)
		}
	}
}
