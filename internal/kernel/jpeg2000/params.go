package jpeg2000

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// params is what the headers say of the coding: of the whole image, or of a tile.
type params struct {
	progression, layers int
	transform           bool // between the first three components
	sop, eph            bool
	comps               []coding
	quants              []quant
	shifts              []int  // of regions of interest
	ownCoding, ownQuant []bool // set for one component, which a setting for all leaves alone
	coded, quantised    bool
}

// coding is the coding of a component.
type coding struct {
	levels        int
	width, height int // of code-blocks, logarithms
	style         byte
	reversible    bool
	precincts     []byte // logarithms of width, and of height << 4, from the lowest resolution on
}

// Styles of code-blocks.
const (
	styleBypass = 1 << iota
	styleReset
	styleTerminate
	styleCausal
	stylePredictable
	styleSymbols
)

// quant is the quantisation of a component.
type quant struct {
	style, guard int
	steps        []quantStep
}

type quantStep struct{ exponent, mantissa int }

func newParams(comps int) params {
	return params{
		comps: make([]coding, comps), quants: make([]quant, comps), shifts: make([]int, comps), ownCoding: make([]bool, comps), ownQuant: make([]bool, comps),
	}
}

// clone is a copy for a tile, in which what the main header says of one component is no longer preferred.
func (p *params) clone() params {
	c := *p
	c.comps, c.quants, c.shifts = slices.Clone(p.comps), slices.Clone(p.quants), slices.Clone(p.shifts)
	c.ownCoding, c.ownQuant = make([]bool, len(p.comps)), make([]bool, len(p.comps))
	return c
}

func (p *params) check() error {
	if !p.coded || !p.quantised {
		return errors.New("coding or quantisation is not given")
	}
	for i, c := range p.comps {
		if q := p.quants[i]; q.style == 1 && len(q.steps) < 1 || q.style != 1 && len(q.steps) < 3*c.levels+1 {
			return fmt.Errorf("%d steps of quantisation for %d levels", len(q.steps), c.levels)
		}
	}
	return nil
}

// set takes a marker segment in.
func (p *params) set(marker byte, b []byte) (err error) {
	switch marker {
	case 0x52: // COD
		return p.setCoding(b)
	case 0x53: // COC
		if len(b) < 2 || int(b[0]) >= len(p.comps) {
			return errShort
		}
		p.ownCoding[b[0]] = true
		p.comps[b[0]], err = codingOf(b[2:], b[1]&1 != 0)
	case 0x5c: // QCD
		q, err := quantOf(b)
		if err != nil {
			return err
		}
		p.quantised = true
		for i := range p.quants {
			if !p.ownQuant[i] {
				p.quants[i] = q
			}
		}
	case 0x5d: // QCC
		if len(b) < 1 || int(b[0]) >= len(p.comps) {
			return errShort
		}
		p.ownQuant[b[0]] = true
		p.quants[b[0]], err = quantOf(b[1:])
	case 0x5e: // RGN
		if len(b) < 3 || int(b[0]) >= len(p.comps) || b[1] != 0 || b[2] > 20 {
			return errors.New("a region of interest is not understood")
		}
		p.shifts[b[0]] = int(b[2])
	case 0x5f:
		return errors.New("changes of the progression are not supported")
	case 0x60, 0x61:
		return errors.New("packed packet headers are not supported")
	}
	return err
}

func (p *params) setCoding(b []byte) error {
	if len(b) < 5 {
		return errShort
	}
	p.sop, p.eph = b[0]&2 != 0, b[0]&4 != 0
	p.progression, p.layers, p.transform = int(b[1]), int(binary.BigEndian.Uint16(b[2:])), b[4] != 0
	if p.progression > 4 || p.layers < 1 {
		return fmt.Errorf("progression %d of %d layers is not known", p.progression, p.layers)
	}
	c, err := codingOf(b[5:], b[0]&1 != 0)
	if err != nil {
		return err
	}
	p.coded = true
	for i := range p.comps {
		if !p.ownCoding[i] {
			p.comps[i] = c
		}
	}
	return nil
}

func codingOf(b []byte, precincts bool) (coding, error) {
	if len(b) < 5 {
		return coding{}, errShort
	}
	c := coding{levels: int(b[0]), width: int(b[1]&15) + 2, height: int(b[2]&15) + 2, style: b[3], reversible: b[4] == 1}
	if c.levels > 24 || c.width > 10 || c.height > 10 || c.width+c.height > 12 || b[4] > 1 || c.style >= 64 {
		return c, errors.New("the coding is not understood")
	}
	c.precincts = slices.Repeat([]byte{0xff}, c.levels+1)
	if precincts {
		if len(b) < 6+c.levels {
			return c, errShort
		}
		copy(c.precincts, b[5:])
		for r, v := range c.precincts {
			if r > 0 && (v&15 == 0 || v>>4 == 0) {
				return c, errors.New("a precinct is too small")
			}
		}
	}
	return c, nil
}

func quantOf(b []byte) (quant, error) {
	if len(b) < 1 {
		return quant{}, errShort
	}
	q := quant{style: int(b[0] & 31), guard: int(b[0] >> 5)}
	b = b[1:]
	switch q.style {
	case 0:
		for _, v := range b {
			q.steps = append(q.steps, quantStep{exponent: int(v >> 3)})
		}
	case 1, 2:
		for ; len(b) >= 2; b = b[2:] {
			v := int(binary.BigEndian.Uint16(b))
			q.steps = append(q.steps, quantStep{v >> 11, v & 2047})
		}
	default:
		return q, fmt.Errorf("quantisation %d is not known", q.style)
	}
	return q, nil
}

// step is the quantisation of a band: number band of resolution r, of levels.
func (q *quant) step(r, band, levels int) quantStep {
	if q.style != 1 {
		return q.steps[max(3*(r-1)+1, 0)+band]
	}
	s := q.steps[0]
	if s.exponent -= max(r-1, 0); s.exponent < 0 {
		s.exponent = 0
	}
	return s
}
