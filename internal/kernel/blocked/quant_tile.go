package blocked

import (
	"math"
	"unsafe"
)

// A quantTile is a directTile of bytes: x, w and y are counted in numbers of
// four bytes; low and high are the bounds of a result less its zero point.
type quantTile struct {
	directTile
	start []int32 // of the sums, by output channel of the panel
	scale []float32
	zero  int32
	few   bool // no more than four channels: a block has one step
}

// quantTable is what the tiers of convolutions of bytes differ in.
type quantTable struct {
	directTable
	wordsPerStep int // numbers of weights of an output channel and four input channels: 1, or 2 where they have 16 bits
	max          func(n int, y, a, b []byte)
	maxWindows   func(n, taps, stride int, y, x []byte)
	add          func(n int, y, a, b []byte, s *quantSum)
	quantize     func(n int, y []byte, x []float32, s *quantSum)
}

// put writes a weight into the weights of a step.
func (q *quantTable) put(step []byte, width, lane, channel int, w int8) {
	if q.wordsPerStep == 1 {
		step[quad*lane+channel] = byte(w)
		return
	}
	// Words of the even channels of all lanes, then of the odd ones.
	at := 4*(channel%2*width+lane) + channel/2*2
	step[at], step[at+1] = byte(w), byte(w>>7)
}

// quantGeneric computes a tile of width output channels, from weights of one
// byte.
func quantGeneric(t *quantTile, width int) {
	for i := range t.repeats * t.pixels {
		x, y := t.pixel(i)
		var sums [2 * Lanes]int32
		copy(sums[:width], t.start)
		w := bytesOf(t.w)
		for row := range t.rows {
			for col := range t.cols {
				from := x + row*t.rowStep + col*t.colStep
				lanes := Lanes
				if t.few {
					lanes = quad
				}
				for range t.channels {
					addBytes(sums[:width], bytesOf(t.x)[from:][:lanes], w)
					w, from = w[lanes*width:], from+t.channelStep
				}
			}
			w = w[min(t.wSkip, len(w)):]
		}
		for b := range width / Lanes {
			t.put(bytesOf(t.y)[y+b*t.yBlock:][:Lanes], sums[b*Lanes:], t.scale[b*Lanes:])
		}
	}
}

func bytesOf(s []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
}

// addBytes adds the products of the channels of a block.
func addBytes(sums []int32, x, w []byte) {
	for c, v := range x {
		step := w[c/quad*quad*len(sums)+c%quad:]
		for i := range sums {
			sums[i] += int32(v) * int32(int8(step[quad*i]))
		}
	}
}

// put scales, rounds and cuts the sums of a pixel.
func (t *quantTile) put(y []byte, sums []int32, scale []float32) {
	for i := range y {
		v := float32(sums[i]) * scale[i]
		y[i] = byte(int32(math.RoundToEven(float64(min(max(v, t.low), t.high)))) + t.zero)
	}
}

// quantSum says how two bytes are added: as numbers, each less its zero point
// times its scale.
type quantSum struct {
	aScale, bScale      float32
	yScale              float32 // what the sum is multiplied by; what numbers are divided by
	low, high           float32 // of a result less its zero point
	aZero, bZero, yZero int32
}

// quantAdd is the definition of a sum of quantized numbers.
func quantAdd(n int, y, a, b []byte, s *quantSum) {
	for i := range n {
		x := float32(int32(a[i])-s.aZero)*s.aScale + float32(float32(int32(b[i])-s.bZero)*s.bScale)
		v := min(max(x*s.yScale, s.low), s.high)
		y[i] = byte(int32(math.RoundToEven(float64(v))) + s.yZero)
	}
}

// quantizeRow is the definition of quantization. NaN becomes the zero point.
func quantizeRow(n int, y []byte, x []float32, s *quantSum) {
	for i := range n {
		v := x[i] / s.yScale
		if v != v {
			v = 0
		}
		y[i] = byte(int32(math.RoundToEven(float64(min(max(v, s.low), s.high)))) + s.yZero)
	}
}

func maxBytes(n int, y, a, b []byte) {
	for i := range n {
		y[i] = max(a[i], b[i])
	}
}

func maxWindows(n, taps, stride int, y, x []byte) {
	for i := range n {
		from := x[i*stride*Lanes:]
		for lane := range Lanes {
			v := from[lane]
			for tap := 1; tap < taps; tap++ {
				v = max(v, from[tap*Lanes+lane])
			}
			y[i*Lanes+lane] = v
		}
	}
}

var quantPlain = quantTable{
	directTable: directTable{pixels: 6, width: 16, grain: 1 << 15}, wordsPerStep: 1,
	max: maxBytes, maxWindows: maxWindows, add: quantAdd, quantize: quantizeRow,
}
