package jpeg2000

// coder is the decoder of code-blocks: an arithmetic decoder and the passes over bit planes.
type coder struct {
	mq     mq
	w, h   int
	flags  []uint8 // (w + 2) x (h + 2), with a border
	coefs  []int32 // magnitudes, doubled, so that the middle of an interval is a number
	band   int
	causal bool
}

// Flags of a coefficient.
const (
	flagSignificant = 1 << iota
	flagNegative
	flagVisited // in this bit plane
	flagRefined
)

// Contexts of the arithmetic decoder.
const (
	contextSign      = 9
	contextMagnitude = 14
	contextRun       = 17
	contextUniform   = 18
)

// decode decodes b into its band.
func (c *coder) decode(b *block, k *band, style byte, shift int) {
	c.w, c.h, c.band, c.causal = b.x1-b.x0, b.y1-b.y0, k.kind, style&styleCausal != 0
	c.flags = resized(c.flags, (c.w+2)*(c.h+2))
	c.coefs = resized(c.coefs, c.w*c.h)
	c.mq.reset()
	plane, kind := b.planes-1, 2
	for i := range b.segments {
		s := &b.segments[i]
		raw := style&styleBypass != 0 && plane < b.planes-4 && kind < 2
		c.mq.start(s.data, raw)
		for range s.passes {
			if plane < 0 {
				break
			}
			c.pass(kind, plane, raw, style)
			if style&styleReset != 0 {
				c.mq.reset()
			}
			if kind++; kind == 3 {
				kind = 0
				plane--
			}
		}
	}
	c.put(b, k, shift)
}

func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// put writes the coefficients into the band; those of a region of interest, which are larger, move down by shift.
func (c *coder) put(b *block, k *band, shift int) {
	width := k.x1 - k.x0
	for y := range c.h {
		to := k.coefs[(b.y0-k.y0+y)*width+b.x0-k.x0:][:c.w]
		for x := range to {
			v := c.coefs[y*c.w+x]
			if shift > 0 && v >= 1<<shift {
				v >>= shift
			}
			if c.flags[(y+1)*(c.w+2)+x+1]&flagNegative != 0 {
				v = -v
			}
			to[x] = v
		}
	}
}

// pass does one pass: 0 significance, 1 refinement, 2 clean-up.
func (c *coder) pass(kind, plane int, raw bool, style byte) {
	bit := int32(2) << plane
	for y0 := 0; y0 < c.h; y0 += 4 {
		for x := range c.w {
			y1 := min(y0+4, c.h)
			switch kind {
			case 0:
				for y := y0; y < y1; y++ {
					c.significance(x, y, bit, raw)
				}
			case 1:
				for y := y0; y < y1; y++ {
					c.refine(x, y, bit, raw)
				}
			default:
				c.cleanUp(x, y0, y1, bit)
			}
		}
	}
	if kind == 2 && style&styleSymbols != 0 {
		for range 4 {
			c.mq.decode(contextUniform)
		}
	}
}

// around counts the significant neighbours of (x, y): beside, above and below, and diagonally.
func (c *coder) around(x, y int) (h, v, d int) {
	at, row := (y+1)*(c.w+2)+x+1, c.w+2
	s := func(i int) int { return int(c.flags[i] & flagSignificant) }
	h, v, d = s(at-1)+s(at+1), s(at-row), s(at-row-1)+s(at-row+1)
	if !c.causal || y%4 != 3 {
		v += s(at + row)
		d += s(at+row-1) + s(at+row+1)
	}
	return h, v, d
}

// zeroContext is the context of significance, from 0 to 8.
func (c *coder) zeroContext(x, y int) int {
	h, v, d := c.around(x, y)
	switch c.band {
	case 1:
		h, v = v, h
	case 3:
		return diagonalContext(h+v, d)
	}
	switch {
	case h == 2:
		return 8
	case h == 1 && v > 0:
		return 7
	case h == 1 && d > 0:
		return 6
	case h == 1:
		return 5
	case v > 0:
		return 2 + v
	}
	return min(d, 2)
}

func diagonalContext(straight, d int) int {
	switch d {
	case 0:
		return min(straight, 2)
	case 1:
		return 3 + min(straight, 2)
	case 2:
		return 6 + min(straight, 1)
	}
	return 8
}

func (c *coder) significance(x, y int, bit int32, raw bool) {
	at := (y+1)*(c.w+2) + x + 1
	if c.flags[at]&flagSignificant != 0 {
		return
	}
	context := c.zeroContext(x, y)
	if context == 0 {
		return
	}
	c.flags[at] |= flagVisited
	if raw {
		if c.mq.raw() == 1 {
			c.become(x, y, bit, c.mq.raw() == 1)
		}
		return
	}
	if c.mq.decode(context) == 1 {
		c.become(x, y, bit, c.sign(x, y))
	}
}

// become makes (x, y) significant, in the middle of its interval.
func (c *coder) become(x, y int, bit int32, negative bool) {
	at := (y+1)*(c.w+2) + x + 1
	if c.flags[at] |= flagSignificant; negative {
		c.flags[at] |= flagNegative
	}
	c.coefs[y*c.w+x] = bit | bit>>1
}

// sign decodes the sign of (x, y), which the signs of its neighbours predict.
func (c *coder) sign(x, y int) bool {
	at, row := (y+1)*(c.w+2)+x+1, c.w+2
	s := func(i int) int {
		switch c.flags[i] & (flagSignificant | flagNegative) {
		case flagSignificant:
			return 1
		case flagSignificant | flagNegative:
			return -1
		}
		return 0
	}
	below := 0
	if !c.causal || y%4 != 3 {
		below = s(at + row)
	}
	h, v := min(max(s(at-1)+s(at+1), -1), 1), min(max(s(at-row)+below, -1), 1)
	flip := h < 0 || h == 0 && v < 0
	if flip {
		h, v = -h, -v
	}
	context := contextSign
	if h == 1 {
		context += 3 + v
	} else {
		context += v
	}
	return (c.mq.decode(context) == 1) != flip
}

func (c *coder) refine(x, y int, bit int32, raw bool) {
	at := (y+1)*(c.w+2) + x + 1
	if c.flags[at]&(flagSignificant|flagVisited) != flagSignificant {
		return
	}
	one := 0
	if raw {
		one = c.mq.raw()
	} else {
		context := contextMagnitude + 2
		if c.flags[at]&flagRefined == 0 {
			context = contextMagnitude
			if h, v, d := c.around(x, y); h+v+d > 0 {
				context++
			}
		}
		one = c.mq.decode(context)
	}
	c.flags[at] |= flagRefined
	if one == 1 {
		c.coefs[y*c.w+x] += bit >> 1
	} else {
		c.coefs[y*c.w+x] -= bit >> 1
	}
}

// cleanUp does what is left of a column of a stripe, and forgets what was visited.
func (c *coder) cleanUp(x, y0, y1 int, bit int32) {
	y, row := y0, c.w+2
	if y1-y0 == 4 && c.quiet(x, y0) {
		if c.mq.decode(contextRun) == 0 {
			return
		}
		y += c.mq.decode(contextUniform)<<1 | c.mq.decode(contextUniform)
		c.become(x, y, bit, c.sign(x, y))
		y++
	}
	for ; y < y1; y++ {
		at := (y+1)*row + x + 1
		if c.flags[at]&(flagSignificant|flagVisited) == 0 && c.mq.decode(c.zeroContext(x, y)) == 1 {
			c.become(x, y, bit, c.sign(x, y))
		}
	}
	for y := y0; y < y1; y++ {
		c.flags[(y+1)*row+x+1] &^= flagVisited
	}
}

// quiet reports whether no coefficient of a column of four is significant, was visited or has a significant neighbour.
func (c *coder) quiet(x, y0 int) bool {
	for y := y0; y < y0+4; y++ {
		if c.flags[(y+1)*(c.w+2)+x+1]&(flagSignificant|flagVisited) != 0 || c.zeroContext(x, y) != 0 {
			return false
		}
	}
	return true
}

// mq is the arithmetic decoder, which also reads bits that are not coded.
type mq struct {
	data   []byte
	at     int
	a, c   uint32
	count  int
	states [19]uint8 // number of the state << 1 | likelier symbol
}

// mqState is a state: the probability of the less likely symbol and the states that follow.
type mqState struct {
	qe         uint32
	next, less uint8
	flip       uint8
}

var mqStates = [47]mqState{
	{0x5601, 1, 1, 1},
	{0x3401, 2, 6, 0},
	{0x1801, 3, 9, 0},
	{0x0ac1, 4, 12, 0},
	{0x0521, 5, 29, 0},
	{0x0221, 38, 33, 0},
	{0x5601, 7, 6, 1},
	{0x5401, 8, 14, 0},
	{0x4801, 9, 14, 0},
	{0x3801, 10, 14, 0},
	{0x3001, 11, 17, 0},
	{0x2401, 12, 18, 0},
	{0x1c01, 13, 20, 0},
	{0x1601, 29, 21, 0},
	{0x5601, 15, 14, 1},
	{0x5401, 16, 14, 0},
	{0x5101, 17, 15, 0},
	{0x4801, 18, 16, 0},
	{0x3801, 19, 17, 0},
	{0x3401, 20, 18, 0},
	{0x3001, 21, 19, 0},
	{0x2801, 22, 19, 0},
	{0x2401, 23, 20, 0},
	{0x2201, 24, 21, 0},
	{0x1c01, 25, 22, 0},
	{0x1801, 26, 23, 0},
	{0x1601, 27, 24, 0},
	{0x1401, 28, 25, 0},
	{0x1201, 29, 26, 0},
	{0x1101, 30, 27, 0},
	{0x0ac1, 31, 28, 0},
	{0x09c1, 32, 29, 0},
	{0x08a1, 33, 30, 0},
	{0x0521, 34, 31, 0},
	{0x0441, 35, 32, 0},
	{0x02a1, 36, 33, 0},
	{0x0221, 37, 34, 0},
	{0x0141, 38, 35, 0},
	{0x0111, 39, 36, 0},
	{0x0085, 40, 37, 0},
	{0x0049, 41, 38, 0},
	{0x0025, 42, 39, 0},
	{0x0015, 43, 40, 0},
	{0x0009, 44, 41, 0},
	{0x0005, 45, 42, 0},
	{0x0001, 45, 43, 0},
	{0x5601, 46, 46, 0},
}

// reset gives all contexts their first states.
func (m *mq) reset() {
	clear(m.states[:])
	m.states[0], m.states[contextRun], m.states[contextUniform] = 4<<1, 3<<1, 46<<1
}

// start begins a segment; beyond its end there are ones.
func (m *mq) start(data []byte, raw bool) {
	m.data, m.at, m.c, m.count = data, 0, 0, 0
	if raw {
		return
	}
	m.c = uint32(m.byteAt(0)) << 16
	m.fill()
	m.c <<= 7
	m.count -= 7
	m.a = 0x8000
}

func (m *mq) byteAt(i int) byte {
	if i < len(m.data) {
		return m.data[i]
	}
	return 0xff
}

func (m *mq) fill() {
	if m.byteAt(m.at) != 0xff {
		m.at++
		m.c += uint32(m.byteAt(m.at)) << 8
		m.count = 8
		return
	}
	if next := m.byteAt(m.at + 1); next > 0x8f {
		m.c += 0xff00
		m.count = 8
	} else {
		m.at++
		m.c += uint32(next) << 9
		m.count = 7
	}
}

// decode decodes a bit in a context.
func (m *mq) decode(context int) int {
	state := &m.states[context]
	s, likely := &mqStates[*state>>1], int(*state&1)
	m.a -= s.qe
	bit := likely
	if m.c>>16 < s.qe {
		if m.a < s.qe {
			*state = s.next<<1 | uint8(likely)
		} else {
			bit = 1 - likely
			*state = s.less<<1 | uint8(likely) ^ s.flip
		}
		m.a = s.qe
	} else {
		m.c -= s.qe << 16
		if m.a&0x8000 != 0 {
			return bit
		}
		if m.a < s.qe {
			bit = 1 - likely
			*state = s.less<<1 | uint8(likely) ^ s.flip
		} else {
			*state = s.next<<1 | uint8(likely)
		}
	}
	for {
		if m.count == 0 {
			m.fill()
		}
		m.a <<= 1
		m.c <<= 1
		m.count--
		if m.a&0x8000 != 0 {
			return bit
		}
	}
}

// raw reads a bit that is not coded; after a byte of ones the next one has seven bits.
func (m *mq) raw() int {
	if m.count == 0 {
		full := m.c == 0xff
		m.c = uint32(m.byteAt(m.at))
		if m.at < len(m.data) {
			m.at++
		}
		if m.count = 8; full {
			m.count = 7
		}
	}
	m.count--
	return int(m.c >> m.count & 1)
}
