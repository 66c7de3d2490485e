package parallel

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// The pool keeps the teams that nobody holds, so that their helpers, spinning
// or parked, are there for the next Run. There is one per process.
type pool struct {
	mu      sync.Mutex
	idle    []*Team
	helpers int         // alive, in teams held and idle
	sweeper *time.Timer // nil while no sweep is due
}

// idleTime is how long the helpers of an unused team stay.
const idleTime = 5 * time.Second

var shared pool

// Acquire returns a team of up to threads goroutines, the caller included,
// for one owner until Release. threads below 1 counts as 1. All teams together
// have no more helpers than GOMAXPROCS-1 or threads-1, whichever is more;
// when others hold them, the team is smaller than asked, perhaps the caller
// alone.
func Acquire(threads int) *Team {
	t := shared.acquire(max(threads, 1) - 1)
	t.taken = time.Now()
	return t
}

// Release gives the team back. Helpers that find no work for some seconds
// end. It must not be called while a job runs, nor twice.
func (t *Team) Release() {
	if t != nil {
		t.stop = nil
		shared.release(t)
	}
}

// Helpers returns how many helper goroutines are alive in the process.
func Helpers() int {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	return shared.helpers
}

// Drain ends the helpers of all teams that nobody holds.
func Drain() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.retireIdle(time.Now(), 0)
}

func (p *pool) acquire(helpers int) *Team {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := max(runtime.GOMAXPROCS(0)-1, helpers)
	helpers = max(min(helpers, limit-p.held()), 0)
	for i := len(p.idle) - 1; i >= 0; i-- {
		if t := p.idle[i]; len(t.helpers) == helpers {
			p.idle = slices.Delete(p.idle, i, i+1)
			return t
		}
	}
	for p.helpers+helpers > limit && len(p.idle) > 0 {
		p.retire(p.idle[0])
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.helpers += helpers
	return newTeam(helpers)
}

// held counts the helpers of teams that somebody holds.
func (p *pool) held() int {
	n := p.helpers
	for _, t := range p.idle {
		n -= len(t.helpers)
	}
	return n
}

func (p *pool) release(t *Team) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.idle = time.Now()
	p.idle = append(p.idle, t)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(idleTime, p.sweep)
	}
}

// sweep retires the teams that have been idle for idleTime and comes back
// while any team is left.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retireIdle(time.Now(), idleTime)
	p.sweeper = nil
	if len(p.idle) > 0 {
		p.sweeper = time.AfterFunc(idleTime, p.sweep)
	}
}

func (p *pool) retireIdle(now time.Time, age time.Duration) {
	kept := p.idle[:0]
	for _, t := range p.idle {
		if now.Sub(t.idle) >= age {
			p.retire(t)
		} else {
			kept = append(kept, t)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
}

func (p *pool) retire(t *Team) {
	p.helpers -= len(t.helpers)
	t.retired.Store(true)
	t.wakeAll()
}
