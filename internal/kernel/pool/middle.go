package pool

import "math"

// The middle of an output row is the windows whose columns are all in the
// image: one stride apart, they are reduced side by side.
type middle struct {
	lo, hi        int // no middle where lo is not below hi
	stride        int
	taps, tapStep int
}

// findMiddle looks for the longest run of alike windows. There is none unless
// the table has a kernel for it.
func (p *Plan[T]) findMiddle() middle {
	last := len(p.g.In) - 1
	stride := p.g.Strides[last]
	if _, ok := any([]T(nil)).([]float32); !ok || p.t.MaxRow[0] == nil || stride > 2 || last > 1 || p.in > math.MaxInt32 {
		return middle{}
	}
	best := middle{stride: stride}
	columns := p.windows[last]
	for lo := 0; lo < len(columns); {
		hi := alike(columns, lo, stride)
		if w := columns[lo]; hi-lo > best.hi-best.lo && w.Taps > 0 {
			best.lo, best.hi, best.taps, best.tapStep = lo, hi, w.Taps, w.Step
		}
		lo = hi
	}
	return best
}

// alike returns where the windows that are like the one at lo end.
func alike(columns []Window, lo, stride int) int {
	want := columns[lo]
	for hi := lo; hi < len(columns); hi++ {
		if columns[hi] != want {
			return hi
		}
		want.First += stride
	}
	return len(columns)
}

// first returns where the first window of the middle begins in a channel, and
// how far it is from one of its rows to the next.
func (p *Plan[T]) first(rows *walk) (at, step int) {
	last := len(p.g.In) - 1
	at = p.windows[last][p.middle.lo].First
	if last == 1 {
		w := rows.w[0]
		at, step = at+w.First*p.g.In[1], w.Step*p.g.In[1]
	}
	return at, step
}
