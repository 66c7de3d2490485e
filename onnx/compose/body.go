package compose

import (
	"sync"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// StandardBody is the fixed body that the standard gives the operator at an opset; opset 0 means the newest. It is nil when
// there is none. The function is shared: it must not be changed.
func StandardBody(domain, opType string, opset int) (*onnx.Function, error) {
	s, ok := schema.Newest(domain, opType)
	if opset > 0 {
		s, ok = schema.Lookup(domain, opType, opset)
	}
	if !ok || !s.Function {
		return nil, nil
	}
	if opset == 0 {
		opset = s.Since
	}
	k := bodyKey{domain, opType, opset}
	if f, ok := bodies.Load(k); ok {
		return f.(*onnx.Function), nil
	}
	f, err := decodeBody(s, opset)
	if f != nil {
		bodies.Store(k, f)
	}
	return f, err
}

type bodyKey struct {
	domain, opType string
	opset          int
}

// bodies keeps decoded bodies; there are fewer than a thousand.
var bodies sync.Map // bodyKey -> *onnx.Function

func decodeBody(s *schema.Schema, opset int) (*onnx.Function, error) {
	b, ok := s.Body(opset)
	if !ok {
		return nil, nil
	}
	f, err := onnx.DecodeFunction(b)
	if err != nil {
		return nil, onnx.Internalf("body of %s: %w", s.Name, err)
	}
	for i := range s.Attributes {
		if a := &s.Attributes[i]; a.HasDefault {
			f.Defaults = append(f.Defaults, defaultOf(a))
		}
	}
	return f, nil
}

// defaultOf is the default of a schema's attribute.
func defaultOf(a *schema.Attribute) onnx.Attribute {
	return onnx.Attribute{Name: a.Name, Kind: onnx.AttrKind(a.Kind), I: a.I, F: a.F, S: a.S, Ints: a.Ints, Floats: a.Floats, Strings: a.Strings}
}
