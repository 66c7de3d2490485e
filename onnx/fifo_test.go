//go:build unix

package onnx

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A named pipe must not make reading wait for its other end.
func TestReadFile_pipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "w.bin")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := ReadFile(pipe)
	require.ErrorIs(t, err, ErrInvalid)
	write(t, dir, map[string][]byte{"m.onnx": external(t, External{Location: "w.bin", Length: 8})})
	_, err = ReadFile(filepath.Join(dir, "m.onnx"))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = ReadOptions{HardLinks: true}.ReadFile(filepath.Join(dir, "m.onnx"))
	require.ErrorContains(t, err, "not a regular file")
}
