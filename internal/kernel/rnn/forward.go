package rnn

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// forward is what the forward pass uses.
type forward[T gemm.Float] struct {
	act    []Activation[T]
	z      []T // gates of all rows
	h, c   []T // states [Batch, Hidden]
	q, rh  []T // GRU: recurrent part of the last gate, reset state
	bias   []T // [gates]
	hbias  []T // GRU with LinearBeforeReset: of q
	peep   []T
	packR  []T // R, or its first two gates
	packR2 []T // GRU: R of the last gate
	cells  []T // LSTM: saved cells of all rows
}

// lay hands out the scratch of the forward pass.
func (l *Layer[T]) lay(a *arena[T], threads int) {
	h, g, rows := l.Hidden, l.gates(), l.rows()
	bh := l.Batch * h
	l.forward = forward[T]{h: a.take(bh), bias: a.take(g)}
	if l.Keep == nil || l.Kind == Simple {
		l.z = a.take(rows * g)
	}
	first := g
	switch l.Kind {
	case LSTM:
		l.c = a.take(bh)
	case GRU:
		l.q, l.rh = a.take(bh), a.take(bh)
		first = 2 * h
		l.packR2 = a.take(gemm.PackedB(l.Table, h, h))
	}
	l.packR = a.take(gemm.PackedB(l.Table, h, first))
	n := l.need(threads, rows, g, l.Input, dense[T](nil, l.Input), transposed[T](nil, l.Input))
	n = max(n, l.need(threads, l.Batch, first, h, dense[T](nil, h), packed[T](nil)))
	n = max(n, l.need(threads, l.Batch, h, h, dense[T](nil, h), packed[T](nil)))
	l.product = a.take(n)
}

// ForwardScratch is the number of elements that Forward needs on a team of that many threads.
func (l *Layer[T]) ForwardScratch(threads int) int {
	var a arena[T]
	if l.Packed {
		l.layPacked(&a, threads)
	} else {
		l.lay(&a, threads)
	}
	return a.used
}

// Forward computes Y, YH, YC and Keep. scratch has ForwardScratch elements.
func (l *Layer[T]) Forward(team *parallel.Team, scratch []T) {
	l.team = team
	if l.Packed {
		l.forwardPacked(team, scratch)
		return
	}
	l.lay(&arena[T]{data: scratch}, team.Threads())
	if l.Lens != nil {
		clear(l.Y)
	}
	for d := range l.Directions {
		l.direction(d)
	}
}

// direction runs one direction.
func (l *Layer[T]) direction(d int) {
	h, g, rows := l.Hidden, l.gates(), l.rows()
	l.d, l.act = d, l.Acts[d]
	for i := range l.act {
		l.act[i] = bounded(l.act[i], l.Clip)
	}
	if keep := of(l.Keep, d, l.Saved()); keep != nil && l.Kind != Simple {
		l.z, l.cells = keep[:rows*g], keep[rows*g:]
	}
	l.addBias(of(l.B, d, 2*g))
	l.peep = of(l.P, d, 3*h)
	r := of(l.R, d, g*h)
	first := g
	if l.Kind == GRU {
		first = 2 * h
		gemm.PackB(l.Table, l.packR2, h, h, transposed(r[2*h*h:], h))
	}
	gemm.PackB(l.Table, l.packR, h, first, transposed(r, h))
	l.mul(rows, g, l.Input, dense(l.X, l.Input), transposed(of(l.W, d, g*l.Input), l.Input), l.z, g,
		gemm.Epilogue[T]{Start: gemm.FromColBias, Bias: l.bias})
	l.begin(l.h, l.H0)
	if l.Kind == LSTM {
		l.begin(l.c, l.C0)
	}
	for n := range l.Steps {
		if l.team.Stopped() || l.Batch == 0 {
			break
		}
		l.t = l.time(n)
		l.step()
	}
	l.end(l.YH, l.h)
	l.end(l.YC, l.c)
}

// addBias sets bias to what the products with the input start from.
func (l *Layer[T]) addBias(b []T) {
	g := l.gates()
	if b == nil {
		clear(l.bias)
		l.hbias = nil
		return
	}
	copy(l.bias, b[:g])
	both := g
	if l.Kind == GRU && l.LinearBeforeReset {
		both = 2 * l.Hidden
		l.hbias = b[g+both:]
	}
	for i := range both {
		l.bias[i] += b[g+i]
	}
}

// begin copies the first states of the direction, zeros if from is nil.
func (l *Layer[T]) begin(to, from []T) {
	if from == nil {
		clear(to)
		return
	}
	for b := range l.Batch {
		copy(to[b*l.Hidden:(b+1)*l.Hidden], from[l.state(l.d, b):])
	}
}

// end copies the last states of the direction.
func (l *Layer[T]) end(to, from []T) {
	if to == nil {
		return
	}
	for b := range l.Batch {
		copy(to[l.state(l.d, b):], from[b*l.Hidden:(b+1)*l.Hidden])
	}
}

// step runs one step.
func (l *Layer[T]) step() {
	h, g := l.Hidden, l.gates()
	at, apart := l.stepRows(l.t)
	z, ldc := l.z[at*g:], apart*g
	sum := gemm.Epilogue[T]{Start: gemm.FromC}
	if l.Kind != GRU {
		l.mul(l.Batch, g, h, dense(l.h, h), packed(l.packR), z, ldc, sum)
		if l.Kind == LSTM {
			l.each((*Layer[T]).lstm)
		} else {
			l.each((*Layer[T]).simple)
		}
		return
	}
	l.mul(l.Batch, 2*h, h, dense(l.h, h), packed(l.packR), z, ldc, sum)
	if l.LinearBeforeReset {
		e := gemm.Epilogue[T]{}
		if l.hbias != nil {
			e = gemm.Epilogue[T]{Start: gemm.FromColBias, Bias: l.hbias}
		}
		l.mul(l.Batch, h, h, dense(l.h, h), packed(l.packR2), l.q, h, e)
	} else {
		l.each((*Layer[T]).reset)
		l.mul(l.Batch, h, h, dense(l.rh, h), packed(l.packR2), z[2*h:], ldc, sum)
	}
	l.each((*Layer[T]).gru)
}

// row is the gates of sequence b at the step at work.
func (l *Layer[T]) gateRow(b int) []T {
	g, r := l.gates(), l.row(l.t, b)
	return l.z[r*g : (r+1)*g]
}

// out copies the state of sequence b to the output.
func (l *Layer[T]) out(b int) {
	if l.Y != nil {
		copy(l.Y[l.y(l.t, l.d, b):], l.h[b*l.Hidden:(b+1)*l.Hidden])
	}
}

func (l *Layer[T]) simple(b int) {
	if !l.live(b) {
		return
	}
	z, h := l.gateRow(b), l.h[b*l.Hidden:]
	copy(h, z)
	l.act[0].all(h[:len(z)], l.Clip)
	l.out(b)
}

func (l *Layer[T]) lstm(b int) {
	if !l.live(b) {
		return
	}
	n := l.Hidden
	c := l.c[b*n : (b+1)*n]
	var peep [3][]T
	if l.peep != nil {
		peep = [3][]T{l.peep[:n], l.peep[n : 2*n], l.peep[2*n : 3*n]}
	}
	l.cell(l.act, l.gateRow(b), c, l.h[b*n:(b+1)*n], peep)
	if l.cells != nil {
		copy(l.cells[l.row(l.t, b)*n:], c)
	}
	l.out(b)
}

// cell makes the new cell and state of some units of an LSTM from their gates, i, o, f and g. peep is their peepholes to i, o
// and f, nil for none.
func (l *Layer[T]) cell(act []Activation[T], z, c, h []T, peep [3][]T) {
	n := len(c)
	zi, zo, zf, zg := z[:n], z[n:2*n], z[2*n:3*n], z[3*n:4*n]
	f, g, last := &act[0], &act[1], &act[2]
	if peep[0] != nil {
		gated(zi, peep[0], c)
		gated(zf, peep[2], c)
		f.all(zi, l.Clip)
		f.all(zf, l.Clip)
	} else {
		f.all(z[:3*n], l.Clip)
	}
	g.all(zg, l.Clip)
	if l.Coupled {
		for j := range zf {
			zf[j] = 1 - zi[j]
		}
	}
	h = h[:n]
	for j := range n {
		c[j] = T(zf[j]*c[j]) + T(zi[j]*zg[j])
		h[j] = c[j]
	}
	if peep[0] != nil {
		gated(zo, peep[1], c)
		f.all(zo, l.Clip)
	}
	last.all(h, l.Clip)
	scale(h, zo)
}

// reset computes r·h, the state that the last gate of a GRU sees.
func (l *Layer[T]) reset(b int) {
	n := l.Hidden
	z, h, rh := l.gateRow(b)[n:2*n], l.h[b*n:(b+1)*n], l.rh[b*n:(b+1)*n]
	copy(rh, z)
	l.act[0].all(rh, l.Clip)
	scale(rh, h)
}

func (l *Layer[T]) gru(b int) {
	if !l.live(b) {
		return
	}
	n := l.Hidden
	z := l.gateRow(b)
	zz, zr, zh := z[:n], z[n:2*n], z[2*n:3*n]
	h, q := l.h[b*n:(b+1)*n], l.q[b*n:(b+1)*n]
	l.act[0].all(z[:2*n], l.Clip)
	if l.LinearBeforeReset {
		gated(zh, zr, q)
	}
	l.act[1].all(zh, l.Clip)
	blend(h, zz, zh, h)
	if l.cells != nil && l.LinearBeforeReset {
		copy(l.cells[l.row(l.t, b)*n:], q)
	}
	l.out(b)
}
