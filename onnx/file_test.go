package onnx

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/stretchr/testify/require"
)

// external makes the bytes of a model with one float[2] initializer whose elements are at x.
func external(t *testing.T, x External) []byte {
	t.Helper()
	g := NewGraph("g", nil)
	g.SetOpset("", 22)
	w := g.Initializer("w", TensorOf(Float32, Fixed(2)), &Tensor{Elem: Float32, Shape: []int{2}, External: &x})
	y := g.Add("", "Identity", 1, []*Value{w}).Out(0)
	y.Type = w.Type
	g.Outputs = []*Value{y}
	b, err := NewModel(g).Encode()
	require.NoError(t, err)
	return b
}

var twoFloats = BytesOf([]float32{1, 2})

// write puts files into dir; names end in ->TARGET for links, =>TARGET for hard links.
func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, b, 0o644))
	}
}

func loaded(t *testing.T, m *Model) []float32 {
	t.Helper()
	require.NoError(t, m.Unread())
	return Data[float32](m.Graph.Initializers[0].Init)
}

func TestReadFile_external(t *testing.T) {
	sum := sha1.Sum(twoFloats)
	for name, x := range map[string]External{
		"plain":       {Location: "w.bin", Length: -1},
		"length":      {Location: "w.bin", Length: 8},
		"dots inside": {Location: "sub/../w.bin", Length: 8},
		"subfolder":   {Location: "sub/w.bin", Offset: 4, Length: 8},
		"checksum":    {Location: "w.bin", Length: -1, Checksum: strings.ToUpper(hex.EncodeToString(sum[:]))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string][]byte{
				"m.onnx": external(t, x), "w.bin": twoFloats, "sub/w.bin": append([]byte("junk"), twoFloats...),
			})
			m, err := ReadFile(filepath.Join(dir, "m.onnx"))
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, loaded(t, m))
			m, err = ReadFS(os.DirFS(dir), "m.onnx")
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, loaded(t, m))
		})
	}
}

func TestReadFile_refuses(t *testing.T) {
	for name, x := range map[string]External{
		"parent":        {Location: "../w.bin", Length: 8},
		"parent inside": {Location: "sub/../../w.bin", Length: 8},
		"absolute":      {Location: "/etc/hostname", Length: 8},
		"missing":       {Location: "none.bin", Length: 8},
		"offset":        {Location: "w.bin", Offset: 4, Length: 8},
		"overflow":      {Location: "w.bin", Offset: 1<<63 - 1, Length: 8},
		"length":        {Location: "w.bin", Length: 4},
		"folder":        {Location: "sub", Length: 8},
		"checksum":      {Location: "w.bin", Length: 8, Checksum: "00"},
		"link out":      {Location: "out.bin", Length: 8},
		"linked parent": {Location: "outdir/w.bin", Length: 8},
		"hard link":     {Location: "hard.bin", Length: 8},
		"zero byte":     {Location: "w.bin\x00", Length: 8},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "model")
			write(t, top, map[string][]byte{
				"w.bin": twoFloats, "other/w.bin": twoFloats,
				"model/m.onnx": external(t, x), "model/w.bin": twoFloats, "model/sub/a": nil,
			})
			require.NoError(t, os.Symlink("../w.bin", filepath.Join(dir, "out.bin")))
			require.NoError(t, os.Symlink("../other", filepath.Join(dir, "outdir")))
			require.NoError(t, os.Link(filepath.Join(top, "w.bin"), filepath.Join(dir, "hard.bin")))
			m, err := ReadFile(filepath.Join(dir, "m.onnx"))
			require.Error(t, err)
			require.Nil(t, m)
			require.NotContains(t, err.Error(), top, "messages show no folders of the machine")
			if strings.Contains(name, "link") {
				return // a file system may know no links
			}
			_, err = ReadFS(os.DirFS(dir), "m.onnx")
			require.Error(t, err)
		})
	}
}

func TestReadFile_hardLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"m.onnx": external(t, External{Location: "w.bin", Length: 8}), "store": twoFloats})
	require.NoError(t, os.Link(filepath.Join(dir, "store"), filepath.Join(dir, "w.bin")))
	_, err := ReadFile(filepath.Join(dir, "m.onnx"))
	require.ErrorIs(t, err, ErrInvalid)
	m, err := ReadOptions{HardLinks: true}.ReadFile(filepath.Join(dir, "m.onnx"))
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, loaded(t, m))
}

// A content-addressed cache names its files by their hash and links to them.
func TestReadFile_cache(t *testing.T) {
	top := t.TempDir()
	snap := filepath.Join(top, "snapshots", "rev")
	write(t, top, map[string][]byte{
		"blobs/aaaa": external(t, External{Location: "m.data", Length: 8}), "blobs/bbbb": twoFloats, "secret": twoFloats,
		"snapshots/rev/README": nil,
	})
	require.NoError(t, os.Symlink("../../blobs/aaaa", filepath.Join(snap, "m.onnx")))
	require.NoError(t, os.Symlink("../../blobs/bbbb", filepath.Join(snap, "m.data")))
	m, err := ReadFile(filepath.Join(snap, "m.onnx"))
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, loaded(t, m))

	require.NoError(t, os.Remove(filepath.Join(snap, "m.data")))
	require.NoError(t, os.Symlink("../../secret", filepath.Join(snap, "m.data")))
	_, err = ReadFile(filepath.Join(snap, "m.onnx"))
	require.Error(t, err, "a link to neither folder")
}

func TestReadFile_notRegular(t *testing.T) {
	_, err := ReadFile(t.TempDir())
	require.ErrorIs(t, err, ErrInvalid)
	_, err = ReadFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReadFile_weightsLimit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"m.onnx": external(t, External{Location: "w.bin", Length: 8}), "w.bin": twoFloats})
	var limit *LimitError
	_, err := ReadOptions{Limits: Limits{Weights: 4}}.ReadFile(filepath.Join(dir, "m.onnx"))
	require.ErrorAs(t, err, &limit)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	m, err := ReadOptions{SkipExternal: true}.ReadFile(filepath.Join(dir, "m.onnx"))
	require.NoError(t, err)
	require.Error(t, m.Unread())
}

func TestDecode_external(t *testing.T) {
	m, err := Decode(external(t, External{Location: "w.bin", Offset: 16, Length: 8, Checksum: "ab"}))
	require.NoError(t, err)
	x := m.Graph.Initializers[0].Init.External
	require.Equal(t, "w.bin", x.Location)
	require.EqualValues(t, 16, x.Offset)
	require.EqualValues(t, 8, x.Length)
	require.Equal(t, "ab", x.Checksum)
	require.ErrorContains(t, m.Unread(), "was not read")
}

func TestReadFS_shared(t *testing.T) {
	g := NewGraph("g", nil)
	for range 2 {
		g.Initializer("w", Type{}, &Tensor{Elem: Float32, Shape: []int{2}, External: &External{Location: "w.bin", Length: 8}})
	}
	b, err := NewModel(g).Encode()
	require.NoError(t, err)
	m, err := ReadFS(fstest.MapFS{"a/m.onnx": {Data: b}, "a/w.bin": {Data: twoFloats}}, "a/m.onnx")
	require.NoError(t, err)
	v := m.Graph.Initializers
	require.Same(t, &v[0].Init.Bytes()[0], &v[1].Init.Bytes()[0])
	v[0].Init.Mutable()[0] = 9
	require.Equal(t, []float32{1, 2}, Data[float32](v[1].Init), "writing copies first")
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	g := NewGraph("g", nil)
	w := Vector[float32](1, 2, 3)
	g.Initializer("w", w.Type(), w)
	g.Initializer("again", w.Type(), w)
	g.Initializer("small", Type{}, Vector[int8](1))
	m := NewModel(g)
	require.NoError(t, m.WriteFile(path))
	require.NoError(t, WriteOptions{External: 4}.WriteFile(m, path))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 2, "no temporary file is left")

	m, err = ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3}, Data[float32](m.Graph.Initializers[1].Init))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, m.WriteFile(path))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "external data stay external, under the same name")
}

// Whatever fails, an existing file stays whole and no temporary file is left.
func TestWriteFile_fails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	g := NewGraph("g", nil)
	g.Initializer("later", TensorOf(Float32), nil)
	require.ErrorContains(t, NewModel(g).WriteFile(path), "no contents")
	full := errors.New("disk full")
	require.ErrorIs(t, atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 1<<20))
		return errors.Join(err, full)
	}), full)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(b))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Error(t, NewModel(NewGraph("g", nil)).WriteFile(dir))
	require.ErrorIs(t, NewModel(NewGraph("g", nil)).WriteFile(filepath.Join(dir, "none", "m.onnx")), os.ErrNotExist)
	require.NoError(t, NewModel(NewGraph("g", nil)).WriteFile(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the mode of the old file")
}
