package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every way in which a model can be bad ends with status 2 and one line, from every verb that would run it.
func TestBadModels(t *testing.T) {
	seed, err := os.ReadFile(models + "torch-script-bncnn/model.onnx")
	require.NoError(t, err)
	write := func(b []byte) string {
		path := filepath.Join(t.TempDir(), "model.onnx")
		require.NoError(t, os.WriteFile(path, b, 0o666))
		return path
	}
	link := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "gone"), link))
	for name, c := range map[string]struct{ path, says string }{
		"truncated":      {write(seed[:len(seed)/2]), "model.onnx"},
		"empty":          {write(nil), ""},
		"text":           {write([]byte("#!/bin/sh\n")), ""},
		"folder":         {t.TempDir(), ""},
		"dangling link":  {link, ""},
		"unknown op":     {save(t, `g (float[2] x) => (float[2] y) { y = Frobnicate(x) }`), `"Frobnicate"`},
		"foreign domain": {save(t, `g (float[2] x) => (float[2] y) { y = my.domain.Relu(x) }`), "my.domain"},
		"private domain": {save(t, `g (float[2] x) => (float[2] y) { y = gneiss.Scale(x) }`), "gneiss"},
		"cycle":          {save(t, `g (float[2] x) => (float[2] y) { a = Add(x, b) b = Relu(a) y = Relu(b) }`), "cycl"},
		"self cycle":     {save(t, `g (float[2] x) => (float[2] y) { y = Add(x, y) }`), "cycl"},
		"types":          {save(t, `g (float[2] x, int64[2] i) => (float[2] y) { y = Add(x, i) }`), "Add"},
		"shapes":         {save(t, `g (float[2] x, float[3] z) => (float[2] y) { y = Add(x, z) }`), "Add"},
		"attribute":      {save(t, `g (float[2] x) => (float[2] y) { y = Concat<axis = 5>(x) }`), "Concat"},
		"external elsewhere": {
			save(t, `g (float[2] x) => (float[2] y) <float[2] w = ["location": "../w.bin"]> { y = Add(x, w) }`), "../w.bin",
		},
		"external absolute": {
			save(t, `g (float[2] x) => (float[2] y) <float[2] w = ["location": "/etc/passwd"]> { y = Add(x, w) }`), "/etc/passwd",
		},
		"external missing": {
			save(t, `g (float[2] x) => (float[2] y) <float[2] w = ["location": "w.bin"]> { y = Add(x, w) }`), "w.bin",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{
				{"run", c.path},
				{"run", c.path, "--engine", "plain"},
				{"bench", c.path, "--runs", "1"},
				{"compare", c.path, "--in", "x.npz", "--dump", filepath.Join(t.TempDir(), "d.npz")},
				{"predict", c.path, bright(t, 0, 0)},
			} {
				refuses(t, args, c.path, c.says)
			}
		})
	}
}

// An external file that is reached through a link out of the model's folder is refused.
func TestBadModels_link(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret.bin")
	require.NoError(t, os.WriteFile(outside, make([]byte, 8), 0o666))
	if err := os.Symlink(outside, filepath.Join(dir, "w.bin")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	path := saveIn(t, dir, `g (float[2] x) => (float[2] y) <float[2] w = ["location": "w.bin"]> { y = Add(x, w) }`)
	refuses(t, []string{"run", path}, "w.bin")
	refuses(t, []string{"check", path}, "w.bin")
}

// Whatever single byte of a model is another one, or wherever it ends, every verb answers or refuses: no panic, no internal
// error, one line.
func TestMutants(t *testing.T) {
	seed, err := os.ReadFile(models + "torch-script-bncnn/model.onnx")
	require.NoError(t, err)
	small, err := os.ReadFile(save(t, `g (float[2,3] x) => (float[2,1] y) <float[3,1] w = {1, 2, 3}> {
		c = Constant<value = int64[2] {3, 2}>() r = Reshape(x, c) t = Transpose<perm = [1, 0]>(r) y = MatMul(t, w) }`))
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "model.onnx")
	count := map[int]int{}
	try := func(b []byte, args ...string) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		status, _, errs := cli(args...)
		require.Contains(t, []int{yes, no, unanswered}, status, "%v: %s", args, errs)
		if status == unanswered {
			oneMessage(t, errs)
		}
		count[status]++
	}
	limits := []string{"--memory", "64MiB", "--max-nodes", "100000", "--timeout", "5s"}
	for i := range small {
		b := append([]byte{}, small...)
		b[i] ^= 1 << r.IntN(8)
		try(b, append([]string{"run", path, "--json"}, limits...)...)
		try(b, "check", path)
		b[i] = byte(r.Uint32())
		try(b, append([]string{"inspect", path}, limits...)...)
		try(small[:i], append([]string{"run", path}, limits...)...)
	}
	for range 100 {
		b := append([]byte{}, seed...)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		try(b, append([]string{"run", path, "--shape", "input=1x1x12x12"}, limits...)...)
	}
	t.Logf("%d answered yes, %d no, %d refused", count[yes], count[no], count[unanswered])
	require.Positive(t, count[yes])
	require.Positive(t, count[no])
	require.Positive(t, count[unanswered])
}

// Messages stay one line of bounded length, whatever a model calls its things.
func TestMessages_bounded(t *testing.T) {
	name := strings.Repeat("n", 100000)
	path := save(t, `g (float[2] x) => (float[2] y) { y = `+name+`(x) }`)
	_, _, errs := cli("run", path)
	oneMessage(t, errs)
	require.Less(t, len(errs), 2000)
}

// A list of sizes that is no list is the model's fault, not a bug of ours.
func TestBadModels_lists(t *testing.T) {
	for _, text := range []string{
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}> { y = Reshape(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}> { y = Tile(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {4}> { y = Expand(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[2,1] k = {1, 1}> { y = Pad(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {0}> { y = Unsqueeze(x, k) }`,
		`g (float[1,4] x) => (float[?] y) <int64[1,1] k = {0}> { y = Squeeze(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {0}> { y = ReduceSum(x, k) }`,
		`g (float[4] x) => (float[?] y, float[?] z) <int64[2,1] k = {2, 2}> { y, z = Split(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}> { y = ConstantOfShape(k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}, int64[1] s = {0}> { y = Slice(x, s, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}, int64[1] s = {0}> { y = Slice(x, k, s) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {0}, int64[1] s = {0}> { y = Slice(x, s, s, k) }`,
		`g (float[4] x) => (float[?] y, int64[?] i) <int64[1,1] k = {2}> { y, i = TopK(x, k) }`,
		`g (int64[1,1] k) => (int64[?] y) <int64 s = {0}> { y = Range(s, k, s) }`,
		`g (float[1,1,4,4] x) => (float[?] y) <float[1,1] k = {2}, float[0] s = {}> { y = Resize(x, s, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {2}> { y = OneHot(x, k, x) }`,
		`g (float[4] x) => (float[?] y) <float[1,1] k = {0.5}> { y = Dropout(x, k) }`,
		`g (float[4] x) => (float[?] y) <float[1,1] k = {0.5}> { y = Clip(x, k) }`,
		`g (float[4] x) => (float[?] y) <int64[1,1] k = {0}> { y = CumSum(x, k) }`,
	} {
		for _, engine := range []string{"fast", "plain"} {
			status, _, errs := cli("run", save(t, text), "--engine", engine)
			require.Contains(t, []int{yes, unanswered}, status, "%s: %s", text, errs)
		}
	}
}
