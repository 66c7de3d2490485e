// Package atomicfile writes files whole or not at all.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Write makes the file at path hold what write writes: a temporary file in the same folder is written, flushed to the disk
// and renamed. On an error the file stays as it was and the temporary is removed. A symbolic link stays one. On Windows the
// rename is not atomic.
func Write(path string, write func(io.Writer) error) error {
	mode := fs.FileMode(0)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%.128q is not a regular file", path)
		}
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	if err := fill(f, mode, write); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

const suffix = ".tmp"

// createBeside makes a new file in the folder of path, with the permissions that the process gives new files.
func createBeside(path string) (*os.File, error) {
	var id [8]byte
	rand.Read(id[:])
	name := fmt.Sprintf(".%s.%s%s", filepath.Base(path), hex.EncodeToString(id[:]), suffix)
	return os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// Sweep removes the temporaries that interrupted writes of the file at path left behind.
func Sweep(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	prefix := "." + filepath.Base(path) + "."
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), suffix) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return err
}

// fill writes, flushes to the disk and closes f.
func fill(f *os.File, mode fs.FileMode, write func(io.Writer) error) error {
	err := func() error {
		if mode != 0 {
			if err := f.Chmod(mode); err != nil && runtime.GOOS != "windows" {
				return err
			}
		}
		w := bufio.NewWriterSize(f, 1<<16)
		if err := write(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return f.Sync()
	}()
	return errors.Join(err, f.Close())
}

// SyncDir flushes the entries of a folder to the disk, where the system can.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
