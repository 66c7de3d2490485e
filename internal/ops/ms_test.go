package ops_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// msFile is testdata/ms.json.gz, which tools/python/ms_fixtures.py makes with ONNX Runtime.
type msFile struct {
	Schemas []msSchema
	Cases   []mlCase
}

type msSchema struct {
	Domain, Name    string
	Inputs, Outputs []msParam
	Types           map[string][]string
	Attributes      map[string][2]any
}

type msParam struct{ Name, Type, Option string }

func readMS(t *testing.T) msFile {
	t.Helper()
	var file msFile
	readGzip(t, "testdata/ms.json.gz", &file)
	require.NotEmpty(t, file.Cases)
	return file
}

// readGzip reads compressed JSON.
func readGzip(t *testing.T, path string, to any) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(to))
}

// TestMS_onnxRuntime compares the operators of com.microsoft with ONNX Runtime, on both engines.
func TestMS_onnxRuntime(t *testing.T) {
	for _, c := range readMS(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			checkMS(t, &c, runtime.Options{Engine: runtime.Plain})
			checkMS(t, &c, runtime.Options{})
		})
	}
}

func checkMS(t *testing.T, c *mlCase, o runtime.Options) {
	t.Helper()
	m, err := onnx.Decode(c.Model)
	require.NoError(t, err)
	s, err := runtime.New(m, o)
	require.NoError(t, err)
	defer s.Close()
	in := map[string]*onnx.Tensor{}
	for i, v := range m.Graph.Inputs {
		in[v.Name] = mlTensor(t, c.Inputs[i])
	}
	outs, err := s.Run(context.Background(), in)
	require.NoError(t, err)
	require.Len(t, outs, len(c.Outputs))
	for i, want := range c.Outputs {
		if string(want) != "null" {
			nearTensor(t, mlTensor(t, want), outs[m.Graph.Outputs[i].Name])
		}
	}
}

// nearTensor allows floats some rounding, and integers one step: both sides round quotients that may lie in the middle.
func nearTensor(t *testing.T, want, got *onnx.Tensor) {
	t.Helper()
	require.Equal(t, want.Elem, got.Elem)
	require.Equal(t, want.Shape, got.Shape)
	if want.Elem == onnx.String {
		require.Equal(t, want.StringData(), got.StringData())
		return
	}
	w, g := float64s(t, want), float64s(t, got)
	for i := range w {
		bound := 1.0
		switch want.Elem {
		case onnx.Float32, onnx.Float64:
			bound = 1e-5 * max(1, w[i], -w[i])
		case onnx.Float16:
			bound = 2e-3 * max(1, w[i], -w[i])
		case onnx.Int32, onnx.Int64:
			bound = 0
		}
		require.InDelta(t, w[i], g[i], bound, "element %d of %d", i, len(w))
	}
}

// float64s is the elements of x as float64.
func float64s(t *testing.T, x *onnx.Tensor) []float64 {
	t.Helper()
	return onnx.Data[float64](eval(t, "Cast", tensors{x}, onnx.Int("to", int64(onnx.Float64))))
}

// TestMS_schemas holds the schemas of com.microsoft against those of ONNX Runtime.
func TestMS_schemas(t *testing.T) {
	kinds := map[schema.Kind]string{
		schema.Float: "float", schema.Int: "int", schema.String: "string", schema.Floats: "floats", schema.Ints: "ints", schema.Strings: "strings",
	}
	params := func(ps []schema.Param) []msParam {
		var list []msParam
		for _, p := range ps {
			list = append(list, msParam{p.Name, p.Type, []string{"Single", "Optional", "Variadic"}[p.Option]})
		}
		return list
	}
	for _, want := range readMS(t).Schemas {
		d := ops.All.Find(want.Domain, want.Name)
		require.NotNil(t, d, want.Name)
		s := d.Schema
		require.NotNil(t, s, want.Name)
		require.Equal(t, []string{want.Domain, want.Name}, []string{s.Domain, s.Name})
		require.Equal(t, want.Inputs, params(s.Inputs), want.Name)
		require.Equal(t, want.Outputs, params(s.Outputs), want.Name)
		types := map[string][]string{}
		for _, c := range s.Types {
			types[c.Name] = c.Types
		}
		require.Equal(t, want.Types, types, want.Name)
		attributes := map[string][2]any{}
		for _, a := range s.Attributes {
			attributes[a.Name] = [2]any{kinds[a.Kind], a.Required}
		}
		require.Equal(t, want.Attributes, attributes, want.Name)
	}
}

// TestMS_compared holds that every operator of com.microsoft has been compared with ONNX Runtime's schema.
func TestMS_compared(t *testing.T) {
	var seen []string
	for _, s := range readMS(t).Schemas {
		seen = append(seen, s.Name)
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), "ms_")
		name, isGo := strings.CutSuffix(name, ".go")
		if ours && isGo && name != "test" && name != "quantized" {
			require.True(t, slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(s, name) }), name)
		}
	}
}

// TestMS_nhwc compares the operators that ONNX Runtime has on other processors only with what they stand for.
func TestMS_nhwc(t *testing.T) {
	x, w, bias := random[float32](t, 1, -1, 1, 2, 3, 6, 5), random[float32](t, 2, -1, 1, 4, 3, 3, 3), random[float32](t, 3, -1, 1, 4)
	pads := onnx.Ints("pads", 1, 1, 1, 1)
	last := func(x *onnx.Tensor) *onnx.Tensor {
		return eval(t, "Transpose", tensors{x}, onnx.Ints("perm", 0, 2, 3, 1))
	}
	want := eval(t, "Conv", tensors{x, w, bias}, pads)
	for op, in := range map[string]tensors{"NhwcConv": {last(x), w, bias}, "NhwcFusedConv": {last(x), w, bias, last(want)}} {
		got := runMS(t, op, in, pads)
		if op == "NhwcFusedConv" {
			got = eval(t, "Mul", tensors{got, onnx.Scalar[float32](0.5)})
		}
		nearTensor(t, last(want), got)
	}
}

// runMS runs one node of com.microsoft with one output.
func runMS(t *testing.T, op string, in tensors, a ...onnx.Attribute) *onnx.Tensor {
	t.Helper()
	s, err := tryMS(op, in, a...)
	require.NoError(t, err)
	defer s.Close()
	feeds := map[string]*onnx.Tensor{}
	for i, v := range s.Inputs() {
		feeds[v.Name] = in[i]
	}
	outs, err := s.Run(context.Background(), feeds)
	require.NoError(t, err)
	return outs["y"]
}

func tryMS(op string, in tensors, a ...onnx.Attribute) (*runtime.Session, error) {
	g := onnx.NewGraph(op, nil)
	g.SetOpset("", shape.Newest(""))
	g.SetOpset("com.microsoft", 1)
	var vs values
	for _, x := range in {
		if x == nil {
			vs = append(vs, nil)
			continue
		}
		vs = append(vs, g.Input("x", x.Type()))
	}
	y := g.Add("com.microsoft", op, 1, vs, a...).Out(0)
	y.Name = "y"
	g.Outputs = values{y}
	return runtime.New(onnx.NewModel(g), runtime.Options{})
}

// TestMS_refuses holds that what is not supported is said when a session is made, with the operator and the reason.
func TestMS_refuses(t *testing.T) {
	x := random[float32](t, 1, -1, 1, 1, 2, 8)
	w := random[float32](t, 1, -1, 1, 8, 24)
	check := func(op, text string, in tensors, a ...onnx.Attribute) {
		t.Helper()
		_, err := tryMS(op, in, a...)
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, op)
	}
	heads := onnx.Int("num_heads", 2)
	check("Attention", "attribute do_rotary: 1 is not supported", tensors{x, w}, heads, onnx.Int("do_rotary", 1))
	check("Attention", `attribute "num_heads" is missing`, tensors{x, w})
	check("Attention", `attribute "heads" is not known`, tensors{x, w}, heads, onnx.Int("heads", 1))
	check("Gelu", "expected 1 inputs, received 2", tensors{x, x})
	check("Gelu", "type tensor(int64) is not allowed", tensors{onnx.Vector[int64](1)})
	check("FusedConv", `activation: "Softplus" is not supported`, tensors{x, x}, onnx.Str("activation", "Softplus"))
	check("CDist", "expected \"euclidean\"", tensors{w, w}, onnx.Str("metric", "city"))
	check("MatMulNBits", "block_size", tensors{x, onnx.Vector[uint8](1), onnx.Vector[float32](1)}, onnx.Int("N", 1), onnx.Int("K", 8), onnx.Int("block_size", 5))
	check("MatMulNBits", "bits: 3", tensors{x, onnx.Vector[uint8](1), onnx.Vector[float32](1)}, onnx.Int("N", 1), onnx.Int("K", 8), onnx.Int("block_size", 16), onnx.Int("bits", 3))
	check("QLinearConcat", "three inputs for each tensor", tensors{onnx.Scalar[float32](1), onnx.Scalar[uint8](1), onnx.Vector[uint8](1), onnx.Scalar[float32](1)}, onnx.Int("axis", 0))
	check("BeamSearch", "not supported", tensors{x})
}

// TestMS_gradients differentiates a model of such operators, made float64, which the nodes in their place can be.
func TestMS_gradients(t *testing.T) {
	m, err := onnx.ParseText(`<ir_version: 8, opset_import: ["" : 21, "com.microsoft" : 1]>
		g (float[2,3,8] x, float[8,24] w, float[24] bias, float[8] gamma, float[8,5] v, float[5] c) => (float[2,3,5] y) {
			a = com.microsoft.Attention <num_heads: int = 2, unidirectional: int = 1> (x, w, bias)
			r = com.microsoft.MultiHeadAttention <num_heads: int = 2> (a, x, x)
			g = com.microsoft.GroupQueryAttention <num_heads: int = 2, kv_num_heads: int = 1> (r, k, k, "", "", lengths, total)
			h = com.microsoft.SkipLayerNormalization (g, x, gamma, gamma, gamma)
			s = com.microsoft.SkipSimplifiedLayerNormalization (h, x, gamma)
			z = com.microsoft.FusedMatMul <alpha: float = 0.5> (s, v)
			b = com.microsoft.BiasGelu (z, c)
			f = com.microsoft.FastGelu (b, c)
			y = com.microsoft.QuickGelu (f)
			start = Constant <value_ints: ints = [4]> ()
			end = Constant <value_ints: ints = [8]> ()
			axis = Constant <value_ints: ints = [2]> ()
			k = Slice (x, start, end, axis)
			lengths = Constant <value: tensor = int32[2] {2, 2}> ()
			total = Constant <value: tensor = int32[1] {3}> ()
		}`)
	require.NoError(t, err)
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	require.NoError(t, err)
	for _, v := range g.Inputs {
		v.Type.Elem = onnx.Float64
	}
	require.NoError(t, rewrite.Widen(g, ops.All))
	feeds := map[string]*onnx.Tensor{}
	for i, v := range g.Inputs {
		var dims []int
		for _, d := range v.Type.Shape {
			dims = append(dims, int(d.N))
		}
		feeds[v.Name] = random[float64](t, uint64(i), -1, 1, dims...)
	}
	require.NoError(t, gradcheck.Check(g, feeds, gradcheck.Options{Set: ops.All, Engine: engine(2)}))
}
