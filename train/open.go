package train

import (
	"fmt"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Open reads an ONNX file for training. See New.
func Open(path string) (*Model, error) {
	f, err := onnx.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return New(f)
}

// New makes an ONNX model trainable. Its parameters are the floating-point initializers and constants that reach a weight:
// of convolutions, matrix products, embeddings, norms, recurrent cells, and the constant side of a sum or product when it
// has more than one element. Parameters lists them with the reason; Freeze and Unfreeze change the choice. Running
// statistics are state: they stay as they are unless Config.BatchNorm says otherwise. The model f must not change afterwards.
func New(f *onnx.Model) (*Model, error) {
	g, err := rewrite.Prepare(f, ops.All, rewrite.Options{})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	m := &Model{source: f}
	for _, v := range g.Initializers {
		if p := parameterOf(v); p != nil {
			m.params = append(m.params, p)
		}
	}
	return m, nil
}

// parameterOf is the parameter that initializer v is; nil when it is none: not a float, or nobody reads it.
func parameterOf(v *onnx.Value) *Parameter {
	if v.Init == nil || !v.Type.Elem.IsFloat() || !v.Used() {
		return nil
	}
	p := &Parameter{Name: v.Name, Shape: slices.Clone(v.Init.Shape), Elem: v.Type.Elem, Users: len(v.Uses())}
	r := reachedBy(v, map[*onnx.Value]bool{})
	switch {
	case r.state != "":
		p.state, p.Reason = true, r.state
	case r.weight != "":
		p.Trainable, p.Reason = true, r.weight
	default:
		p.Reason = "reaches no weight of an operator"
	}
	return p
}

// reach is what an initializer is to the operators it reaches.
type reach struct{ weight, state string }

// weights are the inputs of operators that hold learned numbers.
var weights = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "DeformConv": {1, 3}, "Gemm": {0, 1, 2}, "MatMul": {0, 1}, "Gather": {0},
	"BatchNormalization": {1, 2}, "InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2},
	"RMSNormalization": {1}, "PRelu": {1}, "LSTM": {1, 2, 3, 7}, "GRU": {1, 2, 3}, "RNN": {1, 2, 3},
}

// passing are the operators that hand input 0 on (all inputs, for joining ones): a weight behind them is the same weight.
var passing = map[string]bool{
	"Identity": true, "Transpose": true, "Reshape": true, "Flatten": true, "Squeeze": true, "Unsqueeze": true, "Cast": true,
	"Concat": true, "Slice": true, "Split": true, "Expand": true,
}

func reachedBy(v *onnx.Value, seen map[*onnx.Value]bool) (r reach) {
	if seen[v] {
		return r
	}
	seen[v] = true
	for _, u := range v.Uses() {
		n := u.Node
		switch {
		case slices.Contains(weights[n.OpType], u.Index), n.OpType == "Einsum":
			r.weight = fmt.Sprintf("input %d of %s %.64q", u.Index, n.OpType, n.Label())
		case n.OpType == "BatchNormalization" && u.Index >= 3:
			r.state = fmt.Sprintf("running statistics of %.64q", n.Label())
		case (n.OpType == "Add" || n.OpType == "Mul") && several(v):
			r.weight = fmt.Sprintf("constant side of %s %.64q", n.OpType, n.Label())
		case passing[n.OpType] && (u.Index == 0 || n.OpType == "Concat"):
			for _, o := range n.Outputs() {
				if o != nil {
					r = r.or(reachedBy(o, seen))
				}
			}
		}
	}
	return r
}

func (r reach) or(o reach) reach {
	if r.weight == "" {
		r.weight = o.weight
	}
	if r.state == "" {
		r.state = o.state
	}
	return r
}

// several reports whether v has more than one element.
func several(v *onnx.Value) bool {
	if v.Init != nil {
		return v.Init.Len() > 1
	}
	return !v.Type.Ranked || len(v.Type.Shape) > 0
}
