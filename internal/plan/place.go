package plan

import (
	"cmp"
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// place gives every value whose size is known, and every step's scratch memory, an offset in the arena. When all fit where
// the previous binding had them they stay there.
func (p *Plan) place(b, previous *Binding) error {
	roots, err := p.shareBuffers(b)
	if err != nil {
		return err
	}
	if err := p.scratch(b); err != nil {
		return err
	}
	if previous != nil && b.fits(previous) && !p.tooLarge(previous.arena) {
		b.keepOffsets(previous)
		return nil
	}
	items := p.items(b, roots, previous != nil)
	if b.arena, err = pack(items, p.o.Keep); err != nil {
		return err
	}
	if previous != nil && p.tooLarge(b.arena) { // perhaps it is the room to grow that does not fit
		items = p.items(b, roots, false)
		if b.arena, err = pack(items, p.o.Keep); err != nil {
			return err
		}
	}
	for _, it := range items {
		if it.id >= 0 {
			b.vals[it.id].off, b.vals[it.id].room = it.off, it.n
		} else {
			b.steps[-1-it.id].scratch.off, b.steps[-1-it.id].scratch.room = it.off, it.n
		}
	}
	for id := range b.vals {
		if v := &b.vals[id]; v.root != id && b.vals[v.root].off >= 0 {
			v.off = b.vals[v.root].off + v.at
		}
	}
	return nil
}

// memoryLimit is the name of the limit Options.Memory.
const memoryLimit = "memory of one run"

func (p *Plan) tooLarge(arena int) bool { return p.o.Memory > 0 && int64(arena) > p.o.Memory }

// life is the steps between which a buffer must stay.
type life struct{ from, to int }

// shareBuffers decides which values lie in the arena and who shares whose buffer. It returns the lives of the buffers,
// by the value that owns each; values elsewhere have from -1.
func (p *Plan) shareBuffers(b *Binding) ([]life, error) {
	lives := make([]life, len(p.vals))
	for id := range p.vals {
		b.vals[id].root, b.vals[id].off, lives[id].from = id, -1, -1
	}
	for k := range p.steps { // in this order roots are settled before they are looked at
		if b.steps[k].late {
			continue
		}
		for _, id := range p.steps[k].out {
			if id < 0 || p.vals[id].inPlace != nil {
				continue
			}
			v := &b.vals[id]
			n, err := numBytes(v.typ.Elem, p.vals[id].layout, v.shape)
			if err != nil {
				return nil, p.errBound(k, b, err)
			}
			v.n = n
			to := max(p.vals[id].last, k)
			if a := p.vals[id].alias; a >= 0 && b.vals[a].n == n && b.mayShare(lives, a, k) {
				v.root = b.vals[a].root
				lives[v.root].to = max(lives[v.root].to, to)
				continue
			}
			lives[id] = life{k, to}
		}
		p.join(b, lives, k)
	}
	return lives, nil
}

// mayShare reports whether step k may write over value a, which is all of a buffer that nobody reads later.
func (b *Binding) mayShare(lives []life, a, k int) bool {
	root := b.vals[a].root
	return lives[root].from >= 0 && lives[root].to <= k && b.vals[root].n == b.vals[a].n
}

// join lets the inputs of step k that its output is made of lie in the output's buffer from the start, where the step would
// copy them. What shared an input's buffer before goes with it.
func (p *Plan) join(b *Binding, lives []life, k int) {
	st := &p.steps[k]
	if st.s.Join == nil || p.o.Keep || len(st.out) == 0 || st.out[0] < 0 || b.vals[st.out[0]].root != st.out[0] {
		return
	}
	id := st.out[0]
	at := st.s.Join(&opdef.Bound{In: p.shapesOf(b, st.in), Out: p.shapesOf(b, st.out), Threads: 1})
	for j, off := range at {
		i := st.in[j]
		if i < 0 || p.vals[i].output || p.vals[i].def < 0 {
			continue
		}
		root := b.vals[i].root
		if lives[root].from < 0 || b.vals[root].n != b.vals[i].n || root == id {
			continue
		}
		lives[id].from, lives[id].to = min(lives[id].from, lives[root].from), max(lives[id].to, lives[root].to)
		lives[root].from = -1
		for v := range b.vals {
			if b.vals[v].root == root {
				b.vals[v].root, b.vals[v].at = id, b.vals[v].at+off
			}
		}
	}
}

// scratch asks each step how much memory it needs besides its outputs.
func (p *Plan) scratch(b *Binding) error {
	for k := range p.steps {
		st := &p.steps[k]
		if st.s.Scratch == nil || b.steps[k].late {
			continue
		}
		for _, o := range st.out { // before the step makes tables for sizes that cannot be
			if o >= 0 && p.tooLarge(b.vals[o].n) {
				return p.errBound(k, b, &onnx.LimitError{Limit: memoryLimit, Value: p.o.Memory, Asked: int64(b.vals[o].n), Unit: "bytes"})
			}
		}
		n := st.s.Scratch(&opdef.Bound{In: p.shapesOf(b, st.in), Out: p.shapesOf(b, st.out), Threads: max(p.o.Threads, 1)})
		if n < 0 {
			return p.errBound(k, b, onnx.Invalidf("scratch memory is too large"))
		}
		b.steps[k].scratch.n = n
	}
	return nil
}

// shapesOf makes views without bytes.
func (p *Plan) shapesOf(b *Binding, ids []int) []opdef.View {
	vs := make([]opdef.View, len(ids))
	for i, id := range ids {
		if id >= 0 {
			vs[i] = opdef.View{Elem: b.vals[id].typ.Elem, Layout: p.vals[id].layout, Shape: b.vals[id].shape}
		}
	}
	return vs
}

// fits reports whether everything has room where the previous binding had it, without wasting most of it.
func (b *Binding) fits(previous *Binding) bool {
	var used, had int64
	for id := range b.vals {
		x, y := &b.vals[id], &previous.vals[id]
		if x.root != y.root || x.at != y.at || x.known() != y.known() || x.root == id && x.n > y.room {
			return false
		}
		used, had = used+int64(x.n)/8, had+int64(y.n)/8 // an eighth, so that the sums fit
	}
	for k := range b.steps {
		if b.steps[k].late != previous.steps[k].late || b.steps[k].scratch.n > previous.steps[k].scratch.room {
			return false
		}
	}
	return used >= had/4
}

func (b *Binding) keepOffsets(previous *Binding) {
	b.arena = previous.arena
	for id := range b.vals {
		b.vals[id].off, b.vals[id].room = previous.vals[id].off, previous.vals[id].room
	}
	for k := range b.steps {
		b.steps[k].scratch.off, b.steps[k].scratch.room = previous.steps[k].scratch.off, previous.steps[k].scratch.room
	}
}

// item is something to be placed: a value, or the scratch memory of step -1-id.
type item struct {
	life
	n, off, id int
}

// items lists what needs a place. Sizes that have changed before get room to grow.
func (p *Plan) items(b *Binding, lives []life, grow bool) []item {
	var items []item
	add := func(l life, n, id int) {
		switch {
		case n == 0:
			return
		case grow:
			n = room(n)
		default:
			n = roundUp(n)
		}
		items = append(items, item{l, n, 0, id})
	}
	for id, l := range lives {
		if l.from >= 0 {
			add(l, b.vals[id].n, id)
		}
	}
	for k := range b.steps {
		add(life{k, k}, b.steps[k].scratch.n, -1-k)
	}
	return items
}

// roundUp is n rounded up to a multiple of 64.
func roundUp(n int) int {
	if n > math.MaxInt-63 {
		return n
	}
	return (n + 63) &^ 63
}

// room is n rounded up generously, so that a value that grows a little each time stays where it is.
func room(n int) int {
	r := roundUp(n)
	if r > math.MaxInt-r/4 {
		return r
	}
	return roundUp(r + r/4)
}

// maxPacked is the number of items up to which pack takes the time, quadratic, to place the largest first.
const maxPacked = 8192

// pack gives the items offsets, largest first, each at the lowest place that is free while it lives, and returns the size
// of the whole. apart gives each a place of its own.
func pack(items []item, apart bool) (int, error) {
	if len(items) > maxPacked && !apart {
		return packInOrder(items)
	}
	slices.SortStableFunc(items, func(x, y item) int { return cmp.Compare(y.n, x.n) })
	total := 0
	var busy []int // of the items placed, those that live at the same time, by offset
	for i := range items {
		it := &items[i]
		if apart {
			it.off = total
		} else {
			busy = busy[:0]
			for j := range items[:i] {
				if o := &items[j]; o.from <= it.to && it.from <= o.to {
					busy = append(busy, j)
				}
			}
			it.off = gap(items, busy, it.n)
		}
		if it.n > math.MaxInt-it.off {
			return 0, onnx.Invalidf("the values of the graph do not fit the address space")
		}
		total = max(total, it.off+it.n)
	}
	return total, nil
}

// gap is the lowest offset where n bytes are free of the busy items.
func gap(items []item, busy []int, n int) int {
	slices.SortFunc(busy, func(x, y int) int { return cmp.Compare(items[x].off, items[y].off) })
	at := 0
	for _, j := range busy {
		o := &items[j]
		if o.off >= at && o.off-at >= n {
			break
		}
		at = max(at, o.off+o.n)
	}
	return at
}

// packInOrder is pack for many items: in the order of the steps, each at the first gap that is free at that moment.
func packInOrder(items []item) (int, error) {
	slices.SortStableFunc(items, func(x, y item) int { return cmp.Compare(x.from, y.from) })
	ends := make([]int, len(items)) // by the end of their lives
	for i := range ends {
		ends[i] = i
	}
	slices.SortStableFunc(ends, func(x, y int) int { return cmp.Compare(items[x].to, items[y].to) })
	var h gaps
	for i := range items {
		for len(ends) > 0 && items[ends[0]].to < items[i].from {
			h.free(span{off: items[ends[0]].off, n: items[ends[0]].n})
			ends = ends[1:]
		}
		var ok bool
		if items[i].off, ok = h.take(items[i].n); !ok {
			return 0, onnx.Invalidf("the values of the graph do not fit the address space")
		}
	}
	return h.end, nil
}

// gaps is the free places below end, by offset; neighbours are merged.
type gaps struct {
	list []span
	end  int
}

// maxSearched bounds the search, so that many small gaps do not make it quadratic.
const maxSearched = 1024

func (g *gaps) take(n int) (off int, ok bool) {
	for i := range min(len(g.list), maxSearched) {
		s := &g.list[i]
		if s.n < n {
			continue
		}
		off = s.off
		s.off, s.n = s.off+n, s.n-n
		if s.n == 0 {
			g.list = slices.Delete(g.list, i, i+1)
		}
		return off, true
	}
	if n > math.MaxInt-g.end {
		return 0, false
	}
	off = g.end
	g.end += n
	return off, true
}

func (g *gaps) free(s span) {
	i, _ := slices.BinarySearchFunc(g.list, s.off, func(x span, off int) int { return cmp.Compare(x.off, off) })
	if i < len(g.list) && s.off+s.n == g.list[i].off {
		s.n += g.list[i].n
		g.list = slices.Delete(g.list, i, i+1)
	}
	if i > 0 && g.list[i-1].off+g.list[i-1].n == s.off {
		g.list[i-1].n += s.n
		return
	}
	g.list = slices.Insert(g.list, i, s)
}
