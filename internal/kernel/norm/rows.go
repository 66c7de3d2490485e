package norm

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Rows normalises each of Count rows of Size elements by its own mean and population variance, or without Center by its mean
// square: Y = (X - mean)/√(variance + ε)·Scale + Bias.
//
// A row has Size/Inner channels of Inner elements each; row r has the channels from (r mod Groups)·Size/Inner on. So layer
// normalisation has Groups 1 and Inner 1; group normalisation has a row for each sample and group.
type Rows[T Float] struct {
	Count, Size, Groups, Inner int
	Center                     bool
	Epsilon                    float64

	X, Y        []T       // Y may be X
	Scale, Bias []T       // for each channel; Bias may be nil
	Mean, Inv   []float64 // Count elements: mean and 1/√(variance + ε) of the rows

	DY, DX        []T // DX may be DY
	DScale, DBias []T // may be nil

	tile  int // rows or channels in a tile
	stage func(s *Rows[T], i int)
}

// channelTile is how many channels of rows with many channels are summed together.
const channelTile = 64

// Tile does some rows or channels.
func (s *Rows[T]) Tile(i int) { s.stage(s, i) }

func (s *Rows[T]) run(team *parallel.Team, n, tile int, stage func(*Rows[T], int)) {
	s.stage, s.tile = stage, tile
	if s.Count*s.Size < 1<<13 {
		team = nil
	}
	team.Do((n+tile-1)/tile, s)
}

func (s *Rows[T]) rowTile() int { return max(1, 4096/max(1, s.Size)) }

// Forward computes Y, Mean and Inv.
func (s *Rows[T]) Forward(team *parallel.Team) {
	s.run(team, s.Count, s.rowTile(), func(s *Rows[T], i int) {
		for r := i * s.tile; r < min((i+1)*s.tile, s.Count); r++ {
			s.row(r)
		}
	})
}

// Backward computes DX, DScale and DBias, and Mean and Inv on the way. Scale has all channels.
func (s *Rows[T]) Backward(team *parallel.Team) {
	s.run(team, s.Count, s.rowTile(), func(s *Rows[T], i int) {
		for r := i * s.tile; r < min((i+1)*s.tile, s.Count); r++ {
			x := s.X[r*s.Size : (r+1)*s.Size]
			s.Mean[r], s.Inv[r] = s.moments(x)
		}
	})
	if s.DScale != nil || s.DBias != nil {
		channels := s.Groups * (s.Size / max(1, s.Inner))
		tile := 1
		if s.Inner == 1 {
			tile = channelTile
		}
		s.run(team, channels, tile, (*Rows[T]).parameters)
	}
	if s.DX != nil {
		s.run(team, s.Count, s.rowTile(), func(s *Rows[T], i int) {
			for r := i * s.tile; r < min((i+1)*s.tile, s.Count); r++ {
				s.rowBack(r)
			}
		})
	}
}

// moments are what a row is normalised by.
func (s *Rows[T]) moments(x []T) (mean, inv float64) {
	n := float64(len(x))
	if s.Center {
		mean = sumOf(x) / n
	}
	return mean, 1 / math.Sqrt(squaresOf(x, mean)/n+s.Epsilon)
}

// sumOf and squaresOf add in four chains.
func sumOf[T Float](x []T) float64 {
	var a [4]float64
	for ; len(x) >= 4; x = x[4:] {
		a[0] += float64(x[0])
		a[1] += float64(x[1])
		a[2] += float64(x[2])
		a[3] += float64(x[3])
	}
	for _, v := range x {
		a[0] += float64(v)
	}
	return (a[0] + a[1]) + (a[2] + a[3])
}

func squaresOf[T Float](x []T, mean float64) float64 {
	var a [4]float64
	for ; len(x) >= 4; x = x[4:] {
		p, q, r, s := float64(x[0])-mean, float64(x[1])-mean, float64(x[2])-mean, float64(x[3])-mean
		a[0] += p * p
		a[1] += q * q
		a[2] += r * r
		a[3] += s * s
	}
	for _, v := range x {
		d := float64(v) - mean
		a[0] += d * d
	}
	return (a[0] + a[1]) + (a[2] + a[3])
}

// channel is the first channel of row r.
func (s *Rows[T]) channel(r int) int { return r % s.Groups * (s.Size / max(1, s.Inner)) }

func (s *Rows[T]) row(r int) {
	x, y := s.X[r*s.Size:(r+1)*s.Size], s.Y[r*s.Size:(r+1)*s.Size]
	mean, inv := s.moments(x)
	s.Mean[r], s.Inv[r] = mean, inv
	c := s.channel(r)
	if s.Inner == 1 {
		s.each(y, x, mean, inv, s.Scale[c:], s.Bias)
		return
	}
	for lo := 0; lo < len(x); lo, c = lo+s.Inner, c+1 {
		a := float64(s.Scale[c]) * inv
		d := -mean * a
		if s.Bias != nil {
			d += float64(s.Bias[c])
		}
		to := y[lo : lo+s.Inner]
		for k, v := range x[lo : lo+s.Inner] {
			to[k] = T(float64(v)*a + d)
		}
	}
}

// each normalises a row in which every element is a channel.
func (s *Rows[T]) each(y, x []T, mean, inv float64, scale, bias []T) {
	scale = scale[:len(x)]
	if bias == nil {
		for k, v := range x {
			y[k] = T((float64(v) - mean) * inv * float64(scale[k]))
		}
		return
	}
	bias = bias[:len(x)]
	for k, v := range x {
		y[k] = T((float64(v)-mean)*inv*float64(scale[k]) + float64(bias[k]))
	}
}

// parameters sums the gradients of the channels of a tile over all rows that have them.
func (s *Rows[T]) parameters(i int) {
	per := s.Size / max(1, s.Inner)
	lo, hi := i*s.tile, min((i+1)*s.tile, s.Groups*per)
	var scale, bias [channelTile]float64
	for c := lo; c < hi; {
		end := min(hi, (c/per+1)*per) // channels of one group
		for r := c / per; r < s.Count; r += s.Groups {
			s.channelSums(r, c%per, end-c, scale[c-lo:], bias[c-lo:])
		}
		c = end
	}
	for c := lo; c < hi; c++ {
		if s.DScale != nil {
			s.DScale[c] = T(scale[c-lo])
		}
		if s.DBias != nil {
			s.DBias[c] = T(bias[c-lo])
		}
	}
}

// channelSums adds what row r gives to count of its channels from c on.
func (s *Rows[T]) channelSums(r, c, count int, scale, bias []float64) {
	lo := r*s.Size + c*s.Inner
	x, dy := s.X[lo:lo+count*s.Inner], s.DY[lo:lo+count*s.Inner]
	mean, inv := s.Mean[r], s.Inv[r]
	if s.Inner == 1 {
		for k, d := range dy {
			bias[k] += float64(d)
			scale[k] += float64(d) * (float64(x[k]) - mean) * inv
		}
		return
	}
	for k := range count {
		b, a := 0.0, 0.0
		from := x[k*s.Inner : (k+1)*s.Inner]
		for j, d := range dy[k*s.Inner : (k+1)*s.Inner] {
			b += float64(d)
			a += float64(d) * (float64(from[j]) - mean)
		}
		bias[k] += b
		scale[k] += a * inv
	}
}

// rowBack: with g = dy·scale and x̂ the normalised row, dx = inv·(g - mean(g) - x̂·mean(g·x̂)); without Center the second term
// is missing.
func (s *Rows[T]) rowBack(r int) {
	lo := r * s.Size
	x, dy, dx := s.X[lo:lo+s.Size], s.DY[lo:lo+s.Size], s.DX[lo:lo+s.Size]
	mean, inv, first := s.Mean[r], s.Inv[r], s.channel(r)
	sum, dot := 0.0, 0.0
	for c, k := first, 0; k < len(x); c, k = c+1, k+s.Inner {
		a := float64(s.Scale[c])
		for j := k; j < k+s.Inner; j++ {
			g := float64(dy[j]) * a
			sum += g
			dot += g * (float64(x[j]) - mean)
		}
	}
	n := float64(len(x))
	shift, slope := sum/n, dot*inv*inv/n
	if !s.Center {
		shift = 0
	}
	for c, k := first, 0; k < len(x); c, k = c+1, k+s.Inner {
		a := float64(s.Scale[c])
		for j := k; j < k+s.Inner; j++ {
			dx[j] = T(inv * (float64(dy[j])*a - shift - (float64(x[j])-mean)*slope))
		}
	}
}
