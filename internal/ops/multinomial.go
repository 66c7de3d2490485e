package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Multinomial draws sample_size classes for each row of log probabilities [batch, class], which need not be normalised.
//
// Opset 22: types.
var opMultinomial = opdef.Def{
	Type:    "Multinomial",
	Infer:   inferMultinomial,
	Compile: compileMultinomial,
	Grad:    opdef.ZeroGrad,
}

func sampleSize(n *onnx.Node) (int, error) {
	v := n.Int("sample_size", 1)
	if v < 0 || int64(int(v)) != v {
		return 0, onnx.Invalidf("attribute sample_size: expected a size, received %d", v)
	}
	return int(v), nil
}

func inferMultinomial(c *opdef.Infer) error {
	e, err := dtypeAttr(c.Node, "dtype", onnx.Int32)
	if err != nil {
		return err
	}
	n, err := sampleSize(c.Node)
	if err != nil {
		return err
	}
	x, err := c.ShapeRank(0, 2)
	if err != nil {
		return setElem(c, 0, e, err)
	}
	c.Set(0, e, x[0], onnx.Fixed(n))
	return nil
}

func compileMultinomial(c *opdef.Compile) (opdef.Step, error) {
	e := c.OutElem(0)
	if !isShapeInt(e) {
		return opdef.Step{}, badElem(e)
	}
	conv, err := newConversion(c.Elem(0), onnx.Float64, float8{})
	if err != nil || !c.Elem(0).IsFloat() {
		return opdef.Step{}, badElem(c.Elem(0))
	}
	n, err := sampleSize(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error { return runMultinomial(m, conv, e, n) }), nil
}

func runMultinomial(m *mover, conv *conversion, e onnx.ElemType, n int) error {
	shape := m.shape(0)
	if len(shape) != 2 {
		return onnx.Invalidf("expected rank 2, received shape %v", shape)
	}
	rows, classes := shape[0], shape[1]
	to := m.take(2)
	to[0], to[1] = rows, n
	y, err := m.bound(0, e, to)
	if err != nil || rows*n == 0 {
		return err
	}
	if classes == 0 {
		return onnx.Invalidf("expected a class, received shape %v", shape)
	}
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	if err := m.charge(classes, 8); err != nil {
		return err
	}
	sums, w, d := make([]float64, classes), new(wide), newDrawer(m.Run)
	for r := range rows {
		if err := conv.run(w, array{size: 8, b: onnx.BytesOf(sums)}, x.cut(r*classes, classes)); err != nil {
			return err
		}
		if !accumulate(sums) {
			return onnx.Invalidf("row %d has no class of positive probability", r)
		}
		for i := r * n; i < (r+1)*n; i++ {
			k := choose(sums, d.uniform(i))
			if e == onnx.Int64 {
				opdef.Of[int64](y)[i] = int64(k)
			} else {
				opdef.Of[int32](y)[i] = int32(k)
			}
		}
	}
	return nil
}

// accumulate replaces log probabilities by the sums of what they are the logarithms of, scaled. It reports whether there is
// anything to choose from.
func accumulate(v []float64) bool {
	top := math.Inf(-1)
	for _, x := range v {
		top = max(top, x)
	}
	if math.IsInf(top, 0) || top != top {
		return false
	}
	sum := 0.0
	for i, x := range v {
		sum += math.Exp(x - top)
		v[i] = sum
	}
	return true
}

// choose is the first class whose sum is above the share u of the whole.
func choose(sums []float64, u float64) int {
	at := u * sums[len(sums)-1]
	for i, s := range sums {
		if s > at {
			return i
		}
	}
	return len(sums) - 1
}
