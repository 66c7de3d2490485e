package runtime

import (
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"

	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

// Engine says how a model is run.
type Engine uint8

// The engines.
const (
	Fast  Engine = iota // fused, with the best kernels for this processor
	Plain               // node by node with the generic kernels, every value kept: the definition
)

// Level says how far the fast engine may change the graph.
type Level uint8

// The levels.
const (
	Full  Level = iota // results may be rounded otherwise: constants folded, nodes fused, layouts chosen
	Exact              // the results of the floating-point operations stay what they are, bit for bit
	None               // only nodes that nobody reads are left out
)

// Winograd says whether the fast engine at level Full may compute convolutions of 3x3 windows by way of Winograd's transform,
// which is about twice as fast and has errors some four to seven times those of summing directly.
type Winograd uint8

// Whether Winograd's transform is used.
const (
	WinogradOn Winograd = iota
	WinogradOff
)

// Options of a session. The zero value is the usual choice.
type Options struct {
	Engine   Engine
	Level    Level          // of the fast engine
	Winograd Winograd       // of the fast engine
	Threads  int            // most goroutines of one run, the caller included; 0 means one for each CPU that Go may use
	Limits   Limits         // what a model may cost
	Dims     map[string]int // sizes of named dims, for instance "batch_size": 1; others stay open
	// Operators are operators of the caller's own domains.
	Operators []Operator
	// Seed is where random operators without a seed attribute start.
	Seed   uint64
	Logger *slog.Logger // nil: silent
	// HardLinks allows external data in files that have several names (see onnx.ReadOptions).
	HardLinks bool
}

// Limits bound what a model may cost. A zero field means the default, a negative value lifts the limit. Exceeding one is an
// *onnx.LimitError.
type Limits struct {
	Read onnx.Limits // of reading a file
	// Load is the bytes that preparing a model may make beside its weights. Default: 64 MiB and 8 for each byte of weights.
	Load int64
	// Memory is the bytes that one run may hold beside weights and inputs. Default: 4 GiB (1 GiB where int has 32 bits), or
	// Go's memory limit if that is lower.
	Memory int64
	// Nodes is how many nodes one run may execute, those in the iterations of loops included. Default: 100,000,000.
	Nodes int64
	// InlinedNodes is how many nodes a model may have once its functions are inlined. Default: 200,000.
	InlinedNodes int
	// FunctionDepth is how deep functions may call one another. Default: 100.
	FunctionDepth int
	// Subgraphs is how deep graphs may nest. Default: 32.
	Subgraphs int
}

// ownDefault is the default memory of one run.
func ownDefault() int64 {
	d := int64(4 << 30)
	if math.MaxInt == math.MaxInt32 {
		d = 1 << 30
	}
	return min(d, debug.SetMemoryLimit(-1))
}

// bound is v, or def for 0; a lifted limit is 0, as package plan has it.
func bound(v, def int64) int64 {
	switch {
	case v < 0:
		return 0
	case v == 0:
		return def
	}
	return v
}

func (o *Options) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (o *Options) plan() plan.Options {
	return plan.Options{
		Threads: o.threads(), Memory: bound(o.Limits.Memory, ownDefault()), Nodes: bound(o.Limits.Nodes, 100_000_000),
		Keep: o.Engine == Plain, Generic: o.Engine == Plain, Direct: o.Winograd == WinogradOff,
	}
}

// rewrite is the options of the passes for a model with so many bytes of weights.
func (o *Options) rewrite(weights int64) rewrite.Options {
	return rewrite.Options{
		Limits: compose.Limits{
			Nodes: o.Limits.InlinedNodes, Depth: o.Limits.FunctionDepth, Functions: o.Limits.Read.Functions,
		},
		SubgraphDepth: o.Limits.Subgraphs,
		Charge:        o.charge(weights),
		Dims:          o.Dims,
		Level:         int(None - o.Level),
		Logger:        o.Logger,
	}
}

// charge makes the budget of the passes; nil where it is lifted.
func (o *Options) charge(weights int64) func(int64) error {
	def := int64(math.MaxInt64)
	if weights < (math.MaxInt64-64<<20)/8 {
		def = 64<<20 + 8*weights
	}
	limit := bound(o.Limits.Load, def)
	if limit == 0 {
		return nil
	}
	var used int64
	return func(n int64) error {
		if n > limit-used {
			return &onnx.LimitError{Limit: "memory at load", Value: limit, Asked: saturated(used, n), Unit: "bytes"}
		}
		used += n
		return nil
	}
}

func saturated(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}
