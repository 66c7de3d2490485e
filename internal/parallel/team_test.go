package parallel

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// squares is a task that writes i*i+round at i.
type squares struct {
	out   []int
	round int
}

func (s *squares) Tile(i int) { s.out[i] = i*i + s.round }

func TestTeam(t *testing.T) {
	for _, threads := range []int{-1, 1, 2, 3, 7, 16} {
		team := Acquire(threads)
		require.LessOrEqual(t, team.Threads(), max(threads, 1))
		task := &squares{out: make([]int, 64)}
		for task.round = range 1000 {
			n := task.round%64 + 1
			team.Do(n, task)
			for i, got := range task.out[:n] {
				require.Equal(t, i*i+task.round, got)
			}
			if task.round%200 == 0 {
				time.Sleep(time.Millisecond) // let the helpers park
			}
		}
		team.Release()
	}
}

func TestTeam_threadsWhateverGOMAXPROCS(t *testing.T) {
	Drain()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	team := Acquire(7)
	require.Equal(t, 7, team.Threads())
	second := Acquire(7)
	require.Equal(t, 1, second.Threads(), "the first holds all helpers")
	second.Release()
	team.Release()
}

func TestTeam_nil(t *testing.T) {
	var team *Team
	task := &squares{out: make([]int, 3)}
	team.SetStop(nil)
	team.Do(3, task)
	team.Do(0, task)
	team.Do(-1, task)
	require.Equal(t, []int{0, 1, 4}, task.out)
	require.Equal(t, 1, team.Threads())
	require.False(t, team.Stopped())
	team.Release()
}

// exclusive fails when two tiles run as the same worker at the same time.
type exclusive struct {
	inside []atomic.Int32
	bad    atomic.Int32
}

func (e *exclusive) Tile(worker, i int) {
	if e.inside[worker].Add(1) != 1 {
		e.bad.Add(1)
	}
	runtime.Gosched()
	e.inside[worker].Add(-1)
}

func TestTeam_workers(t *testing.T) {
	team := Acquire(5)
	defer team.Release()
	task := &exclusive{inside: make([]atomic.Int32, team.Threads())}
	for range 100 {
		team.DoWorkers(40, task)
	}
	require.Zero(t, task.bad.Load())
}

func TestTeam_nested(t *testing.T) {
	team := Acquire(4)
	defer team.Release()
	var sum atomic.Int64
	for range 50 {
		team.DoFunc(8, func(int) {
			team.DoFunc(8, func(j int) { sum.Add(int64(j)) })
		})
	}
	require.EqualValues(t, 50*8*28, sum.Load())
}

func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestTeam_panics(t *testing.T) {
	cause := errors.New("broken tile")
	for _, threads := range []int{1, 2, 3, 7, 16} {
		team := Acquire(threads)
		for bad := range 9 {
			v := recovered(func() {
				team.DoFunc(9, func(i int) {
					if i == bad {
						panic(cause)
					}
				})
			})
			p, ok := v.(*Panic)
			require.True(t, ok, "a %T", v)
			require.ErrorIs(t, p, cause)
			require.Contains(t, string(p.Stack), "TestTeam_panics")
			task := &squares{out: make([]int, 20)}
			team.Do(20, task)
			require.Equal(t, 19*19, task.out[19], "the team still works")
		}
		team.Release()
	}
}

func TestTeam_panicNested(t *testing.T) {
	team := Acquire(3)
	defer team.Release()
	v := recovered(func() {
		team.DoFunc(4, func(int) { team.DoFunc(2, func(int) { panic("inner") }) })
	})
	require.Equal(t, "inner", v.(*Panic).Value)
	require.Nil(t, v.(*Panic).Unwrap())
	require.Contains(t, v.(*Panic).Error(), "inner")
}

func TestTeam_stop(t *testing.T) {
	for _, threads := range []int{1, 2, 7} {
		team := Acquire(threads)
		var stop atomic.Bool
		var done atomic.Int64
		team.SetStop(&stop)
		team.DoFunc(1000, func(i int) {
			if done.Add(1) == 5 {
				stop.Store(true)
			}
		})
		require.True(t, team.Stopped())
		require.LessOrEqual(t, done.Load(), int64(5+threads))
		team.Release()
		require.False(t, team.Stopped())
	}
}

func TestTeam_noAllocations(t *testing.T) {
	team := Acquire(3)
	defer team.Release()
	task := &squares{out: make([]int, 64)}
	require.Zero(t, testing.AllocsPerRun(200, func() { team.Do(64, task) }))
	require.Zero(t, testing.AllocsPerRun(200, func() { Acquire(2).Release() }))
}

func TestPool_manyOwners(t *testing.T) {
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for g := range 8 {
		wg.Go(func() {
			for r := range 100 {
				team := Acquire(1 + (g+r)%5)
				task := &squares{out: make([]int, 32), round: r}
				team.Do(32, task)
				for i, got := range task.out {
					if got != i*i+r {
						wrong.Add(1)
					}
				}
				team.Release()
			}
		})
	}
	wg.Wait()
	require.Zero(t, wrong.Load())
	require.LessOrEqual(t, Helpers(), max(runtime.GOMAXPROCS(0)-1, 4))
}

func TestPool_drain(t *testing.T) {
	Drain()
	before := runtime.NumGoroutine()
	team := Acquire(6)
	team.Do(12, &squares{out: make([]int, 12)})
	team.Release()
	Drain()
	require.Zero(t, Helpers())
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestPool_sweep(t *testing.T) {
	Drain()
	Acquire(3).Release()
	shared.mu.Lock()
	shared.retireIdle(time.Now(), time.Hour)
	kept := len(shared.idle)
	shared.retireIdle(time.Now().Add(2*idleTime), idleTime)
	left := len(shared.idle)
	shared.mu.Unlock()
	require.Equal(t, 1, kept)
	require.Zero(t, left)
}

func BenchmarkDo(b *testing.B) {
	team := Acquire(2)
	defer team.Release()
	task := &squares{out: make([]int, 8)}
	for b.Loop() {
		team.Do(8, task)
	}
}
