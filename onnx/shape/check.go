package shape

import (
	"strconv"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// CheckCounts holds the numbers of n's inputs and outputs against its schema, and that no input that must be there is absent.
func CheckCounts(n *onnx.Node, s *schema.Schema) error {
	if k := n.NumOut(); k < s.MinOut || k > s.MaxOut {
		return onnx.Invalidf("expected %s outputs, received %d", span(s.MinOut, s.MaxOut), k)
	}
	return checkIns(n, s)
}

// checkIns is CheckCounts without the outputs: the reverse pass may add some that the standard does not have.
func checkIns(n *onnx.Node, s *schema.Schema) error {
	if k := n.NumIn(); k < s.MinIn || k > s.MaxIn {
		return onnx.Invalidf("expected %s inputs, received %d", span(s.MinIn, s.MaxIn), k)
	}
	for i, p := range s.Inputs {
		if p.Option == schema.Single && i < max(s.MinIn, n.NumIn()) && n.In(i) == nil {
			return onnx.Invalidf("input %d (%s) is missing", i, p.Name)
		}
	}
	return nil
}

func span(lo, hi int) string {
	switch hi {
	case lo:
		return strconv.Itoa(lo)
	case schema.Unlimited:
		return strconv.Itoa(lo) + " or more"
	}
	return strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
}

// CheckInputs refuses graph inputs of which not even the element type is known.
func CheckInputs(g *onnx.Graph) error {
	for _, v := range g.Inputs {
		t := v.Type
		for t.Of != nil {
			t = *t.Of
		}
		if t.Kind == onnx.KindUnknown || t.IsTensor() && t.Elem == onnx.Undefined {
			return onnx.Invalidf("input %.128q has no type", v.Name)
		}
	}
	return nil
}
