package reltest

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// The limits of a bomb's run and what it may cost.
const (
	bombMemory = 256 << 20
	bombNodes  = 10_000_000
	loadSlack  = 128 << 20
	runSlack   = 64 << 20
	bombTime   = slower * 2 * time.Second // of the processor, so that a busy machine changes nothing
	bombStop   = slower * 60 * time.Second
)

// answer is what a child process says about a bomb.
type answer struct {
	Kind, Text       string
	Stage            string // where it ended: "decode", "load", "run", "done"
	Base, Load, Peak int64  // resident bytes: at the start, the most until the end of loading, the most of all; 0 unknown
}

// explode decodes, loads and runs a bomb in this process.
func explode(name string) (a answer) {
	all := bombs()
	b := all[slices.IndexFunc(all, func(b bomb) bool { return b.name == name })]
	file, in := b.make()
	debug.FreeOSMemory()
	a.Stage, a.Base = "decode", peakMemory()
	defer func() { a.Peak = peakMemory() }()
	fail := func(err error) answer {
		a.Kind, a.Text = kindOf(err), err.Error()
		return a
	}
	m, err := onnx.Decode(file)
	if err != nil {
		return fail(err)
	}
	a.Stage = "load"
	s, err := runtime.New(m, runtime.Options{Threads: 1, Limits: runtime.Limits{Memory: bombMemory, Nodes: bombNodes}})
	if err != nil {
		return fail(err)
	}
	a.Stage, a.Load = "run", peakMemory()
	out, err := s.Run(context.Background(), in)
	if err != nil {
		return fail(err)
	}
	a.Stage, a.Kind = "done", "result"
	if err := b.judge(out); err != nil {
		a.Kind, a.Text = "wrong", err.Error()
	}
	return a
}

// TestBombs runs each bomb in a process of its own: a typed error or the right result, in bounded time and memory.
func TestBombs(t *testing.T) {
	var s score
	defer s.report(t)
	for i, b := range bombs() {
		if testing.Short() && i%4 != 0 {
			continue
		}
		a, used, err := child(b.name)
		switch {
		case err != nil:
			s.fail("%s: %v", b.name, err)
		case strconv.IntSize == 32 && slices.Contains(b.want, "limit") && strings.HasSuffix(a.Text, "is too large"):
			s.pass() // an int cannot even count its elements
		case !slices.Contains(b.want, a.Kind):
			s.fail("%s: %s at %s, want %v: %s", b.name, a.Kind, a.Stage, b.want, a.Text)
		case used > bombTime:
			s.fail("%s: %s at %s took %v", b.name, a.Kind, a.Stage, used)
		case a.Load > a.Base+loadSlack:
			s.fail("%s: %d MiB at load", b.name, (a.Load-a.Base)>>20)
		case a.Peak > a.Base+bombMemory+runSlack:
			s.fail("%s: %d MiB in all", b.name, (a.Peak-a.Base)>>20)
		default:
			s.pass()
		}
		if testing.Verbose() {
			t.Logf("%-28s %-12s at %-6s %5d ms %4d MiB  %.100s", b.name, a.Kind, a.Stage, used.Milliseconds(), (a.Peak-a.Base)>>20, a.Text)
		}
	}
}

// child runs a bomb in a child process and gives the time that it took from the processor.
func child(name string) (a answer, used time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bombStop)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+name, "GOTRACEBACK=single", "GOMAXPROCS=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		head, _, _ := strings.Cut(stderr.String(), "\n\n")
		return a, 0, onnx.Internalf("%w: %.600s", err, head)
	}
	used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return a, used, json.Unmarshal(out, &a)
}

// TestBombs_names keeps names unique, since a child is told its name.
func TestBombs_names(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range bombs() {
		require.False(t, seen[b.name], b.name)
		seen[b.name] = true
		require.NotEmpty(t, b.want, b.name)
	}
}

// ints is the expectation that output y holds the numbers.
func ints[T int32 | int64](want ...T) func(map[string]*onnx.Tensor) error {
	return func(out map[string]*onnx.Tensor) error {
		if got := onnx.Data[T](out["y"]); !slices.Equal(got, want) {
			return onnx.Invalidf("expected %v, received %v", want, got)
		}
		return nil
	}
}

const minInt32, minInt64 = math.MinInt32, math.MinInt64
