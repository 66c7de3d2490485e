package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// previewDomain is the domain of the standard's optimizers. Their inputs are the learning rate R, the update count T, n
// tensors X, n gradients G and n tensors of each slot; their outputs n new X and n of each new slot.
const previewDomain = "ai.onnx.preview.training"

// previewRule makes the update of one element: it returns the new x and changes the slots in s.
type previewRule func(n *onnx.Node, r float64, t int64) (func(x, g float64, s []float64) float64, error)

// previewOptimizer makes the operator of an optimizer with the given number of slots. Numbers are computed in float64.
func previewOptimizer(name string, slots int, rule previewRule) opdef.Def {
	return opdef.Def{
		Type:   name,
		Domain: previewDomain,
		Infer: func(c *opdef.Infer) error {
			n, err := previewCount(c.Node, slots)
			if err != nil {
				return err
			}
			for i := range c.Outs {
				in := 2 + i
				if i >= n {
					in += n // behind the gradients
				}
				if err := c.Like(i, in); err != nil {
					return err
				}
			}
			return nil
		},
		Compile: moving(func(m *mover) error { return runPreview(m, slots, rule) }),
		Grad:    opdef.NoGrad,
	}
}

// previewCount is the number of tensors that a node updates.
func previewCount(n *onnx.Node, slots int) (int, error) {
	k := n.NumIn() - 2
	if k < slots+2 || k%(slots+2) != 0 || n.NumOut() > k/(slots+2)*(slots+1) {
		return 0, onnx.Invalidf("expected 2 inputs and %d for each tensor and %d outputs for each, received %d and %d", slots+2, slots+1, n.NumIn(), n.NumOut())
	}
	return k / (slots + 2), nil
}

func runPreview(m *mover, slots int, rule previewRule) error {
	n, err := previewCount(m.Node, slots)
	if err != nil {
		return err
	}
	r, err := oneFloat(m.In[0])
	if err != nil {
		return err
	}
	t, err := m.one(1)
	if err != nil {
		return err
	}
	step, err := rule(m.Node, r, t)
	if err != nil {
		return err
	}
	for i := range n {
		if err := previewTensor(m, i, n, slots, step); err != nil {
			return err
		}
	}
	return nil
}

// previewTensor updates tensor i of n.
func previewTensor(m *mover, i, n, slots int, step func(x, g float64, s []float64) float64) error {
	in, out, shape := make([][]float64, slots+2), make([][]float64, slots+1), m.shape(2+i)
	for k := range in {
		at := 2 + k*n + i
		if !slices.Equal(m.shape(at), shape) {
			return onnx.Invalidf("expected shape %v, received %v", slices.Clone(shape), m.shape(at))
		}
		var err error
		if in[k], err = m.reals(at); err != nil {
			return err
		}
	}
	for k := range out {
		var err error
		if out[k], err = m.room(len(in[0])); err != nil {
			return err
		}
	}
	s := make([]float64, slots)
	for j := range out[0] {
		for k := range s {
			s[k] = in[2+k][j]
		}
		out[0][j] = step(in[0][j], in[1][j], s)
		for k, v := range s {
			out[1+k][j] = v
		}
	}
	for k, y := range out {
		if at := k*n + i; at < len(m.Out) {
			if err := m.setReals(at, m.In[2+i].Elem, shape, y); err != nil {
				return err
			}
		}
	}
	return nil
}
