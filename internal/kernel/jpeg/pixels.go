package jpeg

// transform computes the samples of all blocks.
func (c *component) transform(quant *[4][64]int32) {
	c.stride = 8 * c.blocksWide
	c.samples = make([]byte, c.stride*8*c.blocksUp)
	for i := range c.blocksWide * c.blocksUp {
		x, y := i%c.blocksWide, i/c.blocksWide
		inverse(c.samples[8*y*c.stride+8*x:], c.stride, c.coef[64*i:64*i+64], &quant[c.tq])
	}
}

// The constants of the transform, times 2^13.
const (
	c0298, c0390, c0541, c0765, c0899, c1175 = 2446, 3196, 4433, 6270, 7373, 9633
	c1501, c1847, c1961, c2053, c2562, c3072 = 12299, 15137, 16069, 16819, 20995, 25172
)

// inverse is the inverse discrete cosine transform of a block (Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT
// algorithms with 11 multiplications", 1989), in integers: columns keep 2 bits behind the point, rows round them away.
func inverse(out []byte, stride int, coef []int16, quant *[64]int32) {
	var work [64]int32
	for i := range 8 {
		var in [8]int32
		for k := range in {
			in[k] = int32(coef[8*k+i]) * quant[8*k+i]
		}
		line := inverse8(&in)
		for k, v := range line {
			work[8*k+i] = (v + 1<<10) >> 11
		}
	}
	for i := range 8 {
		in := [8]int32(work[8*i : 8*i+8])
		line := inverse8(&in)
		for k, v := range line {
			out[i*stride+k] = clamp((v+1<<17)>>18 + 128)
		}
	}
}

func clamp(v int32) byte { return byte(min(max(v, 0), 255)) }

// inverse8 is the transform of 8 numbers, times 2^13 and the square root of 8.
func inverse8(in *[8]int32) [8]int32 {
	z1 := (in[2] + in[6]) * c0541
	a2, a3 := z1-in[6]*c1847, z1+in[2]*c0765
	a0, a1 := (in[0]+in[4])<<13, (in[0]-in[4])<<13
	b0, b3, b1, b2 := a0+a3, a0-a3, a1+a2, a1-a2

	t0, t1, t2, t3 := in[7], in[5], in[3], in[1]
	y1, y2, y3, y4 := t0+t3, t1+t2, t0+t2, t1+t3
	y5 := (y3 + y4) * c1175
	t0, t1, t2, t3 = t0*c0298, t1*c2053, t2*c3072, t3*c1501
	y1, y2, y3, y4 = -y1*c0899, -y2*c2562, y5-y3*c1961, y5-y4*c0390
	t0, t1, t2, t3 = t0+y1+y3, t1+y2+y4, t2+y2+y3, t3+y1+y4
	return [8]int32{b0 + t3, b1 + t2, b2 + t1, b3 + t0, b3 - t0, b2 - t1, b1 - t2, b0 - t3}
}

// image brings all components to full size and converts their colours.
func (d *decoder) image() *Image {
	img := &Image{Width: d.width, Height: d.height, Pix: make([]byte, 3*d.width*d.height)}
	rows := make([][]byte, len(d.comps))
	convert := d.converter()
	for y := range d.height {
		for i := range d.comps {
			rows[i] = d.comps[i].row(rows[i], y, d)
		}
		convert(img.Pix[3*y*d.width:3*(y+1)*d.width], rows)
	}
	return img
}

// row is row y of the component at full size, in the memory of buf where that is enough.
func (c *component) row(buf []byte, y int, d *decoder) []byte {
	if need := c.width*(d.hMax/c.h) + d.hMax + 4; len(buf) < need || len(buf) < d.width {
		buf = make([]byte, max(need, d.width))
	}
	fx, fy := d.hMax/c.h, d.vMax/c.v
	whole := d.hMax%c.h == 0 && d.vMax%c.v == 0
	switch {
	case whole && fx == 2 && fy == 1 && c.width > 2:
		widen(buf, c.line(y))
	case whole && fx == 2 && fy == 2 && c.width > 2:
		near, far := c.lines(y)
		widen2(buf, near, far)
	case whole && fx == 1 && fy == 2:
		near, far := c.lines(y)
		for i, v := range near {
			buf[i] = byte((3*int32(v) + int32(far[i]) + 1 + int32(y%2)) >> 2)
		}
	default:
		line := c.line(min(y*c.v/d.vMax, c.height-1))
		for x := range d.width {
			buf[x] = line[min(x*c.h/d.hMax, c.width-1)]
		}
	}
	return buf
}

func (c *component) line(y int) []byte { return c.samples[y*c.stride : y*c.stride+c.width] }

// lines is the line of samples that covers row y of twice the height, and the next one on the side where the row lies.
func (c *component) lines(y int) (near, far []byte) {
	at := y / 2
	next := min(max(at-1+2*(y%2), 0), c.height-1)
	return c.line(at), c.line(next)
}

// widen doubles a line: each new sample is 3/4 of the near one and 1/4 of the next.
func widen(out, in []byte) {
	n := len(in)
	for i := range in {
		v := 3 * int32(in[i])
		out[2*i], out[2*i+1] = in[i], in[i]
		if i > 0 {
			out[2*i] = byte((v + int32(in[i-1]) + 1) >> 2)
		}
		if i < n-1 {
			out[2*i+1] = byte((v + int32(in[i+1]) + 2) >> 2)
		}
	}
}

// widen2 doubles a line of twice the height: 3/4 and 1/4 both ways.
func widen2(out, near, far []byte) {
	sum := func(i int) int32 { return 3*int32(near[i]) + int32(far[i]) }
	n := len(near)
	for i := range near {
		v := sum(i)
		left, right := v, v
		if i > 0 {
			left = sum(i - 1)
		}
		if i < n-1 {
			right = sum(i + 1)
		}
		out[2*i], out[2*i+1] = byte((3*v+left+8)>>4), byte((3*v+right+7)>>4)
	}
}

// converter is what makes colours of rows of samples.
func (d *decoder) converter() func(pix []byte, rows [][]byte) {
	switch {
	case len(d.comps) == 1:
		return func(pix []byte, rows [][]byte) {
			for i := range len(pix) / 3 {
				pix[3*i], pix[3*i+1], pix[3*i+2] = rows[0][i], rows[0][i], rows[0][i]
			}
		}
	case d.plainColours():
		return func(pix []byte, rows [][]byte) {
			for i := range len(pix) / 3 {
				pix[3*i], pix[3*i+1], pix[3*i+2] = rows[0][i], rows[1][i], rows[2][i]
			}
		}
	}
	return func(pix []byte, rows [][]byte) {
		for i := range len(pix) / 3 {
			y, cb, cr := int32(rows[0][i]), int32(rows[1][i])-128, int32(rows[2][i])-128
			pix[3*i] = clamp(y + (91881*cr+1<<15)>>16)
			pix[3*i+1] = clamp(y + (-22554*cb-46802*cr+1<<15)>>16)
			pix[3*i+2] = clamp(y + (116130*cb+1<<15)>>16)
		}
	}
}

// plainColours reports whether the components are red, green and blue: an Adobe marker says so, or without any marker their
// names do.
func (d *decoder) plainColours() bool {
	switch {
	case d.jfif:
		return false
	case d.adobe >= 0:
		return d.adobe == 0
	}
	return d.comps[0].id == 'R' && d.comps[1].id == 'G' && d.comps[2].id == 'B'
}
