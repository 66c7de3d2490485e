package compare

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
)

// Objects compares values of any kind: sequences element by element, optionals by what they hold, maps by keys and values.
// It gives a row for each tensor inside; places are written as name[0].
func Objects(name string, got, want onnx.Object, p Profile) []Row {
	switch w := want.(type) {
	case *onnx.Tensor:
		if g, ok := got.(*onnx.Tensor); ok {
			r := Tensors(g, w, p)
			r.Name = name
			return []Row{r}
		}
	case *onnx.Sequence:
		if g, ok := got.(*onnx.Sequence); ok {
			return sequences(name, g, w, p)
		}
	case *onnx.Optional:
		if g, ok := got.(*onnx.Optional); ok {
			return optionals(name, g, w, p)
		}
		if w.Item != nil {
			return Objects(name, got, w.Item, p)
		}
	case *onnx.Map:
		if g, ok := got.(*onnx.Map); ok {
			return append(Objects(name+".keys", g.Keys, w.Keys, p), Objects(name+".values", g.Values, w.Values, p)...)
		}
	}
	if g, ok := got.(*onnx.Optional); ok && g.Item != nil {
		return Objects(name, g.Item, want, p)
	}
	return []Row{{Name: name, Verdict: Type, Detail: fmt.Sprintf("expected %s, received %s", typeOf(want), typeOf(got))}}
}

func typeOf(o onnx.Object) string {
	if o == nil {
		return "nothing"
	}
	return o.ObjectType().String()
}

func sequences(name string, got, want *onnx.Sequence, p Profile) []Row {
	if len(got.Items) != len(want.Items) {
		return []Row{{Name: name, Verdict: Shape, Detail: fmt.Sprintf("expected a sequence of %d, received %d", len(want.Items), len(got.Items))}}
	}
	if len(want.Items) == 0 {
		return []Row{{Name: name, Verdict: Equal}}
	}
	var rows []Row
	for i := range want.Items {
		rows = append(rows, Objects(fmt.Sprintf("%s[%d]", name, i), got.Items[i], want.Items[i], p)...)
	}
	return rows
}

func optionals(name string, got, want *onnx.Optional, p Profile) []Row {
	switch {
	case got.Item == nil && want.Item == nil:
		return []Row{{Name: name, Verdict: Equal}}
	case got.Item == nil || want.Item == nil:
		return []Row{{Name: name, Verdict: Shape, Detail: fmt.Sprintf("expected an optional with content: %v, received: %v", want.Item != nil, got.Item != nil)}}
	}
	return Objects(name, got.Item, want.Item, p)
}
