package blocked

import (
	"cmp"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
)

// space is the height and width of everything in a geometry.
type space struct {
	in, out, kernel, strides, dilations, pads [2]int
}

// newSpace makes one row of an image whose pixels are all treated alone.
func newSpace(g *conv.Geometry) space {
	s := space{in: sides(g.In), out: sides(g.Out), kernel: sides(g.Kernel), strides: sides(g.Strides), dilations: sides(g.Dilations)}
	behind := g.Pads[len(g.In):]
	if s.pads = [2]int{g.Pads[0], 0}; len(g.In) == 1 {
		s.pads = [2]int{0, g.Pads[0]}
	} else {
		s.pads[1] = g.Pads[1]
	}
	one := [2]int{1, 1}
	if s.kernel == one && s.strides == one && s.pads == [2]int{} && behind[0] == 0 && behind[len(behind)-1] == 0 {
		n := s.in[0] * s.in[1]
		s.in, s.out = [2]int{1, n}, [2]int{1, n}
	}
	return s
}

// A span is a run of outputs along one axis that have the same taps inside the
// image.
type span struct{ first, n, tap, taps int }

// spans cuts an axis.
func (s *space) spans(axis int) []span {
	var all []span
	for o := range s.out[axis] {
		tap, end := s.inside(axis, o)
		last := len(all) - 1
		if last >= 0 && all[last].tap == tap && all[last].taps == end-tap {
			all[last].n++
			continue
		}
		all = append(all, span{first: o, n: 1, tap: tap, taps: end - tap})
	}
	return all
}

// inside returns the taps of an output that do not lie in the padding.
func (s *space) inside(axis, o int) (from, to int) {
	first, d := o*s.strides[axis]-s.pads[axis], s.dilations[axis]
	from = min(max(0, (-first+d-1)/d), s.kernel[axis])
	if first >= 0 {
		from = 0
	}
	room := s.in[axis] - first // taps below room/d are inside
	to = max(min((room+d-1)/d, s.kernel[axis]), from)
	if room <= 0 {
		to = from
	}
	return from, to
}

// A region is a rectangle of outputs whose taps inside the image are the same.
// Its tiles lie along its rows or, down, along its columns.
type region struct {
	x, w, y int // elements to the first output's first tap, its weight, itself

	along, across  int // outputs of a line, lines
	pieces         int // tiles of a line
	pair           bool
	tiles          int
	rows, cols     int // of taps
	xAlong, xLines int // elements from output to output
	yAlong, yLines int

	fetch, fetched int // steps of weights that a tile fetches, and those that the regions before do
}

// cut makes the regions and counts what they cost. Those with the most work
// for each weight come first: they wait least for weights that are new to the
// cache.
func (p *direct) cut(s *space) {
	for _, r := range s.spans(0) {
		for _, c := range s.spans(1) {
			p.regions = append(p.regions, p.region(s, r, c))
		}
	}
	slices.SortStableFunc(p.regions, func(a, b region) int { return cmp.Compare(b.load(), a.load()) })
	fetched := 0
	for i := range p.regions {
		r := &p.regions[i]
		r.fetch = r.rows * r.cols * p.steps / 4
		r.fetched = fetched
		fetched += r.tiles * r.fetch
		p.tiles += r.tiles
		// A tile of few pixels takes as long as its weights do.
		p.work += max(r.along*r.across, r.tiles*p.t.pixels/2) * p.t.width * (r.rows*r.cols*p.steps + 1)
	}
}

func (p *direct) region(s *space, rows, cols span) region {
	r := region{
		x:     p.first(s, 0, rows)*p.xRow + p.first(s, 1, cols)*p.xPixel,
		y:     rows.first*p.yRow + cols.first*p.yPixel,
		w:     p.step(rows.tap*p.kernel[1]+cols.tap, 0),
		along: cols.n, across: rows.n, rows: rows.taps, cols: cols.taps,
		xAlong: s.strides[1] * p.xPixel, xLines: s.strides[0] * p.xRow, yAlong: p.yPixel, yLines: p.yRow,
	}
	if rows.taps == 0 || cols.taps == 0 {
		r.x, r.w, r.rows, r.cols, r.xAlong, r.xLines = 0, 0, 0, 0, 0, 0
	}
	down := r
	down.along, down.across = r.across, r.along
	down.xAlong, down.xLines, down.yAlong, down.yLines = r.xLines, r.xAlong, r.yLines, r.yAlong
	r.lay(p.t.pixels)
	down.lay(p.t.pixels)
	if down.cost() < r.cost() {
		return down
	}
	return r
}

// first is the input that the first output of a span reads through its first
// tap.
func (p *direct) first(s *space, axis int, a span) int {
	return a.first*s.strides[axis] - s.pads[axis] + a.tap*s.dilations[axis]
}

// lay cuts the lines into tiles of nearly the same size, or makes tiles of two
// short lines.
func (r *region) lay(pixels int) {
	r.pieces = (r.along + pixels - 1) / pixels
	r.pair = 2*r.along <= pixels && r.across > 1
	r.tiles = r.pieces * r.across
	if r.pair {
		r.tiles = (r.across + 1) / 2
	}
}

// cost is what the tiles take, in pixels: the chains of few pixels wait for
// each other.
func (r *region) cost() int { return max(r.along*r.across, 4*r.tiles) + r.tiles }

// load is the multiplications by a weight in a tile.
func (r *region) load() int { return r.rows * r.cols * r.along * r.across / r.tiles }

// place makes t the tiles from the i-th on that are of the same size and lie
// at the same distances, at most n, and returns how many that are and where in
// x and y they begin.
func (r *region) place(t *directTile, i, n int) (count, x, y int) {
	line, from := i, 0
	t.pixels, t.xNext, t.yNext = r.along, 4*r.xLines, 4*r.yLines
	count = min(n, r.tiles-i)
	switch {
	case r.pair:
		line = 2 * i
		t.xNext, t.yNext = 2*t.xNext, 2*t.yNext
		if line+1 < r.across {
			t.pixels *= 2
			count = min(n, r.across/2-i)
		}
	case r.pieces > 1:
		line, i = i/r.pieces, i%r.pieces
		t.pixels = (r.along + r.pieces - 1) / r.pieces
		full := r.along - r.pieces*(t.pixels-1) // pieces of that size
		from = i * t.pixels
		count = min(n, full-i)
		if i >= full {
			from -= i - full
			t.pixels--
			count = min(n, r.pieces-i)
		}
		t.xNext, t.yNext = t.pixels*t.xPixel, t.pixels*t.yPixel
	}
	half := (t.pixels + 1) / 2
	t.xSecond, t.ySecond = half*t.xPixel, half*t.yPixel
	if r.pair && line+1 < r.across {
		t.xSecond, t.ySecond = 4*r.xLines, 4*r.yLines
	}
	t.repeats = count
	return count, r.x + line*r.xLines + from*r.xAlong, r.y + line*r.yLines + from*r.yAlong
}
