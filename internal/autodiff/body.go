package autodiff

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Differentiate writes a copy of body, with args for its inputs, and its reverse pass into another builder. It gives a
// gradient for each argument that may carry one, nil for the others, and one for each captured value; what nothing reaches
// is zero.
func (p *pass) Differentiate(into *onnx.Builder, body *onnx.Graph, args, dys, captures []*onnx.Value) ([]*onnx.Value, map[*onnx.Value]*onnx.Value, error) {
	dargs, dcaps, err := differentiate(into, p.set, body, args, dys, captures)
	if err != nil {
		return nil, nil, err
	}
	for i, v := range args {
		if v != nil && dargs[i] == nil && carries(v.Type) {
			dargs[i] = p.Zeros(into, v)
		}
	}
	m := make(map[*onnx.Value]*onnx.Value, len(captures))
	for i, v := range captures {
		if m[v] = dcaps[i]; m[v] == nil {
			m[v] = p.Zeros(into, v)
		}
	}
	return dargs, m, into.Err()
}

// differentiate gives nil for what nothing reaches and for what carries no gradient.
func differentiate(b *onnx.Builder, set *opdef.Set, body *onnx.Graph, args, dys, captures []*onnx.Value) (dargs, dcaps []*onnx.Value, err error) {
	var ys, ds, xs []*onnx.Value
	order, err := sorted(body)
	if err != nil {
		return nil, nil, err
	}
	outs, copied := body.Inline(b.Graph, args)
	for i, n := range order {
		order[i] = copied.Nodes[n]
	}
	for i, y := range outs {
		if i < len(dys) && dys[i] != nil && y != nil {
			ys, ds = append(ys, y), append(ds, dys[i])
		}
	}
	for _, v := range args {
		if v != nil && carries(v.Type) {
			xs = append(xs, v)
		}
	}
	// Only through the copy: arguments may depend on one another outside it.
	dxs, err := gradients(b, set, order, ys, ds, append(xs, captures...))
	if err != nil {
		return nil, nil, err
	}
	dargs = make([]*onnx.Value, len(args))
	for i, v := range args {
		if v != nil && carries(v.Type) {
			dargs[i], dxs = dxs[0], dxs[1:]
		}
	}
	return dargs, dxs, nil
}
