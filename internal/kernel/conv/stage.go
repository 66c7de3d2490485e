package conv

// A stage is the form in which a convolution reads its input: the image itself,
// or a copy with its padding in which the columns of one remainder modulo the
// stride of the last axis are neighbours, so that neighbouring outputs always
// read neighbouring inputs.
type stage struct {
	copied bool
	plane  int   // elements of a channel
	phases int   // the stride of the last axis
	phase  int   // elements of one remainder in a row
	pad    int   // before the last axis
	in     int   // columns of the image
	rowOff []int // by input row: where it goes in a plane
	stride []int // by axis before the last: elements from one index to the next
	slack  int   // elements behind the last plane that a tile may read
}

// tail is at least the columns of the widest tile.
const tail = 32

func newStage(g *Geometry, slack bool) stage {
	last := len(g.In) - 1
	s := stage{phases: 1, in: g.In[last], pad: g.Pads[last]}
	s.copied = slack || g.Strides[last] > 1
	for _, p := range g.Pads {
		s.copied = s.copied || p > 0
	}
	width := s.in
	if s.copied {
		s.phases = g.Strides[last]
		width += g.Pads[last] + g.Pads[len(g.In)+last]
		s.slack = tail
	}
	s.phase = (width + s.phases - 1) / s.phases
	s.layRows(g)
	return s
}

// layRows gives each axis its stride and each input row its place.
func (s *stage) layRows(g *Geometry) {
	last := len(g.In) - 1
	s.stride = make([]int, last)
	s.plane = s.phases * s.phase
	for axis := last - 1; axis >= 0; axis-- {
		s.stride[axis] = s.plane
		s.plane *= g.In[axis] + g.Pads[axis] + g.Pads[len(g.In)+axis]
	}
	s.rowOff = offsets(g.In[:last], s.stride)
	for i := range s.rowOff {
		for axis, step := range s.stride {
			s.rowOff[i] += g.Pads[axis] * step
		}
	}
}

// offsets returns the sum of index*step for all indices below sizes, the last
// axis fastest.
func offsets(sizes, step []int) []int {
	all := make([]int, 0, product(sizes))
	if product(sizes) == 0 {
		return all
	}
	index := make([]int, len(sizes))
	for at := 0; ; {
		all = append(all, at)
		axis := len(sizes) - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			at += step[axis]
			if index[axis] < sizes[axis] {
				break
			}
			at -= index[axis] * step[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return all
		}
	}
}

// tapOffsets returns where each tap reads, relative to the first.
func (s *stage) tapOffsets(g *Geometry) []int {
	last := len(g.In) - 1
	step := make([]int, last)
	for axis := range step {
		step[axis] = g.Dilations[axis] * s.stride[axis]
	}
	rows := offsets(g.Kernel[:last], step)
	all := make([]int, 0, g.Taps())
	for _, row := range rows {
		for x := range g.Kernel[last] {
			column := x * g.Dilations[last]
			all = append(all, row+column%s.phases*s.phase+column/s.phases)
		}
	}
	return all
}

// steps returns the offsets of all channels and taps of a group: by tap of the
// first axis, of which there are outer, then by channel, then by other taps.
func (s *stage) steps(taps []int, channels, outer int) []int {
	inner := len(taps) / outer
	all := make([]int, 0, channels*len(taps))
	for o := range outer {
		for c := range channels {
			for _, tap := range taps[o*inner:][:inner] {
				all = append(all, c*s.plane+tap)
			}
		}
	}
	return all
}

// outerTaps are the taps of the first of several axes.
type outerTaps struct {
	n, step    int
	in, before int
	stride     int
	rows       int // output rows of one index of the axis
}

func newOuterTaps(g *Geometry) outerTaps {
	last := len(g.In) - 1
	if last == 0 {
		return outerTaps{n: 1, in: 1, rows: 1}
	}
	return outerTaps{
		n: g.Kernel[0], step: g.Dilations[0], in: g.In[0], before: g.Pads[0],
		stride: g.Strides[0], rows: product(g.Out[1:last]),
	}
}

// inside returns the taps [from, to) with which an output row reads rows of
// the image. The others read padding and are left out.
func (t *outerTaps) inside(row int) (from, to int) {
	at := row/t.rows*t.stride - t.before
	for to = t.n; to > 0 && at+(to-1)*t.step >= t.in; to-- {
	}
	for ; from < to && at+from*t.step < 0; from++ {
	}
	return from, to
}

// outRows returns where each output row begins to read.
func (s *stage) outRows(g *Geometry) []int {
	last := len(g.In) - 1
	step := make([]int, last)
	for axis := range step {
		step[axis] = g.Strides[axis] * s.stride[axis]
	}
	return offsets(g.Out[:last], step)
}

// size is the elements of a staged image of that many channels.
func (s *stage) size(channels int) int {
	if !s.copied {
		return 0
	}
	return roundUp(channels*s.plane+s.slack, 16)
}

// fill copies channels planes of x into dst.
func fill[T any](s *stage, dst, x []T, channels int) {
	image := len(s.rowOff) * s.in
	for c := range channels {
		to := dst[c*s.plane:][:s.plane]
		clear(to)
		fillPlane(s, to, x[c*image:][:image])
	}
}

func fillPlane[T any](s *stage, dst, x []T) {
	for i, off := range s.rowOff {
		row := x[i*s.in:][:s.in]
		if s.phases == 1 {
			copy(dst[off+s.pad:], row)
			continue
		}
		phase, at := s.pad%s.phases, off+s.pad/s.phases
		for _, v := range row {
			dst[at+phase*s.phase] = v
			if phase++; phase == s.phases {
				phase = 0
				at++
			}
		}
	}
}

// drain is the reverse of fill: it copies the image out of its stage.
func drain[T any](s *stage, x, src []T, channels int) {
	image := len(s.rowOff) * s.in
	for c := range channels {
		drainPlane(s, x[c*image:][:image], src[c*s.plane:][:s.plane])
	}
}

func drainPlane[T any](s *stage, x, src []T) {
	for i, off := range s.rowOff {
		row := x[i*s.in:][:s.in]
		if s.phases == 1 {
			copy(row, src[off+s.pad:])
			continue
		}
		phase, at := s.pad%s.phases, off+s.pad/s.phases
		for j := range row {
			row[j] = src[at+phase*s.phase]
			if phase++; phase == s.phases {
				phase = 0
				at++
			}
		}
	}
}
