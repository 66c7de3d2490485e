package rewrite

import (
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// normalise irons out what exporters write although the standard says otherwise: the default domain spelt out, sizes of -1,
// and "?" and "None", which are no names.
// Initializers that are inputs are weights before IR 4. Named sizes get the values that dims gives.
func normalise(g *onnx.Graph, ir int, dims map[string]int) error {
	found := map[string]bool{}
	err := graphs(g, func(s *onnx.Graph) error {
		if ir < 4 {
			s.Inputs = slices.DeleteFunc(s.Inputs, (*onnx.Value).IsInitializer)
		}
		for _, n := range s.Nodes {
			if onnx.IsDefaultDomain(n.Domain) {
				n.Domain = ""
			}
		}
		for _, v := range ownValues(s) {
			v.Type = namedDims(v.Type, dims, found)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name := range dims {
		if !found[name] {
			return onnx.Invalidf("the model has no size called %.128q", name)
		}
		if dims[name] < 0 {
			return onnx.Invalidf("size %.128q: expected 0 or more, received %d", name, dims[name])
		}
	}
	return nil
}

// namedDims puts values in the place of names; found remembers which names there were.
func namedDims(t onnx.Type, dims map[string]int, found map[string]bool) onnx.Type {
	for i, d := range t.Shape {
		switch n, ok := dims[d.Name]; {
		case d.Name != "" && ok:
			t.Shape[i] = onnx.Fixed(n)
			found[d.Name] = true
		case d.Name == "" && d.N < 0, d.Name == "?", d.Name == "None":
			t.Shape[i] = onnx.Unknown
		}
	}
	if t.Of != nil {
		of := namedDims(*t.Of, dims, found)
		t.Of = &of
	}
	return t
}

// hoist moves the initializers of subgraphs to the outermost graph, so that a weight is a weight wherever it stands. Those
// that are also inputs stay.
func hoist(g *onnx.Graph) {
	outputs := outputsOf(g)
	taken := map[string]bool{}
	for _, v := range ownValues(g) {
		taken[v.Name] = true
	}
	_ = graphs(g, func(s *onnx.Graph) error {
		if s == g {
			return nil
		}
		stay := s.Initializers[:0]
		for _, v := range s.Initializers {
			if v.IsInput() {
				stay = append(stay, v)
				continue
			}
			w := g.Initializer(v.Name, v.Type, v.Init)
			if !taken[v.Name] {
				v.Name, w.Name = w.Name, v.Name
			}
			taken[w.Name] = true
			w.Doc = v.Doc
			replace(v, w, outputs)
		}
		s.Initializers = stay
		return nil
	})
}

// bindOutputs puts an Identity before an output of a subgraph that is a value of an enclosing graph, so that what a graph
// gives is always its own.
func bindOutputs(s *onnx.Graph) error {
	if s.Outer == nil {
		return nil
	}
	for i, v := range s.Outputs {
		if v == nil {
			return onnx.Invalidf("graph %.128q: output %d is missing", s.Name, i)
		}
		if v.Graph() != s {
			n := s.Add("", "Identity", 1, values{v})
			n.Out(0).Type = v.Type.Clone()
			s.Outputs[i] = n.Out(0)
		}
	}
	return nil
}

// early are operators that ONNX Runtime's optimizer writes into models of opsets that do not have them yet, and the first
// version that the standard has, which is what it means.
var early = map[string]int{"LayerNormalization": 17}

// dialects are operators that exporters leave in the default domain although the standard has none of the name, and that
// have one plain meaning.
var dialects = map[string]func(*onnx.Builder, *onnx.Node) *onnx.Value{
	"Erfc":  func(b *onnx.Builder, n *onnx.Node) *onnx.Value { return minus(b, one(b, n), b.Op("Erf", n.Inputs())) },
	"Expm1": func(b *onnx.Builder, n *onnx.Node) *onnx.Value { return minus(b, b.Op("Exp", n.Inputs()), one(b, n)) },
}

func minus(b *onnx.Builder, x, y *onnx.Value) *onnx.Value { return b.Op("Sub", values{x, y}) }

// one is the constant 1 of the type of n's first input.
func one(b *onnx.Builder, n *onnx.Node) *onnx.Value {
	return b.Op("CastLike", values{b.Const(onnx.Scalar[float32](1)), n.In(0)})
}

// lowerDialect lets other nodes take the place of n when it is such an operator; the caller removes n.
func lowerDialect(b *onnx.Builder, n *onnx.Node, outputs map[*onnx.Value]bool) bool {
	lower := dialects[n.OpType]
	if lower == nil || n.Domain != "" || n.NumIn() == 0 || n.NumOut() != 1 || n.Out(0) == nil {
		return false
	}
	first := len(b.Graph.Nodes)
	y := lower(b, n)
	for _, m := range b.Graph.Nodes[first:] {
		m.Origin = []int{n.ID}
	}
	v := n.Out(0)
	replace(v, y, outputs)
	v.Name, y.Name = y.Name, v.Name
	return true
}
