package jpeg2000

import (
	"errors"
	"math"
)

// plane is the samples of a component of a tile: whole numbers after the reversible wavelet, else floats.
type plane struct {
	x0, y0, w, h int
	reversible   bool
	ints         []int32
	floats       []float32
}

// rebuild decodes the code-blocks of component i and turns the wavelet transform back.
func (t *tile) rebuild(i int, c *tileComponent) plane {
	code := &t.params.comps[i]
	k := &coder{}
	p := plane{reversible: code.reversible}
	for r, res := range c.levels {
		for _, q := range res.precincts {
			for b := range q.bands {
				for j := range q.bands[b].blocks {
					k.decode(&q.bands[b].blocks[j], q.bands[b].band, code.style, t.params.shifts[i])
				}
			}
		}
		low := p
		p = plane{x0: res.x0, y0: res.y0, w: max(res.x1-res.x0, 0), h: max(res.y1-res.y0, 0), reversible: code.reversible}
		if code.reversible {
			p.ints = make([]int32, p.w*p.h)
			level(&p, p.ints, low.ints, res.bands, r, func(v int32, _ *band) int32 { return v / 2 }, lift53)
		} else {
			p.floats = make([]float32, p.w*p.h)
			level(&p, p.floats, low.floats, res.bands, r, func(v int32, b *band) float32 { return float32(v) * (b.step / 2) }, lift97)
		}
		for _, b := range res.bands {
			b.coefs = nil
		}
	}
	return p
}

// level computes resolution r: the values of its only band, or the transform of the lower resolution and the bands turned back.
func level[T int32 | float32](p *plane, to, low []T, bands []*band, r int, value func(int32, *band) T, lift func([]T, int)) {
	if r == 0 {
		for i, v := range bands[0].coefs {
			to[i] = value(v, bands[0])
		}
		return
	}
	// Even places are low.
	put := func(dx, dy int, at func(i int) T) {
		i := 0
		for y := (dy + p.y0) & 1; y < p.h; y += 2 {
			for x := (dx + p.x0) & 1; x < p.w; x += 2 {
				to[y*p.w+x] = at(i)
				i++
			}
		}
	}
	put(0, 0, func(i int) T { return low[i] })
	for _, b := range bands {
		put(b.kind&1, b.kind>>1, func(i int) T { return value(b.coefs[i], b) })
	}
	inverse(p, to, lift)
}

// inverse turns a level of the transform back, across and then down.
func inverse[T int32 | float32](p *plane, v []T, lift func(line []T, first int)) {
	if len(v) == 0 {
		return
	}
	line := make([]T, max(p.w, p.h)+2*margin)
	for y := range p.h {
		turn(line[:p.w+2*margin], v[y*p.w:], 1, p.w, p.x0, lift)
	}
	for x := range p.w {
		turn(line[:p.h+2*margin], v[x:], p.w, p.h, p.y0, lift)
	}
}

// margin is how far a line is mirrored at its ends; it is even, so that places keep their parity.
const margin = 4

// turn turns the line of n elements in v back, whose first place is first.
func turn[T int32 | float32](line, v []T, step, n, first int, lift func(line []T, first int)) {
	if n == 1 {
		if first&1 == 1 {
			v[0] /= 2
		}
		return
	}
	for i := range n {
		line[margin+i] = v[i*step]
	}
	for i := 1; i <= margin; i++ {
		line[margin-i] = line[margin+mirrored(i, n)]
		line[margin+n-1+i] = line[margin+mirrored(n-1+i, n)]
	}
	lift(line, first&1)
	for i := range n {
		v[i*step] = line[margin+i]
	}
}

// mirrored is the place, of n, that place i beyond the end stands for.
func mirrored(i, n int) int {
	period := 2 * (n - 1)
	if i %= period; i >= n {
		return period - i
	}
	return i
}

// lift53 is the reversible transform; first is the parity of the first place.
func lift53(v []int32, first int) {
	for i := 2 + first&1; i < len(v)-1; i += 2 {
		v[i] -= (v[i-1] + v[i+1] + 2) >> 2
	}
	for i := 3 - first&1; i < len(v)-1; i += 2 {
		v[i] += (v[i-1] + v[i+1]) >> 1
	}
}

// lift97 is the irreversible transform.
func lift97(v []float32, first int) {
	const alpha, beta, gamma, delta, k = -1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971, 1.230174104914001
	for i := range v {
		if (i+first)&1 == 0 {
			v[i] *= k
		} else {
			v[i] *= 1 / k
		}
	}
	for s, c := range [4]float32{delta, gamma, beta, alpha} {
		for i := 1 + (s+1+first)&1; i < len(v)-1; i += 2 {
			v[i] -= float32(c * (v[i-1] + v[i+1]))
		}
	}
}

var errMix = errors.New("components of different sizes or wavelets are to be mixed")

// mix turns the transform of the three components back.
func mix(p []plane) error {
	for _, q := range p[1:] {
		if q.w != p[0].w || q.h != p[0].h || q.reversible != p[0].reversible {
			return errMix
		}
	}
	for i := range p[0].ints {
		y, cb, cr := p[0].ints[i], p[1].ints[i], p[2].ints[i]
		g := y - (cb+cr)>>2
		p[0].ints[i], p[1].ints[i], p[2].ints[i] = cr+g, g, cb+g
	}
	for i := range p[0].floats {
		y, cb, cr := p[0].floats[i], p[1].floats[i], p[2].floats[i]
		p[0].floats[i] = y + float32(1.402*cr)
		p[1].floats[i] = y - float32(0.344136*cb) - float32(0.714136*cr)
		p[2].floats[i] = y + float32(1.772*cb)
	}
	return nil
}

// store writes a component of the tile into the image.
func (t *tile) store(i int, p *plane) {
	c := &t.d.comps[i]
	half, top := 1<<(c.depth-1), 1<<c.depth-1
	for y := range p.h {
		for x := range p.w {
			v := 0
			if p.reversible {
				v = int(p.ints[y*p.w+x])
			} else {
				v = int(math.RoundToEven(min(max(float64(p.floats[y*p.w+x]), -1<<20), 1<<20)))
			}
			v = min(max(v+half, 0), top) // a signed component is moved as well
			if c.depth > 8 {
				v >>= c.depth - 8
			} else if c.depth < 8 {
				v = (v*255 + top/2) / top
			}
			c.pix[(p.y0-c.y0+y)*c.w+p.x0-c.x0+x] = byte(v)
		}
	}
}
