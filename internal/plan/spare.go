package plan

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// spare is the buffers of late values that are dead, for those to come. The same run takes the same buffers each time, so
// that it allocates nothing once it has run.
type spare struct {
	free    [][]byte
	retired [][]byte // outgrown while a step runs, which may still read them
}

// retire keeps a buffer back until the step is done.
func (s *spare) retire(b []byte) {
	if len(b) > 0 {
		s.retired = append(s.retired, b)
	}
}

// settle frees what was retired.
func (s *spare) settle() {
	s.free = append(s.free, s.retired...)
	clear(s.retired)
	s.retired = s.retired[:0]
}

// fit takes the smallest buffer of at least n bytes; nil when there is none, or only one that is much too large.
func (s *spare) fit(n int) []byte {
	best := -1
	for i, b := range s.free {
		if len(b) >= n && len(b)/4 <= n+1024 && (best < 0 || len(b) < len(s.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	b := s.free[best]
	s.free = slices.Delete(s.free, best, best+1)
	return b
}

// dropSmallest gives up buffers until at most most are left, and returns their bytes.
func (s *spare) dropSmallest(most int) int64 {
	var n int64
	for len(s.free) > most {
		small := 0
		for i, b := range s.free {
			if len(b) < len(s.free[small]) {
				small = i
			}
		}
		n += int64(len(s.free[small]))
		s.free = slices.Delete(s.free, small, small+1)
	}
	return n
}

// takeBuffer is a buffer of at least n bytes for a late value.
func (r *Runner) takeBuffer(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if b := r.spare.fit(n); b != nil {
		return b, nil
	}
	r.root.budget.held -= r.spare.dropSmallest(len(r.heap))
	if err := r.root.hold(int64(n)); err != nil {
		r.root.budget.held -= r.spare.dropSmallest(0)
		if err := r.root.hold(int64(n)); err != nil {
			return nil, err
		}
	}
	return onnx.Bytes(n), nil
}

// discard frees the buffer of a late value that nobody reads any more.
func (r *Runner) discard(id int) {
	if h := &r.heap[id]; h.data != nil {
		r.spare.free = append(r.spare.free, h.data)
		h.data = nil
	}
}

// recycle frees what the last run left: its results.
func (r *Runner) recycle() {
	r.spare.settle()
	for id := range r.heap {
		r.discard(id)
	}
}
