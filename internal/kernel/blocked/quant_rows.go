package blocked

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A Scale says what a byte b stands for: the number (b - Zero) times Step.
type Scale struct {
	Step float32
	Zero uint8
}

// byteTask is the bytes of element-wise work that take about 20 microseconds.
const byteTask = 1 << 16

// A ByteSum adds bytes as numbers. The zero ByteSum is ready to use, by one
// goroutine at a time.
type ByteSum struct {
	t       quantTable
	s       quantSum
	y, a, b []byte
}

// Run sets y to the sum of a and b in scale to: the product of the sum and 1/step is
// rounded to even and cut to a byte. The lengths are equal multiples
// of 16.
func (j *ByteSum) Run(team *parallel.Team, t *Table, y, a, b []byte, sa, sb, to Scale) {
	if t == nil {
		t = Best()
	}
	check(len(a) >= len(y) && len(b) >= len(y) && len(y)%Lanes == 0)
	zero := float32(to.Zero)
	j.t, j.y, j.a, j.b = t.quant, y, a, b
	j.s = quantSum{
		aScale: sa.Step, bScale: sb.Step, yScale: 1 / to.Step, low: -zero, high: math.MaxUint8 - zero,
		aZero: int32(sa.Zero), bZero: int32(sb.Zero), yZero: int32(to.Zero),
	}
	if len(y) < 2*byteTask {
		team = nil
	}
	team.Do((len(y)+byteTask-1)/byteTask, j)
}

// Tile adds a part.
func (j *ByteSum) Tile(i int) {
	from, to := i*byteTask, min((i+1)*byteTask, len(j.y))
	j.t.add(to-from, j.y[from:to], j.a[from:to], j.b[from:to], &j.s)
}

// A ByteRounding quantizes numbers. The zero ByteRounding is ready to use, by
// one goroutine at a time.
type ByteRounding struct {
	t quantTable
	s quantSum
	y []byte
	x []float32
}

// Run sets y to the numbers x in scale to: the quotient by the step, rounded to
// even and cut to a byte; NaN gives the zero point.
func (j *ByteRounding) Run(team *parallel.Team, t *Table, y []byte, x []float32, to Scale) {
	if t == nil {
		t = Best()
	}
	check(len(x) >= len(y))
	zero := float32(to.Zero)
	j.t, j.y, j.x = t.quant, y, x
	j.s = quantSum{yScale: to.Step, low: -zero, high: math.MaxUint8 - zero, yZero: int32(to.Zero)}
	if len(y) < 2*byteTask {
		team = nil
	}
	team.Do((len(y)+byteTask-1)/byteTask, j)
}

// Tile quantizes a part.
func (j *ByteRounding) Tile(i int) {
	y := j.y[i*byteTask : min((i+1)*byteTask, len(j.y))]
	x, n := j.x[i*byteTask:], len(y)/Lanes*Lanes
	j.t.quantize(n, y, x, &j.s)
	quantizeRow(len(y)-n, y[n:], x[n:], &j.s)
}

// MeanBytes sets y, [n, Blocks(channels), 16], to the means of the pixels of
// x, [n, Blocks(channels), pixels, 16], in scale to.
func MeanBytes(y, x []byte, pixels int, from, to Scale) {
	check(len(x) >= len(y)*pixels)
	factor := float64(from.Step) / float64(to.Step) / float64(pixels)
	for block := 0; block < len(y); block += Lanes {
		var sums [Lanes]int64
		for plane := x[block*pixels:][:pixels*Lanes]; len(plane) >= Lanes; plane = plane[Lanes:] {
			for lane := range sums {
				sums[lane] += int64(plane[lane])
			}
		}
		for lane, sum := range sums {
			v := math.RoundToEven(float64(sum-int64(pixels)*int64(from.Zero))*factor) + float64(to.Zero)
			y[block+lane] = byte(min(max(v, 0), math.MaxUint8))
		}
	}
}

// A MaxBytes is a pooling of blocked bytes by the maximum, of one or two
// spatial axes. It may be used by one goroutine at a time.
type MaxBytes struct {
	t       quantTable
	g       *pool.Geometry
	in, out [2]int
	rows    []pool.Window
	columns []pool.Window
	x, y    []byte
	lines   []byte // by worker: the greatest of the rows of a window
}

// NewMaxBytes prepares a pooling. t nil is the table of this CPU.
func NewMaxBytes(t *Table, g *pool.Geometry) *MaxBytes {
	if t == nil {
		t = Best()
	}
	p := &MaxBytes{t: t.quant, g: g, in: sides(g.In), out: sides(g.Out), rows: []pool.Window{{Taps: 1, Step: 1}}}
	last := len(g.In) - 1
	if last == 1 {
		p.rows = g.Windows(0)
	}
	p.columns = g.Windows(last)
	return p
}

// Scratch returns how many bytes Run needs as scratch on a team of that many
// threads.
func (p *MaxBytes) Scratch(threads int) int { return max(threads, 1) * p.in[1] * Lanes }

// Run computes y, blocked [N, C, Out...], from x, blocked [N, C, In...]. A
// window without elements gives 0.
func (p *MaxBytes) Run(team *parallel.Team, x, y, scratch []byte) {
	planes := p.g.N * Blocks(p.g.C)
	if len(y) < 2*byteTask {
		team = nil
	}
	check(len(scratch) >= p.Scratch(team.Threads()) && len(x) >= Len(p.g.N, p.g.C, p.in[0]*p.in[1]) && len(y) >= Len(p.g.N, p.g.C, p.out[0]*p.out[1]))
	p.x, p.y, p.lines = x, y, scratch
	team.DoWorkers(planes, p)
}

// Tile pools one plane.
func (p *MaxBytes) Tile(worker, plane int) {
	width := p.in[1] * Lanes
	x, y := p.x[plane*p.in[0]*width:], p.y[plane*p.out[0]*p.out[1]*Lanes:]
	line := p.lines[worker*width:][:width]
	for o, w := range p.rows {
		to := y[o*p.out[1]*Lanes:][:p.out[1]*Lanes]
		if w.Taps == 0 {
			clear(to)
			continue
		}
		copy(line, x[w.First*width:][:width])
		for tap := 1; tap < w.Taps; tap++ {
			p.t.max(width, line, line, x[(w.First+tap*w.Step)*width:][:width])
		}
		p.across(to, line)
	}
}

// across pools a row.
func (p *MaxBytes) across(y, line []byte) {
	stride := p.g.Strides[len(p.g.Strides)-1]
	for o := 0; o < p.out[1]; {
		w, n := p.columns[o], 1
		for ; o+n < p.out[1] && p.columns[o+n].Taps == w.Taps && p.columns[o+n].First == w.First+n*stride; n++ {
		}
		to := y[o*Lanes:][:n*Lanes]
		switch {
		case w.Taps == 0:
			clear(to)
		case w.Step == 1:
			p.t.maxWindows(n, w.Taps, stride, to, line[w.First*Lanes:])
		default:
			for i := range n {
				copy(to[i*Lanes:][:Lanes], line[(w.First+i*stride)*Lanes:])
				for tap := 1; tap < w.Taps; tap++ {
					at := (w.First + i*stride + tap*w.Step) * Lanes
					p.t.max(Lanes, to[i*Lanes:], to[i*Lanes:], line[at:][:Lanes])
				}
			}
		}
		o += n
	}
}

// PackBytes writes the plain tensor src, [n, channels, pixels], to dst,
// blocked; the lanes beyond the channels become zero.
func PackBytes(dst, src []byte, n, channels, pixels int) {
	check(len(dst) >= Len(n, channels, pixels) && len(src) >= n*channels*pixels)
	if channels%Lanes != 0 {
		clear(dst[:Len(n, channels, pixels)])
	}
	for image := range n {
		for c := range channels {
			to := dst[((image*Blocks(channels)+c/Lanes)*pixels)*Lanes+c%Lanes:]
			for i, v := range src[(image*channels+c)*pixels:][:pixels] {
				to[i*Lanes] = v
			}
		}
	}
}

// UnpackBytes writes the blocked tensor src to dst, [n, channels, pixels].
func UnpackBytes(dst, src []byte, n, channels, pixels int) {
	check(len(src) >= Len(n, channels, pixels) && len(dst) >= n*channels*pixels)
	for image := range n {
		for c := range channels {
			from := src[((image*Blocks(channels)+c/Lanes)*pixels)*Lanes+c%Lanes:]
			to := dst[(image*channels+c)*pixels:][:pixels]
			for i := range to {
				to[i] = from[i*Lanes]
			}
		}
	}
}
