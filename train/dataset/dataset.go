// Package dataset feeds training: rows of inputs and targets, cut into batches in an order that depends on seed and epoch
// only.
package dataset

import (
	"iter"
	"math/rand/v2"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Batch is some rows of a data set. Every tensor has the rows as its first dim.
type Batch struct {
	Inputs  []*onnx.Tensor // in the order of the model's inputs
	Targets []*onnx.Tensor // in the order of the model's outputs; nil when there are none
}

// Rows is the number of rows.
func (b *Batch) Rows() int {
	if len(b.Inputs) == 0 || len(b.Inputs[0].Shape) == 0 {
		return 0
	}
	return b.Inputs[0].Shape[0]
}

// Dataset gives rows by number. Read may be called by several goroutines at once, each with a Batch of its own.
type Dataset interface {
	// Len is the number of rows.
	Len() int
	// Read fills b with the given rows, in that order. It may reuse the tensors that b holds.
	Read(b *Batch, rows []int) error
}

// Pair is inputs x and targets y in memory. y may be nil. It is an error, given by Read, if their numbers of rows differ.
func Pair(x, y *onnx.Tensor) Dataset {
	if y == nil {
		return &memory{inputs: []*onnx.Tensor{x}}
	}
	return &memory{inputs: []*onnx.Tensor{x}, targets: []*onnx.Tensor{y}}
}

// Tensors is several inputs and targets in memory.
func Tensors(inputs, targets []*onnx.Tensor) Dataset {
	return &memory{inputs: inputs, targets: targets}
}

type memory struct{ inputs, targets []*onnx.Tensor }

func (m *memory) Len() int {
	if len(m.inputs) == 0 || len(m.inputs[0].Shape) == 0 {
		return 0
	}
	return m.inputs[0].Shape[0]
}

func (m *memory) Read(b *Batch, rows []int) (err error) {
	if b.Inputs, err = takeAll(b.Inputs, m.inputs, rows, m.Len()); err == nil {
		b.Targets, err = takeAll(b.Targets, m.targets, rows, m.Len())
	}
	return err
}

func takeAll(dst, src []*onnx.Tensor, rows []int, n int) ([]*onnx.Tensor, error) {
	if len(dst) != len(src) {
		dst = make([]*onnx.Tensor, len(src))
	}
	for i, t := range src {
		if len(t.Shape) == 0 || t.Shape[0] != n {
			return nil, onnx.Invalidf("dataset: expected %d rows in every tensor, received shape %v", n, t.Shape)
		}
		d, err := take(dst[i], t, rows)
		if err != nil {
			return nil, err
		}
		dst[i] = d
	}
	return dst, nil
}

// take copies rows of t, into dst if that has the right type and shape.
func take(dst, t *onnx.Tensor, rows []int) (*onnx.Tensor, error) {
	if t.Elem.Size() == 0 {
		return nil, onnx.Unsupportedf("dataset: rows of element type %v", t.Elem)
	}
	dst, err := Reuse(dst, t.Elem, append([]int{len(rows)}, t.Shape[1:]...)...)
	if err != nil {
		return nil, err
	}
	if t.Shape[0] == 0 {
		return dst, nil
	}
	size, to, from := len(t.Bytes())/t.Shape[0], dst.Mutable(), t.Bytes()
	for i, r := range rows {
		if r < 0 || r >= t.Shape[0] {
			return nil, onnx.Invalidf("dataset: row %d of %d asked for", r, t.Shape[0])
		}
		copy(to[i*size:(i+1)*size], from[r*size:])
	}
	return dst, nil
}

// Reuse is t when it has the element type and shape asked for, else a new tensor of zeros.
func Reuse(t *onnx.Tensor, e onnx.ElemType, shape ...int) (*onnx.Tensor, error) {
	if t != nil && t.Elem == e && equal(t.Shape, shape) {
		return t, nil
	}
	return onnx.Zeros(e, shape...)
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Map applies f to every batch that d gives. f may change the batch's tensors or put others in their place, and may be
// called by several goroutines at once.
func Map(d Dataset, f func(*Batch) error) Dataset { return &mapped{d: d, f: f} }

type mapped struct {
	d Dataset
	f func(*Batch) error
}

func (m *mapped) Len() int { return m.d.Len() }

func (m *mapped) Read(b *Batch, rows []int) error {
	var raw Batch
	if err := m.d.Read(&raw, rows); err != nil {
		return err
	}
	if err := m.f(&raw); err != nil {
		return err
	}
	*b = raw
	return nil
}

// Slice is the rows from..to-1 of d.
func Slice(d Dataset, from, to int) Dataset { return &sliced{d, from, to} }

type sliced struct {
	d        Dataset
	from, to int
}

func (s *sliced) Len() int { return max(s.to-s.from, 0) }

func (s *sliced) Read(b *Batch, rows []int) error {
	moved := make([]int, len(rows))
	for i, r := range rows {
		moved[i] = r + s.from
	}
	return s.d.Read(b, moved)
}

// Order is the rows 0..n-1 in the order of the given epoch: a permutation drawn from seed and epoch, or ascending.
func Order(n int, shuffle bool, seed uint64, epoch int) []int {
	if !shuffle {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		return rows
	}
	return rand.New(rand.NewPCG(seed, 0x6f72646572<<16^uint64(epoch))).Perm(n)
}

// Batches reads d in batches of size rows, in the given order, starting at batch from. The last batch may be smaller. One
// batch is read ahead while the caller works on the one before; a batch's tensors are valid until the next iteration.
func Batches(d Dataset, order []int, size, from int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		type item struct {
			b   *Batch
			err error
		}
		full, free, stop := make(chan item, 1), make(chan *Batch, 2), make(chan struct{})
		free <- &Batch{}
		free <- &Batch{}
		go func() {
			defer close(full)
			for at := from * size; at < len(order); at += size {
				var b *Batch
				select {
				case b = <-free:
				case <-stop:
					return
				}
				err := read(d, b, order[at:min(at+size, len(order))])
				select {
				case full <- item{b, err}:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range full { // wait for the reader to end
			}
		}()
		for it := range full {
			if !yield(it.b, it.err) || it.err != nil {
				return
			}
			free <- it.b
		}
	}
}

// read makes a panic of a user's data set an error: it happens in a goroutine that no caller could recover from.
func read(d Dataset, b *Batch, rows []int) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = onnx.Internalf("dataset: %v", x)
		}
	}()
	return d.Read(b, rows)
}
