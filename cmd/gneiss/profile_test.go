package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

const loopText = `rounds (float[2,2] x) => (float[2,2] y) <int64 n = {3}, bool yes = {1}> {
	y = Loop <body = body (int64 i, bool c, float[2,2] h) => (bool d, float[2,2] k) { d = Identity(c) k = MatMul(h, h) }> (n, yes, x)
}`

// table is the cells of the table with the given first column, by row.
func table(t *testing.T, out, first string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(out, "\n"+first)
	require.True(t, found, out)
	rest, _, _ = strings.Cut(rest, "\n\n")
	var rows [][]string
	for _, l := range strings.Split(strings.TrimSpace(rest), "\n")[1:] {
		rows = append(rows, strings.Fields(l))
	}
	return rows
}

func TestProfile(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace.json")
	out := answers(t, yes, "profile", save(t, loopText), "--threads", "1", "--trace", trace)
	require.Contains(t, out, "peak ")
	require.Contains(t, out, "GFLOP/s")
	var operators []string
	for _, r := range table(t, out, "operator ") {
		operators = append(operators, r[0])
		if r[0] == "MatMul" {
			require.Equal(t, "3", r[1], out)
		}
	}
	require.Subset(t, operators, []string{"Loop", "MatMul"})
	require.NotEmpty(t, table(t, out, "node "))

	var written struct{ TraceEvents []traceEvent }
	b, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &written))
	var products int
	for _, e := range written.TraceEvents {
		require.Equal(t, "X", e.Phase)
		require.GreaterOrEqual(t, e.Start, 0.0)
		if e.Category == "MatMul" {
			products++
			require.Equal(t, 16.0, e.Args["flop"])
		}
	}
	require.Equal(t, 3, products)
}

func TestProfileRefuses(t *testing.T) {
	m := sum(t)
	refuses(t, []string{"profile"}, "1 arg")
	refuses(t, []string{"profile", m}, "open dims")
	refuses(t, []string{"profile", m, "--threads", "-1", "--shape", "x=2x3"}, "--threads")
	refuses(t, []string{"profile", "/nonexistent.onnx"}, "nonexistent.onnx")
	refuses(t, []string{"profile", m, "--shape", "x=2x3", "--trace", "/nonexistent/t.json"}, "/nonexistent")
	require.Contains(t, answers(t, yes, "profile", "--help"), "Examples:\n  gneiss profile ")
}

func TestProfileOwnTime(t *testing.T) {
	p := newProfile()
	p.begin()
	for _, e := range []runtime.Event{
		{Node: "a", OpType: "Add", Depth: 2, Duration: 3, FLOP: 5},
		{Node: "a", OpType: "Add", Depth: 2, Duration: 4, FLOP: 5},
		{Node: "if", OpType: "If", Depth: 1, Duration: 10},
		{Node: "loop", OpType: "Loop", Duration: 25},
		{Node: "\tb", OpType: "Add", Duration: 30, Late: true},
	} {
		p.event(e)
	}
	for _, n := range p.nodes {
		n.runs = append(n.runs, n.run)
	}
	nodes, operators := p.rows()
	require.Equal(t, []row{
		{node: "?b", op: "Add (late)", count: 1, time: 30},
		{node: "loop", op: "Loop", count: 1, time: 15},
		{node: "    a", op: "Add", count: 2, time: 7, flop: 10},
		{node: "  if", op: "If", count: 1, time: 3},
	}, nodes)
	require.Equal(t, []row{
		{op: "Add", count: 3, time: 37, flop: 10}, {op: "Loop", count: 1, time: 15}, {op: "If", count: 1, time: 3},
	}, operators)
}

func TestProfileSpeed(t *testing.T) {
	require.Equal(t, "2.0\t50.0", speed(row{time: time.Second, flop: 2e9}, 4e9))
	require.Equal(t, "-\t-", speed(row{time: time.Second}, 4e9))
	require.Len(t, []rune(clipped(strings.Repeat("é", 100))), 64)
}
