package onnx

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestText_golden(t *testing.T) {
	for _, name := range []string{"tensors", "attributes", "values", "functions", "training"} {
		b, err := os.ReadFile("testdata/" + name + ".onnx")
		require.NoError(t, err)
		m, err := Decode(b)
		require.NoError(t, err)
		golden := "testdata/" + name + ".txt"
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(m.Text()), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), m.Text(), name)
	}
}

func TestParseText(t *testing.T) {
	m, err := ParseText(`
		# a comment
		<
		  ir_version: 8, opset_import: ["" : 17, "com.ex" : 1], producer_name: "p\"q",
		  metadata_props: ["k" : "v"]
		>
		"my graph" (float[N, 3, ?] x, float[2] b = {1, -2.5}) => (float y)
		<float[2] w = {1e3, nan}, int4[3] q = {33, 3}, string[1] s = {"a\"b"}, float[1] e = ["location": "w.bin"], int64 z>
		{
		  [n1] z, , "a/b" = com.ex.Foo:ov <i = 3, f: float = 1, l = [1, 2], fl = [1.5, 2], s = "x", r: int = @alpha,
		    t = int32[2] {1, 2}, tp = float[N], none: ints = [], g = sub () => (u) { u = Neg (x) }> (x, , b)
		  y = Add (z, "a/b")
		}
		<domain: "com.ex", opset_import: ["" : 17], overload: "o"> F <a, b: int = 2> (float[N] p, q) => (r) { r = Add (p, q) }
	`)
	require.NoError(t, err)
	g := m.Graph
	require.Equal(t, "my graph", g.Name)
	require.Equal(t, []Opset{{"", 17}, {"com.ex", 1}}, g.Opsets)
	require.True(t, g.Inputs[1].IsInitializer())
	n := g.Nodes[0]
	require.Equal(t, []string{"n1", "com.ex", "Foo", "ov"}, []string{n.Name, n.Domain, n.OpType, n.Overload})
	require.Nil(t, n.In(1))
	require.Nil(t, n.Out(1))
	require.Equal(t, float32(1), n.Float("f", 0))
	require.Equal(t, []float32{1.5, 2}, n.Attr("fl").Floats)
	require.Equal(t, "alpha", n.Attr("r").Ref)
	require.Equal(t, AttrInts, n.Attr("none").Kind)
	require.Equal(t, "x", n.Subgraph("g").Nodes[0].In(0).Name)
	require.Equal(t, AttrType, n.Attr("tp").Kind)
	require.Equal(t, []byte{33, 3}, g.Initializers[2].Init.Bytes())
	require.Equal(t, "w.bin", g.Initializers[4].Init.External.Location)
	f := m.Functions[0]
	require.Equal(t, []string{"a"}, f.Attributes)
	require.Equal(t, "float[N]", f.Body.Inputs[0].Type.String())
}

func TestParseText_refuses(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
	}{
		{"", 1, 1},
		{"g (float x => () {}", 1, 13},
		{"g (float x {}", 1, 12},
		{"g () =>\n (y", 2, 4},
		{"g () => () { y = Foo <a = []> () }", 1, 28},
		{"g () => () { y = Foo <a: color = 1> () }", 1, 31},
		{"g () => () <float[2] w = {1}> {}", 1, 29},
		{"g () => () <int8 w = {300}> {}", 1, 26},
		{"g () => () <float[N] w = {1}> {}", 1, 25},
		{"g () => () <float w = {1.2.3}> {}", 1, 29},
		{`g () => () { y = Foo <a = "b`, 1, 29},
		{"<ir_versio: 3> g () => () {}", 1, 12},
		{"g () => () {} x", 1, 16},
		{strings.Repeat("seq(", 100), 1, 257},
		{"g (" + strings.Repeat("seq(", 100) + ") => () {}", 1, 256},
	} {
		_, err := ParseText(c.text)
		var e *SyntaxError
		require.ErrorAs(t, err, &e, c.text)
		require.ErrorIs(t, err, ErrInvalid)
		require.Equal(t, []int{c.line, c.column}, []int{e.Line, e.Column}, "%s: %v", c.text, err)
	}
}

func TestParseGraphText(t *testing.T) {
	text := "g (float[N] x) => (float[N] y) {\n   [n] y = Relu (x)\n}\n"
	g, err := ParseGraphText(text)
	require.NoError(t, err)
	require.Equal(t, text, g.Text())
	require.Equal(t, "[n] y = Relu (x)", g.Nodes[0].Text())
	_, err = ParseGraphText(text + "x")
	require.Error(t, err)
}

func FuzzText(f *testing.F) {
	for _, name := range []string{"tensors", "attributes", "values", "functions"} {
		b, err := os.ReadFile("testdata/" + name + ".txt")
		require.NoError(f, err)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseText(text)
		if err != nil {
			require.True(t, errors.Is(err, ErrInvalid) || errors.Is(err, errors.ErrUnsupported), "%v", err)
			return
		}
		printed := m.Text()
		if strings.Contains(printed, "left out") {
			return
		}
		again, err := ParseText(printed)
		require.NoError(t, err)
		require.Equal(t, printed, again.Text())
	})
}
