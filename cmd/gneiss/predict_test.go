package main

import (
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// corners classifies by where a 2x2 image is bright.
const corners = `g (float[N,1,2,2] x) => (float[N,4] y) { f = Flatten<axis = 1>(x) y = Softmax<axis = -1>(f) }`

func bright(t *testing.T, x, y int) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 2, 2))
	img.Set(x, y, color.Gray{Y: 255})
	path := filepath.Join(t.TempDir(), "digit.png")
	writeImage(t, path, img)
	return path
}

func TestPredict(t *testing.T) {
	m, img := save(t, corners), bright(t, 1, 1)
	labels := filepath.Join(t.TempDir(), "labels.txt")
	require.NoError(t, os.WriteFile(labels, []byte("top left\ntop right\nbottom left\n"), 0o666))
	out := lines(t, answers(t, yes, "predict", m, img, bright(t, 0, 1), "--json", "--labels", labels, "--top", "2"))
	require.Len(t, out, 2)
	require.Equal(t, img, out[0]["image"])
	top := out[0]["top"].([]any)
	require.Len(t, top, 2)
	first := top[0].(map[string]any)
	require.Equal(t, 3.0, first["class"])
	require.Equal(t, "3", first["label"])
	require.InDelta(t, math.E/(math.E+3), first["probability"], 1e-6)
	require.Equal(t, "bottom left", out[1]["top"].([]any)[0].(map[string]any)["label"])
	require.Contains(t, answers(t, yes, "predict", m, img), "0.4754")
	require.Len(t, object(t, answers(t, yes, "predict", m, img, "--json"))["top"], 4)
}

func TestPredict_errors(t *testing.T) {
	m, img := save(t, corners), bright(t, 0, 0)
	refuses(t, []string{"predict", m, img, "--top", "0"}, "--top")
	refuses(t, []string{"predict", m, img, "--labels", "/nonexistent"}, "nonexistent")
	refuses(t, []string{"predict", m, "/nonexistent.png"}, "nonexistent.png")
	refuses(t, []string{"predict", m, m}, "image")
	refuses(t, []string{"predict", sum(t), img}, "no image")
	refuses(t, []string{"predict", save(t, `g (float[2] a, float[2] b) => (float[2] y) { y = Add(a, b) }`), img}, "2 inputs")
	refuses(t, []string{"predict", "/nonexistent.onnx", img}, "nonexistent.onnx")
}

func TestProbabilities(t *testing.T) {
	require.Equal(t, []float64{0.25, 0.75}, probabilities([]float64{0.25, 0.75}))
	p := probabilities([]float64{1000, 1000})
	require.Equal(t, []float64{0.5, 0.5}, p)
	require.Empty(t, probabilities(nil))
	require.Equal(t, 1, rank([]float64{math.NaN(), 0.1}, nil, 2)[0].Class)
}

// Large pictures are scaled, colour becomes grey, and absurd sizes are refused before memory is taken.
func TestImageTensor(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 200, 100))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	path := filepath.Join(t.TempDir(), "x.png")
	writeImage(t, path, img)
	m := save(t, `g (float[N,3,4,5] x) => (float[N,3,4,5] y) { y = Identity(x) }`)
	for _, v := range values(t, answers(t, yes, "run", m, "--in", path, "--json")) {
		require.InDelta(t, 1, v, 1e-6)
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	copy(b[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65,536 x 65,536
	require.NoError(t, os.WriteFile(path, b, 0o666))
	refuses(t, []string{"run", m, "--in", path}, "image")
}
