package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	put := func(s string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	}
	require.NoError(t, Write(path, put("one")))
	require.NoError(t, Write(path, put("two")))
	boom := errors.New("boom")
	err := Write(path, func(w io.Writer) error { return errors.Join(put("thr")(w), boom) })
	require.ErrorIs(t, err, boom)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(b))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary may stay behind")
	require.Error(t, Write(filepath.Dir(path), put("x")), "a folder is not replaced")
	require.Error(t, Write(filepath.Join(path, "below"), put("x")))
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	f, err := createBeside(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".other.tmp"), nil, 0o666))
	require.NoError(t, Sweep(path))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
