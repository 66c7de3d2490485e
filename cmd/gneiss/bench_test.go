package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBench(t *testing.T) {
	m := sum(t)
	rows := lines(t, answers(t, yes, "bench", m, m, "--runs", "3", "--threads", "1,2", "--shape", "x=2x3", "--json"))
	require.Len(t, rows, 4)
	for i, r := range rows {
		require.Equal(t, m, r["model"])
		require.Equal(t, float64(1+i%2), r["threads"])
		require.Equal(t, 3.0, r["runs"])
		require.Equal(t, 12.0, r["weight_bytes"])
		require.Equal(t, "fast", r["engine"])
		for _, f := range []string{
			"load_ms", "first_ms", "median_ms", "min_ms", "p90_ms", "p99_ms", "allocs_per_run", "arena_bytes", "peak_rss_bytes", "cpu",
		} {
			require.Contains(t, r, f)
		}
		require.LessOrEqual(t, r["min_ms"], r["median_ms"])
		require.LessOrEqual(t, r["median_ms"], r["p99_ms"])
	}
	require.Contains(t, answers(t, yes, "bench", m, "--runs", "3", "--threads", "1", "--engine", "plain", "--shape", "x=2x3"), "3 runs")
	require.Contains(t, answers(t, yes, "bench", m, "--duration", "1ms", "--threads", "1", "--shape", "x=2x3"), "1 threads")
	refuses(t, []string{"bench", m, "--runs", "3"}, "open dims")
	refuses(t, []string{"bench", m, "--runs", "-3"}, "--runs")
	refuses(t, []string{"bench", m, "--duration", "0s"}, "--duration")
	refuses(t, []string{"bench", "/nonexistent.onnx"}, "nonexistent.onnx")
	refuses(t, []string{"bench", m, "--threads", "a"}, "--threads")
}
