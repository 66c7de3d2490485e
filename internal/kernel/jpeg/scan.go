package jpeg

// table is a Huffman table.
type table struct {
	vals  []byte
	first [18]int32 // the first code of each length
	limit [18]int32 // behind the last code of each length, -1 when there is none
	at    [18]int   // where the values of a length start
}

func (d *decoder) huffTables(p []byte) error {
	for len(p) > 0 {
		if len(p) < 17 || p[0]>>4 > 1 || p[0]&15 > 3 {
			return ErrDamaged
		}
		t, code, n := &table{}, int32(0), 0
		for l := 1; l <= 16; l++ {
			count := int(p[l])
			t.first[l], t.at[l], t.limit[l] = code, n, code+int32(count)
			if code += int32(count); code > 1<<l {
				return ErrDamaged
			}
			code, n = code<<1, n+count
		}
		if n > 256 || len(p) < 17+n {
			return ErrDamaged
		}
		t.vals = p[17 : 17+n]
		d.huff[p[0]>>4][p[0]&15] = t
		p = p[17+n:]
	}
	return nil
}

// scan is the state of one scan.
type scan struct {
	comps     []*component
	from, to  int // spectral selection
	high, low uint
	bits      uint32
	count     int  // bits left in bits
	ended     bool // a marker stands ahead: zeros follow
	run       int  // blocks that the current end of band still covers
}

func (d *decoder) startScan(p []byte) error {
	if d.comps == nil || len(p) < 1 || len(p) != 4+2*int(p[0]) || p[0] < 1 || int(p[0]) > len(d.comps) {
		return ErrDamaged
	}
	if d.scans++; d.scans > maxScans {
		return ErrUnsupported
	}
	n := int(p[0])
	s := scan{from: int(p[1+2*n]), to: int(p[2+2*n]), high: uint(p[3+2*n] >> 4), low: uint(p[3+2*n] & 15)}
	if !d.progressive {
		s.from, s.to, s.high, s.low = 0, 63, 0, 0
	}
	if s.from > s.to || s.to > 63 || s.low > 13 || d.progressive && (s.from == 0) != (s.to == 0) || s.from > 0 && n > 1 {
		return ErrDamaged
	}
	for i := range n {
		c := d.component(int(p[1+2*i]))
		if c == nil || p[2+2*i]>>4 > 3 || p[2+2*i]&15 > 3 {
			return ErrDamaged
		}
		c.dcTable, c.acTable = int(p[2+2*i]>>4), int(p[2+2*i]&15)
		s.comps = append(s.comps, c)
	}
	d.scan = s
	return d.runScan()
}

func (d *decoder) component(id int) *component {
	for i := range d.comps {
		if d.comps[i].id == id {
			return &d.comps[i]
		}
	}
	return nil
}

// runScan decodes all units of a scan: single blocks where it has one component, else the blocks of all.
func (d *decoder) runScan() error {
	s := &d.scan
	wide, high := ceilDiv(d.width, 8*d.hMax), ceilDiv(d.height, 8*d.vMax)
	if len(s.comps) == 1 {
		wide, high = s.comps[0].wide, s.comps[0].high
	}
	d.reset()
	for u := range wide * high {
		if d.restart > 0 && u > 0 && u%d.restart == 0 {
			if err := d.nextRestart(); err != nil {
				return err
			}
		}
		x, y := u%wide, u/wide
		if len(s.comps) == 1 {
			if err := d.block(s.comps[0], x, y); err != nil {
				return err
			}
			continue
		}
		for _, c := range s.comps {
			for k := range c.h * c.v {
				if err := d.block(c, x*c.h+k%c.h, y*c.v+k/c.h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// reset starts anew, as at the start of a scan and behind a restart marker.
func (d *decoder) reset() {
	s := &d.scan
	s.bits, s.count, s.ended, s.run = 0, 0, false, 0
	for _, c := range s.comps {
		c.pred = 0
	}
}

// nextRestart looks for the restart marker.
func (d *decoder) nextRestart() error {
	d.reset()
	for ; d.at+1 < len(d.b); d.at++ {
		if d.b[d.at] == 0xFF && d.b[d.at+1] >= 0xD0 && d.b[d.at+1] <= 0xD7 {
			d.at += 2
			return nil
		}
		if d.b[d.at] == 0xFF && d.b[d.at+1] != 0 && d.b[d.at+1] != 0xFF {
			break
		}
	}
	return ErrDamaged
}

// bit is the next bit of the scan; behind its end all are 0.
func (d *decoder) bit() int32 {
	s := &d.scan
	if s.count == 0 {
		s.bits, s.count = 0, 8
		if !s.ended && d.at < len(d.b) {
			s.bits = uint32(d.b[d.at])
			switch {
			case s.bits != 0xFF:
				d.at++
			case d.at+1 < len(d.b) && d.b[d.at+1] == 0:
				d.at += 2
			default:
				s.bits, s.ended = 0, true
			}
		}
	}
	s.count--
	return int32(s.bits>>s.count) & 1
}

func (d *decoder) read(n uint) int32 {
	v := int32(0)
	for range n {
		v = v<<1 | d.bit()
	}
	return v
}

// extend reads an n-bit number whose first bit says its sign.
func (d *decoder) extend(n uint) int32 {
	v := d.read(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

func (d *decoder) symbol(t *table) (int, error) {
	if t == nil {
		return 0, ErrDamaged
	}
	code := int32(0)
	for l := 1; l <= 16; l++ {
		code = code<<1 | d.bit()
		if code < t.limit[l] {
			return int(t.vals[t.at[l]+int(code-t.first[l])]), nil
		}
	}
	return 0, ErrDamaged
}

// block decodes what the scan says of one block.
func (d *decoder) block(c *component, x, y int) error {
	s := &d.scan
	at := 64 * (y*c.blocksWide + x)
	coef := c.coef[at : at+64 : at+64]
	if s.from == 0 {
		if err := d.dc(c, coef); err != nil {
			return err
		}
		if s.to == 0 {
			return nil
		}
	}
	if s.high > 0 {
		return d.refineAC(c, coef)
	}
	return d.ac(c, coef)
}

func (d *decoder) dc(c *component, coef []int16) error {
	s := &d.scan
	if s.high > 0 {
		coef[0] |= int16(d.bit() << s.low)
		return nil
	}
	n, err := d.symbol(d.huff[0][c.dcTable])
	if err != nil || n > 15 {
		return ErrDamaged
	}
	c.pred += int(d.extend(uint(n)))
	coef[0] = int16(c.pred << s.low)
	return nil
}

func (d *decoder) ac(c *component, coef []int16) error {
	s := &d.scan
	if s.run > 0 {
		s.run--
		return nil
	}
	for k := max(s.from, 1); k <= s.to; k++ {
		v, err := d.symbol(d.huff[1][c.acTable])
		if err != nil {
			return err
		}
		zeros, n := v>>4, uint(v&15)
		switch {
		case n > 0:
			if k += zeros; k > 63 {
				return ErrDamaged
			}
			coef[zigzag[k]] = int16(d.extend(n) << s.low)
		case zeros == 15:
			k += 15
		default:
			if s.run = 0; d.progressive {
				s.run = 1<<zeros - 1 + int(d.read(uint(zeros)))
			}
			return nil
		}
	}
	return nil
}

// refineAC adds a bit to coefficients that are not zero and places new ones between them.
func (d *decoder) refineAC(c *component, coef []int16) error {
	s := &d.scan
	k := s.from
	for s.run == 0 && k <= s.to {
		v, err := d.symbol(d.huff[1][c.acTable])
		if err != nil {
			return err
		}
		zeros, n := v>>4, v&15
		fresh := int16(0)
		switch {
		case n == 1:
			if fresh = -1 << s.low; d.bit() == 1 {
				fresh = 1 << s.low
			}
		case n > 1:
			return ErrDamaged
		case zeros < 15:
			s.run = 1<<zeros + int(d.read(uint(zeros)))
			continue
		}
		for ; k <= s.to; k++ {
			p := &coef[zigzag[k]]
			if *p == 0 {
				if zeros == 0 {
					*p = fresh
					k++
					break
				}
				zeros--
				continue
			}
			d.refine(p)
		}
	}
	if s.run > 0 {
		for ; k <= s.to; k++ {
			if p := &coef[zigzag[k]]; *p != 0 {
				d.refine(p)
			}
		}
		s.run--
	}
	return nil
}

// refine reads one more bit of a coefficient.
func (d *decoder) refine(p *int16) {
	bit := int16(1) << d.scan.low
	if d.bit() == 0 || *p&bit != 0 {
		return
	}
	if *p > 0 {
		*p += bit
	} else {
		*p -= bit
	}
}
