package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInspect(t *testing.T) {
	out := object(t, answers(t, yes, "inspect", models+"torch-script-bncnn/model.onnx", "--json"))
	require.Equal(t, []any{map[string]any{"name": "input", "type": "float[N,1,12,12]"}}, out["inputs"])
	require.Equal(t, []any{map[string]any{"name": "output", "type": "float[N,10]"}}, out["outputs"])
	require.Equal(t, 2.0, out["operators"].(map[string]any)["Conv"])
	require.Equal(t, 1086.0, out["parameters"])
	require.Equal(t, 4344.0, out["memory_bytes"])
	require.Positive(t, out["flops"])
	require.Equal(t, map[string]any{"ai.onnx": 13.0}, out["opsets"])
	require.Equal(t, "pytorch 2.15.0", out["producer"])
	require.Empty(t, out["external_files"])

	text := answers(t, yes, "inspect", sum(t))
	require.Contains(t, text, "input   x float[N,3]")
	require.Contains(t, text, "parameters 3, weights 12 bytes")
	require.Contains(t, answers(t, yes, "inspect", sum(t), "--text"), "Add")
	refuses(t, []string{"inspect", "/nonexistent.onnx"}, "nonexistent.onnx")
}

// External files are listed whether they can be read or not.
func TestInspect_external(t *testing.T) {
	from, dir := models+"torch-dynamo-mlp/", t.TempDir()
	whole := object(t, answers(t, yes, "inspect", from+"model.onnx", "--json"))
	require.Equal(t, []any{"model.onnx.data"}, whole["external_files"])
	require.Equal(t, 12730.0, whole["parameters"])
	require.Equal(t, 50920.0, whole["memory_bytes"])
	require.Positive(t, whole["flops"])

	b, err := os.ReadFile(from + "model.onnx")
	require.NoError(t, err)
	alone := filepath.Join(dir, "model.onnx")
	require.NoError(t, os.WriteFile(alone, b, 0o666))
	out := object(t, answers(t, yes, "inspect", alone, "--json"))
	require.Equal(t, whole["external_files"], out["external_files"])
	require.Equal(t, whole["memory_bytes"], out["memory_bytes"])
	require.Nil(t, out["flops"])
	require.Contains(t, answers(t, yes, "inspect", alone), "external file model.onnx.data")
	require.Contains(t, answers(t, yes, "inspect", alone, "--text"), "model.onnx.data")
}

func TestCheck(t *testing.T) {
	good := sum(t)
	require.Equal(t, good+": valid\n", answers(t, yes, "check", good))
	twice := save(t, `g (float[2] x) => (float[2] y) { h = Relu(x) y = Relu(h, h) }`)
	out := answers(t, no, "check", twice)
	require.Contains(t, out, "Relu")
	require.Contains(t, out, "1 faults\n")
	both := lines(t, answers(t, no, "check", good, twice, "--json"))
	require.Len(t, both, 2)
	require.Equal(t, true, both[0]["valid"])
	require.Equal(t, false, both[1]["valid"])
	require.Len(t, both[1]["faults"], 1)

	refuses(t, []string{"check", "/nonexistent.onnx"}, "nonexistent.onnx")
	garbage := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.WriteFile(garbage, []byte("this is no model"), 0o666))
	refuses(t, []string{"check", garbage})
}

func TestCheck_faults(t *testing.T) {
	for name, text := range map[string]string{
		"unknown operator":   `g (float[2] x) => (float[2] y) { y = Frobnicate(x) }`,
		"unknown attribute":  `g (float[2] x) => (float[2] y) { y = Relu<slope = 1>(x) }`,
		"type of attribute":  `g (float[2] x) => (float[2] y) { y = LeakyRelu<alpha = "a">(x) }`,
		"type":               `g (float[2] x) => (float[2] y) { h = Not(x) y = Cast<to = 1>(h) }`,
		"cycle":              `g (float[2] x) => (float[2] y) { a = Add(x, b) b = Relu(a) y = Relu(b) }`,
		"private domain":     `g (float[2] x) => (float[2] y) { y = gneiss.Scale(x) }`,
		"missing input":      `g (float[2] x) => (float[2] y) { y = Add(x) }`,
		"external elsewhere": `g (float[2] x) => (float[2] y) <float[2] w = ["location": "../w.bin"]> { y = Add(x, w) }`,
	} {
		out := answers(t, no, "check", save(t, text), "--json")
		require.NotEmpty(t, object(t, out)["faults"], name)
	}
}

// A model whose external data are missing or too short is no answer: nobody knows whether it would be valid.
func TestCheck_external(t *testing.T) {
	dir := t.TempDir()
	path := saveIn(t, dir, `g (float[2] x) => (float[2] y) <float[2] w = ["location": "w.bin"]> { y = Add(x, w) }`)
	refuses(t, []string{"check", path}, "w.bin")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 7), 0o666))
	refuses(t, []string{"check", path}, "w.bin")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 8), 0o666))
	answers(t, yes, "check", path)
}

// JSON of a model without anything has lists and objects, not nulls.
func TestContents_empty(t *testing.T) {
	b, err := json.Marshal(object(t, answers(t, yes, "inspect", save(t, `g () => (float[1] y) { y = Constant<value = float[1] {1}>() }`), "--json")))
	require.NoError(t, err)
	require.Contains(t, string(b), `"inputs":[]`)
	require.Contains(t, string(b), `"external_files":[]`)
}
