package norm

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
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

	Table *vec.Table // nil: the best of this CPU

	tile  int // rows or channels in a tile
	stage rowStage
}

// channelTile is how many channels of rows with many channels are summed together.
const channelTile = 64

// rowStage is which pass is running.
type rowStage uint8

const (
	rowForward rowStage = iota
	rowMoments
	rowParameters
	rowBackward
)

// Tile does some rows or channels.
func (s *Rows[T]) Tile(i int) {
	if s.stage == rowParameters {
		s.parameters(i)
		return
	}
	for r := i * s.tile; r < min((i+1)*s.tile, s.Count); r++ {
		switch s.stage {
		case rowForward:
			s.row(r)
		case rowMoments:
			s.Mean[r], s.Inv[r] = s.moments(s.X[r*s.Size : (r+1)*s.Size])
		case rowBackward:
			s.rowBack(r)
		}
	}
}

func (s *Rows[T]) run(team *parallel.Team, n, tile int, stage rowStage) {
	s.stage, s.tile = stage, tile
	if s.Table == nil {
		s.Table = vec.Best()
	}
	if s.Count*s.Size < 1<<16 {
		team = nil
	}
	team.Do((n+tile-1)/tile, s)
}

func (s *Rows[T]) rowTile() int { return max(1, 8192/max(1, s.Size)) }

// Forward computes Y, Mean and Inv.
func (s *Rows[T]) Forward(team *parallel.Team) { s.run(team, s.Count, s.rowTile(), rowForward) }

// Backward computes DX, DScale and DBias, and Mean and Inv on the way. Scale has all channels.
func (s *Rows[T]) Backward(team *parallel.Team) {
	s.run(team, s.Count, s.rowTile(), rowMoments)
	if s.DScale != nil || s.DBias != nil {
		tile := 1
		if s.Inner == 1 {
			tile = channelTile
		}
		s.run(team, s.Groups*(s.Size/max(1, s.Inner)), tile, rowParameters)
	}
	if s.DX != nil {
		s.run(team, s.Count, s.rowTile(), rowBackward)
	}
}

// moments are what a row is normalised by.
func (s *Rows[T]) moments(x []T) (mean, inv float64) {
	n := float64(len(x))
	var a [16]float64
	if s.Center {
		vec.Sums(s.Table, &a, x)
		mean = vec.Tree(&a) / n
		a = [16]float64{}
	}
	vec.Deviations(s.Table, &a, x, mean)
	return mean, 1 / math.Sqrt(vec.Tree(&a)/n+s.Epsilon)
}

// channel is the first channel of row r.
func (s *Rows[T]) channel(r int) int { return r % s.Groups * (s.Size / max(1, s.Inner)) }

func (s *Rows[T]) row(r int) {
	x, y := s.X[r*s.Size:(r+1)*s.Size], s.Y[r*s.Size:(r+1)*s.Size]
	mean, inv := s.moments(x)
	s.Mean[r], s.Inv[r] = mean, inv
	c := s.channel(r)
	if s.Inner == 1 {
		vec.Normal(s.Table, y, x, s.Scale[c:], s.from(c), mean, inv)
		return
	}
	for lo := 0; lo < len(x); lo, c = lo+s.Inner, c+1 {
		bias := 0.0
		if s.Bias != nil {
			bias = float64(s.Bias[c])
		}
		vec.NormalWhole(s.Table, y[lo:lo+s.Inner], x[lo:lo+s.Inner], mean, float64(s.Scale[c])*inv, bias)
	}
}

// from is the biases of the channels from c on; nil if there are none.
func (s *Rows[T]) from(c int) []T {
	if s.Bias == nil {
		return nil
	}
	return s.Bias[c:]
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
