package onnx

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
	"unsafe"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// lazyBytes is the size from which the raw_data of an initializer is left in its file by a lazy reader.
const lazyBytes = 64 << 10

// source is where the bytes of a tensor can be had again, so that they need not be held. Tensors over the same bytes share it.
type source struct {
	n    int // bytes
	read func(dst []byte) error
	part func(dst []byte, offset int) error // reads what is at offset; nil where all is had at once only

	mu   sync.Mutex
	data []byte // while held
}

// hold reads the bytes unless they are held.
func (s *source) hold() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		b := Bytes(s.n)
		if err := s.read(b); err != nil {
			return nil, err
		}
		s.data = b
	}
	return s.data, nil
}

// Deferred makes a tensor whose elements read writes, whenever somebody asks for bytes that are not held: at the first use
// and after Release. read gets as many bytes as type and shape have, must write the same ones at every call, and may be
// called by several goroutines. It is an error if there is no tensor of type and shape, and for strings.
func Deferred(e ElemType, shape []int, read func(dst []byte) error) (*Tensor, error) {
	n, ok := NumElements(shape)
	size, ok2 := e.NumBytes(n)
	if !ok || !ok2 || !e.Valid() || e == String {
		return nil, Invalidf("onnx: no tensor of type %v and shape %v", e, shape)
	}
	return &Tensor{Elem: e, Shape: shape, source: &source{n: size, read: read}}, nil
}

// Load reads the elements of t if they were left in a file (see ReadOptions.Lazy) and are not held. Other tensors have them.
func (t *Tensor) Load() error {
	if t.source == nil {
		return nil
	}
	_, err := t.source.hold()
	return err
}

// Release lets go of elements that can be read again. It does nothing to other tensors. Slices that Bytes gave stay valid.
func (t *Tensor) Release() {
	if t.source == nil {
		return
	}
	t.source.mu.Lock()
	t.source.data = nil
	t.source.mu.Unlock()
}

// Held reports whether the elements of t are in memory.
func (t *Tensor) Held() bool {
	if t.source == nil {
		return t.External == nil
	}
	t.source.mu.Lock()
	defer t.source.mu.Unlock()
	return t.source.data != nil
}

// Peek is the elements as bytes, for reading and for a short time: those that are held, or they are read into scratch, if it
// is large enough, without being held.
func (t *Tensor) Peek(scratch []byte) ([]byte, error) {
	if t.Held() || t.source == nil {
		return t.Bytes(), nil
	}
	if len(scratch) < t.source.n {
		scratch = Bytes(t.source.n)
	}
	b := scratch[:t.source.n:t.source.n]
	return b, t.source.read(b)
}

// PeekParts calls use with the elements as bytes, in order and for a short time: all of them where they are held or can only
// be had at once, otherwise parts that are read into scratch, each a multiple of unit bytes and as large as fits, but at least
// one unit. offset is where a part starts, in bytes.
func (t *Tensor) PeekParts(unit int, scratch []byte, use func(offset int, part []byte)) error {
	if t.source == nil || t.source.part == nil || unit <= 0 || t.Held() {
		b, err := t.Peek(scratch)
		if err == nil {
			use(0, b)
		}
		return err
	}
	if unit = min(unit, t.source.n); len(scratch) < unit {
		scratch = Bytes(unit)
	}
	for at, step := 0, len(scratch)/max(unit, 1)*unit; at < t.source.n; at += step {
		b := scratch[:min(step, t.source.n-at)]
		if err := t.source.part(b, at); err != nil {
			return err
		}
		use(at, b)
	}
	return nil
}

// kept is a file that stays open so that it can be read again.
type kept struct {
	*os.File
	size int64
	time time.Time
}

func keep(f *os.File, info fs.FileInfo) *kept { return &kept{f, info.Size(), info.ModTime()} }

// source is n bytes of the file, which must not have changed.
func (f *kept) source(offset int64, n int) *source {
	part := f.reader(offset)
	return &source{n: n, read: func(dst []byte) error { return part(dst, 0) }, part: part}
}

// reader reads parts of what starts at start.
func (f *kept) reader(start int64) func([]byte, int) error {
	return func(dst []byte, offset int) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() != f.size || !info.ModTime().Equal(f.time) {
			return Invalidf("%.128q has changed since it was opened", info.Name())
		}
		n, err := f.ReadAt(dst, start+int64(offset))
		if n == len(dst) {
			return nil
		}
		return fmt.Errorf("%.128q: %w", info.Name(), err)
	}
}

// sparse is a message of which the file still has parts.
type sparse struct {
	msg   []byte
	holes map[int]int // offset to length
	file  *kept
}

// readSparse opens the file and reads it without large initializers.
func (o ReadOptions) readSparse(path string) (s *sparse, err error) {
	f, info, err := o.openModel(path)
	if err != nil {
		return nil, err
	}
	s = &sparse{file: keep(f, info), holes: map[int]int{}}
	msg, holes, err := wire.ReadSparse(f, int(info.Size()), lazyBytes, 7, 5, 9) // ModelProto.graph.initializer.raw_data
	if err != nil {
		f.Close()
		return nil, err
	}
	for _, h := range holes {
		s.holes[h.Offset] = h.Len
	}
	if len(holes) == 0 {
		f.Close()
	}
	s.msg = msg
	return s, nil
}

// hole is where b, a part of the message, starts in the file, if it was not read.
func (s *sparse) hole(b []byte) (offset int, ok bool) {
	if s == nil || len(b) == 0 || len(s.msg) == 0 {
		return 0, false
	}
	offset = int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(s.msg))))
	return offset, s.holes[offset] == len(b)
}

// own copies what a model keeps of the message, so that the message can go.
func (s *sparse) own(b []byte) []byte {
	if _, ok := s.hole(b); ok {
		return b
	}
	c := Bytes(len(b))
	copy(c, b)
	return c
}

// setLazy makes the range of the file the elements of t; false where there is no such range.
func (d *decoder) setLazy(t *Tensor, raw []byte, size int) (bool, error) {
	offset, ok := d.sparse.hole(raw)
	if !ok {
		return false, nil
	}
	if len(raw) != size {
		return true, t.setRaw(raw, size)
	}
	source := d.sparse.file.source(int64(offset), size)
	if t.Elem == Bool { // whose bytes are looked at
		b := Bytes(size)
		if err := source.read(b); err != nil {
			return true, err
		}
		return true, t.setRaw(b, size)
	}
	t.source = source
	return true, nil
}
