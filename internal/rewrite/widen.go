package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// Widen turns g into its float64 twin, for the gradient check: inputs, initializers and attributes that name a type become
// double, and types are inferred anew. Where an operator's schema takes or gives no double, a Cast stands on the border.
// Nodes must be in their newest form.
func Widen(g *onnx.Graph, set *opdef.Set) error {
	err := graphs(g, func(s *onnx.Graph) error { return widenGraph(s, set) })
	if err != nil {
		return err
	}
	f := shape.New(set)
	f.Forgive = true
	return f.Graph(g)
}

func widenGraph(g *onnx.Graph, set *opdef.Set) error {
	for _, v := range slices.Concat(g.Inputs, g.Initializers) {
		v.Type = wideType(v.Type)
		if v.Init != nil && v.Init.Elem.IsFloat() {
			t, err := WideTensor(v.Init)
			if err != nil {
				return err
			}
			v.Init = t
		}
	}
	b := onnx.NewBuilder(g, nil)
	for _, n := range slices.Clone(g.Nodes) {
		for _, v := range n.Outputs() {
			if v != nil {
				v.Type = onnx.Type{}
			}
		}
		def, err := set.Lookup(n)
		if err != nil {
			return onnx.At(n, err)
		}
		borders(b, n, def)
		if def.Widen == nil {
			continue
		}
		if err := def.Widen(&opdef.Rewrite{Builder: b, Node: n, Version: n.Version}); err != nil {
			return onnx.At(n, err)
		}
	}
	return b.Err()
}

// borders puts a Cast before inputs of n that cannot be double and behind outputs that never are.
func borders(b *onnx.Builder, n *onnx.Node, def *opdef.Def) {
	s, ok := def.Facts(n.Opset())
	if !ok {
		return
	}
	for i, v := range n.Inputs() {
		if v != nil && narrow(s, s.Input(i)) {
			n.SetIn(i, b.Op("Cast", values{v}, onnx.Int("to", int64(onnx.Float32))))
		}
	}
	for i, v := range n.Outputs() {
		if v != nil && narrow(s, s.Output(i)) {
			w := b.Op("Cast", values{v}, onnx.Int("to", int64(onnx.Float64)))
			v.ReplaceUses(w)
		}
	}
}

// narrow reports whether p is of a type that may be float but not double.
func narrow(s *schema.Schema, p *schema.Param) bool {
	if p == nil {
		return false
	}
	set := s.Constraint(p.Type)
	return set.Allows("tensor(float)") && !set.Allows("tensor(double)")
}

func wideType(t onnx.Type) onnx.Type {
	if t.Elem.IsFloat() {
		t.Elem = onnx.Float64
	}
	if t.Of != nil {
		of := wideType(*t.Of)
		t.Of = &of
	}
	return t
}

// WideTensor is t as double; t itself when its elements are not float, bfloat16 or float16.
func WideTensor(t *onnx.Tensor) (*onnx.Tensor, error) {
	var out []float64
	switch t.Elem {
	case onnx.Float32:
		out = wide(onnx.Data[float32](t), func(v float32) float64 { return float64(v) })
	case onnx.Float16:
		out = wide(onnx.Data[onnx.F16](t), func(v onnx.F16) float64 { return float64(v.Float32()) })
	case onnx.BFloat16:
		out = wide(onnx.Data[onnx.BF16](t), func(v onnx.BF16) float64 { return float64(v.Float32()) })
	default:
		return t, nil
	}
	return onnx.NewTensor(out, t.Shape...)
}

func wide[T any](in []T, f func(T) float64) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
