package main

import (
	"path/filepath"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

type arrays = map[string]*onnx.Tensor

// sumRef is a reference of the sum with the given inner value and output.
func sumRef(t *testing.T, h, y []float32) string {
	t.Helper()
	return npz(t, arrays{"x": vector(t, []float32{-4, 0, 1}, 1, 3), "value/h": vector(t, h, 1, 3), "y": vector(t, y, 1, 3)})
}

func TestCompare(t *testing.T) {
	m := sum(t)
	good := sumRef(t, []float32{-3, 2, 4}, []float32{0, 2, 4})
	require.Contains(t, answers(t, yes, "compare", m, "--ref", good, "--all"), "h")
	wrong := sumRef(t, []float32{-3, 2.5, 4}, []float32{0, 2.5, 4})
	answers(t, no, "compare", m, "--ref", wrong)
	out := object(t, answers(t, no, "compare", m, "--ref", wrong, "--all", "--json"))
	require.Equal(t, "outside", out["verdict"])
	require.Equal(t, "torch", out["profile"])
	require.Equal(t, "Add", out["first_diverging"].(map[string]any)["op_type"])
	rows := out["tensors"].([]any)
	require.Len(t, rows, 2)
	for _, f := range []string{
		"name", "verdict", "max_abs", "max_abs_index", "max_rel", "worst_index", "got", "want", "ulp", "cosine", "sqnr_db",
		"mismatch_pct", "nan", "inf", "q50", "q90", "q99",
	} {
		require.Contains(t, rows[0], f)
	}
	require.Equal(t, 0.5, rows[0].(map[string]any)["max_abs"])

	// Only what comes after the first wrong node is wrong because of it.
	late := object(t, answers(t, no, "compare", m, "--ref", sumRef(t, []float32{-3, 2, 4}, []float32{0, 2, 5}), "--all", "--json"))
	require.Equal(t, "Relu", late["first_diverging"].(map[string]any)["op_type"])
	require.Len(t, object(t, answers(t, no, "compare", m, "--ref", wrong, "--all", "--worst", "1", "--json"))["tensors"], 1)
	require.Nil(t, object(t, answers(t, yes, "compare", m, "--ref", good, "--all", "--json"))["first_diverging"])
}

func TestCompare_rules(t *testing.T) {
	m := sum(t)
	near := sumRef(t, []float32{-3, 2, 4}, []float32{0, 2.01, 4})
	answers(t, no, "compare", m, "--ref", near)
	answers(t, yes, "compare", m, "--ref", near, "--loosen", "y=0.1,0:the reference is rounded", "--engine", "fast")
	answers(t, no, "compare", m, "--ref", near, "--loosen", "z=0.1,0:another tensor")
	for _, bad := range []string{"y", "y=1", "y=1,2", "y=1,2:", "y=a,2:why", "y=-1,2:why"} {
		refuses(t, []string{"compare", m, "--ref", near, "--loosen", bad}, "--loosen")
	}
	nan := save(t, `g (float[1] x) => (float[1] y) { y = Log(x) }`)
	ref := npz(t, arrays{"x": onnx.Vector[float32](-1), "y": onnx.Vector(nan32())})
	answers(t, yes, "compare", nan, "--ref", ref)
	answers(t, no, "compare", nan, "--ref", ref, "--nan", "fail")
	refuses(t, []string{"compare", nan, "--ref", ref, "--nan", "maybe"}, "--nan")
	object(t, answers(t, no, "compare", nan, "--ref", npz(t, arrays{"x": onnx.Vector[float32](-1), "y": onnx.Vector[float32](0)}), "--json"))

	zero := save(t, `g (float[1] x) => (float[1] y) { y = Neg(x) }`)
	ref = npz(t, arrays{"x": onnx.Vector[float32](0), "y": onnx.Vector[float32](0)})
	answers(t, yes, "compare", zero, "--ref", ref)
	answers(t, no, "compare", zero, "--ref", ref, "--profile", "strict")
	answers(t, yes, "compare", zero, "--ref", ref, "--profile", "strict", "--signed-zero=false")
}

func nan32() float32 {
	var zero float32
	return zero / zero
}

func TestCompare_dump(t *testing.T) {
	m, dir := sum(t), t.TempDir()
	in := npz(t, arrays{"x": vector(t, []float32{-4, 0, 1}, 1, 3)})
	file := filepath.Join(dir, "ours.npz")
	answers(t, yes, "compare", m, "--in", in, "--dump", file)
	got := readNPZ(t, file)
	require.Equal(t, []float32{-3, 2, 4}, onnx.Data[float32](got["h"]))
	require.Equal(t, []float32{0, 2, 4}, onnx.Data[float32](got["y"]))
	answers(t, yes, "compare", m, "--in", in, "--ref", file, "--all")
	refuses(t, []string{"compare", m, "--in", in, "--dump", filepath.Join(dir, "none", "ours.npz")})
}

func TestCompare_errors(t *testing.T) {
	m := sum(t)
	refuses(t, []string{"compare", m}, "--ref")
	refuses(t, []string{"compare", m, "--ref", "/nonexistent"}, "nonexistent")
	refuses(t, []string{"compare", m, "--ref", npz(t, arrays{"y": vector(t, []float32{0, 2, 4}, 1, 3)})}, "--in")
	refuses(t, []string{"compare", m, "--ref", m}, "model.onnx")
	refuses(t, []string{"compare", m, "--ref", sumRef(t, []float32{1, 1, 1}, []float32{1, 1, 1}), "--profile", "loose"}, "loose")
	refuses(t, []string{"compare", m, "--ref", t.TempDir()}, "--in")
	refuses(t, []string{"compare", m, "--ref", t.TempDir(), "--worst", "-1"}, "--worst")
}

// The first node of a PyTorch export is right, layer by layer.
func TestCompare_folder(t *testing.T) {
	dir := models + "torch-script-bncnn"
	out := object(t, answers(t, yes, "compare", dir+"/model.onnx", "--ref", dir, "--all", "--json"))
	require.Equal(t, "within", out["verdict"])
	require.Greater(t, len(out["tensors"].([]any)), 3)
}
