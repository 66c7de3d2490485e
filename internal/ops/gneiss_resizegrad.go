package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/resize"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ResizeGrad: the gradient of Resize from (X, roi, scales, sizes, dY), with its attributes; of X only the shape is read.
var opResizeGrad = opdef.Def{
	Type:    "ResizeGrad",
	Domain:  onnx.Private,
	Schema:  private(5, 1),
	Infer:   opdef.SameAsFirst,
	Compile: floatKernel(4, resizeGradStep[float32], resizeGradStep[float64]),
	Grad:    opdef.NoGrad,
}

func resizeGradStep[T resize.Float](c *opdef.Compile) (opdef.Step, error) {
	config, err := resizeConfig(c.Node)
	return opdef.Step{
		ShapeOnly: []int{0},
		State:     func() any { return &resizing[T]{config: config} },
		Run: func(r *opdef.Run) error {
			s := r.State.(*resizing[T])
			if err := s.tables(r, r.In[0].Shape); err != nil {
				return err
			}
			if !slices.Equal(r.In[4].Shape, s.out) {
				return onnx.Invalidf("expected a gradient of shape %v, received %v", s.out, r.In[4].Shape)
			}
			s.passes(r, opdef.Of[T](r.In[4]), opdef.Of[T](r.Out[0]), true)
			return nil
		},
	}, err
}
