package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// common are the flags of every verb that opens a model.
type common struct {
	memory   string
	maxNodes int64
	timeout  time.Duration
	verbose  bool
}

func (f *common) add(c *cobra.Command) {
	p := c.Flags()
	p.StringVar(&f.memory, "memory", "", "most memory of one run beside weights and inputs, such as 512MiB (default 4GiB)")
	p.Int64Var(&f.maxNodes, "max-nodes", 0, "most nodes that one run may execute (default 100000000)")
	p.DurationVar(&f.timeout, "timeout", 0, "most time that the command may take (default none)")
	p.BoolVar(&f.verbose, "verbose", false, "print warnings")
}

// context is ctx with the time limit.
func (f *common) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout > 0 {
		return context.WithTimeout(ctx, f.timeout)
	}
	return context.WithCancel(ctx)
}

// options are the session options that the flags ask for.
func (f *common) options(a *app, engine string, threads int) (runtime.Options, error) {
	o := runtime.Options{Threads: threads}
	switch engine {
	case "fast", "":
	case "plain":
		o.Engine = runtime.Plain
	default:
		return o, onnx.Invalidf("--engine: expected fast or plain, received %.32q", engine)
	}
	if threads < 0 {
		return o, onnx.Invalidf("--threads: expected at least 0, received %d", threads)
	}
	if f.maxNodes < 0 {
		return o, onnx.Invalidf("--max-nodes: expected at least 1, received %d", f.maxNodes)
	}
	if f.timeout < 0 {
		return o, onnx.Invalidf("--timeout: expected a positive duration, received %v", f.timeout)
	}
	if f.memory != "" {
		n, err := parseSize(f.memory)
		if err != nil {
			return o, fmt.Errorf("--memory: %w", err)
		}
		o.Limits.Memory = n
	}
	o.Limits.Nodes = f.maxNodes
	if f.verbose {
		o.Logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return o, nil
}

var units = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// parseSize reads a number of bytes with an optional unit.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v > 0) || v*u.bytes > math.MaxInt64/2 {
			break
		}
		return int64(v * u.bytes), nil
	}
	return 0, onnx.Invalidf("expected a size such as 512MiB, received %.32q", s)
}

// readModel reads a model; errors name its file.
func readModel(path string, o onnx.ReadOptions) (*onnx.Model, error) {
	m, err := o.ReadFile(path)
	return m, located(path, err)
}

// openSession makes the model of a file ready to run; errors name the file.
func openSession(path string, o runtime.Options) (*runtime.Session, error) {
	s, err := runtime.Open(path, o)
	return s, located(path, err)
}

// located puts the file before an error that does not name it.
func located(path string, err error) error {
	var at *fs.PathError
	if err == nil || errors.As(err, &at) && at.Path == path {
		return err
	}
	return fmt.Errorf("%.200q: %w", path, err)
}

// engineFlag adds --engine.
func engineFlag(c *cobra.Command, to *string, def string) {
	c.Flags().StringVar(to, "engine", def, "fast: fused, best kernels; plain: node by node")
}

// threadsFlag adds --threads.
func threadsFlag(c *cobra.Command, to *int) {
	c.Flags().IntVar(to, "threads", 0, "threads; 0 is one for each CPU")
}
