package onnx

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
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
	eachOfSuite(t, func(name string, b []byte) {
		if strings.HasSuffix(name, ".onnx") {
			do(name, b)
			n++
		}
	})
	return n
}

// eachOfSuite calls do for every file of the packed official suite.
func eachOfSuite(t *testing.T, do func(name string, b []byte)) {
	t.Helper()
	f, err := os.Open("../testdata/conformance/suite.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		do(h.Name, b)
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

// The inputs and outputs of the official suite, read as the graph declares them, give the same bytes.
func TestEncodeObject_same(t *testing.T) {
	types := map[string]Type{}
	n := 0
	eachOfSuite(t, func(name string, b []byte) {
		if strings.HasSuffix(name, ".onnx") {
			m, err := Decode(b)
			require.NoError(t, err)
			i := 0
			for _, v := range m.Graph.Inputs {
				if !v.IsInitializer() {
					types[fmt.Sprintf("%s/input_%d.pb", path.Dir(name), i)] = v.Type
					i++
				}
			}
			for i, v := range m.Graph.Outputs {
				types[fmt.Sprintf("%s/output_%d.pb", path.Dir(name), i)] = v.Type
			}
		}
	})
	eachOfSuite(t, func(name string, b []byte) {
		if !strings.HasSuffix(name, ".pb") {
			return
		}
		typ, ok := types[path.Dir(path.Dir(name))+"/"+path.Base(name)]
		require.True(t, ok, name)
		o, err := DecodeObject(b, typ)
		require.NoError(t, err, name)
		c, err := EncodeObject(o)
		require.NoError(t, err, name)
		require.True(t, string(b) == string(c), "%s: decode and encode change the bytes", name)
		n++
	})
	t.Logf("%d objects, all byte for byte the same", n)
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
