package sample

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Deform reads an image [C, H, W] under the taps of a kernel, each moved by an offset of its own, into columns
// [C·taps, places]. Offsets are [OffsetGroups, taps, 2, places], y before x, and masks [OffsetGroups, taps, places].
type Deform[T Float] struct {
	C, H, W                   int
	KernelH, KernelW          int
	OutH, OutW                int
	StrideH, StrideW          int
	DilationH, DilationW      int
	Top, Left                 int // padding
	OffsetGroups              int
	Image, Offset, Mask, Cols []T // Mask may be nil
	DCols                     []T // gradients of Cols, for Back
	DImage, DOffset, DMask    []T // results of Back; DImage is added to, the others are set; each may be nil
	back                      bool
}

func (d *Deform[T]) taps() int   { return d.KernelH * d.KernelW }
func (d *Deform[T]) places() int { return d.OutH * d.OutW }

// Columns fills Cols.
func (d *Deform[T]) Columns(team *parallel.Team) {
	d.back = false
	team.Do(d.C, d)
}

// Back computes the gradients of the image, the offsets and the mask.
func (d *Deform[T]) Back(team *parallel.Team) {
	d.back = true
	team.Do(d.OffsetGroups, d)
}

// Tile does a channel, or backwards a group of offsets.
func (d *Deform[T]) Tile(i int) {
	if d.back {
		for k := range d.taps() {
			d.tapBack(i, k)
		}
		return
	}
	x := d.Image[i*d.H*d.W : (i+1)*d.H*d.W]
	group := i / (d.C / d.OffsetGroups)
	for k := range d.taps() {
		to := d.Cols[(i*d.taps()+k)*d.places():][:d.places()]
		for p := range to {
			v, y, u := 0.0, 0.0, 0.0
			y, u = d.place(group, k, p)
			for _, q := range d.corners(y, u) {
				if q.at >= 0 {
					v += q.w * float64(x[q.at])
				}
			}
			to[p] = T(v * d.mask(group, k, p))
		}
	}
}

func (d *Deform[T]) offsetAt(group, k, p int) int { return (group*d.taps()+k)*2*d.places() + p }

// place is where tap k of place p lies.
func (d *Deform[T]) place(group, k, p int) (y, x float64) {
	at := d.offsetAt(group, k, p)
	y = float64(p/d.OutW*d.StrideH-d.Top+k/d.KernelW*d.DilationH) + float64(d.Offset[at])
	x = float64(p%d.OutW*d.StrideW-d.Left+k%d.KernelW*d.DilationW) + float64(d.Offset[at+d.places()])
	return y, x
}

func (d *Deform[T]) mask(group, k, p int) float64 {
	if d.Mask == nil {
		return 1
	}
	return float64(d.Mask[(group*d.taps()+k)*d.places()+p])
}

// near is a pixel beside a place: its weight, and that weight's slopes along y and x.
type near struct {
	at        int
	w, dy, dx float64
}

// corners are the four pixels around a place; at is -1 for those outside the image.
func (d *Deform[T]) corners(y, x float64) (c [4]near) {
	for i := range c {
		c[i].at = -1
	}
	if !(y > -1 && y < float64(d.H) && x > -1 && x < float64(d.W)) {
		return c
	}
	y0, x0 := math.Floor(y), math.Floor(x)
	v, u := y-y0, x-x0
	for i, q := range [4]near{
		{0, (1 - v) * (1 - u), u - 1, v - 1}, {0, (1 - v) * u, -u, 1 - v}, {0, v * (1 - u), 1 - u, -v}, {0, v * u, u, v},
	} {
		r, s := int(y0)+i/2, int(x0)+i%2
		if q.at = -1; r >= 0 && r < d.H && s >= 0 && s < d.W {
			q.at = r*d.W + s
		}
		c[i] = q
	}
	return c
}

// tapBack does one tap of all channels of a group of offsets.
func (d *Deform[T]) tapBack(group, k int) {
	per, plane := d.C/d.OffsetGroups, d.H*d.W
	for p := range d.places() {
		y, x := d.place(group, k, p)
		around, m := d.corners(y, x), d.mask(group, k, p)
		dy, dx, dm := 0.0, 0.0, 0.0
		for c := group * per; c < (group+1)*per; c++ {
			g := float64(d.DCols[(c*d.taps()+k)*d.places()+p])
			for _, q := range around {
				if q.at < 0 {
					continue
				}
				v := float64(d.Image[c*plane+q.at])
				dy += g * m * q.dy * v
				dx += g * m * q.dx * v
				dm += g * q.w * v
				if d.DImage != nil {
					d.DImage[c*plane+q.at] += T(g * m * q.w)
				}
			}
		}
		if d.DOffset != nil {
			at := d.offsetAt(group, k, p)
			d.DOffset[at], d.DOffset[at+d.places()] = T(dy), T(dx)
		}
		if d.DMask != nil {
			d.DMask[(group*d.taps()+k)*d.places()+p] = T(dm)
		}
	}
}
