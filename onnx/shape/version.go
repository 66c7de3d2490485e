package shape

import (
	"cmp"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/compose"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// Newest is the newest version of domain that is known; 0 for a domain that is not the standard's.
func Newest(domain string) int { return schema.MaxOpset(domain) }

// setNewest lets g mean the newest version of each domain.
func setNewest(g *onnx.Graph) {
	for d := range schema.Domains() {
		g.SetOpset(d, schema.MaxOpset(d))
	}
}

// Since is the version of the schema that n means, older than or equal to the newest one of its operator; ok is false when
// the standard's n has no such version or is no operator of the standard.
func Since(n *onnx.Node) (since, newest int, ok bool) {
	last, ok := schema.Newest(n.Domain, n.OpType)
	if !ok {
		return 0, 0, false
	}
	v := n.Opset()
	if v == 0 {
		return last.Since, last.Since, true
	}
	s, ok := schema.Lookup(n.Domain, n.OpType, v)
	if !ok {
		return 0, last.Since, false
	}
	return s.Since, last.Since, true
}

// Upgrade turns n, a node of b's graph with known input types, into the newest form of its operator, in place or by other
// nodes, as def says. It reports whether n was changed or replaced. variable says which initializers are no constants; nil:
// none.
func Upgrade(b *onnx.Builder, n *onnx.Node, def *opdef.Def, variable func(*onnx.Value) bool) (bool, error) {
	since, last, ok := Since(n)
	if !ok || def.Schema != nil || since == last {
		return false, nil
	}
	changed := false
	if def.Upgrade != nil {
		changed = true
		if err := def.Upgrade(&opdef.Rewrite{Builder: b, Node: n, Version: since, Variable: variable}); err != nil {
			return true, onnx.At(n, err)
		}
	}
	n.Version = Newest(n.Domain)
	return changed, b.Err()
}

// Expand replaces n, a node of b's graph in its newest form with known input types, by the body that the standard gives its
// operator. def may be nil. What has no body is an error of the unsupported kind.
func Expand(b *onnx.Builder, n *onnx.Node, def *opdef.Def) error {
	if def != nil && def.Body != nil {
		err := def.Body(&opdef.Rewrite{Builder: b, Node: n, Version: n.Opset()})
		return cmp.Or(err, b.Err())
	}
	f, err := fixedBody(n)
	switch {
	case err != nil:
		return err
	case f == nil:
		return onnx.Unsupportedf("operator %.128q is not supported: there is no kernel for it", n.Operator())
	}
	_, err = compose.Call(n, f)
	return err
}

// HasBody reports whether Expand has a body for n.
func HasBody(n *onnx.Node, def *opdef.Def) bool {
	if def != nil && def.Body != nil {
		return true
	}
	f, err := fixedBody(n)
	return err == nil && f != nil
}

// fixedBody is the standard's newest fixed body of n's operator: the body of an operator may be younger than the operator.
func fixedBody(n *onnx.Node) (*onnx.Function, error) {
	return compose.StandardBody(n.Domain, n.OpType, Newest(n.Domain))
}
