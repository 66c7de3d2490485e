package parallel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A Team is the caller and the helpers that it holds. One goroutine at a time
// may own a Team; the tasks it runs may call Do again, which then runs inline.
// A nil Team runs everything on the caller.
type Team struct {
	// state is generation<<32 | closed | helpers inside. The job is written
	// only while the state is closed and nobody is inside, so that a helper
	// that comes late can never see half a job. It lies in the same cache line,
	// so that a helper that sees the one has the other.
	state atomic.Uint64
	job
	_ [80]byte

	// What helpers read all the time and nobody writes during a job.
	spans    []span // one for each thread: the tiles that it should take
	helpers  []helper
	stop     *atomic.Bool
	retired  atomic.Bool // the helpers must end
	broken   atomic.Pointer[Panic]
	sleeping atomic.Int32 // helpers that are parked
	_        [128]byte

	// What only the owner or the pool reads.
	busy  atomic.Bool // a Do is running
	taken time.Time   // when the owner got the team
	idle  time.Time   // since when the pool has it; guarded by the pool
}

type job struct {
	tiles  int64
	task   Task
	worker WorkerTask
}

// A span is the tiles that one thread takes first, one after the other, so
// that a thread finds in its cache what its tiles of the job before have
// left there. Whoever has none left takes those of the others.
type span struct {
	next int64 // the next tile to claim; atomic while the job is open
	end  int64
	_    [112]byte
}

type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
}

const (
	closedBit  = 1 << 31
	insideMask = closedBit - 1
	spinTime   = 100 * time.Microsecond // about the price of a wake-up
	// patience is how long the owner works alone before it wakes those who
	// sleep. A helper that is woken comes about that much later.
	patience = 100 * time.Microsecond
)

func newTeam(helpers int) *Team {
	t := &Team{helpers: make([]helper, helpers), spans: make([]span, helpers+1)}
	t.state.Store(closedBit)
	for i := range t.helpers {
		t.helpers[i].wake = make(chan struct{}, 1)
		go t.help(i)
	}
	return t
}

// Threads returns how many goroutines share the tiles, the caller included.
func (t *Team) Threads() int {
	if t == nil {
		return 1
	}
	return 1 + len(t.helpers)
}

// SetStop makes Do look at flag before each tile: once it is true, no further
// tile begins and Do returns with the job unfinished. Nil takes it away, as
// Release does. Set it only between jobs.
func (t *Team) SetStop(flag *atomic.Bool) {
	if t != nil {
		t.stop = flag
	}
}

// Stopped tells whether the flag given to SetStop is set.
func (t *Team) Stopped() bool { return t != nil && t.stop != nil && t.stop.Load() }

// Do runs tiles 0 to n-1 of task and returns when all are done. If a tile
// panics, the tiles not yet begun are left out and Do panics with a *Panic.
// Do does not allocate.
func (t *Team) Do(n int, task Task) { t.do(job{tiles: int64(n), task: task}) }

// DoWorkers is Do for tasks that want to know which worker runs a tile. Called
// from inside a tile of the same team it runs inline, as worker 0.
func (t *Team) DoWorkers(n int, task WorkerTask) { t.do(job{tiles: int64(n), worker: task}) }

// DoFunc is Do for a function. The conversion of a closure may allocate.
func (t *Team) DoFunc(n int, f func(i int)) { t.do(job{tiles: int64(n), task: Func(f)}) }

func (t *Team) do(j job) {
	if j.tiles <= 0 {
		return
	}
	if j.tiles == 1 || t == nil || len(t.helpers) == 0 || !t.busy.CompareAndSwap(false, true) {
		t.inline(j)
		return
	}
	t.open(j)
	t.claim(0)
	t.close()
	t.job = job{}
	broken := t.broken.Swap(nil)
	t.busy.Store(false)
	if broken != nil {
		panic(broken)
	}
}

// inline runs a job on the caller alone.
func (t *Team) inline(j job) {
	defer func() {
		if v := recover(); v != nil {
			panic(asPanic(v))
		}
	}()
	for i := 0; i < int(j.tiles) && !t.Stopped(); i++ {
		j.run(0, i)
	}
}

func (j *job) run(worker, i int) {
	if j.task != nil {
		j.task.Tile(i)
		return
	}
	j.worker.Tile(worker, i)
}

// open publishes a job.
func (t *Team) open(j job) {
	t.job = j
	n, at := int64(len(t.spans)), int64(0)
	for w := range t.spans {
		s := &t.spans[w]
		s.next = at
		at += j.tiles/n + min(max(j.tiles%n-int64(w), 0), 1)
		s.end = at
	}
	t.state.Store((t.state.Load()>>32 + 1) << 32)
	t.rouse()
}

// rouse wakes the helpers that are parked, unless the Run is so young that it
// may be over before they come.
func (t *Team) rouse() {
	if t.sleeping.Load() > 0 && time.Since(t.taken) > patience {
		t.wakeAll()
	}
}

func (t *Team) wakeAll() {
	for i := range t.helpers {
		h := &t.helpers[i]
		if h.asleep.Load() && h.asleep.CompareAndSwap(true, false) {
			t.sleeping.Add(-1)
			select {
			case h.wake <- struct{}{}:
			default:
			}
		}
	}
}

// claim takes tiles until none is left, the worker's own first. It recovers
// once per job: the first panic is kept and ends the job for everybody.
func (t *Team) claim(worker int) {
	defer func() {
		if v := recover(); v != nil {
			t.broken.CompareAndSwap(nil, asPanic(v))
			for w := range t.spans {
				atomic.StoreInt64(&t.spans[w].next, t.tiles)
			}
		}
	}()
	t.claimFrom(worker, t.spans[worker:])
	t.claimFrom(worker, t.spans[:worker])
}

func (t *Team) claimFrom(worker int, spans []span) {
	for w := range spans {
		for s := &spans[w]; !t.Stopped(); {
			i := atomic.AddInt64(&s.next, 1) - 1
			if i >= s.end {
				break
			}
			t.run(worker, int(i))
			if worker == 0 {
				t.rouse()
			}
		}
	}
}

// close shuts the job and waits for the helpers inside it, which are all
// running tiles that they have claimed.
func (t *Team) close() {
	for s := t.state.Load(); !t.state.CompareAndSwap(s, s|closedBit); s = t.state.Load() {
	}
	for i := 1; t.state.Load()&insideMask != 0; i++ {
		pause(1)
		if i&0xff == 0 {
			runtime.Gosched()
		}
	}
}

// help is the life of one helper: spin while jobs follow each other closely,
// park when they do not, end when the team is retired.
func (t *Team) help(id int) {
	seen := uint64(0)
	for !t.retired.Load() {
		s, ok := t.spin(seen)
		if !ok {
			t.park(id, seen)
			continue
		}
		if !t.state.CompareAndSwap(s, s+1) {
			continue // it was closed meanwhile, or somebody else entered
		}
		seen = s >> 32
		t.claim(id + 1)
		t.state.Add(^uint64(0))
	}
}

// enterable tells whether a job is open that this helper has not been in.
func enterable(s, seen uint64) bool { return s>>32 != seen && s&closedBit == 0 }

// spin waits for a new job for about spinTime.
func (t *Team) spin(seen uint64) (uint64, bool) {
	start := time.Now()
	for i := 1; ; i++ {
		if s := t.state.Load(); enterable(s, seen) {
			return s, true
		}
		if t.retired.Load() {
			return 0, false
		}
		pause(2)
		if i&63 == 0 && time.Since(start) > spinTime {
			return 0, false
		}
	}
}

// park sleeps until a job is opened or the team is retired. The helper spins
// again afterwards: it may have come too late for this job, but not for the next.
func (t *Team) park(id int, seen uint64) {
	h := &t.helpers[id]
	h.asleep.Store(true)
	t.sleeping.Add(1)
	if t.retired.Load() || enterable(t.state.Load(), seen) {
		if h.asleep.CompareAndSwap(true, false) {
			t.sleeping.Add(-1)
			return
		}
	}
	<-h.wake
}
