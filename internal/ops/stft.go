package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// STFT is the Fourier transform of frames of a signal [batch, length, 1 or 2]: [batch, frames, bins, 2]. Frame i starts at
// i*frame_step; its elements are multiplied by the window's. onesided, the default, leaves out what symmetry implies.
var opSTFT = opdef.Def{
	Type:    "STFT",
	Infer:   inferSTFT,
	Compile: moving(runSTFT),
	Grad:    gradSTFT,
}

func inferSTFT(c *opdef.Infer) error {
	x, err := c.ShapeRank(0, 3)
	if err != nil {
		return setElem(c, 0, c.Elem(0), err)
	}
	length := x[1]
	switch {
	case c.Has(3):
		length = scalarDim(c, 3)
	case c.Has(2):
		length = onnx.Unknown
		if w, err := c.ShapeRank(2, 1); err == nil {
			length = w[0]
		}
	}
	frames, step, bins := onnx.Unknown, scalarDim(c, 1), length
	if step.IsFixed() && step.N > 0 && x[1].IsFixed() && length.IsFixed() && x[1].N >= length.N {
		frames = onnx.Dim{N: (x[1].N-length.N)/step.N + 1}
	}
	if c.Node.Int("onesided", 1) != 0 {
		bins = addDims(divDims(length, onnx.Fixed(2)), onnx.Fixed(1))
	}
	c.Set(0, c.Elem(0), x[0], frames, sizeDim(bins), onnx.Fixed(2))
	return nil
}

func runSTFT(m *mover) error {
	shape := m.shape(0)
	if len(shape) != 3 || shape[2] != 1 && shape[2] != 2 {
		return onnx.Invalidf("expected shape [batch, length, 1 or 2], received %v", m.clone(shape))
	}
	step, err := m.size(1, 1)
	if err != nil {
		return err
	}
	var window []float64
	if m.Has(2) {
		if window, err = m.reals(2); err != nil {
			return err
		}
	}
	t := transform{onesided: m.Node.Int("onesided", 1) != 0, parts: shape[2], n: shape[1]}
	switch {
	case m.Has(3):
		if t.n, err = m.size(3, 1); err != nil {
			return err
		}
	case window != nil:
		t.n = len(window)
	}
	if t.n < 1 || t.n > shape[1] {
		return onnx.Invalidf("a frame of %d does not fit into a signal of %d", t.n, shape[1])
	}
	if t.in = t.n; window != nil {
		t.in = min(t.n, len(window))
	}
	return t.frames(m, shape, step, window)
}

// frames transforms all frames of all signals.
func (t *transform) frames(m *mover, shape []int, step int, window []float64) error {
	if err := t.prepare(m); err != nil {
		return err
	}
	to := m.take(4)
	to[0], to[1], to[2], to[3] = shape[0], (shape[1]-t.n)/step+1, t.out, 2
	size, ok := onnx.NumElements(to)
	if !ok {
		return onnx.Invalidf("output shape %v is too large", m.clone(to))
	}
	x, err := m.reals(0)
	if err != nil {
		return err
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	for i := range shape[0] * to[1] {
		b, f := i/to[1], i%to[1]
		t.load(x[(b*shape[1]+f*step)*t.parts:], 1)
		for j := range min(len(window), t.n) {
			t.line[j] *= complex(window[j], 0)
		}
		t.compute()
		t.store(y[i*t.out*2:], 1)
	}
	return m.setReals(0, m.In[0].Elem, to, y)
}
