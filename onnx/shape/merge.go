package shape

import "github.com/gneiss-ml/gneiss/onnx"

// Merge is what is known of a value that inference says is t and a file declares as hint: the hint fills what t leaves
// open and is ignored where both disagree.
func Merge(t, hint onnx.Type) onnx.Type {
	switch {
	case t.Kind == onnx.KindUnknown:
		return hint.Clone()
	case hint.Kind != t.Kind:
		return t
	case t.Of != nil && hint.Of != nil:
		of := Merge(*t.Of, *hint.Of)
		t.Of = &of
		return t
	}
	t = elem(t, hint)
	if t.Elem != hint.Elem || !hint.Ranked {
		return t
	}
	if !t.Ranked {
		t.Ranked, t.Shape = true, append([]onnx.Dim(nil), hint.Shape...)
		return t
	}
	if len(t.Shape) == len(hint.Shape) && !conflict(t.Shape, hint.Shape) {
		t.Shape = append([]onnx.Dim(nil), t.Shape...)
		for i, d := range t.Shape {
			if d == onnx.Unknown && valid(hint.Shape[i]) {
				t.Shape[i] = hint.Shape[i]
			}
		}
	}
	return t
}

func valid(d onnx.Dim) bool { return d.Name != "" || d.N >= 0 }

// conflict reports whether some size is fixed in both and differs.
func conflict(a, b []onnx.Dim) bool {
	for i := range a {
		if a[i].IsFixed() && b[i].IsFixed() && a[i].N != b[i].N {
			return true
		}
	}
	return false
}

// elem lets the hint fill kind and element type only.
func elem(t, hint onnx.Type) onnx.Type {
	switch {
	case t.Kind == onnx.KindUnknown:
		t = hint.Clone()
		for o := &t; o != nil; o = o.Of {
			o.Ranked, o.Shape = false, nil
		}
	case t.Kind == hint.Kind && t.Of == nil && t.Elem == onnx.Undefined:
		t.Elem = hint.Elem
	}
	return t
}

// Join is what is known of a value that is of type a or of type b: sizes that differ become unknown.
func Join(a, b onnx.Type) onnx.Type {
	if a.Kind != b.Kind {
		return onnx.Type{}
	}
	t := onnx.Type{Kind: a.Kind, Key: a.Key}
	if a.Elem == b.Elem {
		t.Elem = a.Elem
	}
	if a.Of != nil && b.Of != nil {
		of := Join(*a.Of, *b.Of)
		t.Of = &of
	}
	if !a.Ranked || !b.Ranked || len(a.Shape) != len(b.Shape) {
		return t
	}
	t.Ranked, t.Shape = true, append([]onnx.Dim(nil), a.Shape...)
	for i, d := range b.Shape {
		if t.Shape[i] != d {
			t.Shape[i] = onnx.Unknown
		}
	}
	return t
}
