package sample

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Deform reads an image [C, In...] under the taps of a kernel, each moved by an offset of its own, into columns
// [C·taps, places]. Offsets are [OffsetGroups, taps, axes, places] and masks [OffsetGroups, taps, places].
type Deform[T Float] struct {
	C                         int
	In, Kernel, Out           []int
	Strides, Dilations        []int
	Before                    []int // padding
	OffsetGroups              int
	Image, Offset, Mask, Cols []T // Mask may be nil
	DCols                     []T // gradients of Cols, for Back
	DImage, DOffset, DMask    []T // results of Back; DImage is added to, the others are set; each may be nil
	back                      bool
}

func (d *Deform[T]) taps() int   { return product(d.Kernel) }
func (d *Deform[T]) places() int { return product(d.Out) }

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
	near := newNeighbours(len(d.In))
	for k := range d.taps() {
		if d.back {
			d.tapBack(near, i, k)
		} else {
			d.tap(near, i, k)
		}
	}
}

// tap reads one tap of channel i.
func (d *Deform[T]) tap(near *neighbours, i, k int) {
	size, places := product(d.In), d.places()
	x, group := d.Image[i*size:(i+1)*size], i/(d.C/d.OffsetGroups)
	to := d.Cols[(i*d.taps()+k)*places:][:places]
	for p := range to {
		d.around(near, group, k, p)
		v := 0.0
		for q, at := range near.at {
			if at >= 0 {
				v += near.w[q] * float64(x[at])
			}
		}
		to[p] = T(v * d.mask(group, k, p))
	}
}

// offsetAt is where the first of the offsets of tap k at place p lies; those of the next axes follow at places() each.
func (d *Deform[T]) offsetAt(group, k, p int) int { return (group*d.taps()+k)*len(d.In)*d.places() + p }

func (d *Deform[T]) mask(group, k, p int) float64 {
	if d.Mask == nil {
		return 1
	}
	return float64(d.Mask[(group*d.taps()+k)*d.places()+p])
}

// neighbours are the elements of an image beside a place, two along each axis: where they are, -1 outside of the image, their
// weights, and the slopes of those along each axis.
type neighbours struct {
	at    []int
	w     []float64
	slope [][]float64
	first []int
	part  []float64
}

func newNeighbours(axes int) *neighbours {
	n := &neighbours{at: make([]int, 1<<axes), w: make([]float64, 1<<axes), first: make([]int, axes), part: make([]float64, axes)}
	for range axes {
		n.slope = append(n.slope, make([]float64, 1<<axes))
	}
	return n
}

// around finds the neighbours of where tap k of place p lies.
func (d *Deform[T]) around(near *neighbours, group, k, p int) {
	inside, offset, places := true, d.offsetAt(group, k, p), d.places()
	for a := len(d.In) - 1; a >= 0; a-- {
		at := float64(p%d.Out[a]*d.Strides[a]-d.Before[a]+k%d.Kernel[a]*d.Dilations[a]) + float64(d.Offset[offset+a*places])
		p, k = p/d.Out[a], k/d.Kernel[a]
		if !(at > -1 && at < float64(d.In[a])) {
			inside = false
			break
		}
		whole := math.Floor(at)
		near.first[a], near.part[a] = int(whole), at-whole
	}
	for q := range near.at {
		near.at[q] = -1
		if inside {
			d.corner(near, q)
		}
	}
}

// corner computes neighbour q: bit a of q, counted from the last axis, says that it is the second along that axis.
func (d *Deform[T]) corner(near *neighbours, q int) {
	axes, at, w := len(d.In), 0, 1.0
	for a := range axes {
		near.slope[a][q] = 1
	}
	for a := range axes {
		second := q >> (axes - 1 - a) & 1
		i, part, slope := near.first[a]+second, 1-near.part[a], -1.0
		if second == 1 {
			part, slope = near.part[a], 1
		}
		if i < 0 || i >= d.In[a] {
			at = -1
		} else if at >= 0 {
			at = at*d.In[a] + i
		}
		w *= part
		for b := range axes {
			if b == a {
				near.slope[b][q] *= slope
			} else {
				near.slope[b][q] *= part
			}
		}
	}
	near.at[q], near.w[q] = at, w
}

// tapBack does one tap of all channels of a group of offsets.
func (d *Deform[T]) tapBack(near *neighbours, group, k int) {
	per, size, places := d.C/d.OffsetGroups, product(d.In), d.places()
	moved := make([]float64, len(d.In))
	for p := range places {
		d.around(near, group, k, p)
		clear(moved)
		m, dm := d.mask(group, k, p), 0.0
		for c := group * per; c < (group+1)*per; c++ {
			g := float64(d.DCols[(c*d.taps()+k)*places+p])
			for q, at := range near.at {
				if at < 0 {
					continue
				}
				v := float64(d.Image[c*size+at])
				for a := range moved {
					moved[a] += g * m * near.slope[a][q] * v
				}
				dm += g * near.w[q] * v
				if d.DImage != nil {
					d.DImage[c*size+at] += T(g * m * near.w[q])
				}
			}
		}
		if d.DOffset != nil {
			at := d.offsetAt(group, k, p)
			for a, v := range moved {
				d.DOffset[at+a*places] = T(v)
			}
		}
		if d.DMask != nil {
			d.DMask[(group*d.taps()+k)*places+p] = T(dm)
		}
	}
}
