// Package jpeg decodes JPEG files, baseline and progressive, to the same pixels as the widespread libraries: the accurate
// integer inverse transform, chroma interpolated linearly, and their integer conversion of colours.
//
// Arithmetic coding, 12-bit samples and four components are not supported.
package jpeg

import (
	"errors"
)

// Errors of a file.
var (
	// ErrDamaged says that a file is not a valid JPEG file.
	ErrDamaged = errors.New("jpeg: the file is damaged")
	// ErrUnsupported says that a file uses a part of the format that this package lacks.
	ErrUnsupported = errors.New("jpeg: arithmetic coding, lossless coding, 12-bit samples or four components")
)

// maxScans bounds the work that a small file can ask for.
const maxScans = 256

// Image is the pixels of a file.
type Image struct {
	Width, Height int
	Pix           []byte // red, green and blue of each pixel, row by row
}

// component is a channel of the file.
type component struct {
	id, h, v, tq         int
	blocksWide, blocksUp int     // in whole units of interleaved scans
	wide, high           int     // real blocks, for scans of this component alone
	coef                 []int16 // 64 per block, in natural order
	samples              []byte
	stride               int
	width, height        int // real samples
	dcTable, acTable     int
	pred                 int
}

type decoder struct {
	b             []byte
	at            int
	width, height int
	progressive   bool
	comps         []component
	hMax, vMax    int
	quant         [4][64]int32
	huff          [2][4]*table
	restart       int
	adobe         int // the transform that an Adobe marker names; -1 without one
	jfif          bool
	scans         int
	scan          scan
}

// Size is the width and height that the header of a file says.
func Size(b []byte) (width, height int, err error) {
	d := decoder{b: b, adobe: -1}
	for {
		marker, part, err := d.segment()
		if err != nil {
			return 0, 0, err
		}
		if isFrame(marker) {
			err := d.frame(marker, part, false)
			return d.width, d.height, err
		}
	}
}

// Decode decodes a file.
func Decode(b []byte) (*Image, error) {
	d := decoder{b: b, adobe: -1}
	for done := false; !done; {
		marker, part, err := d.segment()
		if err == nil {
			done, err = d.handle(marker, part)
		}
		if err != nil {
			return nil, err
		}
	}
	if d.comps == nil || d.scans == 0 {
		return nil, ErrDamaged
	}
	for i := range d.comps {
		d.comps[i].transform(&d.quant)
	}
	return d.image(), nil
}

const (
	sof0, sof2, dht, soi, eoi, sos, dqt, dri = 0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
	app0, app14                              = 0xE0, 0xEE
)

func isFrame(marker int) bool {
	return marker >= sof0 && marker <= 0xCF && marker != dht && marker != 0xC8 && marker != 0xCC
}

// segment reads the next marker and what belongs to it.
func (d *decoder) segment() (marker int, part []byte, err error) {
	for d.at < len(d.b) && d.b[d.at] != 0xFF {
		d.at++ // what stands between segments is skipped
	}
	for d.at < len(d.b) && d.b[d.at] == 0xFF {
		d.at++
	}
	if d.at >= len(d.b) {
		return 0, nil, ErrDamaged
	}
	marker = int(d.b[d.at])
	d.at++
	if marker == 0 || marker == 1 || marker >= 0xD0 && marker <= eoi {
		return marker, nil, nil
	}
	if len(d.b)-d.at < 2 {
		return 0, nil, ErrDamaged
	}
	n := int(d.b[d.at])<<8 | int(d.b[d.at+1])
	if n < 2 || n > len(d.b)-d.at {
		return 0, nil, ErrDamaged
	}
	part = d.b[d.at+2 : d.at+n]
	d.at += n
	return marker, part, nil
}

// handle obeys a segment; done is true at the end of the image.
func (d *decoder) handle(marker int, part []byte) (done bool, err error) {
	switch {
	case marker == eoi:
		return true, nil
	case marker == dqt:
		return false, d.quantTables(part)
	case marker == dht:
		return false, d.huffTables(part)
	case marker == dri:
		if len(part) != 2 {
			return false, ErrDamaged
		}
		d.restart = int(part[0])<<8 | int(part[1])
	case marker == app0:
		d.jfif = d.jfif || len(part) >= 5 && string(part[:5]) == "JFIF\x00"
	case marker == app14:
		if len(part) >= 12 && string(part[:5]) == "Adobe" {
			d.adobe = int(part[11])
		}
	case marker == sos:
		return false, d.startScan(part)
	case isFrame(marker):
		return false, d.frame(marker, part, true)
	}
	return false, nil
}

func (d *decoder) quantTables(p []byte) error {
	for len(p) > 0 {
		wide, id := int(p[0]>>4), p[0]&15
		n := 64 * (1 + wide)
		if wide > 1 || id > 3 || len(p) < 1+n {
			return ErrDamaged
		}
		for i, at := range zigzag {
			if wide == 1 {
				d.quant[id][at] = int32(p[1+2*i])<<8 | int32(p[2+2*i])
			} else {
				d.quant[id][at] = int32(p[1+i])
			}
		}
		p = p[1+n:]
	}
	return nil
}

// frame reads the header of the frame and, where room is set, makes room for the coefficients.
func (d *decoder) frame(marker int, p []byte, room bool) error {
	if marker > sof2 {
		return ErrUnsupported
	}
	if len(p) < 6 || d.comps != nil {
		return ErrDamaged
	}
	if p[0] != 8 || p[5] != 1 && p[5] != 3 {
		return ErrUnsupported
	}
	d.progressive = marker == sof2
	d.height, d.width = int(p[1])<<8|int(p[2]), int(p[3])<<8|int(p[4])
	if d.width == 0 || d.height == 0 || len(p) != 6+3*int(p[5]) {
		return ErrDamaged
	}
	d.comps = make([]component, p[5])
	d.hMax, d.vMax = 1, 1
	for i := range d.comps {
		c, q := &d.comps[i], p[6+3*i:]
		c.id, c.h, c.v, c.tq = int(q[0]), int(q[1]>>4), int(q[1]&15), int(q[2])
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return ErrDamaged
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	if room {
		d.makeRoom()
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (d *decoder) makeRoom() {
	for i := range d.comps {
		c := &d.comps[i]
		c.width, c.height = ceilDiv(d.width*c.h, d.hMax), ceilDiv(d.height*c.v, d.vMax)
		c.wide, c.high = ceilDiv(c.width, 8), ceilDiv(c.height, 8)
		c.blocksWide, c.blocksUp = ceilDiv(d.width, 8*d.hMax)*c.h, ceilDiv(d.height, 8*d.vMax)*c.v
		c.coef = make([]int16, 64*c.blocksWide*c.blocksUp)
	}
}

// zigzag is the natural place of each coefficient in the order of the file.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}
