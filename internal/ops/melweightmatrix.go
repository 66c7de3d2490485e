package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// MelWeightMatrix is the matrix [dft_length/2+1, num_mel_bins] that turns the bins of a spectrogram into triangular bins that
// are evenly spaced on the mel scale, from lower_edge_hertz to upper_edge_hertz.
var opMelWeightMatrix = opdef.Def{
	Type:    "MelWeightMatrix",
	Infer:   inferMelWeightMatrix,
	Compile: moving(runMelWeightMatrix),
	Grad:    opdef.ZeroGrad,
	Widen:   widenType("output_datatype", onnx.Float32),
}

func inferMelWeightMatrix(c *opdef.Infer) error {
	e, err := dtypeAttr(c.Node, "output_datatype", onnx.Float32)
	if err == nil {
		c.Set(0, e, sizeDim(addDims(divDims(scalarDim(c, 1), onnx.Fixed(2)), onnx.Fixed(1))), scalarDim(c, 0))
	}
	return err
}

func runMelWeightMatrix(m *mover) error {
	e, err := dtypeAttr(m.Node, "output_datatype", onnx.Float32)
	if err != nil {
		return err
	}
	var sizes [3]int // bins, length, rate
	for i := range sizes {
		if sizes[i], err = m.size(i, 1); err != nil {
			return err
		}
	}
	var edges [2]float64
	for i := range edges {
		if edges[i], err = oneFloat(m.In[3+i]); err != nil {
			return err
		}
	}
	bins, length := sizes[0], sizes[1]
	to := m.take(2)
	to[0], to[1] = length/2+1, bins
	size, ok := onnx.NumElements(to)
	if !ok {
		return onnx.Invalidf("output shape %v is too large", m.clone(to))
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	corners, err := m.room(bins + 2)
	if err != nil {
		return err
	}
	melCorners(corners, length, sizes[2], edges[0], edges[1])
	for i := range bins {
		if err := melTriangle(y, i, to, corners[i:i+3]); err != nil {
			return err
		}
	}
	return m.setReals(0, e, to, y)
}

// melCorners fills corners with the bins of the spectrogram where triangles begin, peak and end.
func melCorners(corners []float64, length, rate int, lower, upper float64) {
	mel := func(hertz float64) float64 { return 2595 * math.Log1p(hertz/700) / math.Ln10 }
	low := mel(lower)
	step := (mel(upper) - low) / float64(len(corners))
	for i := range corners {
		hertz := 700 * math.Expm1((float64(float64(i)*step)+low)/2595*math.Ln10)
		corners[i] = math.Floor(float64(length+1) * hertz / float64(rate))
	}
}

// melTriangle fills column i of y, which has the given shape.
func melTriangle(y []float64, i int, shape []int, at []float64) error {
	if !(at[0] >= 0 && at[2] >= at[1] && at[1] >= at[0] && at[2] <= float64(shape[0])) {
		return onnx.Invalidf("triangle %d from bin %v over %v to %v does not lie within the %d bins of the spectrogram", i, at[0], at[1], at[2], shape[0])
	}
	left, peak, right := int(at[0]), int(at[1]), int(at[2])
	if peak >= shape[0] {
		return onnx.Invalidf("triangle %d has its peak at bin %d of %d", i, peak, shape[0])
	}
	if left == peak {
		y[peak*shape[1]+i] = 1
	}
	for j := left; left < peak && j <= peak; j++ {
		y[j*shape[1]+i] = float64(j-left) / float64(peak-left)
	}
	for j := peak; j < right; j++ {
		y[j*shape[1]+i] = float64(right-j) / float64(right-peak)
	}
	return nil
}
