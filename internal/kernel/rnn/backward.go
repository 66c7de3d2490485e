package rnn

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// backward is what the backward pass uses.
type backward[T gemm.Float] struct {
	dz          []T // gradients of what the gates' activations see, all rows
	dq          []T // GRU: of the recurrent part of the last gate, all rows
	before      []T // states before each row
	beforeReset []T // GRU without LinearBeforeReset: r times those
	dh, dc      []T // gradients of the states [Batch, Hidden]
	drh         []T // GRU without LinearBeforeReset
	ones        []T
	sum         []T // [gates]
}

// layBack hands out the scratch of the backward pass.
func (l *Layer[T]) layBack(a *arena[T], threads int) {
	h, g, rows := l.Hidden, l.gates(), l.rows()
	bh, first := l.Batch*h, g
	l.backward = backward[T]{
		dz: a.take(rows * g), before: a.take(rows * h), dh: a.take(bh), dc: a.take(bh), ones: a.take(rows), sum: a.take(g),
	}
	if l.Kind == GRU {
		first = 2 * h
		l.dq, l.beforeReset, l.drh = a.take(rows*h), a.take(rows*h), a.take(bh)
		l.packR2 = a.take(gemm.PackedB(l.Table, h, h))
	}
	l.packR = a.take(gemm.PackedB(l.Table, first, h))
	n := l.need(threads, l.Batch, h, first, dense[T](nil, g*l.Steps), packed[T](nil))
	n = max(n, l.need(threads, l.Batch, h, first, dense[T](nil, g), packed[T](nil)))
	n = max(n, l.need(threads, l.Batch, h, h, dense[T](nil, g*l.Steps), packed[T](nil)))
	n = max(n, l.need(threads, l.Batch, h, h, dense[T](nil, g), packed[T](nil)))
	n = max(n, l.need(threads, rows, l.Input, g, dense[T](nil, g), dense[T](nil, l.Input)))
	for _, m := range []int{g, first, h} {
		n = max(n, l.need(threads, m, l.Input, rows, transposed[T](nil, g), dense[T](nil, l.Input)))
		n = max(n, l.need(threads, m, h, rows, transposed[T](nil, g), dense[T](nil, h)))
		n = max(n, l.need(threads, m, h, rows, transposed[T](nil, h), dense[T](nil, h)))
	}
	n = max(n, l.need(threads, 1, g, rows, dense[T](nil, rows), dense[T](nil, g)))
	n = max(n, l.need(threads, 1, h, rows, dense[T](nil, rows), dense[T](nil, h)))
	l.product = a.take(n)
}

// BackwardScratch is the number of elements that Backward needs on a team of that many threads.
func (l *Layer[T]) BackwardScratch(threads int) int {
	var a arena[T]
	l.layBack(&a, threads)
	return a.used
}

// Backward computes the gradients of the inputs from those of the outputs; Y and Keep are what Forward made. scratch has
// BackwardScratch elements.
func (l *Layer[T]) Backward(team *parallel.Team, scratch []T) {
	l.team = team
	l.forward = forward[T]{}
	l.layBack(&arena[T]{data: scratch}, team.Threads())
	for i := range l.ones {
		l.ones[i] = 1
	}
	for d := range l.Directions {
		l.directionBack(d)
	}
}

func (l *Layer[T]) directionBack(d int) {
	h, g, rows := l.Hidden, l.gates(), l.rows()
	l.d, l.act = d, l.Acts[d]
	for i := range l.act {
		l.act[i] = bounded(l.act[i], l.Clip)
	}
	if l.Kind != Simple {
		keep := of(l.Keep, d, l.Saved())
		l.z, l.cells = keep[:rows*g], keep[rows*g:]
	}
	l.peep = of(l.P, d, 3*h)
	clear(of(l.DP, d, 3*h))
	r, first := of(l.R, d, g*h), g
	if l.Kind == GRU {
		first = 2 * h
		gemm.PackB(l.Table, l.packR2, h, h, dense(r[2*h*h:], h))
	}
	gemm.PackB(l.Table, l.packR, first, h, dense(r, h))
	l.states()
	l.begin(l.dh, l.DYH)
	l.begin(l.dc, l.DYC)
	for n := l.Steps - 1; n >= 0; n-- {
		if l.team.Stopped() || l.Batch == 0 {
			break
		}
		l.t = l.time(n)
		l.stepBack(n)
	}
	l.end(l.DH0, l.dh)
	l.end(l.DC0, l.dc)
	l.weights()
}

// states fills before with the state that each row's step started from; 0 for rows beyond a sequence's end.
func (l *Layer[T]) states() {
	h := l.Hidden
	for n := range l.Steps {
		l.t = l.time(n)
		for b := range l.Batch {
			to := l.before[l.row(l.t, b)*h:][:h]
			switch from := l.previous(n, b); {
			case !l.live(b):
				clear(to)
			case from >= 0:
				copy(to, l.Y[l.y(from, l.d, b):])
			case l.H0 != nil:
				copy(to, l.H0[l.state(l.d, b):])
			default:
				clear(to)
			}
		}
	}
}

// previous is the step before the n-th of sequence b; -1 if that is its first.
func (l *Layer[T]) previous(n, b int) int {
	if n == 0 {
		return -1
	}
	p := l.time(n - 1)
	if l.Lens != nil && p >= int(l.Lens[b]) {
		return -1
	}
	return p
}

func (l *Layer[T]) stepBack(n int) {
	h, g := l.Hidden, l.gates()
	at, apart := l.stepRows(l.t)
	z, lda := l.dz[at*g:], apart*g
	sum := gemm.Epilogue[T]{Start: gemm.FromC}
	switch l.Kind {
	case Simple:
		l.each((*Layer[T]).simpleBack)
	case LSTM:
		l.n = n
		l.each((*Layer[T]).lstmBack)
	case GRU:
		l.each((*Layer[T]).gruBack)
		if l.LinearBeforeReset {
			l.mul(l.Batch, h, h, dense(l.dq[at*h:], apart*h), packed(l.packR2), l.dh, h, sum)
		} else {
			l.mul(l.Batch, h, h, dense(z[2*h:], lda), packed(l.packR2), l.drh, h, gemm.Epilogue[T]{})
			l.each((*Layer[T]).resetBack)
		}
		g = 2 * h
	}
	l.mul(l.Batch, h, g, dense(z, lda), packed(l.packR), l.dh, h, sum)
}

// gateGrads is the row of dz of sequence b, and whether the step belongs to it; if not, the row is zeros.
func (l *Layer[T]) gateGrads(b int) ([]T, bool) {
	g, r := l.gates(), l.row(l.t, b)
	dz := l.dz[r*g : (r+1)*g]
	if !l.live(b) {
		clear(dz)
		return dz, false
	}
	if l.DY != nil {
		dh, dy := l.dh[b*l.Hidden:(b+1)*l.Hidden], l.DY[l.y(l.t, l.d, b):]
		for j := range dh {
			dh[j] += dy[j]
		}
	}
	return dz, true
}

func (l *Layer[T]) simpleBack(b int) {
	dz, ok := l.gateGrads(b)
	if !ok {
		return
	}
	n := l.Hidden
	dh, y := l.dh[b*n:(b+1)*n], l.Y[l.y(l.t, l.d, b):]
	for j := range dh {
		dz[j], dh[j] = dh[j]*l.act[0].slope(y[j]), 0
	}
}

// oldCell is the cell that the n-th step of sequence b started from; nil for zeros.
func (l *Layer[T]) oldCell(n, b int) []T {
	if p := l.previous(n, b); p >= 0 {
		return l.cells[l.row(p, b)*l.Hidden:]
	}
	if l.C0 != nil {
		return l.C0[l.state(l.d, b):]
	}
	return nil
}

// lstmBack: with c = f·c' + i·g and h = o·last(c).
func (l *Layer[T]) lstmBack(b int) {
	dz, ok := l.gateGrads(b)
	if !ok {
		return
	}
	n := l.Hidden
	z, cell, old := l.gateRow(b), l.cells[l.row(l.t, b)*n:], l.oldCell(l.n, b)
	dh, dc := l.dh[b*n:(b+1)*n], l.dc[b*n:(b+1)*n]
	f, g, last := &l.act[0], &l.act[1], &l.act[2]
	p := l.peep
	for j := range n {
		i, o, fg, in, c := z[j], z[n+j], z[2*n+j], z[3*n+j], cell[j]
		cp := T(0)
		if old != nil {
			cp = old[j]
		}
		y := last.at(l.clip(c))
		do := dh[j] * y * f.slope(o)
		d := dc[j] + dh[j]*o*last.slope(y)
		if p != nil {
			d += do * p[n+j]
		}
		di, df := d*in, d*cp
		if l.Coupled {
			di, df = di-df, 0
		}
		di *= f.slope(i)
		df *= f.slope(fg)
		dc[j] = d * fg
		if p != nil {
			dc[j] += di*p[j] + df*p[2*n+j]
		}
		dz[j], dz[n+j], dz[2*n+j], dz[3*n+j] = di, do, df, d*i*g.slope(in)
		dh[j] = 0
	}
}

// gruBack: with h = (1-z)·g + z·h'.
func (l *Layer[T]) gruBack(b int) {
	n, row := l.Hidden, l.row(l.t, b)
	dq, rh := l.dq[row*n:(row+1)*n], l.beforeReset[row*n:(row+1)*n]
	dz, ok := l.gateGrads(b)
	if !ok {
		clear(dq)
		clear(rh)
		return
	}
	z, old, q := l.gateRow(b), l.before[row*n:], l.cells[row*n:]
	dh := l.dh[b*n : (b+1)*n]
	f, g := &l.act[0], &l.act[1]
	for j := range n {
		u, r, x, d := z[j], z[n+j], z[2*n+j], dh[j]
		dx := d * (1 - u) * g.slope(x)
		dz[j] = d * (old[j] - x) * f.slope(u)
		dz[2*n+j] = dx
		dh[j] = d * u
		if l.LinearBeforeReset {
			dz[n+j] = dx * q[j] * f.slope(r)
			dq[j] = dx * r
		} else {
			rh[j] = r * old[j]
		}
	}
}

// resetBack passes the gradient of r·h' on.
func (l *Layer[T]) resetBack(b int) {
	if !l.live(b) {
		return
	}
	n, row := l.Hidden, l.row(l.t, b)
	r, old := l.gateRow(b)[n:2*n], l.before[row*n:]
	dz := l.dz[row*3*n+n:][:n]
	dh, drh := l.dh[b*n:(b+1)*n], l.drh[b*n:(b+1)*n]
	for j := range n {
		dz[j] = drh[j] * old[j] * l.act[0].slope(r[j])
		dh[j] += drh[j] * r[j]
	}
}

// weights computes what is summed over all rows.
func (l *Layer[T]) weights() {
	h, g, rows := l.Hidden, l.gates(), l.rows()
	none := gemm.Epilogue[T]{}
	if l.DX != nil {
		e := none
		if l.d > 0 {
			e.Start = gemm.FromC
		}
		l.mul(rows, l.Input, g, dense(l.dz, g), dense(of(l.W, l.d, g*l.Input), l.Input), l.DX, l.Input, e)
	}
	if dw := of(l.DW, l.d, g*l.Input); dw != nil {
		l.mul(g, l.Input, rows, transposed(l.dz, g), dense(l.X, l.Input), dw, l.Input, none)
	}
	if dr := of(l.DR, l.d, g*h); dr != nil {
		first := g
		if l.Kind == GRU {
			first = 2 * h
			if l.LinearBeforeReset {
				l.mul(h, h, rows, transposed(l.dq, h), dense(l.before, h), dr[2*h*h:], h, none)
			} else {
				l.mul(h, h, rows, transposed(l.dz[min(2*h, len(l.dz)):], g), dense(l.beforeReset, h), dr[2*h*h:], h, none)
			}
		}
		l.mul(first, h, rows, transposed(l.dz, g), dense(l.before, h), dr, h, none)
	}
	if db := of(l.DB, l.d, 2*g); db != nil {
		l.mul(1, g, rows, dense(l.ones, rows), dense(l.dz, g), db[:g], g, none)
		copy(db[g:], db[:g])
		if l.Kind == GRU && l.LinearBeforeReset {
			l.mul(1, h, rows, dense(l.ones, rows), dense(l.dq, h), db[g+2*h:], h, none)
		}
	}
	l.peepholes()
}

// peepholes computes DP, summed over the rows in their order.
func (l *Layer[T]) peepholes() {
	n := l.Hidden
	dp := of(l.DP, l.d, 3*n)
	if dp == nil {
		return
	}
	for step := range l.Steps {
		l.t = l.time(step)
		for b := range l.Batch {
			row := l.row(l.t, b)
			if !l.live(b) {
				continue
			}
			dz, cell, old := l.dz[row*4*n:][:4*n], l.cells[row*n:], l.oldCell(step, b)
			for j := range n {
				dp[n+j] += dz[n+j] * cell[j]
				if old != nil {
					dp[j] += dz[j] * old[j]
					dp[2*n+j] += dz[2*n+j] * old[j]
				}
			}
		}
	}
}
