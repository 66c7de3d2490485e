package wire

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Span is a range of bytes of a message.
type Span struct{ Offset, Len int }

// ReadSparse reads the message in the first size bytes of f, save the fields at the end of path (a field of the message, a
// field of that, ...) that have at least so many bytes. Those are not read, and what stands in msg at their spans has no
// meaning. Pages of msg that nobody writes cost no memory where the system gives memory by the page. A message that is
// malformed is read whole: a Reader will say what is wrong.
func ReadSparse(f io.ReaderAt, size, least int, path ...protowire.Number) (msg []byte, holes []Span, err error) {
	s := sparse{f: f, msg: make([]byte, size), least: least}
	if !s.message(0, size, path) {
		s.holes, s.done = nil, 0
	}
	s.fill(size)
	return s.msg, s.holes, s.err
}

// sparse is one call of ReadSparse.
type sparse struct {
	f     io.ReaderAt
	msg   []byte
	done  int // before it all is read that shall be
	least int
	holes []Span
	err   error
}

// chunk is what is read at least, and head the room that a tag and a length or a number take at most.
const (
	chunk = 16 << 10
	head  = 20
)

// fill reads up to a byte.
func (s *sparse) fill(to int) {
	if s.err != nil || to <= s.done {
		return
	}
	n, err := s.f.ReadAt(s.msg[s.done:to], int64(s.done))
	if n < to-s.done {
		if s.err = err; err == nil || err == io.EOF {
			s.err = io.ErrUnexpectedEOF
		}
	}
	s.done = to
}

// message walks the fields in [from, to); false if it does not understand them.
func (s *sparse) message(from, to int, path []protowire.Number) bool {
	for at := from; at < to; {
		if at+head > s.done {
			s.fill(min(at+chunk, len(s.msg)))
		}
		if s.err != nil {
			return true
		}
		num, typ, n := protowire.ConsumeTag(s.msg[at:to])
		if n < 0 || typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return false
		}
		at += n
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, s.msg[at:to]); n < 0 {
				return false
			}
			at += n
			continue
		}
		size, n := protowire.ConsumeVarint(s.msg[at:to])
		if n < 0 || size > uint64(to-at-n) {
			return false
		}
		at += n
		if num == path[0] && !s.field(at, int(size), path[1:]) {
			return false
		}
		at += int(size)
	}
	return true
}

// field walks into a field of the path, or leaves out the last one.
func (s *sparse) field(at, size int, rest []protowire.Number) bool {
	if len(rest) > 0 {
		return s.message(at, at+size, rest)
	}
	if size >= s.least {
		s.fill(at)
		s.holes = append(s.holes, Span{at, size})
		s.done = max(s.done, at+size)
	}
	return true
}
