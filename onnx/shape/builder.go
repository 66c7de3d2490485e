package shape

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NewBuilder makes a Builder for a new graph that means the newest operators and infers as it appends.
func NewBuilder(name string) *onnx.Builder {
	g := onnx.NewGraph(name, nil)
	g.SetOpset("", Newest(""))
	return BuilderFor(g, ops.All)
}

// BuilderFor makes a Builder that appends to g and infers with the operators of set.
func BuilderFor(g *onnx.Graph, set *opdef.Set) *onnx.Builder { return New(set).Builder(g) }

// Builder makes a Builder that appends to g and infers with f, so that contents that f knows go on.
func (f *Inferrer) Builder(g *onnx.Graph) *onnx.Builder { return onnx.NewBuilder(g, f.Node) }
