package pool

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Lp computes y, [N, C, Out...], the Lp norm of each window of x, [N, C, In...]. Elements of the padding count as zeros.
func Lp[T float32 | float64](p *Plan[T], team *parallel.Team, x, y []T, norm int64) {
	p.checkLengths(x, y)
	team.DoFunc(p.g.N*p.g.C, func(c int) {
		from, to := x[c*p.in:][:p.in], y[c*p.out:][:p.out]
		p.eachWindow(func(o int, each func(func(i int))) {
			sum := 0.0
			each(func(i int) { sum += power(math.Abs(float64(from[i])), norm) })
			to[o] = T(root(sum, norm))
		})
	})
}

// LpBackward computes dx, [N, C, In...], from dy and y, [N, C, Out...]: sign(x)·|x|^(p-1)·y^(1-p)·dy, 0 where the norm is 0.
func LpBackward[T float32 | float64](p *Plan[T], team *parallel.Team, x, y, dy, dx []T, norm int64) {
	p.checkLengths(x, y)
	p.checkLengths(dx, dy)
	team.DoFunc(p.g.N*p.g.C, func(c int) {
		from, to := x[c*p.in:][:p.in], dx[c*p.in:][:p.in]
		clear(to)
		p.eachWindow(func(o int, each func(func(i int))) {
			v := float64(y[c*p.out+o])
			if v == 0 {
				return
			}
			d := float64(dy[c*p.out+o])
			each(func(i int) {
				to[i] += T(d * math.Copysign(power(math.Abs(float64(from[i]))/v, norm-1), float64(from[i])))
			})
		})
	})
}

// power is v to the power of n, for v of 0 and more.
func power(v float64, n int64) float64 {
	switch n {
	case 0:
		return 1
	case 1:
		return v
	case 2:
		return v * v
	}
	return math.Pow(v, float64(n))
}

func root(v float64, n int64) float64 {
	switch n {
	case 1:
		return v
	case 2:
		return math.Sqrt(v)
	}
	return math.Pow(v, 1/float64(n))
}

// eachWindow calls f for each window of a channel with a walk over its elements.
func (p *Plan[T]) eachWindow(f func(o int, each func(func(i int)))) {
	last := len(p.windows) - 1
	if last < 0 {
		return
	}
	var rows walk
	for r := range p.rows {
		p.to(&rows, r)
		for o, w := range p.windows[last] {
			f(r*p.ow+o, func(do func(i int)) {
				for range rows.rows {
					for t, i := 0, rows.next()*p.g.In[last]+w.First; t < w.Taps; t, i = t+1, i+w.Step {
						do(i)
					}
				}
			})
		}
	}
}
