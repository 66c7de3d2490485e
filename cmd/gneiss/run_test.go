package main

import (
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

// values are the elements of the first output of run --json.
func values(t *testing.T, out string) []any {
	t.Helper()
	return object(t, out)["outputs"].([]any)[0].(map[string]any)["values"].([]any)
}

func TestRun_inputs(t *testing.T) {
	m, x := sum(t), vector(t, []float32{-4, 0, 1}, 1, 3)
	want := []any{0.0, 2.0, 4.0}
	file, dir := npy(t, x), t.TempDir()
	pb(t, filepath.Join(dir, "x.pb"), x)
	for _, in := range []string{
		file, "x=" + file, "x=" + filepath.Join(dir, "x.pb"), npz(t, map[string]*onnx.Tensor{"x": x}),
		"x=" + npz(t, map[string]*onnx.Tensor{"x": x, "other": x}), "x=" + npz(t, map[string]*onnx.Tensor{"only": x}),
	} {
		for _, engine := range []string{"fast", "plain"} {
			require.Equal(t, want, values(t, answers(t, yes, "run", m, "--in", in, "--engine", engine, "--json")), in)
		}
	}
}

func TestRun_image(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 2, 2))
	img.Set(1, 0, color.Gray{Y: 255})
	img.Set(0, 1, color.Gray{Y: 51})
	path := filepath.Join(t.TempDir(), "x.png")
	writeImage(t, path, img)
	grey := save(t, `g (float[N,1,2,2] x) => (float[N,1,2,2] y) { y = Relu(x) }`)
	out := object(t, answers(t, yes, "run", grey, "--in", path, "--json"))["outputs"].([]any)[0].(map[string]any)
	require.Equal(t, []any{0.0, 1.0, 0.2, 0.0}, out["values"])
	require.Equal(t, []any{1.0, 1.0, 2.0, 2.0}, out["shape"])

	last := save(t, `g (uint8[N,2,2,3] x) => (uint8[N,2,2,3] y) { y = Identity(x) }`)
	require.Equal(t, []any{0.0, 0.0, 0.0, 255.0, 255.0, 255.0, 51.0, 51.0, 51.0, 0.0, 0.0, 0.0}, values(t, answers(t, yes, "run", last, "--in", path, "--json")))

	photo := filepath.Join(t.TempDir(), "x.jpg")
	writeImage(t, photo, img)
	require.Len(t, values(t, answers(t, yes, "run", grey, "--in", photo, "--json")), 4)

	refuses(t, []string{"run", sum(t), "--in", path}, "no image")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b[:len(b)/2], 0o666))
	refuses(t, []string{"run", grey, "--in", path}, "image")
}

func writeImage(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	if filepath.Ext(path) == ".png" {
		err = png.Encode(f, img)
	} else {
		err = jpeg.Encode(f, img, nil)
	}
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestRun_badInputs(t *testing.T) {
	m := sum(t)
	good := npy(t, vector(t, []float32{1, 2, 3}, 1, 3))
	refuses(t, []string{"run", m, "--in", "z=" + good}, `"x"`)
	refuses(t, []string{"run", m, "--in", npz(t, map[string]*onnx.Tensor{"z": onnx.Vector[float32](1)})}, `"z"`)
	refuses(t, []string{"run", m, "--in", "x=" + npy(t, onnx.Vector[int64](1, 2, 3))}, "int64", "float")
	refuses(t, []string{"run", m, "--in", npy(t, onnx.Vector[float32](1, 2, 3))}, "[3]", "[N,3]")
	refuses(t, []string{"run", m, "--in", npy(t, vector(t, []float32{1, 2}, 1, 2))}, "axis 1 is 2")
	refuses(t, []string{"run", m, "--in", "x=/nonexistent.npy"}, "nonexistent.npy")
	refuses(t, []string{"run", m, "--in", m}, ".npy, .npz, .pb")
	refuses(t, []string{"run", m, "--in", t.TempDir()}, "regular file")
	refuses(t, []string{"run", m}, "open dims", "--shape")
	for _, s := range []string{"x", "x=1xax3", "x=-1x3"} {
		refuses(t, []string{"run", m, "--shape", s}, "--shape")
	}
	refuses(t, []string{"run", m, "--shape", "x=2x3", "--shape", "z=1"}, `"z"`)
	refuses(t, []string{"run", m, "--shape", "x=2000000000x3"}, "too large")
	refuses(t, []string{"run", m, "--shape", "x=2x4"}, "axis 1 is 4")

	two := save(t, `g (float[2] a, float[2] b) => (float[2] y) { y = Add(a, b) }`)
	v := npy(t, onnx.Vector[float32](1, 2))
	refuses(t, []string{"run", two, "--in", v}, "2 inputs", "NAME=FILE")
	refuses(t, []string{"run", two, "--in", "a=" + v}, `"b"`)
	refuses(t, []string{"run", two, "--in", "a=" + npz(t, map[string]*onnx.Tensor{"p": onnx.Vector[float32](1, 2), "q": onnx.Vector[float32](1, 2)})}, `"a"`)

	cut := filepath.Join(t.TempDir(), "cut.npy")
	b, err := os.ReadFile(good)
	require.NoError(t, err)
	for _, n := range []int{0, 5, 20, len(b) - 1} {
		require.NoError(t, os.WriteFile(cut, b[:n], 0o666))
		refuses(t, []string{"run", m, "--in", cut}, "cut.npy")
	}
}

func TestRun_random(t *testing.T) {
	m := sum(t)
	a := values(t, answers(t, yes, "run", m, "--shape", "x=2x3", "--json"))
	require.Equal(t, a, values(t, answers(t, yes, "run", m, "--shape", "x=2x3", "--seed", "1", "--threads", "2", "--json")))
	require.NotEqual(t, a, values(t, answers(t, yes, "run", m, "--shape", "x=2x3", "--seed", "2", "--json")))
	fixed := save(t, `g (int64[4] x, bool[2] b, float16[2] h) => (int64[4] y, bool[2] c, float16[2] g) { y = Identity(x) c = Not(b) g = Neg(h) }`)
	for _, v := range values(t, answers(t, yes, "run", fixed, "--json")) {
		require.LessOrEqual(t, v.(float64), 9.0)
	}
	refuses(t, []string{"run", save(t, `g (string[2] x) => (string[2] y) { y = Identity(x) }`)}, "random", "--in")
	refuses(t, []string{"run", save(t, `g (seq(float[2]) x) => (int64 y) { y = SequenceLength(x) }`)}, "--in")
}

func TestRun_words(t *testing.T) {
	m := save(t, `g (float[5] x, string[2] s, bool[1] b, int64[1] i) => (float[5] y, string[2] t, bool[1] c, int64[1] j) {
		y = Identity(x) t = Identity(s) c = Identity(b) j = Identity(i) }`)
	dir := t.TempDir()
	text, err := onnx.Strings([]string{"é", "\xff"}, 2)
	require.NoError(t, err)
	inf := float32(math.Inf(1))
	for name, x := range map[string]*onnx.Tensor{
		"x": onnx.Vector(float32(math.NaN()), inf, -inf, -1, 2), "s": text, "b": onnx.Vector(true), "i": onnx.Vector[int64](math.MaxInt64),
	} {
		pb(t, filepath.Join(dir, name+".pb"), x)
	}
	args := []string{"run", m}
	for _, n := range []string{"x", "s", "b", "i"} {
		args = append(args, "--in", n+"="+filepath.Join(dir, n+".pb"))
	}
	out := answers(t, yes, append(args, "--json")...)
	require.Contains(t, out, "9223372036854775807")
	rows := object(t, out)["outputs"].([]any)
	first := rows[0].(map[string]any)
	require.Equal(t, []any{"NaN", "Infinity", "-Infinity", -1.0, 2.0}, first["values"])
	require.Equal(t, 1.0, first["nan"])
	require.Equal(t, "-Infinity", first["min"])
	require.Equal(t, "Infinity", first["max"])
	require.Equal(t, []any{"é", map[string]any{"base64": "/w=="}}, rows[1].(map[string]any)["values"])
	require.Equal(t, []any{true}, rows[2].(map[string]any)["values"])
	require.Contains(t, answers(t, yes, args...), "y: float[5]")

	big := object(t, answers(t, yes, "run", sum(t), "--shape", "x=1000x3", "--json"))["outputs"].([]any)[0].(map[string]any)
	require.NotContains(t, big, "values")
	for _, f := range []string{"name", "type", "shape", "min", "max", "mean", "nan"} {
		require.Contains(t, big, f)
	}
}

func TestRun_out(t *testing.T) {
	m, dir := sum(t), t.TempDir()
	in := npy(t, vector(t, []float32{-4, 0, 1}, 1, 3))
	file := filepath.Join(dir, "out.npz")
	answers(t, yes, "run", m, "--in", in, "--out", file, "--all")
	arrays := readNPZ(t, file)
	require.Equal(t, []float32{-3, 2, 4}, onnx.Data[float32](arrays["h"]))
	require.Equal(t, []float32{0, 2, 4}, onnx.Data[float32](arrays["y"]))

	answers(t, yes, "run", m, "--in", in, "--out", filepath.Join(dir, "a", "b"))
	b, err := os.ReadFile(filepath.Join(dir, "a", "b", "output_0.pb"))
	require.NoError(t, err)
	y, err := onnx.DecodeTensor(b)
	require.NoError(t, err)
	require.Equal(t, "y", y.Name)
	require.Equal(t, []float32{0, 2, 4}, onnx.Data[float32](y))

	seq := save(t, `g (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x, x) }`)
	refuses(t, []string{"run", seq, "--out", file}, "folder")
	answers(t, yes, "run", seq, "--out", filepath.Join(dir, "seq"))
	b, err = os.ReadFile(filepath.Join(dir, "seq", "output_0.pb"))
	require.NoError(t, err)
	o, err := onnx.DecodeObject(b, onnx.SequenceOf(onnx.TensorOf(onnx.Float32, onnx.Fixed(2))))
	require.NoError(t, err)
	require.Len(t, o.(*onnx.Sequence).Items, 2)
}

// What stands at --out stays whole when a run fails or its results cannot be written.
func TestRun_outFails(t *testing.T) {
	m, dir := sum(t), t.TempDir()
	file := filepath.Join(dir, "out.npz")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o666))
	seq := save(t, `g (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x, x) }`)
	refuses(t, []string{"run", seq, "--out", file})
	refuses(t, []string{"run", m, "--shape", "x=2x4", "--out", file})
	refuses(t, []string{"run", m, "--shape", "x=2x3", "--out", filepath.Join(file, "deep")})
	refuses(t, []string{"run", m, "--shape", "x=2x3", "--out", filepath.Join(dir, "none", "out.npz")})
	refuses(t, []string{"run", m, "--shape", "x=2x3", "--out", saveDir(t, "out.npz")}, "regular file")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// saveDir makes a folder called name and gives its path.
func saveDir(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Mkdir(path, 0o777))
	return path
}

// Until opset 9 the number of elements of TopK was an attribute; either output may be left out.
func TestRun_topK(t *testing.T) {
	for _, text := range []string{
		`<ir_version: 4, opset_import: ["" : 9]> g (float[4] x) => (int64[2] i) { v, i = TopK<axis = 0, k = 2>(x) }`,
		`<ir_version: 4, opset_import: ["" : 9]> g (float[4] x) => (int64[2] i) { "", i = TopK<axis = 0, k = 2>(x) }`,
		`<ir_version: 4, opset_import: ["" : 10]> g (float[4] x) => (int64[2] i) <int64[1] k = {2}> { "", i = TopK<axis = 0>(x, k) }`,
	} {
		m, err := onnx.ParseText(text)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "model.onnx")
		require.NoError(t, m.WriteFile(path))
		in := npy(t, onnx.Vector[float32](1, 9, 3, 4))
		require.Equal(t, []any{1.0, 3.0}, values(t, answers(t, yes, "run", path, "--in", in, "--json")))
	}
}
