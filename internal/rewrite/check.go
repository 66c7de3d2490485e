package rewrite

import (
	"strings"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// factsOf finds the schema of the version that n means; nil when the operator is somebody's own and has none. What is
// unknown is an error of the unsupported kind that gives the reason.
func factsOf(n *onnx.Node, def *opdef.Def) (*schema.Schema, error) {
	if def != nil && def.Schema != nil {
		return def.Schema, nil
	}
	opset, last := n.Opset(), shape.Newest(n.Domain)
	switch {
	case def == nil && n.Domain == "com.microsoft.nchwc":
		return nil, onnx.Unsupportedf("operator %.128q is not supported: ONNX Runtime wrote the model for one kind of processor; export it with optimisations up to extended only", n.Operator())
	case def == nil && n.Domain == "com.microsoft":
		return nil, onnx.Unsupportedf("operator %.128q is not supported", n.Operator())
	case def == nil && last == 0:
		return nil, onnx.Unsupportedf("operator %.128q is not supported: domain %.128q is not known", n.Operator(), n.Domain)
	case last == 0:
		return nil, nil
	case opset > last:
		return nil, onnx.Unsupportedf("operator %.128q is not supported: opset %d is newer than %d, the newest that is known", n.Operator(), opset, last)
	}
	all := schema.Versions(n.Domain, n.OpType)
	if len(all) == 0 {
		if def != nil {
			return nil, nil
		}
		return nil, onnx.Unsupportedf("operator %.128q is not supported: the standard has none of that name", n.Operator())
	}
	if opset == 0 {
		return all[len(all)-1], nil
	}
	s, ok := schema.Lookup(n.Domain, n.OpType, opset)
	switch {
	case !ok:
		return nil, onnx.Unsupportedf("operator %.128q is not supported: it exists from opset %d on, the model imports %d", n.Operator(), all[0].Since, opset)
	case s.Deprecated && s == all[len(all)-1]:
		return nil, onnx.Unsupportedf("operator %.128q is not supported: it is deprecated from opset %d on", n.Operator(), s.Since)
	}
	return s, nil
}

// checkNode holds n against its schema: attributes, numbers of inputs and outputs, types as far as known.
func checkNode(n *onnx.Node, s *schema.Schema) error {
	if err := shape.CheckCounts(n, s); err != nil {
		return err
	}
	if err := checkAttrs(n, s); err != nil {
		return err
	}
	return checkTypes(n, s)
}

func checkAttrs(n *onnx.Node, s *schema.Schema) error {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		f := s.Attribute(a.Name)
		switch {
		case a.Ref != "":
			return onnx.Invalidf("attribute %.128q refers to an attribute of a function, but stands in none", a.Name)
		case f == nil && strings.HasPrefix(a.Name, "__"): // annotations of tools, which the standard's checker passes too
		case f == nil:
			return onnx.Invalidf("attribute %.128q is not known", a.Name)
		case int32(f.Kind) != int32(a.Kind):
			return onnx.Invalidf("attribute %.128q: expected kind %d, received %d", a.Name, f.Kind, a.Kind)
		}
	}
	for _, f := range s.Attributes {
		if f.Required && n.Attr(f.Name) == nil {
			return onnx.Invalidf("attribute %.128q is missing", f.Name)
		}
	}
	return nil
}

// checkTypes holds the inputs' types against the constraints. Parameters of one type variable have one type.
func checkTypes(n *onnx.Node, s *schema.Schema) error {
	bound := map[string]string{}
	for i := range n.NumIn() {
		v, p := n.In(i), s.Input(i)
		if v == nil || p == nil {
			continue
		}
		word, ok := typeWord(v.Type)
		if !ok {
			continue
		}
		if err := allowed(s, p, word); err != nil {
			return onnx.Invalidf("input %d (%s): %w", i, p.Name, err)
		}
		if p.Option == schema.Variadic && !p.Homogeneous {
			continue
		}
		if was := bound[p.Type]; was != "" && was != word {
			return onnx.Invalidf("input %d (%s): expected %s like the inputs before it, received %s", i, p.Name, was, word)
		}
		bound[p.Type] = word
	}
	return nil
}

// typeWord is the standard's word for t; ok is false when not all of it is known.
func typeWord(t onnx.Type) (string, bool) {
	for o := &t; o != nil; o = o.Of {
		switch o.Kind {
		case onnx.KindUnknown, onnx.KindOpaque:
			return "", false
		case onnx.KindTensor, onnx.KindSparseTensor:
			if o.Elem == onnx.Undefined {
				return "", false
			}
		default:
			if o.Of == nil {
				return "", false
			}
		}
	}
	return t.TypeString(), true
}

func allowed(s *schema.Schema, p *schema.Param, word string) error {
	switch set := s.Constraint(p.Type); {
	case set.Allows(word):
		return nil
	case len(set) == 1:
		return onnx.Invalidf("expected %s, received %s", set[0], word)
	}
	return onnx.Invalidf("type %s is not allowed at version %d", word, s.Since)
}
