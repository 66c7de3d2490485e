package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/reduce"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// softmaxLine is e^x divided by its sum, without overflow.
func softmaxLine[T float](y []T, x [][]T) {
	m := reduce.All(reduce.Max, x[0], 0)
	for i, v := range x[0] {
		y[i] = T(math.Exp(float64(v - m)))
	}
	sum := reduce.All(reduce.Sum, y, 0)
	for i := range y {
		y[i] /= sum
	}
}

// softmaxLine32 is softmaxLine by the kernels of a table.
func softmaxLine32(t *vec.Table) func(y []float32, x [][]float32) {
	return func(y []float32, x [][]float32) { t.Softmax(y, x[0]) }
}

// roundedSoftmaxLine is softmaxLine for 16-bit types: the results of the standard's body, which rounds after each of its
// operators.
func roundedSoftmaxLine(round func([]float32), add func([]float32) float32) func(y []float32, x [][]float32) {
	return func(y []float32, x [][]float32) {
		m := reduce.All(reduce.Max, x[0], 0)
		for i, v := range x[0] {
			y[i] = v - m
		}
		round(y)
		for i, v := range y {
			y[i] = float32(math.Exp(float64(v)))
		}
		round(y)
		sum := [1]float32{add(y)}
		round(sum[:])
		for i := range y {
			y[i] /= sum[0]
		}
	}
}

func wideSum(x []float32) float32 { return reduce.All(reduce.Sum, x, 0) }

// sumBF16 rounds after each addition, as the standard's body does for bfloat16, within parts of 16 numbers; the parts are added
// without, else a long sum would stand still.
func sumBF16(x []float32) float32 {
	sum := float32(0)
	for len(x) > 0 {
		n, part := min(16, len(x)), float32(0)
		for _, v := range x[:n] {
			part = onnx.NewBF16(part + v).Float32()
		}
		sum, x = sum+part, x[n:]
	}
	return sum
}

// compileSoftmax compiles Softmax.
func compileSoftmax(c *opdef.Compile) (opdef.Step, error) {
	switch c.Elem(0) {
	case onnx.Float16:
		return lineStep(1, roundedSoftmaxLine(roundF16, wideSum), &codecF16, attrAxis), nil
	case onnx.BFloat16:
		return lineStep(1, roundedSoftmaxLine(roundBF16, sumBF16), &codecBF16, attrAxis), nil
	}
	return lineFloats(1, softmaxLine32(vecTable(c.Generic)), softmaxLine[float64])(c)
}

func roundF16(x []float32) {
	for i, v := range x {
		x[i] = onnx.NewF16(v).Float32()
	}
}

func roundBF16(x []float32) {
	for i, v := range x {
		x[i] = onnx.NewBF16(v).Float32()
	}
}

// logSoftmaxLine is the logarithm of softmaxLine.
func logSoftmaxLine[T float](y []T, x [][]T) {
	m := reduce.All(reduce.Max, x[0], 0)
	log := T(math.Log(float64(reduce.All(reduce.SumExp, x[0], m))))
	for i, v := range x[0] {
		y[i] = v - m - log
	}
}

// compileLogSoftmax compiles LogSoftmax.
func compileLogSoftmax(c *opdef.Compile) (opdef.Step, error) {
	t := vecTable(c.Generic)
	return lineFloats(1, func(y []float32, x [][]float32) { t.LogSoftmax(y, x[0]) }, logSoftmaxLine[float64])(c)
}

// hardmaxLine is 1 at the largest element, the first of equal ones, and 0 elsewhere.
func hardmaxLine[T float](y []T, x [][]T) {
	best := 0
	for i, v := range x[0] {
		if b := x[0][best]; v > b || v != v && b == b {
			best = i
		}
	}
	clear(y)
	if len(y) > 0 {
		y[best] = 1
	}
}

// softmaxGradLine is dx for dy and the output y of Softmax.
func softmaxGradLine[T float](dx []T, x [][]T) {
	dy, y := x[0], x[1]
	dot := reduce.Dot(dy, y)
	for i := range dx {
		dx[i] = y[i] * (dy[i] - dot)
	}
}

// logSoftmaxGradLine is dx for dy and the output y of LogSoftmax.
func logSoftmaxGradLine[T float](dx []T, x [][]T) {
	dy, y := x[0], x[1]
	sum := reduce.All(reduce.Sum, dy, 0)
	for i := range dx {
		dx[i] = dy[i] - T(T(math.Exp(float64(y[i])))*sum)
	}
}

// gradLine is the Grad of an operator along an axis by a private operator of dy and y.
func gradLine(op string) func(*opdef.Grad) error {
	return func(c *opdef.Grad) error {
		c.SetDX(0, c.Private(op, values{c.DY(0), c.Y(0)}, onnx.Int("axis", c.Node.Int("axis", -1))))
		return nil
	}
}

// upgradeSoftmax rewrites Softmax, LogSoftmax and Hardmax from before opset 13, which see a matrix: the axes before axis are
// its rows, the others its columns; axis is 1 by default.
func upgradeSoftmax(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version >= 13 {
		return nil
	}
	axis, x := n.Int("axis", 1), n.In(0)
	n.DropAttr("consumed_inputs")
	n.SetAttr(onnx.Int("axis", -1))
	if r := x.Type.Rank(); r > 0 && (axis == int64(r)-1 || axis == -1) {
		return nil
	}
	rows := c.Op("Flatten", values{x}, onnx.Int("axis", axis))
	y := c.Op(n.OpType, values{rows}, onnx.Int("axis", -1))
	c.Replace(c.Op("Reshape", values{y, c.Op("Shape", values{x})}, onnx.Int("allowzero", 1)))
	return c.Err()
}
