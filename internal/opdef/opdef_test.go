package opdef

import (
	"errors"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		axis int64
		rank int
		want int
	}{{0, 3, 0}, {-1, 3, 2}, {-3, 3, 0}, {2, 3, 2}} {
		got, err := Axis(c.axis, c.rank)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, axis := range []int64{3, -4, 1 << 40, -1 << 40} {
		_, err := Axis(axis, 3)
		require.ErrorIs(t, err, onnx.ErrInvalid)
	}
	_, err := Axis(0, 0)
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestAxisMask(t *testing.T) {
	m, err := AxisMask([]int64{-1, 0}, 3)
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true}, m)
	_, err = AxisMask([]int64{0, -3}, 3)
	require.ErrorIs(t, err, onnx.ErrInvalid, "the same axis twice")
}

func TestBroadcast(t *testing.T) {
	n, unknown := onnx.Named("N"), onnx.Unknown
	f := onnx.Fixed
	for _, c := range []struct{ a, b, want []onnx.Dim }{
		{[]onnx.Dim{f(2), f(1)}, []onnx.Dim{f(3)}, []onnx.Dim{f(2), f(3)}},
		{[]onnx.Dim{n, f(1)}, []onnx.Dim{n, f(4)}, []onnx.Dim{n, f(4)}},
		{[]onnx.Dim{n}, []onnx.Dim{f(1)}, []onnx.Dim{n}},
		{[]onnx.Dim{n}, []onnx.Dim{f(5)}, []onnx.Dim{f(5)}}, // N can only be 5 or 1
		{[]onnx.Dim{n}, []onnx.Dim{unknown}, []onnx.Dim{unknown}},
		{nil, []onnx.Dim{f(0)}, []onnx.Dim{f(0)}},
		{[]onnx.Dim{f(1)}, []onnx.Dim{f(0)}, []onnx.Dim{f(0)}},
	} {
		for _, swap := range []bool{false, true} {
			a, b := c.a, c.b
			if swap {
				a, b = b, a
			}
			got, err := Broadcast(a, b)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%v with %v", a, b)
		}
	}
	_, err := Broadcast([]onnx.Dim{f(2)}, []onnx.Dim{f(3)})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestBroadcastShape(t *testing.T) {
	got, err := BroadcastShape([]int{2, 1, 4}, []int{3, 1}, nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3, 4}, got)
	require.Equal(t, []int{4, 0, 1}, BroadcastStrides([]int{2, 1, 4}, got))
	_, err = BroadcastShape([]int{2}, []int{3})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func TestSet(t *testing.T) {
	base, own := &Def{Type: "Foo"}, &Def{Type: "Foo", Domain: "com.example"}
	over := &Def{Type: "Foo"}
	s := NewSet(NewSet(nil, base), own)
	require.Same(t, base, s.Find("ai.onnx", "Foo"))
	require.Same(t, own, s.Find("com.example", "Foo"))
	require.Same(t, over, NewSet(s, over).Find("", "Foo"))
	_, err := s.Lookup(onnx.NewGraph("g", nil).Add("", "Bar", 1, nil))
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// window makes a node with a window along one axis.
func window(kernel, stride, dilation, before, behind int64, auto string, ceil int64) *onnx.Node {
	attrs := []onnx.Attribute{
		onnx.Ints("kernel_shape", kernel), onnx.Ints("strides", stride), onnx.Ints("dilations", dilation), onnx.Int("ceil_mode", ceil),
	}
	if auto == "" {
		attrs = append(attrs, onnx.Ints("pads", before, behind))
	} else {
		attrs = append(attrs, onnx.Str("auto_pad", auto))
	}
	return onnx.NewGraph("g", nil).Add("", "Window", 1, nil, attrs...)
}

// TestWindow counts the windows that fit, one by one.
func TestWindow(t *testing.T) {
	for in := range 9 {
		for kernel := int64(1); kernel <= 3; kernel++ {
			for stride := int64(1); stride <= 3; stride++ {
				for dilation := int64(1); dilation <= 2; dilation++ {
					for pad := range int64(4) {
						before, behind := pad/2, pad-pad/2
						for ceil := range int64(2) {
							checkWindow(t, in, kernel, stride, dilation, before, behind, ceil)
						}
					}
				}
			}
		}
	}
}

func checkWindow(t *testing.T, in int, kernel, stride, dilation, before, behind, ceil int64) {
	t.Helper()
	w, err := WindowOf(window(kernel, stride, dilation, before, behind, "", ceil), 1, nil)
	require.NoError(t, err)
	span := int(dilation*(kernel-1) + 1)
	want := 0
	for start := -int(before); ; start += int(stride) {
		fits := start+span <= in+int(behind)
		if ceil == 1 && !fits && want > 0 {
			// a cut window counts if it starts before the padding behind and the one before it did not reach the end
			fits = start < in && start-int(stride)+span < in+int(behind)
		}
		if !fits {
			break
		}
		want++
	}
	out, b, e, err := w.Place(0, in)
	if want == 0 {
		require.ErrorIs(t, err, onnx.ErrInvalid)
		return
	}
	require.NoError(t, err)
	require.Equal(t, []int{want, int(before), int(behind)}, []int{out, b, e}, "in %d kernel %d stride %d dilation %d ceil %d", in, kernel, stride, dilation, ceil)
}

func TestWindow_autoPad(t *testing.T) {
	for _, c := range []struct {
		auto                string
		in, k, s            int
		out, before, behind int
	}{
		{"SAME_UPPER", 5, 3, 2, 3, 1, 1},
		{"SAME_UPPER", 4, 3, 2, 2, 0, 1},
		{"SAME_LOWER", 4, 3, 2, 2, 1, 0},
		{"SAME_UPPER", 6, 1, 4, 2, 0, 0},
		{"VALID", 5, 3, 2, 2, 0, 0},
	} {
		w, err := WindowOf(window(int64(c.k), int64(c.s), 1, 0, 0, c.auto, 0), 1, nil)
		require.NoError(t, err)
		out, before, behind, err := w.Place(0, c.in)
		require.NoError(t, err)
		require.Equal(t, []int{c.out, c.before, c.behind}, []int{out, before, behind}, "%+v", c)
	}
}

func TestWindow_symbolic(t *testing.T) {
	w, err := WindowOf(window(3, 1, 1, 1, 1, "", 0), 1, nil)
	require.NoError(t, err)
	out, err := w.Out([]onnx.Dim{onnx.Named("W")})
	require.NoError(t, err)
	require.Equal(t, []onnx.Dim{onnx.Named("W")}, out, "the window keeps sizes")
	w, err = WindowOf(window(3, 2, 1, 1, 1, "", 0), 1, nil)
	require.NoError(t, err)
	out, err = w.Out([]onnx.Dim{onnx.Named("W")})
	require.NoError(t, err)
	require.Equal(t, []onnx.Dim{onnx.Unknown}, out)
}

func TestWindowOf_refuses(t *testing.T) {
	for name, n := range map[string]*onnx.Node{
		"kernel 0": window(0, 1, 1, 0, 0, "", 0), "stride 0": window(1, 0, 1, 0, 0, "", 0), "dilation 0": window(1, 1, 0, 0, 0, "", 0),
		"negative pad": window(1, 1, 1, -1, 0, "", 0), "huge stride": window(1, 1<<40, 1, 0, 0, "", 0), "auto_pad": window(1, 1, 1, 0, 0, "SOME", 0),
	} {
		_, err := WindowOf(n, 1, nil)
		require.ErrorIs(t, err, onnx.ErrInvalid, name)
	}
	_, err := WindowOf(window(1, 1, 1, 0, 0, "", 0), 2, nil)
	require.ErrorIs(t, err, onnx.ErrInvalid, "two axes")
}
