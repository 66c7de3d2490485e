package ops

import (
	"bufio"
	"errors"
	"image"
	"image/color"
	"io"
)

var errPNM = errors.New("pnm: the file is damaged")

// pnmHeader is the start of a PNM file: P1 to P6.
type pnmHeader struct {
	kind                byte // '1' to '6'
	width, height, most int
}

func pnmConfig(r io.Reader) (image.Config, error) {
	h, err := readPNM(bufio.NewReader(r))
	return image.Config{Width: h.width, Height: h.height}, err
}

func readPNM(r *bufio.Reader) (pnmHeader, error) {
	var magic [2]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return pnmHeader{}, errPNM
	}
	h := pnmHeader{kind: magic[1], most: 1}
	numbers := []*int{&h.width, &h.height, &h.most}
	if h.kind == '1' || h.kind == '4' {
		numbers = numbers[:2]
	}
	for _, n := range numbers {
		var err error
		if *n, err = pnmNumber(r); err != nil {
			return h, err
		}
	}
	if h.kind < '1' || h.kind > '6' || h.most < 1 || h.most > 65535 {
		return h, errPNM
	}
	return h, nil
}

// pnmNumber reads a decimal number and the one byte of white space behind it. Comments run from # to the end of a line.
func pnmNumber(r *bufio.Reader) (int, error) {
	n, digits := 0, 0
	for {
		b, err := r.ReadByte()
		switch {
		case err != nil && digits > 0:
			return n, nil
		case err != nil:
			return 0, errPNM
		case b == '#':
			if _, err := r.ReadString('\n'); err != nil {
				return 0, errPNM
			}
		case b >= '0' && b <= '9':
			if n, digits = 10*n+int(b-'0'), digits+1; n > 1<<26 {
				return 0, errPNM
			}
			continue
		case b != ' ' && (b < '\t' || b > '\r'):
			return 0, errPNM
		}
		if digits > 0 {
			return n, nil
		}
	}
}

// sample reads one sample.
func (h *pnmHeader) sample(r *bufio.Reader) (int, error) {
	if h.kind == '1' { // digits need not be parted
		for {
			b, err := r.ReadByte()
			if err != nil {
				return 0, errPNM
			}
			if b == '0' || b == '1' {
				return int(b - '0'), nil
			}
		}
	}
	if h.kind <= '3' {
		return pnmNumber(r)
	}
	hi, err := r.ReadByte()
	if err != nil || h.most < 256 {
		return int(hi), err
	}
	lo, err := r.ReadByte()
	return int(hi)<<8 | int(lo), err
}

func pnmDecode(src io.Reader) (image.Image, error) {
	r := bufio.NewReader(src)
	h, err := readPNM(r)
	if err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, h.width, h.height))
	for y := range h.height {
		bits := 0
		for x := range h.width {
			var c [3]int
			switch h.kind {
			case '4':
				if x%8 == 0 {
					b, err := r.ReadByte()
					if err != nil {
						return nil, errPNM
					}
					bits = int(b)
				}
				c[0] = bits >> (7 - x%8) & 1
			case '3', '6':
				for k := range c {
					if c[k], err = h.sample(r); err != nil {
						return nil, errPNM
					}
				}
			default:
				if c[0], err = h.sample(r); err != nil {
					return nil, errPNM
				}
			}
			img.SetNRGBA(x, y, h.colour(c))
		}
	}
	return img, nil
}

// colour scales samples to 8 bits; in bitmaps 1 is black.
func (h *pnmHeader) colour(c [3]int) color.NRGBA {
	scale := func(v int) uint8 { return uint8((min(v, h.most)*255 + h.most/2) / h.most) }
	switch h.kind {
	case '1', '4':
		v := scale(1 - c[0])
		return color.NRGBA{v, v, v, 255}
	case '2', '5':
		v := scale(c[0])
		return color.NRGBA{v, v, v, 255}
	}
	return color.NRGBA{scale(c[0]), scale(c[1]), scale(c[2]), 255}
}
