package onnx

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eachModel calls do for every committed model: the fixtures beside this file, the exported models, and those of the official
// suite.
func eachModel(t *testing.T, do func(name string, b []byte)) (n int) {
	t.Helper()
	for _, pattern := range []string{"testdata/*.onnx", "../testdata/models/*/*.onnx"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			do(f, b)
			n++
		}
	}
	return n + eachInArchive(t, "../testdata/conformance/suite.tar.gz", do)
}

func eachInArchive(t *testing.T, path string, do func(name string, b []byte)) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return n
		}
		require.NoError(t, err)
		if strings.HasSuffix(h.Name, ".onnx") {
			b, err := io.ReadAll(r)
			require.NoError(t, err)
			do(h.Name, b)
			n++
		}
	}
}

// Every model was serialised by protobuf's own libraries in the order of field numbers, so decode and encode give the same
// bytes.
func TestEncode_same(t *testing.T) {
	n := eachModel(t, func(name string, b []byte) {
		m, err := Decode(b)
		require.NoError(t, err, name)
		c, err := m.Encode()
		require.NoError(t, err, name)
		require.True(t, string(b) == string(c), "%s: decode and encode change the bytes", name)
		c, err = m.Copy().Encode()
		require.NoError(t, err, name)
		require.True(t, string(b) == string(c), "%s: a copy has other bytes", name)
	})
	t.Logf("%d models, all byte for byte the same", n)
}

// Printing, parsing and printing again gives the same text.
func TestText_same(t *testing.T) {
	n, left := 0, 0
	eachModel(t, func(name string, b []byte) {
		m, err := Decode(b)
		require.NoError(t, err, name)
		text := m.Text()
		if strings.Contains(text, "left out") {
			left++ // sparse tensors have no syntax
			return
		}
		again, err := ParseText(text)
		require.NoError(t, err, "%s\n%.2000s", name, text)
		require.True(t, text == again.Text(), name)
		n++
	})
	t.Logf("%d models the same, %d with sparse tensors left out", n, left)
}

// TestRoundTripFolder serves tools/python/roundtrip.py: for every model in the folder it writes what encoding and printing
// give, to be compared by the onnx package.
func TestRoundTripFolder(t *testing.T) {
	dir := os.Getenv("GNEISS_ROUNDTRIP")
	if dir == "" {
		t.Skip("GNEISS_ROUNDTRIP names no folder; tools/python/roundtrip.py does")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		m, err := Decode(b)
		require.NoError(t, err, f)
		c, err := m.Encode()
		require.NoError(t, err, f)
		require.NoError(t, os.WriteFile(f+".again", c, 0o644))
		require.NoError(t, os.WriteFile(f+".txt", []byte(m.Text()), 0o644))
		text, err := os.ReadFile(f + ".theirs")
		if err != nil {
			continue
		}
		if m, err = ParseText(string(text)); err != nil {
			t.Logf("%s: %v", f, err)
			continue
		}
		c, err = m.Encode()
		require.NoError(t, err, f)
		require.NoError(t, os.WriteFile(f+".parsed", c, 0o644))
	}
}
