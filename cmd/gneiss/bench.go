package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	common
	threads  []int
	duration time.Duration
	runs     int
	shape    []string
	engine   string
	json     bool
}

func (a *app) bench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use: "bench MODEL...", Short: "Time a model on seeded random inputs", Args: cobra.MinimumNArgs(1),
		Example: "  gneiss bench model.onnx --threads 1,2 --shape x=1x3x224x224",
		RunE:    func(c *cobra.Command, args []string) error { return a.benchModels(c.Context(), args, f) },
	}
	f.add(c)
	p := c.Flags()
	p.IntSliceVar(&f.threads, "threads", []int{1, 2}, "numbers of threads")
	p.DurationVar(&f.duration, "duration", 3*time.Second, "time for each model and number of threads")
	p.IntVar(&f.runs, "runs", 0, "number of runs instead of a duration")
	p.StringArrayVar(&f.shape, "shape", nil, "NAME=1x3x224x224")
	p.BoolVar(&f.json, "json", false, "JSON lines")
	engineFlag(c, &f.engine, "fast")
	return c
}

// timing is one row of bench.
type timing struct {
	Model   string  `json:"model"`
	Threads int     `json:"threads"`
	Load    float64 `json:"load_ms"`
	First   float64 `json:"first_ms"`
	Median  float64 `json:"median_ms"`
	Min     float64 `json:"min_ms"`
	P90     float64 `json:"p90_ms"`
	P99     float64 `json:"p99_ms"`
	Runs    int     `json:"runs"`
	Allocs  float64 `json:"allocs_per_run"`
	Arena   int64   `json:"arena_bytes"`
	Weights int64   `json:"weight_bytes"`
	RSS     int64   `json:"peak_rss_bytes"`
	CPU     string  `json:"cpu"`
	Engine  string  `json:"engine"`
}

func (a *app) benchModels(ctx context.Context, paths []string, f benchFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	if f.runs < 0 || f.duration <= 0 {
		return onnx.Invalidf("expected a positive --duration and --runs, received %v and %d", f.duration, f.runs)
	}
	for _, path := range paths {
		for _, n := range f.threads {
			if n < 1 {
				return onnx.Invalidf("--threads: expected at least 1, received %d", n)
			}
			t, err := f.time(ctx, a, path, n)
			if err != nil {
				return err
			}
			if err := a.printTiming(t, f.json); err != nil {
				return err
			}
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func (f benchFlags) time(ctx context.Context, a *app, path string, threads int) (timing, error) {
	t := timing{Model: path, Threads: threads, CPU: cpu.Tier().String(), Engine: f.engine}
	o, err := f.options(a, f.engine, threads)
	if err != nil {
		return t, err
	}
	start := time.Now()
	s, err := openSession(path, o)
	if err != nil {
		return t, err
	}
	defer s.Close()
	t.Load = ms(time.Since(start))
	objects, err := feeds(s.Inputs(), nil, f.shape, 1)
	if err != nil {
		return t, err
	}
	in := map[string]*onnx.Tensor{}
	for name, v := range objects {
		in[name], _ = v.(*onnx.Tensor)
	}
	start = time.Now()
	out, err := s.Run(ctx, in)
	if err != nil {
		return t, err
	}
	t.First = ms(time.Since(start))
	b, err := s.Bind(in, out)
	if err != nil {
		return t, err
	}
	defer b.Close()
	if err := f.measure(ctx, b, &t); err != nil {
		return t, err
	}
	m := b.MemoryUse()
	t.Arena, t.Weights, t.RSS = m.Runs, m.Weights, peakRSS()
	return t, nil
}

// measure runs b again and again and fills in the times.
func (f benchFlags) measure(ctx context.Context, b *runtime.Binding, t *timing) error {
	for range 3 {
		if err := b.Run(ctx); err != nil {
			return err
		}
	}
	times := make([]time.Duration, 0, 1<<16)
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for end := time.Now().Add(f.duration); ; {
		start := time.Now()
		if err := b.Run(ctx); err != nil {
			return err
		}
		now := time.Now()
		times = append(times, now.Sub(start))
		if f.runs > 0 && len(times) >= f.runs || f.runs == 0 && now.After(end) {
			break
		}
	}
	goruntime.ReadMemStats(&after)
	slices.Sort(times)
	at := func(q float64) float64 { return ms(times[min(int(q*float64(len(times))), len(times)-1)]) }
	t.Median, t.Min, t.P90, t.P99, t.Runs = at(0.5), at(0), at(0.9), at(0.99), len(times)
	t.Allocs = float64((after.Mallocs - before.Mallocs) / uint64(len(times)))
	return nil
}

// peakRSS is the most memory that the process ever held, where the system says it; 0 elsewhere.
func peakRSS() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

func (a *app) printTiming(t timing, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(t)
	}
	_, err := fmt.Fprintf(a.out, "%s: %d threads: median %.3f ms, min %.3f, p90 %.3f, p99 %.3f, %d runs; load %.1f ms, first %.2f ms; "+
		"%.0f allocations a run, arena %d, weights %d bytes; %s, %s\n",
		t.Model, t.Threads, t.Median, t.Min, t.P90, t.P99, t.Runs, t.Load, t.First, t.Allocs, t.Arena, t.Weights, t.CPU, t.Engine)
	return err
}
