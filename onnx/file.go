package onnx

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gneiss-ml/gneiss/internal/atomicfile"
)

// ReadOptions says how a model is read. The zero ReadOptions is the default.
type ReadOptions struct {
	Limits Limits
	// HardLinks allows external files that have several names (a link count above 1), as some content-addressed stores make
	// them. By default they are refused: such a name can stand for a file that the model's folder should not reach.
	HardLinks bool
	// SkipExternal leaves tensors with external data without elements, as Decode does.
	SkipExternal bool
	// Lazy makes ReadFile leave the elements of large initializers, 64 KiB and more, in their files, which stay open. Bytes reads
	// them at their first use. They can be let go (Tensor.Release) and must not change meanwhile: a file of another size or
	// time is an error.
	Lazy bool
}

// Read reads a model from r up to its end. Tensors with external data have no elements then: a stream has no folder.
func Read(r io.Reader) (*Model, error) { return ReadOptions{}.Read(r) }

// Read is the function Read under o.
func (o ReadOptions) Read(r io.Reader) (*Model, error) {
	most := limit(o.Limits.Message, math.MaxInt32)
	b, err := io.ReadAll(io.LimitReader(r, min(most, math.MaxInt64-1)+1))
	if err != nil {
		return nil, prefixed(err)
	}
	return o.Decode(b)
}

// ReadFile reads the model in the file at path, and its external data from the same folder or, if path is a symbolic link,
// from the folder of the file it leads to. Nothing outside these two folders is opened, only regular files, and none with
// several names (see ReadOptions.HardLinks).
func ReadFile(path string) (*Model, error) { return ReadOptions{}.ReadFile(path) }

// ReadFile is the function ReadFile under o.
func (o ReadOptions) ReadFile(path string) (*Model, error) {
	m, err := o.readModel(path)
	if err != nil {
		return nil, err
	}
	if o.SkipExternal || len(m.external()) == 0 {
		return m, nil
	}
	f, err := openFolder(path, o.HardLinks)
	if err != nil {
		return nil, prefixed(err)
	}
	defer f.close()
	if err := o.load(m, f.open); err != nil {
		return nil, prefixed(err)
	}
	return m, nil
}

// ReadFS reads the model called name in fsys, and its external data from the same folder of fsys.
func ReadFS(fsys fs.FS, name string) (*Model, error) { return ReadOptions{}.ReadFS(fsys, name) }

// ReadFS is the function ReadFS under o.
func (o ReadOptions) ReadFS(fsys fs.FS, name string) (*Model, error) {
	b, err := readFS(fsys, name, limit(o.Limits.Message, math.MaxInt32))
	if err != nil {
		return nil, prefixed(err)
	}
	m, err := o.Decode(b)
	if err != nil || o.SkipExternal {
		return m, err
	}
	if err := o.load(m, fsOpener(fsys, name, limit(o.Limits.Weights, defaultWeights))); err != nil {
		return nil, prefixed(err)
	}
	return m, nil
}

// readModel reads the model's own file.
func (o ReadOptions) readModel(path string) (*Model, error) {
	if !o.Lazy {
		b, err := o.readWhole(path)
		if err != nil {
			return nil, prefixed(err)
		}
		return o.Decode(b)
	}
	s, err := o.readSparse(path)
	if err != nil {
		return nil, prefixed(err)
	}
	d, r, err := newDecoder(o.Limits, s.msg)
	if err != nil {
		return nil, err
	}
	d.sparse, r.Own = s, s.own
	m, err := d.model(r)
	return m, prefixed(err)
}

// openModel opens a regular file, links to one included, whose size is within the limit.
func (o ReadOptions) openModel(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	most := limit(o.Limits.Message, math.MaxInt32)
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = Invalidf("%s is not a regular file", path)
	case info.Size() > most:
		err = &LimitError{Limit: "size of one message", Value: most, Asked: info.Size(), Unit: "bytes"}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readWhole reads a regular file through one handle.
func (o ReadOptions) readWhole(path string) ([]byte, error) {
	f, info, err := o.openModel(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := Bytes(int(info.Size()))
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return b, nil
}

// WriteOptions says how a model is written to files. The zero WriteOptions is the default.
type WriteOptions struct {
	// External moves tensors of at least so many bytes into a second file beside the model. 0 moves those that were read
	// from one, and all of 1,024 bytes on if the model would be too large for one message; negative moves none.
	External int64
}

// WriteFile writes m to the file at path: to a temporary file in the same folder, which then takes the name, so that an
// existing file is replaced whole or not at all (on Windows the last step is not atomic). External data come first, under a
// name made from path and their content: model.onnx.0123456789abcdef.data.
func (m *Model) WriteFile(path string) error { return WriteOptions{}.WriteFile(m, path) }

// WriteFile is Model.WriteFile under o.
func (o WriteOptions) WriteFile(m *Model, path string) error {
	e := encoder{}
	data := o.choose(m, o.External)
	if data == nil {
		err := e.encode(m)
		var limit *LimitError
		if err == nil {
			return prefixed(atomicfile.Write(path, e.writeAll))
		}
		if !errors.As(err, &limit) || o.External < 0 {
			return err
		}
		data = o.choose(m, 1024)
		e = encoder{}
	}
	name, err := data.name(filepath.Base(path))
	if err != nil {
		return prefixed(err)
	}
	e.place = data.place(name)
	if err := e.encode(m); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(filepath.Dir(path), name), data.write); err != nil {
		return prefixed(err)
	}
	return prefixed(atomicfile.Write(path, e.writeAll))
}

func (e *encoder) writeAll(w io.Writer) error {
	_, err := e.WriteTo(w)
	return err
}
