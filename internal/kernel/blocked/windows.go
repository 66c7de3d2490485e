package blocked

// A line is the input rows that the windows of one output row share. Offsets
// are in bytes, since assembly reads them.
type line struct {
	x    int // from the plane to the first row
	w    int // from the weights of the plane to those of the first row
	taps int // rows inside the image
	area int // the same with those in the padding, where they count
}

// A piece is one pixel of an output row, or windowPixels of them whose
// windows begin one xPixel after the other and have the same taps.
type piece struct {
	x    int // from the row to the first tap of the first pixel
	w    int // from the weights of the row to those of the first tap
	taps int // columns inside the image
	area int // the same with those in the padding, where they count
	y    int // from the output row to the first pixel
	n    int // pixels
}

const windowPixels = 4

// pixelBytes is the way from a pixel of a plane to the next.
const pixelBytes = 4 * Lanes

// A window is the taps of a kernel along one axis that lie in the image.
type window struct {
	skip  int // taps before them
	first int // the input of the first
	taps  int
	area  int
}

// lines returns those of all output rows, for rows of so many pixels of the
// input and so many taps of the kernel.
func lines(rows []window, width, kernel int) []line {
	all := make([]line, len(rows))
	for i, r := range rows {
		all[i] = line{x: r.first * width * pixelBytes, w: r.skip * kernel * pixelBytes, taps: r.taps, area: r.area}
	}
	return all
}

// pieces cuts an output row whose windows are stride pixels apart. With again the last piece of some pixels of one
// kind may compute some that the one before it has computed as well.
func pieces(columns []window, stride int, again bool) []piece {
	var all []piece
	for o := 0; o < len(columns); {
		n := alike(columns[o:], stride)
		for end := o + n; o < end; {
			from, count := o, 1
			switch {
			case end-o >= windowPixels:
				count = windowPixels
			case again && n >= windowPixels:
				from, count = end-windowPixels, windowPixels
			}
			c := columns[from]
			all = append(all, piece{
				x: c.first * pixelBytes, w: c.skip * pixelBytes, taps: c.taps, area: c.area,
				y: from * pixelBytes, n: count,
			})
			o = from + count
		}
	}
	return all
}

// alike counts the first windows that have the same taps.
func alike(columns []window, stride int) int {
	want := columns[0]
	for n, w := range columns {
		if w != want {
			return n
		}
		want.first += stride
	}
	return len(columns)
}

// A share cuts the rows of all planes into tiles of about the same cost:
// some planes or some rows of one.
type share struct {
	planes, rows int
	each         int // planes of a tile
	bands, band  int // of a plane, and rows of a band
	small        bool
}

// tileCost is the cost of a tile, a few microseconds, in multiplications.
const tileCost = 1 << 17

// newShare cuts so many planes of so many rows that cost so much each.
func newShare(planes, rows, cost int) share {
	s := share{planes: planes, rows: rows, each: 1, bands: 1, band: rows}
	plane := float64(max(cost, 1)) * float64(rows)
	s.small = plane*float64(planes) < 3*tileCost
	if plane < tileCost/2 {
		s.each = min(max(int(tileCost/max(plane, 1)), 1), max(planes, 1))
		return s
	}
	s.bands = min(max(int(plane/tileCost), 1), max(rows, 1))
	s.band = (rows + s.bands - 1) / max(s.bands, 1)
	s.bands = (rows + s.band - 1) / max(s.band, 1)
	return s
}

func (s *share) tiles() int { return (s.planes + s.each - 1) / s.each * s.bands }

// do calls f for the planes and rows of a tile.
func (s *share) do(tile int, f func(plane, lo, hi int)) {
	first, band := tile/s.bands*s.each, tile%s.bands*s.band
	for plane := first; plane < min(first+s.each, s.planes); plane++ {
		f(plane, band, min(band+s.band, s.rows))
	}
}
