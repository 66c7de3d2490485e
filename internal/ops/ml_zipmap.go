package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ZipMap makes a map from label to number of each row [N, C] or [C].
var opZipMap = opdef.Def{
	Type:   "ZipMap",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		l := labelsOf(c.Node, "classlabels_int64s")
		c.SetType(0, onnx.SequenceOf(onnx.MapOf(l.elem(), onnx.TensorOf(onnx.Float32))))
		return nil
	},
	Compile: compileZipMap,
	Grad:    opdef.NoGrad,
}

func compileZipMap(c *opdef.Compile) (opdef.Step, error) {
	if c.Elem(0) != onnx.Float32 {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	l := labelsOf(c.Node, "classlabels_int64s")
	keys := onnx.Vector(l.ints...)
	if len(l.strings) > 0 {
		var err error
		if keys, err = onnx.Strings(l.strings, len(l.strings)); err != nil {
			return opdef.Step{}, err
		}
	}
	of := onnx.MapOf(l.elem(), onnx.TensorOf(onnx.Float32))
	return moveStep(c, opdef.Step{Data: true}, func(m *mover) error {
		s, err := m.samples()
		if err != nil {
			return err
		}
		if s.cols != l.len() {
			return onnx.Invalidf("%d labels for %d columns", l.len(), s.cols)
		}
		if err := m.text(s.n * (4*s.cols + itemBytes)); err != nil {
			return err
		}
		items := make([]opdef.View, s.n)
		x := opdef.Of[float32](m.In[0])
		for i := range items {
			row := onnx.Vector(slices.Clone(x[i*s.cols : (i+1)*s.cols])...)
			items[i] = opdef.View{Box: &onnx.Map{Keys: keys, Values: row}}
		}
		if m.Wants(0) {
			m.SetBox(0, opdef.View{Box: &opdef.Seq{Of: of, Items: items}})
		}
		return nil
	}), nil
}
