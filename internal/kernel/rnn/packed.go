package rnn

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Weights that never change are packed once, in an order that lets one thread compute some hidden units from product to state
// alone: blocks of hidden units, in each block the gates, in each gate panels of columns as package gemm packs them. Hidden
// units that fill the last block up have weights of zero.

// blocks is how the hidden units of a layer are cut.
type blocks struct {
	count  int // of blocks
	width  int // hidden units in one
	cols   int // columns of a panel
	each   int // gates of a unit
	all    int // columns of the gates of a row: count·each·width
	hidden int // count·width
}

// lstmWidth is how many hidden units a block of an LSTM should have: enough for the vector functions, few enough for threads.
const lstmWidth = 64

// cut decides on the blocks. A row of a product takes four panels at once: the four gates of an LSTM, or four panels of a gate.
func (l *Layer[T]) cut() blocks {
	cols := l.Table.Cols
	b := blocks{width: cols, cols: cols, each: l.Kind.Gates()}
	switch {
	case l.Kind != LSTM && l.Hidden > 4*cols:
		b.width = 4 * cols
	case l.Kind == LSTM:
		for b.width < lstmWidth && l.Hidden >= 8*b.width {
			b.width *= 2
		}
	}
	b.count = (l.Hidden + b.width - 1) / b.width
	b.hidden = b.count * b.width
	b.all = b.hidden * b.each
	return b
}

// PackedW is the number of elements of W in packed form, all directions together.
func (l *Layer[T]) PackedW() int { return l.Directions * l.cut().all * l.Input }

// PackedR is the number of elements of R in packed form.
func (l *Layer[T]) PackedR() int { return l.Directions * l.cut().all * l.Hidden }

// PackW packs W for a layer with Packed; dst has PackedW elements.
func (l *Layer[T]) PackW(dst, w []T) { l.pack(dst, w, l.Input) }

// PackR packs R for a layer with Packed; dst has PackedR elements.
func (l *Layer[T]) PackR(dst, r []T) { l.pack(dst, r, l.Hidden) }

func (l *Layer[T]) pack(dst, w []T, k int) {
	b := l.cut()
	for d := range l.Directions {
		to, from := of(dst, d, b.all*k), of(w, d, l.gates()*k)
		for p := range b.all / b.cols {
			panel := to[p*b.cols*k : (p+1)*b.cols*k]
			gate, unit := b.place(p * b.cols)
			n := min(b.cols, l.Hidden-unit)
			if n <= 0 {
				clear(panel)
				continue
			}
			gemm.PackB(l.Table, panel, k, n, transposed(from[(gate*l.Hidden+unit)*k:], k))
		}
	}
}

// place is the gate and the hidden unit of a column of a row of gates.
func (b *blocks) place(column int) (gate, unit int) {
	in := column % b.columns()
	return in / b.width, column/b.columns()*b.width + in%b.width
}

// packedForward is what the forward pass with packed weights uses. Every slice has one part for each direction.
type packedForward[T gemm.Float] struct {
	blocks
	gatesOf []T    // gates of all rows
	stateOf [2][]T // states before the even and the odd steps [Batch, hidden]
	cellsOf []T    // LSTM [Batch, hidden]
	biasOf  []T    // what the products with the input start from
	qBias   []T    // GRU with LinearBeforeReset: what the recurrent part of its last gate starts from
	parts   []T    // GRU with LinearBeforeReset: recurrent parts of the last gate [Batch, hidden]
	resets  []T    // GRU without: reset states [Batch, hidden]
	peeps   []T    // [3, hidden]
}

// A phase is what the tiles of a job do; most recurrences have one for each step.
type phase uint8

const (
	wholeStep phase = iota
	gatesOnly       // GRU without LinearBeforeReset: the first two gates and the reset state
	lastGate        // then the last gate
)

// layPacked hands out the scratch.
func (l *Layer[T]) layPacked(a *arena[T], threads int) {
	b := l.cut()
	d, state := l.Directions, l.Directions*l.Batch*b.hidden
	f := packedForward[T]{blocks: b, gatesOf: a.take(d * l.rows() * b.all), biasOf: a.take(d * b.all)}
	f.stateOf[0], f.stateOf[1] = a.take(state), a.take(state)
	switch {
	case l.Kind == LSTM:
		f.cellsOf, f.peeps = a.take(state), a.take(d*3*b.hidden)
	case l.Kind == GRU && l.LinearBeforeReset:
		f.qBias, f.parts = a.take(d*b.hidden), a.take(state)
	case l.Kind == GRU:
		f.resets = a.take(state)
	}
	l.packedForward = f
	l.product = a.take(l.need(threads, l.rows(), b.all, l.Input, dense[T](nil, l.Input), packed[T](nil)))
}

// forwardPacked is Forward for packed weights.
func (l *Layer[T]) forwardPacked(team *parallel.Team, scratch []T) {
	l.layPacked(&arena[T]{data: scratch}, team.Threads())
	if l.Lens != nil {
		clear(l.Y)
	}
	for d := range l.Directions {
		l.enter(d)
	}
	if work := int64(l.Directions) * int64(l.Batch) * int64(l.all) * int64(l.Hidden); work < l.Table.Worth/16 {
		team = nil
	}
	for n := range l.Steps {
		if l.team.Stopped() || l.Batch == 0 {
			break
		}
		l.n = n
		if l.Kind == GRU && !l.LinearBeforeReset {
			l.phase = gatesOnly
			team.Do(l.Directions*l.count, (*packedTask[T])(l))
			l.phase = lastGate
		}
		team.Do(l.Directions*l.count, (*packedTask[T])(l))
	}
	for d := range l.Directions {
		l.leave(l.YH, l.stateOf[l.Steps%2], d)
		l.leave(l.YC, l.cellsOf, d)
	}
}

// enter sets up a direction: biases, first states and the products with the input.
func (l *Layer[T]) enter(d int) {
	for i := range l.Acts[d] {
		l.Acts[d][i] = bounded(l.Acts[d][i], l.Clip)
	}
	bias, g := of(l.biasOf, d, l.all), l.gates()
	clear(bias)
	clear(of(l.qBias, d, l.hidden))
	if b := of(l.B, d, 2*g); b != nil {
		l.enterBias(d, bias, b[:g], b[g:])
	}
	if p := of(l.P, d, 3*l.Hidden); p != nil {
		clear(of(l.peeps, d, 3*l.hidden))
		for i := range 3 {
			copy(of(l.peeps, 3*d+i, l.hidden), of(p, i, l.Hidden))
		}
	}
	l.enterState(l.stateOf[0], l.H0, d)
	l.enterState(l.cellsOf, l.C0, d)
	z := of(l.gatesOf, d, l.rows()*l.all)
	w := of(l.W, d, l.all*l.Input)
	l.mul(l.rows(), l.all, l.Input, dense(l.X, l.Input), packed(w), z, l.all, gemm.Epilogue[T]{Start: gemm.FromColBias, Bias: bias})
}

// enterBias adds the two biases of each gate, but for the last gate of a GRU whose recurrent part has its own.
func (l *Layer[T]) enterBias(d int, bias, wb, rb []T) {
	apart := l.Kind == GRU && l.LinearBeforeReset
	for i := range bias {
		gate, unit := l.place(i)
		if unit >= l.Hidden {
			continue
		}
		at := gate*l.Hidden + unit
		if bias[i] = wb[at]; !apart || gate < 2 {
			bias[i] += rb[at]
		}
	}
	if apart {
		copy(of(l.qBias, d, l.hidden), rb[2*l.Hidden:3*l.Hidden])
	}
}

func (l *Layer[T]) enterState(to, from []T, d int) {
	to = of(to, d, l.Batch*l.hidden)
	clear(to)
	if from == nil || to == nil {
		return
	}
	for b := range l.Batch {
		copy(to[b*l.hidden:][:l.Hidden], from[l.state(d, b):])
	}
}

// leave copies the last states of a direction.
func (l *Layer[T]) leave(to, from []T, d int) {
	if to == nil {
		return
	}
	from = of(from, d, l.Batch*l.hidden)
	for b := range l.Batch {
		copy(to[l.state(d, b):][:l.Hidden], from[b*l.hidden:])
	}
}

// A packedTask is a layer whose tiles are blocks of hidden units.
type packedTask[T gemm.Float] Layer[T]

// Tile does one block's part of a step.
func (p *packedTask[T]) Tile(i int) {
	l := (*Layer[T])(p)
	d, block := i/l.count, i%l.count
	t := l.n
	if l.Reverse[d] {
		t = l.Steps - 1 - l.n
	}
	s := l.blockAt(d, t, block)
	switch {
	case l.Kind == LSTM:
		l.blockLSTM(&s)
	case l.Kind == Simple:
		l.blockSimple(&s)
	case l.LinearBeforeReset:
		l.blockGRU(&s)
	default:
		l.blockResetGRU(&s)
	}
}

// A blockStep is one block of a direction at one step.
type blockStep[T gemm.Float] struct {
	d, t, block int
	z           []T // the gates, of which rows are ldz apart
	ldz         int
}

// old and fresh are the states before and after the step at work.
func (l *Layer[T]) old() []T   { return l.stateOf[l.n%2] }
func (l *Layer[T]) fresh() []T { return l.stateOf[1-l.n%2] }

// columns is how many gates a block has in all.
func (b *blocks) columns() int { return b.each * b.width }

func (l *Layer[T]) blockAt(d, t, block int) blockStep[T] {
	first, apart := l.stepRows(t)
	z := of(l.gatesOf, d, l.rows()*l.all)
	return blockStep[T]{d, t, block, z[first*l.all+block*l.columns():], apart * l.all}
}

// part is what the block has in a [Batch, hidden] tensor with one part for each direction, of sequence b.
func (l *Layer[T]) part(s *blockStep[T], all []T, b int) []T {
	return all[(s.d*l.Batch+b)*l.hidden+s.block*l.width:][:l.width]
}

// recur adds to gates first to last of a block the products with states, or to bias if that is not nil.
func (l *Layer[T]) recur(s *blockStep[T], first, last int, states, c []T, ldc int, bias []T) {
	t, k := l.Table, l.Hidden
	r := of(l.R, s.d, l.all*k)[(s.block*l.columns()+first*l.width)*k:]
	states = of(states, s.d, l.Batch*l.hidden)
	start := gemm.FromC
	if bias != nil {
		start = gemm.FromColBias
	}
	for j, n := 0, (last-first)*l.width; j < n; j += l.cols {
		panel, from := r[j*k:], bias
		if bias != nil {
			from = bias[j:]
		}
		if l.Batch == 1 && j+4*l.cols <= n {
			t.ThinTile(k, states, panel, k*l.cols, c[j:], nil, start, from, false)
			j += 3 * l.cols
			continue
		}
		for i := 0; i < l.Batch; i += t.Rows {
			to := c[i*ldc+j:]
			t.RowsTile(min(t.Rows, l.Batch-i), k, states[i*l.hidden:], l.hidden, panel, l.cols, to, ldc, l.cols, nil, 0, start, from, panel, false)
		}
	}
}

// finish copies the new state of a sequence to the output, or keeps the old one behind the sequence's end.
func (l *Layer[T]) finish(s *blockStep[T], b int) {
	h := l.part(s, l.fresh(), b)
	if l.Y == nil {
		return
	}
	unit := s.block * l.width
	copy(l.Y[l.y(s.t, s.d, b)+unit:][:min(l.width, l.Hidden-unit)], h)
}

// lives reports whether the step belongs to sequence b; if not, the block's state stays.
func (l *Layer[T]) lives(s *blockStep[T], b int) bool {
	if l.Lens == nil || s.t < int(l.Lens[b]) {
		return true
	}
	copy(l.part(s, l.fresh(), b), l.part(s, l.old(), b))
	return false
}

func (l *Layer[T]) blockSimple(s *blockStep[T]) {
	l.recur(s, 0, 1, l.old(), s.z, s.ldz, nil)
	for b := range l.Batch {
		if l.lives(s, b) {
			h := l.part(s, l.fresh(), b)
			copy(h, s.z[b*s.ldz:])
			l.Acts[s.d][0].all(h, l.Clip)
			l.finish(s, b)
		}
	}
}

func (l *Layer[T]) blockLSTM(s *blockStep[T]) {
	l.recur(s, 0, 4, l.old(), s.z, s.ldz, nil)
	var peep [3][]T
	if l.P != nil {
		for i := range peep {
			peep[i] = of(l.peeps, 3*s.d+i, l.hidden)[s.block*l.width:][:l.width]
		}
	}
	for b := range l.Batch {
		if l.lives(s, b) {
			l.cell(l.Acts[s.d], s.z[b*s.ldz:][:l.columns()], l.part(s, l.cellsOf, b), l.part(s, l.fresh(), b), peep)
			l.finish(s, b)
		}
	}
}

// blockGRU is a step of a GRU with LinearBeforeReset.
func (l *Layer[T]) blockGRU(s *blockStep[T]) {
	w := l.width
	q := of(l.parts, s.d, l.Batch*l.hidden)[s.block*w:]
	l.recur(s, 0, 2, l.old(), s.z, s.ldz, nil)
	l.recur(s, 2, 3, l.old(), q, l.hidden, of(l.qBias, s.d, l.hidden)[s.block*w:])
	for b := range l.Batch {
		if !l.lives(s, b) {
			continue
		}
		z := s.z[b*s.ldz:][:3*w]
		l.Acts[s.d][0].all(z[:2*w], l.Clip)
		gated(z[2*w:], z[w:2*w], q[b*l.hidden:])
		l.update(s, b, z)
	}
}

// blockResetGRU is one half of a step of a GRU without.
func (l *Layer[T]) blockResetGRU(s *blockStep[T]) {
	w := l.width
	if l.phase == gatesOnly {
		l.recur(s, 0, 2, l.old(), s.z, s.ldz, nil)
		for b := range l.Batch {
			z := s.z[b*s.ldz:][:2*w]
			l.Acts[s.d][0].all(z, l.Clip)
			rh := l.part(s, l.resets, b)
			copy(rh, z[w:])
			scale(rh, l.part(s, l.old(), b))
		}
		return
	}
	l.recur(s, 2, 3, l.resets, s.z[2*w:], s.ldz, nil)
	for b := range l.Batch {
		if l.lives(s, b) {
			l.update(s, b, s.z[b*s.ldz:][:3*w])
		}
	}
}

// update makes the new state of a GRU from its gates, the first two of which went through their functions.
func (l *Layer[T]) update(s *blockStep[T], b int, z []T) {
	w := l.width
	l.Acts[s.d][1].all(z[2*w:], l.Clip)
	blend(l.part(s, l.fresh(), b), z[:w], z[2*w:], l.part(s, l.old(), b))
	l.finish(s, b)
}

// gated adds r·q to z.
func gated[T gemm.Float](z, r, q []T) {
	r, q = r[:len(z)], q[:len(z)]
	for j := range z {
		z[j] += T(r[j] * q[j])
	}
}

// scale multiplies y by x.
func scale[T gemm.Float](y, x []T) {
	x = x[:len(y)]
	for j := range y {
		y[j] *= x[j]
	}
}

// blend sets h to (1-u)·g + u·before.
func blend[T gemm.Float](h, u, g, before []T) {
	u, g, before = u[:len(h)], g[:len(h)], before[:len(h)]
	for j := range h {
		h[j] = T((1-u[j])*g[j]) + T(u[j]*before[j])
	}
}
