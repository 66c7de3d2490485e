package parallel

import "sync"

// A FreeList keeps the task objects of a kernel for its next call, so that
// calls do not allocate. The zero value is empty.
type FreeList[T any] struct {
	mu   sync.Mutex
	free []*T
}

// Take returns an object that nobody uses.
func (l *FreeList[T]) Take() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.free) - 1
	if last < 0 {
		return new(T)
	}
	x := l.free[last]
	l.free = l.free[:last]
	return x
}

// Give clears the object and keeps it.
func (l *FreeList[T]) Give(x *T) {
	var zero T
	*x = zero
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, x)
}
