// Package resize samples tensors along axes: each element of the result is a weighted sum of neighbours, axis by axis.
package resize

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Float is the types that are resampled.
type Float interface{ float32 | float64 }

// Mode says how many neighbours count.
type Mode int

// Modes.
const (
	Nearest Mode = iota
	Linear
	Cubic
)

// Config is what the tables of an axis depend on, besides sizes. Names are the standard's.
type Config struct {
	Mode           Mode
	Transformation string  // half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize, tf_half_pixel_for_nn
	NearestMode    string  // round_prefer_floor, round_prefer_ceil, floor, ceil
	CubicA         float64 // coefficient of the cubic
	Exclude        bool    // weights outside the tensor are 0
	Antialias      bool
}

// Axis is how one axis is sampled: element o of the result is the sum of Weights[o·Taps+t] times element First[o]+t of the
// source, whose place is cut to the tensor.
type Axis struct {
	In, Out, Taps int
	First         []int
	Weights       []float64
	Outside       []bool // places beyond the region of tf_crop_and_resize; nil: none
}

// Identity reports whether the axis stays as it is.
func (a *Axis) Identity() bool {
	if a.In != a.Out || a.Outside != nil {
		return false
	}
	for o := range a.Out {
		for t := range a.Taps {
			want := 0.0
			if a.First[o]+t == o {
				want = 1
			}
			if a.Weights[o*a.Taps+t] != want {
				return false
			}
		}
	}
	return true
}

// at is the source element of tap t of element o.
func (a *Axis) at(o, t int) int { return min(max(a.First[o]+t, 0), a.In-1) }

// Source is the only tap of element o of an axis in mode Nearest.
func (a *Axis) Source(o int) int { return a.at(o, 0) }

// origin is the place in the source of element x of the result; outside is as in Axis.
func (c *Config) origin(x, in, out int, scale, lo, hi float64) (at float64, outside bool) {
	full, width := scale*float64(in), float64(in)
	switch c.Transformation {
	case "align_corners":
		if full == 1 {
			return 0, false
		}
		return float64(x) * (width - 1) / (full - 1), false
	case "asymmetric":
		return float64(x) / scale, false
	case "tf_crop_and_resize":
		if full == 1 {
			at = (hi - lo) * (width - 1) / 2
		} else {
			at = float64(x) * (hi - lo) * (width - 1) / (full - 1)
		}
		at += lo * (width - 1)
		return at, at < 0 || at > width-1
	case "pytorch_half_pixel":
		if full == 1 {
			return -0.5, false
		}
	case "half_pixel_symmetric":
		offset := width / 2 * (1 - float64(out)/full)
		return offset + (float64(x)+0.5)/scale - 0.5, false
	case "tf_half_pixel_for_nn":
		return (float64(x) + 0.5) / scale, false
	}
	return (float64(x)+0.5)/scale - 0.5, false
}

// Table makes the table of an axis; lo and hi are its region of interest.
func (c *Config) Table(in, out int, scale, lo, hi float64) *Axis {
	reach := c.reach(scale)
	a := &Axis{In: in, Out: out, Taps: 2 * reach, First: make([]int, out)}
	if c.Mode == Nearest {
		a.Taps = 1
	}
	a.Weights = make([]float64, out*a.Taps)
	for o := range out {
		at, outside := c.origin(o, in, out, scale, lo, hi)
		if outside {
			if a.Outside == nil {
				a.Outside = make([]bool, out)
			}
			a.Outside[o] = true
			continue
		}
		at = min(max(at, -float64(in)-4), 2*float64(in)+4) // beyond that all is edge
		left := math.Ceil(at) - 1
		ratio := at - left // in (0, 1]
		w := a.Weights[o*a.Taps : (o+1)*a.Taps]
		if c.Mode == Nearest {
			a.First[o], w[0] = int(left)+c.nearest(ratio), 1
			continue
		}
		a.First[o] = int(left) - reach + 1
		c.weights(w, ratio, scale, reach)
		if c.Exclude {
			for t := range w {
				if i := a.First[o] + t; i < 0 || i >= in {
					w[t] = 0
				}
			}
			normalise(w)
		}
	}
	return a
}

// reach is the number of neighbours on each side.
func (c *Config) reach(scale float64) int {
	n := map[Mode]float64{Linear: 1, Cubic: 2}[c.Mode]
	if c.Antialias && scale < 1 && c.Mode != Nearest {
		return int(min(math.Ceil(n/scale), 1<<24))
	}
	return int(n)
}

// nearest is 0 for the left neighbour and 1 for the right one.
func (c *Config) nearest(ratio float64) int {
	right := false
	switch {
	case ratio == 1:
		right = true
	case c.NearestMode == "floor":
	case c.NearestMode == "ceil":
		right = true
	case c.NearestMode == "round_prefer_ceil":
		right = ratio >= 0.5
	default:
		right = ratio > 0.5
	}
	if right {
		return 1
	}
	return 0
}

// weights fills w, one weight for each neighbour, where the place lies ratio behind the left one of the middle.
func (c *Config) weights(w []float64, ratio, scale float64, reach int) {
	if !c.Antialias || scale > 1 {
		scale = 1
	}
	for t := range w {
		x := math.Abs(float64(t-reach+1)-ratio) * scale
		if c.Mode == Linear {
			w[t] = max(1-x, 0)
		} else {
			w[t] = c.cubic(x)
		}
	}
	if c.Antialias {
		normalise(w)
	}
}

func (c *Config) cubic(x float64) float64 {
	a := c.CubicA
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}

func normalise(w []float64) {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	for t := range w {
		w[t] /= sum
	}
}

// Pass samples x, [outer, In, inner], along one axis into y, [outer, Out, inner]. Elements outside get fill.
func Pass[T Float](team *parallel.Team, a *Axis, outer, inner int, x, y []T, fill T) {
	team.DoFunc(outer, func(p int) {
		from, to := x[p*a.In*inner:(p+1)*a.In*inner], y[p*a.Out*inner:(p+1)*a.Out*inner]
		for o := range a.Out {
			row := to[o*inner : (o+1)*inner]
			if a.Outside != nil && a.Outside[o] {
				for i := range row {
					row[i] = fill
				}
				continue
			}
			clear(row)
			for t, w := range a.Weights[o*a.Taps : (o+1)*a.Taps] {
				if w == 0 {
					continue
				}
				at := a.at(o, t) * inner
				for i, v := range from[at : at+inner] {
					row[i] += T(T(w) * v)
				}
			}
		}
	})
}

// PassBack is the gradient of Pass: it adds dy, [outer, Out, inner], up into dx, [outer, In, inner].
func PassBack[T Float](team *parallel.Team, a *Axis, outer, inner int, dy, dx []T) {
	team.DoFunc(outer, func(p int) {
		to, from := dx[p*a.In*inner:(p+1)*a.In*inner], dy[p*a.Out*inner:(p+1)*a.Out*inner]
		clear(to)
		for o := range a.Out {
			if a.Outside != nil && a.Outside[o] {
				continue
			}
			row := from[o*inner : (o+1)*inner]
			for t, w := range a.Weights[o*a.Taps : (o+1)*a.Taps] {
				if w == 0 {
					continue
				}
				at := a.at(o, t) * inner
				for i, v := range row {
					to[at+i] += T(T(w) * v)
				}
			}
		}
	})
}
