package pool

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Average computes y, [N, C, Out...], the mean of each window of x,
// [N, C, In...]: its sum divided by the number of its elements, those in the
// padding counted only if countPads is set (count_include_pad of ONNX
// AveragePool). A window without any gives 0.
func (p *Plan[T]) Average(team *parallel.Team, x, y []T, countPads bool) {
	p.runAverage(team, average, x, y, countPads)
}

// AverageBackward computes dx, [N, C, In...], from dy, [N, C, Out...]: each
// window hands the same share to all its elements.
func (p *Plan[T]) AverageBackward(team *parallel.Team, dy, dx []T, countPads bool) {
	p.runAverage(team, averageBackward, dx, dy, countPads)
}

func (p *Plan[T]) runAverage(team *parallel.Team, k kind, x, y []T, countPads bool) {
	p.checkLengths(x, y)
	j := p.jobs.Take()
	*j = job[T]{Plan: p, kind: k, x: x, y: y, countPads: countPads}
	j.run(team)
	p.jobs.Give(j)
}

// count returns the divisor of a window.
func (j *job[T]) count(s *walk, w Window) T {
	if j.countPads {
		return T(s.area * w.Area)
	}
	return T(s.rows * w.Taps)
}

func (j *job[T]) averageChannel(x, y []T) {
	m := j.middle
	var rows walk
	for r := range j.rows {
		j.to(&rows, r)
		lo, hi := m.lo, m.hi
		if lo < hi && rows.rows > 0 && m.taps < longRow {
			j.averageMiddle(&rows, r, x, y)
		} else {
			lo, hi = 0, 0
		}
		j.averageRow(&rows, r, 0, lo, x, y)
		j.averageRow(&rows, r, hi, j.ow, x, y)
	}
}

// averageRow goes through some windows of an output row.
func (j *job[T]) averageRow(rows *walk, r, lo, hi int, x, y []T) {
	columns, width := j.windows[len(j.windows)-1], j.g.In[len(j.windows)-1]
	for o := lo; o < hi; o++ {
		var total T
		w := columns[o]
		for range rows.rows {
			if at := rows.next()*width + w.First; w.Taps > 0 {
				total += sum(x[at:at+(w.Taps-1)*w.Step+1], w.Step)
			}
		}
		if n := j.count(rows, w); n > 0 {
			total /= n
		}
		y[r*j.ow+o] = total
	}
}

// averageMiddle reduces the windows in the middle of an output row.
func (j *job[T]) averageMiddle(rows *walk, r int, x, y []T) {
	m := j.middle
	at, step := j.first(rows)
	count := j.count(rows, j.windows[len(j.windows)-1][m.lo])
	j.t.MeanRow[m.stride-1](m.hi-m.lo, rows.rows, step, m.taps, m.tapStep, any(x[at:]).([]float32), any(y[r*j.ow+m.lo:]).([]float32), float32(count))
}

// averageAll computes the means of whole channels, summed in float64.
func (j *job[T]) averageAll(x, y []T) {
	s := j.sums.Take()
	for c := range y {
		*s = [16]float64{}
		switch x := any(x[c*j.in:][:j.in]).(type) {
		case []float32:
			vec.Sums(j.t.sums, s, x)
		case []float64:
			vec.Sums(nil, s, x)
		}
		y[c] = T(vec.Tree(s) / float64(j.in))
	}
	j.sums.Give(s)
}

// longRow is the taps from which on the sum of a row is not one chain.
const longRow = 16

// sum adds every step-th element, long rows in eight chains.
func sum[T Number](x []T, step int) T {
	if len(x) == 2 && step == 1 {
		return x[0] + x[1]
	}
	var s [8]T
	if step == 1 {
		for ; len(x) >= 16; x = x[8:] {
			for i, v := range x[:8] {
				s[i] += v
			}
		}
	}
	for i := 0; i < len(x); i += step {
		s[0] += x[i]
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}

func (j *job[T]) averageChannelBackward(dx, dy []T) {
	if j.global {
		share := dy[0]/T(len(dx)) + 0 // -0 becomes 0, as in a sum
		for i := range dx {
			dx[i] = share
		}
		return
	}
	clear(dx)
	width := j.g.In[len(j.windows)-1]
	var rows walk
	for r := range j.rows {
		j.to(&rows, r)
		for range rows.rows {
			j.spread(&rows, dx[rows.next()*width:][:width], dy[r*j.ow:][:j.ow])
		}
	}
}

// spread hands the shares of the windows of an output row to one of their
// input rows.
func (j *job[T]) spread(rows *walk, dx, dy []T) {
	columns := j.windows[len(j.windows)-1]
	for o, w := range columns[:len(dy)] {
		if w.Taps == 0 {
			continue
		}
		share, to := dy[o]/j.count(rows, w), dx[w.First:]
		if w.Step == 1 {
			to = to[:w.Taps]
			for i := range to {
				to[i] += share
			}
			continue
		}
		for t := range w.Taps {
			to[t*w.Step] += share
		}
	}
}
