package sample

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Regions pools X, [N, C, H, W], in regions of interest into Y, [R, C, OutH, OutW].
type Regions[T Float] struct {
	C, H, W, OutH, OutW int
	Scale               float64
	Boxes               []T     // [R, 4]: x and y of two corners
	Samples             []int64 // of each region
	X, Y                []T
	DY, DX, DBoxes      []T // of the backward passes; DX is added to

	// Of Align:
	Half  bool // places count from the middle of pixels
	Ratio int  // places along each axis of a bin; 0: as many as the bin has pixels
	Max   bool // the largest instead of the mean
}

// corner is one of the four pixels that a place lies between, with its weight and that weight's slopes along y and x; at is -1
// where there is none.
type corner struct {
	at        int
	w, dy, dx float64
}

// between are the pixels around a place, with their weights.
func (g *Regions[T]) between(y, x float64) (c [4]corner) {
	for i := range c {
		c[i].at = -1
	}
	if !(y >= -1 && y <= float64(g.H) && x >= -1 && x <= float64(g.W)) {
		return c
	}
	y0, y1, v, p := around(y, g.H)
	x0, x1, u, q := around(x, g.W)
	c[0] = corner{y0*g.W + x0, (1 - v) * (1 - u), -p * (1 - u), -q * (1 - v)}
	c[1] = corner{y0*g.W + x1, (1 - v) * u, -p * u, q * (1 - v)}
	c[2] = corner{y1*g.W + x0, v * (1 - u), p * (1 - u), -q * v}
	c[3] = corner{y1*g.W + x1, v * u, p * u, q * v}
	return c
}

// around is the two elements of an axis of n around v, how far v is from the first, and the slope of that.
func around(v float64, n int) (lo, hi int, part, slope float64) {
	if slope = 1; v < 0 {
		v, slope = 0, 0
	}
	lo = int(v)
	if lo >= n-1 {
		return n - 1, n - 1, 0, 0
	}
	return lo, lo + 1, v - float64(lo), slope
}

// corner is where region r begins, and how large it is; sized says along which axis it is as large as its box is.
func (g *Regions[T]) corner(r int) (x0, y0, width, height float64, sized [2]bool) {
	box, shift := g.Boxes[4*r:4*r+4], 0.0
	if g.Half {
		shift = 0.5
	}
	x0, y0 = float64(box[0])*g.Scale-shift, float64(box[1])*g.Scale-shift
	width, height = float64(box[2])*g.Scale-shift-x0, float64(box[3])*g.Scale-shift-y0
	sized = [2]bool{g.Half || width > 1, g.Half || height > 1}
	if !g.Half {
		width, height = max(width, 1), max(height, 1)
	}
	return x0, y0, width, height, sized
}

// bins calls f for each bin of region r with the places that it reads, count of them.
func (g *Regions[T]) bins(r int, f func(bin, count int, place func(i int) [4]corner)) {
	x0, y0, width, height, _ := g.corner(r)
	binH, binW := height/float64(g.OutH), width/float64(g.OutW)
	rows, cols := g.counts(binH, binW)
	for b := range g.OutH * g.OutW {
		top, left := y0+float64(b/g.OutW)*binH, x0+float64(b%g.OutW)*binW
		f(b, rows*cols, func(i int) [4]corner {
			y := top + (float64(i/cols)+0.5)*binH/float64(rows)
			x := left + (float64(i%cols)+0.5)*binW/float64(cols)
			return g.between(y, x)
		})
	}
}

// counts is the places along the axes of a bin.
func (g *Regions[T]) counts(binH, binW float64) (rows, cols int) {
	if g.Ratio > 0 {
		return g.Ratio, g.Ratio
	}
	return clampCount(math.Ceil(binH)), clampCount(math.Ceil(binW))
}

// clampCount bounds the places of a bin; what is not a number has none.
func clampCount(v float64) int {
	if !(v > 0) {
		return 0
	}
	return int(min(v, 1<<12))
}

// Align computes Y from places between pixels.
func (g *Regions[T]) Align(team *parallel.Team) {
	plane, bins := g.H*g.W, g.OutH*g.OutW
	team.DoFunc(len(g.Samples), func(r int) {
		base := int(g.Samples[r]) * g.C * plane
		g.bins(r, func(bin, count int, place func(i int) [4]corner) {
			for c := range g.C {
				x, best, sum := g.X[base+c*plane:][:plane], math.Inf(-1), 0.0
				for i := range count {
					v := 0.0
					for _, q := range place(i) {
						if q.at < 0 {
							continue
						}
						if p := q.w * float64(x[q.at]); g.Max {
							best = max(best, p)
						} else {
							v += p
						}
					}
					sum += v
				}
				if g.Max {
					if sum = best; math.IsInf(best, -1) {
						sum = 0
					}
				} else {
					sum /= float64(max(count, 1))
				}
				g.Y[(r*g.C+c)*bins+bin] = T(sum)
			}
		})
	})
}

// AlignBack adds the gradient of Align up in DX, channel by channel.
func (g *Regions[T]) AlignBack(team *parallel.Team) {
	plane, bins := g.H*g.W, g.OutH*g.OutW
	team.DoFunc(g.C, func(c int) {
		for r, n := range g.Samples {
			at := (int(n)*g.C + c) * plane
			x, dx := g.X[at:at+plane], g.DX[at:at+plane]
			g.bins(r, func(bin, count int, place func(i int) [4]corner) {
				d := float64(g.DY[(r*g.C+c)*bins+bin])
				best := corner{at: -1}
				for i := range count {
					for _, q := range place(i) {
						switch {
						case q.at < 0:
						case !g.Max:
							dx[q.at] += T(d * q.w / float64(count))
						case best.at < 0 || q.w*float64(x[q.at]) > best.w*float64(x[best.at]):
							best = q
						}
					}
				}
				if best.at >= 0 {
					dx[best.at] += T(d * best.w)
				}
			})
		}
	})
}

// AlignBoxesBack computes the gradient of the boxes of Align in DBoxes, region by region. The numbers of places count as
// constant.
func (g *Regions[T]) AlignBoxesBack(team *parallel.Team) {
	bins := g.OutH * g.OutW
	team.DoFunc(len(g.Samples), func(r int) {
		_, _, width, height, sized := g.corner(r)
		rows, cols := g.counts(height/float64(g.OutH), width/float64(g.OutW))
		var d [4]float64 // by x0, y0, x1, y1
		g.bins(r, func(bin, count int, place func(i int) [4]corner) {
			for i := range count {
				// The place lies at these parts of the region's height and width.
				v := (float64(bin/g.OutW) + (float64(i/cols)+0.5)/float64(rows)) / float64(g.OutH)
				u := (float64(bin%g.OutW) + (float64(i%cols)+0.5)/float64(cols)) / float64(g.OutW)
				dy, dx := 0.0, 0.0
				for c := range g.C {
					sy, sx := g.slopes(r, c, bin, i, count, place)
					up := float64(g.DY[(r*g.C+c)*bins+bin])
					dy += up * sy
					dx += up * sx
				}
				if !sized[0] {
					u = 0
				}
				if !sized[1] {
					v = 0
				}
				d[0] += dx * (1 - u)
				d[2] += dx * u
				d[1] += dy * (1 - v)
				d[3] += dy * v
			}
		})
		for k, v := range d {
			g.DBoxes[4*r+k] = T(v * g.Scale)
		}
	})
}

// slopes are those of bin's value in channel c by the coordinates of place i, of count.
func (g *Regions[T]) slopes(r, c, bin, i, count int, place func(i int) [4]corner) (dy, dx float64) {
	x := g.X[(int(g.Samples[r])*g.C+c)*g.H*g.W:][:g.H*g.W]
	if !g.Max {
		for _, q := range place(i) {
			if q.at >= 0 {
				dy += q.dy * float64(x[q.at]) / float64(count)
				dx += q.dx * float64(x[q.at]) / float64(count)
			}
		}
		return dy, dx
	}
	best, from := corner{at: -1}, -1
	for k := range count {
		for _, q := range place(k) {
			if q.at >= 0 && (best.at < 0 || q.w*float64(x[q.at]) > best.w*float64(x[best.at])) {
				best, from = q, k
			}
		}
	}
	if from != i {
		return 0, 0
	}
	return best.dy * float64(x[best.at]), best.dx * float64(x[best.at])
}

// largest is the place in a plane of the largest element of a bin, -1 if it is empty.
func (g *Regions[T]) largest(x []T, r, bin int) int {
	box := g.Boxes[4*r : 4*r+4]
	edge := func(v T) float64 {
		at := math.Floor(float64(v)*g.Scale + 0.5)
		return min(max(at, -1<<24), 1<<24)
	}
	x0, y0 := edge(box[0]), edge(box[1])
	w, h := max(edge(box[2])-x0+1, 1), max(edge(box[3])-y0+1, 1)
	span := func(i, n int, size, lo float64, limit int) (from, to int) {
		step := size / float64(n)
		a, b := math.Floor(float64(i)*step)+lo, math.Ceil(float64(i+1)*step)+lo
		return int(min(max(a, 0), float64(limit))), int(min(max(b, 0), float64(limit)))
	}
	top, bottom := span(bin/g.OutW, g.OutH, h, y0, g.H)
	left, right := span(bin%g.OutW, g.OutW, w, x0, g.W)
	best := -1
	for i := top; i < bottom; i++ {
		for j := left; j < right; j++ {
			if v := x[i*g.W+j]; best < 0 || v > x[best] || v != v && x[best] == x[best] {
				best = i*g.W + j
			}
		}
	}
	return best
}

// Pool computes Y as the largest elements of whole pixels.
func (g *Regions[T]) Pool(team *parallel.Team) {
	plane, bins := g.H*g.W, g.OutH*g.OutW
	team.DoFunc(len(g.Samples), func(r int) {
		for c := range g.C {
			x := g.X[(int(g.Samples[r])*g.C+c)*plane:][:plane]
			for b := range bins {
				v := T(0)
				if at := g.largest(x, r, b); at >= 0 {
					v = x[at]
				}
				g.Y[(r*g.C+c)*bins+b] = v
			}
		}
	})
}

// PoolBack adds the gradient of Pool up in DX.
func (g *Regions[T]) PoolBack(team *parallel.Team) {
	plane, bins := g.H*g.W, g.OutH*g.OutW
	team.DoFunc(g.C, func(c int) {
		for r, n := range g.Samples {
			at := (int(n)*g.C + c) * plane
			for b := range bins {
				if i := g.largest(g.X[at:at+plane], r, b); i >= 0 {
					g.DX[at+i] += g.DY[(r*g.C+c)*bins+b]
				}
			}
		}
	})
}
