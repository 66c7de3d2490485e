package jpeg2000

import (
	"errors"
	"math/bits"
)

// block is a code-block with the data that packets have brought.
type block struct {
	x0, y0, x1, y1 int
	seen           bool // some packet had data of it
	planes         int
	lengthBits     int
	segments       []segment
}

// segment is passes that are coded together.
type segment struct {
	passes, most int
	data         []byte
}

// tagTree codes numbers of a grid by their minima.
type tagTree struct {
	widths []int
	levels [][]tagNode // from the grid to the root
}

type tagNode struct {
	value int // known to be at least so large
	known bool
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		t.widths, t.levels = append(t.widths, w), append(t.levels, make([]tagNode, w*h))
		if w*h <= 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// below reports whether the number at (x, y) is below the limit, reading what is needed.
func (t *tagTree) below(r *packetReader, x, y, limit int) bool {
	least := 0
	for l := len(t.levels) - 1; l >= 0; l-- {
		n := &t.levels[l][y>>l*t.widths[l]+x>>l]
		n.value = max(n.value, least)
		for !n.known && n.value < limit {
			if r.bit() == 1 {
				n.known = true
			} else {
				n.value++
			}
		}
		if least = n.value; !n.known {
			return false
		}
	}
	return least < limit
}

// packetReader reads packets of a tile.
type packetReader struct {
	t     *tile
	b     []byte
	at    int
	hold  byte
	count int // bits left in hold
	short bool
}

var errPacket = errors.New("a packet is damaged")

// bit reads a bit of a header; after a byte of ones the next one has seven bits.
func (r *packetReader) bit() int {
	if r.count == 0 {
		full := r.hold == 0xff
		if r.at >= len(r.b) {
			r.short = true
			return 0
		}
		r.hold, r.count = r.b[r.at], 8
		r.at++
		if full {
			r.count = 7
		}
	}
	r.count--
	return int(r.hold >> r.count & 1)
}

func (r *packetReader) number(n int) int {
	v := 0
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// passes reads the number of passes that a packet adds.
func (r *packetReader) passes() int {
	switch {
	case r.bit() == 0:
		return 1
	case r.bit() == 0:
		return 2
	}
	n := r.number(2)
	if n < 3 {
		return 3 + n
	}
	if n = r.number(5); n < 31 {
		return 6 + n
	}
	return 37 + r.number(7)
}

// piece is data of a segment in the body of a packet.
type piece struct {
	b       *block
	segment int
	size    int
}

// packet reads one packet; done says that there is no more data.
func (r *packetReader) packet(p packetOf) (done bool, err error) {
	if r.at >= len(r.b) {
		return true, nil
	}
	if r.t.params.sop && r.at+6 <= len(r.b) && r.b[r.at] == 0xff && r.b[r.at+1] == 0x91 {
		r.at += 6
	}
	r.hold, r.count = 0, 0
	var pieces []piece
	q := r.t.comps[p.comp].levels[p.res].precincts[p.at]
	if r.bit() == 1 {
		for i := range q.bands {
			if pieces, err = r.header(&q.bands[i], p, pieces); err != nil {
				return true, err
			}
		}
	}
	if r.hold == 0xff && r.at < len(r.b) { // a stuffed byte
		r.at++
	}
	if r.short {
		return true, nil
	}
	if r.t.params.eph && r.at+2 <= len(r.b) && r.b[r.at] == 0xff && r.b[r.at+1] == 0x92 {
		r.at += 2
	}
	for _, c := range pieces {
		n := min(c.size, len(r.b)-r.at)
		s := &c.b.segments[c.segment]
		s.data = append(s.data, r.b[r.at:r.at+n]...)
		r.at += n
	}
	return false, nil
}

// header reads what the header says of a band.
func (r *packetReader) header(q *precinctBand, p packetOf, pieces []piece) ([]piece, error) {
	style := r.t.params.comps[p.comp].style
	for i := range q.blocks {
		b := &q.blocks[i]
		x, y := i%q.across, i/q.across
		in := false
		if b.seen {
			in = r.bit() == 1
		} else {
			in = q.included.below(r, x, y, p.layer+1)
		}
		if !in || r.short {
			continue
		}
		if !b.seen {
			b.seen = true
			zeros := 0
			for !q.empty.below(r, x, y, zeros+1) {
				if zeros++; r.short || zeros > 80 {
					return nil, errPacket
				}
			}
			b.planes = q.band.planes + r.t.params.shifts[p.comp] - zeros
			if b.planes < 0 || b.planes > 30 {
				return nil, errPacket
			}
		}
		passes := r.passes()
		for r.bit() == 1 {
			if b.lengthBits++; b.lengthBits > 31 {
				return nil, errPacket
			}
		}
		for passes > 0 && !r.short {
			s := b.segment(style)
			n := min(passes, s.most-s.passes)
			size := b.lengthBits + bits.Len(uint(n)) - 1
			if size > 31 {
				return nil, errPacket
			}
			pieces = append(pieces, piece{b, len(b.segments) - 1, r.number(size)})
			s.passes += n
			passes -= n
		}
	}
	return pieces, nil
}

// segment is the segment that the next pass belongs to.
func (b *block) segment(style byte) *segment {
	last := len(b.segments) - 1
	if last >= 0 && b.segments[last].passes < b.segments[last].most {
		return &b.segments[last]
	}
	most := 1 << 20
	switch {
	case style&styleTerminate != 0:
		most = 1
	case style&styleBypass != 0 && last < 0:
		most = 10
	case style&styleBypass != 0 && b.segments[last].most == 2:
		most = 1
	case style&styleBypass != 0:
		most = 2
	}
	b.segments = append(b.segments, segment{most: most})
	return &b.segments[last+1]
}
