package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Training turns inference forms into training forms in b's graph, asking each operator that has one; keep, which may be
// nil, says for which nodes. Subgraphs are left as they are: what trains inside a body is the body's caller's to say.
func Training(b *onnx.Builder, set *opdef.Set, keep func(*onnx.Node) bool) error {
	for _, n := range slices.Clone(b.Graph.Nodes) {
		def, err := set.Lookup(n)
		if err != nil {
			return onnx.At(n, err)
		}
		if def.Training == nil || keep != nil && !keep(n) {
			continue
		}
		if err := def.Training(&opdef.Rewrite{Builder: b, Node: n, Version: n.Version}); err != nil {
			return onnx.At(n, err)
		}
	}
	return b.Err()
}
