package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Dropout passes its input on, or, in training mode, sets each element to zero with probability ratio and divides the others
// by 1-ratio. The second output says which elements were kept.
//
// Opset 7 removed is_test, 10 made the mask boolean, 12 made ratio an input and added training_mode and seed. A seed in plain
// inference means the generator of the reference implementation (MT19937, started anew at each run); else elements are
// random by seed, node, step and place.
var opDropout = opdef.Def{
	Type: "Dropout",
	Infer: func(c *opdef.Infer) error {
		if err := c.LikeElem(1, 0, onnx.Bool); err != nil {
			return err
		}
		return opdef.SameAsFirst(c)
	},
	Compile: compileDropout,
	Grad: func(c *opdef.Grad) error {
		dy := c.DY(0)
		if dy == nil || c.In(2) == nil {
			c.SetDX(0, dy)
			return nil
		}
		c.SetDX(0, c.Private("DropoutGrad", values{dy, c.Y(1), c.In(2), c.In(1)}))
		return nil
	},
	Upgrade: upgradeDropout,
	Training: func(c *opdef.Rewrite) error {
		padInputs(c.Node, 3)
		c.Node.SetIn(2, c.Builder.Const(onnx.Scalar(true)))
		return c.Err()
	},
}

func upgradeDropout(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version >= 12 {
		return nil
	}
	ratio, training := n.Float("ratio", 0.5), c.Version < 7 && n.Int("is_test", 0) == 0
	n.DropAttr("ratio", "is_test", "consumed_inputs")
	padInputs(n, 2)
	n.SetIn(1, c.Builder.Const(onnx.Scalar(ratio)))
	if training {
		padInputs(n, 3)
		n.SetIn(2, c.Builder.Const(onnx.Scalar(true)))
	}
	mask := n.Out(1)
	if c.Version >= 10 || mask == nil || !mask.Used() {
		return c.Err()
	}
	e := n.In(0).Type.Elem
	if e == onnx.Undefined {
		return onnx.Unsupportedf("the mask before opset 10 needs a known element type")
	}
	d := c.Builder.Node("", "Dropout", 2, n.Inputs(), n.Attrs...)
	c.Replace(d.Out(0), c.Op("Cast", values{d.Out(1)}, onnx.Int("to", int64(e))))
	return c.Err()
}

func compileDropout(c *opdef.Compile) (opdef.Step, error) {
	scale, err := scalerOf(c.Elem(0))
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{Alias: []opdef.Alias{{}}}, func(m *mover) error { return runDropout(m, scale) }), nil
}

// scaler writes y[i] = x[i]/(1-ratio) where keep says so, else 0.
type scaler func(y, x []byte, keep []bool, ratio float64)

func scalerOf(e onnx.ElemType) (scaler, error) {
	switch e {
	case onnx.Float32:
		return scale32, nil
	case onnx.Float64:
		return func(y, x []byte, keep []bool, ratio float64) {
			to, f := onnx.View[float64](y), 1/(1-ratio)
			for i, v := range onnx.View[float64](x) {
				if to[i] = 0; keep[i] {
					to[i] = v * f
				}
			}
		}, nil
	case onnx.Float16:
		return scaleHalf(onnx.F16.Float32, onnx.NewF16), nil
	case onnx.BFloat16:
		return scaleHalf(onnx.BF16.Float32, onnx.NewBF16), nil
	case onnx.Float8E4M3FN:
		return scaleHalf(onnx.F8E4M3FN.Float32, func(v float32) onnx.F8E4M3FN { return onnx.NewF8E4M3FN(v, true) }), nil
	case onnx.Float8E4M3FNUZ:
		return scaleHalf(onnx.F8E4M3FNUZ.Float32, func(v float32) onnx.F8E4M3FNUZ { return onnx.NewF8E4M3FNUZ(v, true) }), nil
	case onnx.Float8E5M2:
		return scaleHalf(onnx.F8E5M2.Float32, func(v float32) onnx.F8E5M2 { return onnx.NewF8E5M2(v, true) }), nil
	case onnx.Float8E5M2FNUZ:
		return scaleHalf(onnx.F8E5M2FNUZ.Float32, func(v float32) onnx.F8E5M2FNUZ { return onnx.NewF8E5M2FNUZ(v, true) }), nil
	}
	return nil, badElem(e)
}

func scale32(y, x []byte, keep []bool, ratio float64) {
	to, f := onnx.View[float32](y), 1/(1-float32(ratio))
	for i, v := range onnx.View[float32](x) {
		if to[i] = 0; keep[i] {
			to[i] = v * f
		}
	}
}

func scaleHalf[H onnx.Number](wide func(H) float32, narrow func(float32) H) scaler {
	return func(y, x []byte, keep []bool, ratio float64) {
		to, f := onnx.View[H](y), 1/(1-float32(ratio))
		for i, v := range onnx.View[H](x) {
			if to[i] = narrow(0); keep[i] {
				to[i] = narrow(wide(v) * f)
			}
		}
	}
}

// dropping reads training_mode from input mode and ratio from input ratio, which may be absent.
func dropping(m *mover, mode, ratio int) (on bool, p float64, err error) {
	if !m.Has(mode) {
		return false, 0, nil
	}
	if v := m.In[mode]; v.Elem != onnx.Bool || v.Len() != 1 {
		return false, 0, onnx.Invalidf("training_mode: expected a bool, received shape %v of type %v", v.Shape, v.Elem)
	}
	if !opdef.Of[bool](m.In[mode])[0] {
		return false, 0, nil
	}
	p = 0.5
	if m.Has(ratio) {
		if p, err = oneFloat(m.In[ratio]); err != nil {
			return false, 0, err
		}
	}
	if !(p >= 0 && p <= 1) {
		return false, 0, onnx.Invalidf("ratio: expected a number from 0 to 1, received %v", p)
	}
	return true, p, nil
}

// oneFloat is the only element of a floating-point tensor.
func oneFloat(v opdef.View) (float64, error) {
	conv, err := newConversion(v.Elem, onnx.Float64, float8{})
	if err != nil {
		return 0, err
	}
	if v.Len() != 1 || v.Elem.Packed() || v.Elem == onnx.String {
		return 0, onnx.Invalidf("expected 1 number, received shape %v of type %v", v.Shape, v.Elem)
	}
	y := make([]float64, 1)
	err = conv.run(new(wide), array{size: 8, b: onnx.BytesOf(y)}, array{size: v.Elem.Size(), b: v.Data})
	return y[0], err
}

func runDropout(m *mover, scale scaler) error {
	on, ratio, err := dropping(m, 2, 1)
	if err != nil {
		return err
	}
	x := m.In[0]
	y, err := m.bound(0, x.Elem, x.Shape)
	if err != nil {
		return err
	}
	var keep []bool
	if m.Wants(1) {
		v, err := m.bound(1, onnx.Bool, x.Shape)
		if err != nil {
			return err
		}
		keep = opdef.Of[bool](v)
	}
	if !on || ratio == 0 {
		for i := range keep {
			keep[i] = true
		}
		if len(y.Data) > 0 && &y.Data[0] != &x.Data[0] {
			copy(y.Data, x.Data)
		}
		return nil
	}
	if keep == nil {
		if err := m.charge(x.Len(), 1); err != nil {
			return err
		}
		keep = make([]bool, x.Len())
	}
	draw(m, keep, ratio)
	scale(y.Data, x.Data, keep, ratio)
	return nil
}

// draw keeps an element where its random number is not below ratio.
func draw(m *mover, keep []bool, ratio float64) {
	seed := m.Node.Attr("seed")
	if seed != nil && !m.Training {
		t := newTwister(uint32(seed.I))
		for i := range keep {
			keep[i] = t.uniform() >= ratio
		}
		return
	}
	extra := uint64(0)
	if seed != nil {
		extra = uint64(seed.I) + 1
	}
	s := newStream(m.Seed, m.ID, m.StepNo, extra)
	for i := range keep {
		keep[i] = s.uniform(i) >= ratio
	}
}
