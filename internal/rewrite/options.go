package rewrite

import (
	"context"
	"log/slog"
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
)

// Options say how a graph is prepared and optimised. The zero value is usable.
type Options struct {
	// Limits bound the expansion of functions: the model's and the standard's.
	Limits compose.Limits
	// SubgraphDepth is how many graphs may lie inside one another; 0 means 32, a negative value lifts the limit.
	SubgraphDepth int
	// Charge pays for bytes that a pass makes: dense forms, folded results; nil: unbounded.
	Charge func(bytes int64) error
	// Dims gives named sizes of the model a value.
	Dims map[string]int
	// Ctx stops a pass; nil: never.
	Ctx context.Context

	// Expand reports whether a node is to be replaced by the standard's body although there is a kernel for it; nil: none
	// is. What has no body is then an error.
	Expand func(*onnx.Node) bool

	// Level is what Optimise does: 0 removes what nobody reads, 1 keeps the results bit for bit, 2 may round otherwise.
	Level int
	// Variable reports whether an initializer may be overwritten, so that it is not a constant; nil: none is.
	Variable func(*onnx.Value) bool
	// Eval computes a node whose inputs are constants; nil: nothing is folded by computing.
	Eval func(n *onnx.Node, ins []*onnx.Tensor) ([]*onnx.Tensor, error)
	// FoldBytes is the size up to which an output is folded, or its inputs' size if larger; 0 means 1 MiB.
	FoldBytes int64
	// Logger hears of what a limit stopped; nil: silence.
	Logger *slog.Logger
}

func (o *Options) err() error {
	if o.Ctx == nil {
		return nil
	}
	return context.Cause(o.Ctx)
}

func (o *Options) charge(bytes int64) error {
	if o.Charge == nil {
		return nil
	}
	return o.Charge(bytes)
}

func (o *Options) isVariable(v *onnx.Value) bool { return o.Variable != nil && o.Variable(v) }

func bound(v, def int) int {
	switch {
	case v < 0:
		return math.MaxInt
	case v == 0:
		return def
	}
	return v
}
