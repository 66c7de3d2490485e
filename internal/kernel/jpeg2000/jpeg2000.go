// Package jpeg2000 decodes JPEG 2000 images: JP2 files and bare codestreams of ISO/IEC 15444-1 with one to four components, all
// progressions, both wavelets, all styles of code-blocks, tiles, layers and regions of interest. What is rare is refused:
// palettes, changes of the progression, packed packet headers.
package jpeg2000

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Image is a decoded image.
type Image struct {
	Width, Height int
	Pix           []byte // red, green and blue, row by row
}

// Size is the width and height of the image in b.
func Size(b []byte) (width, height int, err error) {
	d, err := newDecoder(b)
	if err != nil {
		return 0, 0, err
	}
	return d.x1 - d.x0, d.y1 - d.y0, nil
}

// Decode decodes the image in b. Components of other depths are scaled to 8 bits; one of less resolution is repeated; a second
// or fourth one is transparency and left out.
func Decode(b []byte) (*Image, error) {
	d, err := newDecoder(b)
	if err != nil {
		return nil, err
	}
	if err := d.tileParts(); err != nil {
		return nil, err
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.x0, c.y0 = ceilDiv(d.x0, c.dx), ceilDiv(d.y0, c.dy)
		c.w, c.h = ceilDiv(d.x1, c.dx)-c.x0, ceilDiv(d.y1, c.dy)-c.y0
		c.pix = make([]byte, c.w*c.h)
	}
	for _, t := range d.tiles {
		if err := t.decode(); err != nil {
			return nil, err
		}
	}
	return d.image(), nil
}

// component is one component of an image.
type component struct {
	depth, dx, dy int
	signed        bool
	x0, y0, w, h  int
	pix           []byte
}

// decoder is an image with what its main header says.
type decoder struct {
	data                   []byte // codestream
	at                     int
	ycc                    bool // the components are luminance and colour differences
	x0, y0, x1, y1         int
	tileX, tileY           int // origin of the tiles
	tileW, tileH           int
	tilesAcross, tilesDown int
	comps                  []component
	main                   params
	tiles                  map[int]*tile
	blocks                 int // code-blocks of all tiles so far
}

var (
	errShort  = errors.New("the file ends early")
	errMarker = errors.New("a marker is out of place")
)

// maxSide bounds the sides of an image, so that sums of coordinates fit into 32 bits.
const maxSide = 1 << 26

// maxPixels bounds the pixels of an image.
const maxPixels = 1 << 28

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ceilShift is a / 2^n rounded up, for a of any sign.
func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }

// newDecoder reads everything before the first tile.
func newDecoder(b []byte) (*decoder, error) {
	d := &decoder{data: b, tiles: map[int]*tile{}}
	if bytes.HasPrefix(b, []byte("\x00\x00\x00\x0cjP  ")) {
		if err := d.boxes(b); err != nil {
			return nil, err
		}
	}
	if !bytes.HasPrefix(d.data, []byte("\xff\x4f\xff\x51")) {
		return nil, errors.New("no codestream")
	}
	d.at = 2
	return d, d.mainHeader()
}

// boxes finds the codestream and the colour space in the boxes of a JP2 file.
func (d *decoder) boxes(b []byte) error {
	for len(b) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		kind := string(b[4:8])
		if size == 1 && len(b) >= 16 {
			size, head = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size == 0 || kind == "jp2c" && size > uint64(len(b)) {
			size = uint64(len(b))
		}
		if size < head || size > uint64(len(b)) {
			return errShort
		}
		body := b[head:size]
		switch kind {
		case "jp2c":
			d.data = body
			return nil
		case "jp2h":
			if err := d.boxes(body); err != nil {
				return err
			}
		case "pclr":
			return errors.New("palettes are not supported")
		case "colr":
			if len(body) >= 7 && body[0] == 1 {
				d.ycc = binary.BigEndian.Uint32(body[3:]) == 18
			}
		}
		b = b[size:]
	}
	return nil
}

// segment reads a marker and its segment.
func (d *decoder) segment() (marker byte, body []byte, err error) {
	if d.at+4 > len(d.data) {
		return 0, nil, errShort
	}
	if d.data[d.at] != 0xff {
		return 0, nil, errMarker
	}
	marker = d.data[d.at+1]
	if marker == 0x93 || marker == 0xd9 { // SOD and EOC have no segment
		d.at += 2
		return marker, nil, nil
	}
	n := int(binary.BigEndian.Uint16(d.data[d.at+2:]))
	if n < 2 || d.at+2+n > len(d.data) {
		return 0, nil, errShort
	}
	body = d.data[d.at+4 : d.at+2+n]
	d.at += 2 + n
	return marker, body, nil
}

func (d *decoder) mainHeader() error {
	marker, body, err := d.segment()
	if err == nil && marker == 0x51 {
		err = d.size(body)
	}
	if err != nil {
		return err
	}
	d.main = newParams(len(d.comps))
	for {
		start := d.at
		marker, body, err := d.segment()
		switch {
		case err != nil:
			return err
		case marker == 0x90:
			d.at = start
			return d.main.check()
		case marker == 0x93 || marker == 0xd9:
			return errMarker
		}
		if err := d.main.set(marker, body); err != nil {
			return err
		}
	}
}

// size reads the segment SIZ.
func (d *decoder) size(b []byte) error {
	if len(b) < 36 {
		return errShort
	}
	v := make([]int, 8)
	for i := range v {
		n := binary.BigEndian.Uint32(b[2+4*i:])
		if n > maxSide && (i < 4 || i > 5) {
			return fmt.Errorf("a size of %d is too large", n)
		}
		v[i] = int(min(n, maxSide))
	}
	d.x1, d.y1, d.x0, d.y0, d.tileW, d.tileH, d.tileX, d.tileY = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
	count := int(binary.BigEndian.Uint16(b[34:]))
	if count < 1 || count > 4 {
		return fmt.Errorf("%d components, 1 to 4 are supported", count)
	}
	if len(b) < 36+3*count {
		return errShort
	}
	if d.x0 >= d.x1 || d.y0 >= d.y1 || d.tileW < 1 || d.tileH < 1 || d.tileX > d.x0 || d.tileY > d.y0 ||
		d.tileX+d.tileW <= d.x0 || d.tileY+d.tileH <= d.y0 {
		return errors.New("the image and its tiles do not overlap")
	}
	d.tilesAcross, d.tilesDown = ceilDiv(d.x1-d.tileX, d.tileW), ceilDiv(d.y1-d.tileY, d.tileH)
	pixels := int64(d.x1-d.x0) * int64(d.y1-d.y0)
	if pixels > maxPixels {
		return fmt.Errorf("%d pixels are too many", pixels)
	}
	if most := int(min(16+pixels/64, 65535)); d.tilesAcross > most/d.tilesDown { // a tile costs more than a few pixels
		return errors.New("too many tiles")
	}
	for i := range count {
		c := b[36+3*i:]
		k := component{depth: int(c[0]&0x7f) + 1, signed: c[0]&0x80 != 0, dx: int(c[1]), dy: int(c[2])}
		if k.depth > 16 || k.dx < 1 || k.dy < 1 {
			return fmt.Errorf("component %d has %d bits at steps of %d and %d", i, k.depth, k.dx, k.dy)
		}
		d.comps = append(d.comps, k)
	}
	return nil
}

// tileParts collects the headers and the data of all tiles.
func (d *decoder) tileParts() error {
	for d.at+12 <= len(d.data) {
		start := d.at
		marker, body, err := d.segment()
		switch {
		case err != nil:
			return err
		case marker == 0xd9:
			return nil
		case marker != 0x90 || len(body) < 8:
			return errMarker
		}
		index, size := int(binary.BigEndian.Uint16(body)), int64(binary.BigEndian.Uint32(body[2:]))
		end := start + int(min(size, int64(len(d.data)-start)))
		if size == 0 {
			end = len(d.data)
		}
		if index >= d.tilesAcross*d.tilesDown || end < d.at {
			return errMarker
		}
		t := d.tiles[index]
		if t == nil {
			t = &tile{d: d, index: index, params: d.main.clone()}
			d.tiles[index] = t
		}
		if err := d.tileHeader(t, body[6] == 0); err != nil {
			return err
		}
		if d.at > end {
			return errMarker
		}
		t.data = append(t.data, d.data[d.at:end]...)
		d.at = end
	}
	return nil
}

// tileHeader reads the header of a part of t, up to its data.
func (d *decoder) tileHeader(t *tile, first bool) error {
	for {
		marker, body, err := d.segment()
		switch {
		case err != nil:
			return err
		case marker == 0x93:
			return t.params.check()
		case marker == 0xd9 || marker == 0x90:
			return errMarker
		}
		if !first && (marker == 0x52 || marker == 0x53 || marker == 0x5c || marker == 0x5d) {
			return errMarker
		}
		if err := t.params.set(marker, body); err != nil {
			return err
		}
	}
}

// image puts the components together.
func (d *decoder) image() *Image {
	w, h := d.x1-d.x0, d.y1-d.y0
	m := &Image{Width: w, Height: h, Pix: make([]byte, 3*w*h)}
	colours := len(d.comps) >= 3
	for y := range h {
		for x := range w {
			p := m.Pix[3*(y*w+x):][:3]
			for i := range p {
				c := &d.comps[0]
				if colours {
					c = &d.comps[i]
				}
				p[i] = c.sample((d.x0+x)/c.dx-c.x0, (d.y0+y)/c.dy-c.y0)
			}
			if d.ycc && colours {
				fromYCC(p)
			}
		}
	}
	return m
}

func (c *component) sample(x, y int) byte {
	x, y = min(max(x, 0), c.w-1), min(max(y, 0), c.h-1)
	if x < 0 || y < 0 {
		return 0
	}
	return c.pix[y*c.w+x]
}

func fromYCC(p []byte) {
	y, cb, cr := float64(p[0]), float64(p[1])-128, float64(p[2])-128
	for i, v := range [3]float64{y + float64(1.402*cr), y - float64(0.344136*cb) - float64(0.714136*cr), y + float64(1.772*cb)} {
		p[i] = byte(min(max(v+0.5, 0), 255))
	}
}
