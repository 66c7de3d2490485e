package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Imputer replaces elements that equal replaced_value, which may be NaN, by the value given for all or for each feature,
// which is a place of the last axis.
var opImputer = opdef.Def{
	Type:   "Imputer",
	Domain: mlDomain,
	Infer:  opdef.SameAsFirst,
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		n := c.Node
		switch c.Elem(0) {
		case onnx.Float32:
			return imputeStep(c, n.Float("replaced_value_float", 0), floatsTo[float32](n)), nil
		case onnx.Float64:
			return imputeStep(c, float64(n.Float("replaced_value_float", 0)), floatsTo[float64](n)), nil
		case onnx.Int64:
			return imputeStep(c, n.Int("replaced_value_int64", 0), intsAttr(n, "imputed_value_int64s")), nil
		case onnx.Int32:
			var with []int32
			for _, v := range intsAttr(n, "imputed_value_int64s") {
				with = append(with, int32(v))
			}
			return imputeStep(c, int32(n.Int("replaced_value_int64", 0)), with), nil
		}
		return opdef.Step{}, badElem(c.Elem(0))
	},
	Grad: opdef.NoGrad,
}

func floatsTo[T float](n *onnx.Node) []T {
	var with []T
	for _, v := range floatsAttr(n, "imputed_value_floats") {
		with = append(with, T(v))
	}
	return with
}

func imputeStep[T float | int32 | int64](c *opdef.Compile, missing T, with []T) opdef.Step {
	return moveStep(c, opdef.Step{Alias: []opdef.Alias{{}}}, func(m *mover) error {
		shape := m.shape(0)
		cols := 1
		if len(shape) > 0 {
			cols = shape[len(shape)-1]
		}
		if len(with) != 1 && len(with) != cols {
			return onnx.Invalidf("expected 1 or %d imputed values, received %d", cols, len(with))
		}
		out, err := m.bound(0, m.In[0].Elem, shape)
		if err != nil {
			return err
		}
		y := opdef.Of[T](out)
		for i, v := range opdef.Of[T](m.In[0]) {
			if v == missing || v != v && missing != missing {
				v = with[i%len(with)]
			}
			y[i] = v
		}
		return nil
	})
}
