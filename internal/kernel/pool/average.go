package pool

import "github.com/gneiss-ml/gneiss/internal/parallel"

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
	columns := j.windows[len(j.windows)-1]
	width := j.g.In[len(j.windows)-1]
	var rows walk
	for r := range j.rows {
		j.to(&rows, r)
		for o, w := range columns {
			var total T
			for range rows.rows {
				if at := rows.next()*width + w.First; w.Taps > 0 {
					total += sum(x[at:at+(w.Taps-1)*w.Step+1], w.Step)
				}
			}
			if n := j.count(&rows, w); n > 0 {
				total /= n
			}
			y[r*j.ow+o] = total
		}
	}
}

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
	clear(dx)
	columns := j.windows[len(j.windows)-1]
	width := j.g.In[len(j.windows)-1]
	var rows walk
	for r := range j.rows {
		j.to(&rows, r)
		for o, w := range columns {
			n := j.count(&rows, w)
			if n == 0 {
				continue
			}
			share := dy[r*j.ow+o] / n
			for range rows.rows {
				for t, i := 0, rows.next()*width+w.First; t < w.Taps; t, i = t+1, i+w.Step {
					dx[i] += share
				}
			}
		}
	}
}
