package ops

import (
	"cmp"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// CastMap is the values of a map of integers as a tensor [1, N] of the type in cast_to: all of them in the order of their
// keys (DENSE), or each at the place that its key says among max_map (SPARSE).
var opCastMap = opdef.Def{
	Type:    "CastMap",
	Domain:  mlDomain,
	Infer:   inferCastMap,
	Compile: boxing(runCastMap),
	Grad:    opdef.NoGrad,
}

func castMapElem(n *onnx.Node) (onnx.ElemType, error) {
	switch to := n.Str("cast_to", "TO_FLOAT"); to {
	case "TO_FLOAT":
		return onnx.Float32, nil
	case "TO_INT64":
		return onnx.Int64, nil
	case "TO_STRING":
		return onnx.String, nil
	default:
		return onnx.Undefined, onnx.Invalidf("attribute cast_to: expected TO_FLOAT, TO_INT64 or TO_STRING, received %.128q", to)
	}
}

// sparseMap is max_map where the attributes ask for a sparse map, else -1.
func sparseMap(n *onnx.Node) (int, error) {
	switch form := n.Str("map_form", "DENSE"); form {
	case "DENSE":
		return -1, nil
	case "SPARSE":
		size := n.Int("max_map", 1)
		if size < 0 || size > 1<<28 {
			return 0, onnx.Invalidf("attribute max_map: expected a size, received %d", size)
		}
		return int(size), nil
	default:
		return 0, onnx.Invalidf("attribute map_form: expected DENSE or SPARSE, received %.128q", form)
	}
}

func inferCastMap(c *opdef.Infer) error {
	e, err := castMapElem(c.Node)
	if err != nil {
		return err
	}
	n, err := sparseMap(c.Node)
	if err != nil {
		return err
	}
	d := onnx.Unknown
	if n >= 0 {
		d = onnx.Fixed(n)
	}
	c.Set(0, e, onnx.Fixed(1), d)
	return nil
}

// mapAt is input i, which must be a map of tensors, and its values.
func mapAt(r *opdef.Run, i int) (keys, vals *onnx.Tensor, err error) {
	m, ok := r.In[i].Box.(*onnx.Map)
	if !ok {
		return nil, nil, onnx.Invalidf("input %d: expected a map", i)
	}
	vals, ok = m.Values.(*onnx.Tensor)
	if !ok || m.Keys.Len() != vals.Len() {
		return nil, nil, onnx.Invalidf("input %d: expected a map of numbers or strings", i)
	}
	return m.Keys, vals, nil
}

func runCastMap(m *mover) error {
	keys, vals, err := mapAt(m.Run, 0)
	if err != nil {
		return err
	}
	if keys.Elem != onnx.Int64 {
		return onnx.Invalidf("expected keys of int64, received %v", keys.Elem)
	}
	e, err := castMapElem(m.Node)
	if err != nil {
		return err
	}
	conv, err := newConversion(vals.Elem, e, float8{})
	if err != nil {
		return err
	}
	size, err := sparseMap(m.Node)
	if err != nil {
		return err
	}
	n := vals.Len()
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	k, sparse := onnx.Data[int64](keys), size >= 0
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(k[a], k[b]) })
	if !sparse {
		size = n
	}
	y, err := m.output(0, e, []int{1, size})
	if err != nil {
		return err
	}
	y.fill(array{})
	x, w := spreadTensor(vals), new(wide)
	for place, i := range order {
		if sparse {
			if k[i] < 0 || k[i] >= int64(size) {
				return onnx.Invalidf("key %d is not below max_map, %d", k[i], size)
			}
			place = int(k[i])
		}
		if err := convertOne(conv, w, y.cut(place, 1), x.cut(i, 1)); err != nil {
			return err
		}
	}
	return nil
}

// convertOne converts one element; strings stay as they are.
func convertOne(conv *conversion, w *wide, y, x array) error {
	if conv.from == conv.to {
		y.from(0, x, 0, 1)
		return nil
	}
	return conv.run(w, y, x)
}
