// Package parallel shares the tiles of one computation among goroutines.
//
// A Run acquires a Team for its whole duration and gives it back. Team.Do hands
// out the tiles of a job one by one; whoever is free claims the next. The
// caller works as well and never waits for a helper that is not running: it
// waits only for tiles that somebody has already claimed. So results must not
// depend on who computes a tile, nor on how many helpers there are.
package parallel

import (
	"fmt"
	"runtime/debug"
)

// A Task is one computation cut into tiles that may run in any order and at
// the same time.
type Task interface {
	// Tile computes tile i.
	Tile(i int)
}

// A WorkerTask is a Task whose tiles need memory of their own: worker is at
// least 0 and below Team.Threads, and no two tiles that run at the same time
// are given the same one.
type WorkerTask interface {
	Tile(worker, i int)
}

// A Panic is what Do panics with when a tile has panicked, in whichever
// goroutine that was. It is an error.
type Panic struct {
	Value any    // what the tile panicked with
	Stack []byte // the stack of the goroutine that panicked
}

func (p *Panic) Error() string { return fmt.Sprintf("panic in a parallel task: %v", p.Value) }

// Unwrap returns the value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// asPanic wraps a recovered value once, so that nested jobs keep the innermost
// stack.
func asPanic(v any) *Panic {
	if p, ok := v.(*Panic); ok {
		return p
	}
	return &Panic{Value: v, Stack: debug.Stack()}
}

// Func adapts a function of a tile to Task. Converting a closure allocates;
// steady-state code keeps its tasks instead.
type Func func(i int)

// Tile calls f.
func (f Func) Tile(i int) { f(i) }
