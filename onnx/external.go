package onnx

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// defaultWeights is how many bytes of external data are read unless Limits says otherwise.
const defaultWeights = min(64<<30, math.MaxInt)

// setExternal notes where the elements of t are.
func (t *Tensor) setExternal(s *stored) error {
	if t.Elem == String {
		return Invalidf("strings cannot be external")
	}
	if len(s.raw) > 0 || s.field != 0 || len(s.strings) > 0 {
		return Invalidf("elements are external and in the message as well")
	}
	x := &External{Length: -1, entries: t.form.entries}
	for _, e := range t.form.entries {
		var err error
		switch e.Key {
		case "location":
			x.Location = e.Value
		case "offset":
			x.Offset, err = unsigned(e)
		case "length":
			x.Length, err = unsigned(e)
		case "checksum":
			x.Checksum = e.Value
		}
		if err != nil {
			return err
		}
	}
	if x.Location == "" {
		return Invalidf("external_data has no location")
	}
	t.External = x
	return nil
}

func unsigned(e Entry) (int64, error) {
	n, err := strconv.ParseUint(e.Value, 10, 63)
	if err != nil {
		return 0, Invalidf("external_data %s: expected a number of bytes, received %.128q", e.Key, e.Value)
	}
	return int64(n), nil
}

// Tensors calls do for every tensor that m holds, in initializers and attributes of its graph, subgraphs, functions and
// training recipes, in the order of the file.
func (m *Model) Tensors(do func(*Tensor)) {
	m.Graph.tensors(do)
	for _, t := range m.Training {
		for _, g := range []*Graph{t.Initialization, t.Algorithm} {
			if g != nil {
				g.tensors(do)
			}
		}
	}
	for _, f := range m.Functions {
		f.Body.tensors(do)
		for i := range f.Defaults {
			f.Defaults[i].tensors(do)
		}
	}
}

func (g *Graph) tensors(do func(*Tensor)) {
	for _, v := range g.Initializers {
		if v.Init != nil {
			do(v.Init)
		}
		v.Sparse.tensors(do)
	}
	for _, n := range g.Nodes {
		for i := range n.Attrs {
			n.Attrs[i].tensors(do)
		}
	}
}

func (s *SparseTensor) tensors(do func(*Tensor)) {
	if s != nil {
		do(s.Values)
		do(s.Indices)
	}
}

func (a *Attribute) tensors(do func(*Tensor)) {
	if a.T != nil {
		do(a.T)
	}
	for _, t := range a.Tensors {
		do(t)
	}
	a.Sparse.tensors(do)
	for _, s := range a.SparseTensors {
		s.tensors(do)
	}
	if a.G != nil {
		a.G.tensors(do)
	}
	for _, g := range a.Graphs {
		g.tensors(do)
	}
}

// external lists the tensors whose bytes have not been read.
func (m *Model) external() (list []*Tensor) {
	m.Tensors(func(t *Tensor) {
		if t.External != nil {
			list = append(list, t)
		}
	})
	return list
}

// Unread is an error that names the first tensor whose bytes are in an external file and have not been read; nil when m is
// complete, as ReadFile and ReadFS make it.
func (m *Model) Unread() error {
	if list := m.external(); len(list) > 0 {
		t := list[0]
		return Invalidf("onnx: tensor %.128q is in the external file %.128q, which was not read (%d such tensors)",
			t.Name, t.External.Location, len(list))
	}
	return nil
}

// outside is an open external file.
type outside struct {
	io.ReaderAt
	kept   *kept // nil: it cannot stay open
	size   int64
	close  func() error
	digest string // SHA-1 in hex, once computed
	used   bool   // stays open
}

// place is a range of a file.
type place struct {
	location       string
	offset, length int64
}

// loader reads external data: each file is opened once, each range read once and shared by the tensors over it.
type loader struct {
	open  func(location string) (*outside, error)
	files map[string]*outside
	read  map[place][]byte
	later map[place]*source // what is left in files, for a lazy reader
	used  int64
	most  int64
}

func (o ReadOptions) load(m *Model, open func(string) (*outside, error)) (err error) {
	l := loader{open: open, files: map[string]*outside{}, read: map[place][]byte{}, most: limit(o.Limits.Weights, defaultWeights)}
	if o.Lazy {
		l.later = map[place]*source{}
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, t := range m.external() {
		if err := l.tensor(t); err != nil {
			return fmt.Errorf("external data of tensor %.128q in %.128q: %w", t.Name, t.External.Location, bare(err))
		}
	}
	return nil
}

// bare drops the path from an error of the file system: messages name the location in the model, not folders of the machine.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (l *loader) file(location string) (*outside, error) {
	if f, ok := l.files[location]; ok {
		return f, nil
	}
	f, err := l.open(location)
	if err == nil {
		l.files[location] = f
	}
	return f, err
}

// tensor gives t its bytes. The size of the file, not a number in the model, bounds what is allocated.
func (l *loader) tensor(t *Tensor) error {
	x := t.External
	f, err := l.file(x.Location)
	if err != nil {
		return err
	}
	need, err := t.extent(f.size)
	if err != nil {
		return err
	}
	if err := f.verify(x.Checksum); err != nil {
		return err
	}
	if need > l.most-l.used {
		return &LimitError{Limit: "external data", Value: l.most, Asked: l.used + need, Unit: "bytes"}
	}
	l.used += need
	key := place{x.Location, x.Offset, need}
	if l.later != nil && f.kept != nil && need >= lazyBytes && t.Elem != Bool {
		l.leave(t, f, key)
		return nil
	}
	b, ok := l.read[key]
	if !ok {
		b = Bytes(int(need))
		if _, err := f.ReadAt(b, x.Offset); err != nil && (need > 0 || !errors.Is(err, io.EOF)) {
			return err
		}
		l.read[key] = b
	}
	t.External, t.form.external = nil, true
	return t.setRaw(b, len(b))
}

// leave lets the bytes of t stay in the file.
func (l *loader) leave(t *Tensor, f *outside, key place) {
	s := l.later[key]
	if s == nil {
		s = f.kept.source(key.offset, int(key.length))
		l.later[key] = s
	}
	t.External, t.form.external, t.source = nil, true, s
	f.used = true
}

// close closes the files from which nothing is read later.
func (l *loader) close() (err error) {
	for _, f := range l.files {
		if !f.used {
			err = errors.Join(err, f.close())
		}
	}
	return err
}

// extent checks the range of t against the size of the file and gives its length.
func (t *Tensor) extent(size int64) (int64, error) {
	x := t.External
	n, ok := NumElements(t.Shape)
	want, ok2 := t.Elem.NumBytes(n)
	if !ok || !ok2 {
		return 0, Invalidf("%v of shape %v is too large", t.Elem, t.Shape)
	}
	length := x.Length
	if length < 0 {
		length = int64(want)
	}
	if length > size || x.Offset > size-length || x.Offset < 0 {
		return 0, Invalidf("expected %d bytes from byte %d on, the file has %d", length, x.Offset, size)
	}
	if length != int64(want) {
		return 0, Invalidf("%v of shape %v: expected %d bytes, received %d", t.Elem, t.Shape, want, length)
	}
	return length, nil
}

// verify compares the file's SHA-1 with the one that the model gives, if it gives one.
func (f *outside) verify(checksum string) error {
	if checksum == "" {
		return nil
	}
	if f.digest == "" {
		h := sha1.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, f.size)); err != nil {
			return err
		}
		f.digest = hex.EncodeToString(h.Sum(nil))
	}
	if !strings.EqualFold(f.digest, checksum) {
		return Invalidf("checksum: expected %.128q, received %q", checksum, f.digest)
	}
	return nil
}

// folder is where external files may be: the folder of the path that the caller gave and that of the file it leads to.
// Nothing is opened except through one of the two handles.
type folder struct {
	near, far       *os.Root // far is nil when both are one
	nearDir, farDir string   // without links
	hardLinks       bool
}

func openFolder(file string, hardLinks bool) (*folder, error) {
	f := &folder{hardLinks: hardLinks}
	var err error
	if f.nearDir, err = filepath.EvalSymlinks(filepath.Dir(file)); err != nil {
		return nil, err
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, err
	}
	if f.nearDir, err = filepath.Abs(f.nearDir); err != nil {
		return nil, err
	}
	if f.farDir, err = filepath.Abs(filepath.Dir(target)); err != nil {
		return nil, err
	}
	if f.near, err = os.OpenRoot(f.nearDir); err != nil {
		return nil, err
	}
	if f.farDir == f.nearDir {
		return f, nil
	}
	if f.far, err = os.OpenRoot(f.farDir); err != nil {
		f.near.Close()
		return nil, err
	}
	return f, nil
}

func (f *folder) close() {
	f.near.Close()
	if f.far != nil {
		f.far.Close()
	}
}

// open opens an external file and checks what the handle leads to.
func (f *folder) open(location string) (*outside, error) {
	h, err := f.find(filepath.FromSlash(location))
	if err != nil {
		return nil, err
	}
	info, err := h.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = Invalidf("it is not a regular file")
	}
	if err == nil && !f.hardLinks && linkCount(info) > 1 {
		err = Invalidf("it has %d names (hard links), which is not allowed by default", linkCount(info))
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return &outside{ReaderAt: h, kept: keep(h, info), size: info.Size(), close: h.Close}, nil
}

// find opens a file through the near handle, or through the far one what a link in the near folder leads to and what is
// only there.
func (f *folder) find(name string) (*os.File, error) {
	h, err := f.near.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err == nil || f.far == nil {
		return h, err
	}
	if link, lerr := f.near.Readlink(name); lerr == nil {
		if !filepath.IsAbs(link) {
			link = filepath.Join(f.nearDir, filepath.Dir(name), link)
		}
		rel, rerr := filepath.Rel(f.farDir, link)
		if rerr != nil {
			return nil, err
		}
		return f.far.OpenFile(rel, os.O_RDONLY|nonblock, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return f.far.OpenFile(name, os.O_RDONLY|nonblock, 0)
	}
	return nil, err
}

// readFS reads a regular file of fsys of at most most bytes.
func readFS(fsys fs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, Invalidf("%.128q is not a regular file", name)
	}
	if info.Size() > most {
		return nil, &LimitError{Limit: "size of one file", Value: most, Asked: info.Size(), Unit: "bytes"}
	}
	b := Bytes(int(info.Size()))
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return b, nil
}

// fsOpener opens external files in the folder of the model called name.
func fsOpener(fsys fs.FS, name string, most int64) func(string) (*outside, error) {
	return func(location string) (*outside, error) {
		if l := path.Clean(location); path.IsAbs(l) || !fs.ValidPath(l) {
			return nil, Invalidf("the path leaves the folder of the model")
		}
		b, err := readFS(fsys, path.Join(path.Dir(name), location), most)
		if err != nil {
			return nil, err
		}
		return &outside{ReaderAt: bytes.NewReader(b), size: int64(len(b)), close: func() error { return nil }}, nil
	}
}

// align is where tensors start in the files that are written, in bytes: a page.
const align = 4096

// dataFile is the external data of a model that is being written.
type dataFile struct {
	places map[*Tensor]*External
	order  []*Tensor // those whose bytes are written; others share them
	size   int64
}

// choose lays out the tensors that go into a second file; nil when there are none. threshold 0 means those that came from
// one.
func (o WriteOptions) choose(m *Model, threshold int64) *dataFile {
	if threshold < 0 {
		return nil
	}
	d := &dataFile{places: map[*Tensor]*External{}}
	type span struct {
		p *byte
		n int
	}
	seen := map[span]*External{}
	m.Tensors(func(t *Tensor) {
		big := threshold > 0 && int64(t.ByteLen()) >= threshold || threshold == 0 && t.form.external
		if !big || t.External != nil || t.ByteLen() == 0 {
			return
		}
		s := span{&t.Bytes()[0], t.ByteLen()}
		if seen[s] == nil {
			offset := (d.size + align - 1) / align * align
			seen[s] = &External{Offset: offset, Length: int64(t.ByteLen())}
			d.order, d.size = append(d.order, t), offset+int64(t.ByteLen())
		}
		d.places[t] = seen[s]
	})
	if len(d.order) == 0 {
		return nil
	}
	return d
}

// name makes the name of the file from the model's and the content, so that the model that refers to it and it itself always
// belong together.
func (d *dataFile) name(model string) (string, error) {
	h := sha256.New()
	err := d.write(h)
	return fmt.Sprintf("%s.%x.data", model, h.Sum(nil)[:8]), err
}

func (d *dataFile) place(name string) func(*Tensor) *External {
	for _, x := range d.places {
		x.Location = name
	}
	return func(t *Tensor) *External { return d.places[t] }
}

func (d *dataFile) write(w io.Writer) error {
	var zeros [align]byte
	at := int64(0)
	for _, t := range d.order {
		if _, err := w.Write(zeros[:d.places[t].Offset-at]); err != nil {
			return err
		}
		if _, err := w.Write(t.Bytes()); err != nil {
			return err
		}
		at = d.places[t].Offset + int64(t.ByteLen())
	}
	return nil
}
