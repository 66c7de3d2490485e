package compare

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func tensor[T onnx.Number](t *testing.T, v ...T) *onnx.Tensor {
	t.Helper()
	x, err := onnx.NewTensor(v, len(v))
	require.NoError(t, err)
	return x
}

func TestTensors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name      string
		got, want []float32
		verdict   Verdict
		worst     int
	}{
		{"equal", []float32{1, 2}, []float32{1, 2}, Equal, 0},
		{"within", []float32{1.000001, 2}, []float32{1, 2}, Within, 0},
		{"outside", []float32{1, 2.1, 3}, []float32{1, 2, 3}, Outside, 1},
		{"NaN both", []float32{nan, 2}, []float32{nan, 2}, Equal, 1},
		{"NaN one side", []float32{nan, 2}, []float32{1, 2}, Outside, 0},
		{"infinities", []float32{inf, 2}, []float32{inf, 2}, Equal, 1},
		{"opposite infinities", []float32{inf, 2}, []float32{-inf, 2}, Outside, 0},
		{"empty", nil, nil, Equal, -1},
	} {
		r := Tensors(tensor(t, c.got...), tensor(t, c.want...), Torch)
		require.Equal(t, c.verdict, r.Verdict, c.name)
		require.Equal(t, c.worst, r.WorstIndex, c.name)
	}
}

func TestTensors_numbers(t *testing.T) {
	r := Tensors(tensor[float32](t, 1, 0, 3), tensor[float32](t, math.Nextafter32(1, 2), 0, 4), Torch)
	require.InDelta(t, 1, r.MaxAbs, 1e-12)
	require.Equal(t, 2, r.MaxAbsIndex)
	require.InDelta(t, 0.25, r.MaxRel, 1e-12)
	require.Equal(t, 1, r.RelSkipped)
	require.InDelta(t, 100.0/3, r.Mismatch, 1e-9)
	require.InDelta(t, float64(1<<22), r.ULP, 0) // from 3 to 4
	require.InDelta(t, 12/math.Sqrt(9+1)/math.Sqrt(16+1)+1/math.Sqrt(10*17), r.Cosine, 1e-6)
	require.InDelta(t, 10*math.Log10(17), r.SQNR, 1e-5)
}

func TestTensors_strict(t *testing.T) {
	zero, minus := tensor[float32](t, 0), tensor(t, float32(math.Copysign(0, -1)))
	require.Equal(t, Equal, Tensors(zero, minus, Torch).Verdict)
	require.Equal(t, Outside, Tensors(zero, minus, Strict).Verdict)
}

func TestTensors_kinds(t *testing.T) {
	require.Equal(t, Type, Tensors(tensor[int32](t, 1), tensor[int64](t, 1), Torch).Verdict)
	require.Equal(t, Shape, Tensors(tensor[int64](t, 1), tensor[int64](t, 1, 2), Torch).Verdict)
	require.Equal(t, Outside, Tensors(tensor[int64](t, 1000), tensor[int64](t, 1001), ONNX).Verdict)
	a, err := onnx.Strings([]string{"a", "b"}, 2)
	require.NoError(t, err)
	b, err := onnx.Strings([]string{"a", "c"}, 2)
	require.NoError(t, err)
	require.Equal(t, Equal, Tensors(a, a, Torch).Verdict)
	require.Equal(t, 1, Tensors(a, b, Torch).WorstIndex)
}

func TestObjects(t *testing.T) {
	one, two := tensor[float32](t, 1), tensor[float32](t, 2)
	seq := func(items ...onnx.Object) *onnx.Sequence { return &onnx.Sequence{Items: items} }
	ok := func(rows []Row) bool {
		for _, r := range rows {
			if !r.Verdict.OK() {
				return false
			}
		}
		return len(rows) > 0
	}
	require.True(t, ok(Objects("s", seq(one, two), seq(one, two), ONNX)))
	require.False(t, ok(Objects("s", seq(one, one), seq(one, two), ONNX)))
	require.False(t, ok(Objects("s", seq(one), seq(one, two), ONNX)))
	require.True(t, ok(Objects("o", &onnx.Optional{}, &onnx.Optional{}, ONNX)))
	require.False(t, ok(Objects("o", &onnx.Optional{}, &onnx.Optional{Item: one}, ONNX)))
	require.True(t, ok(Objects("o", one, &onnx.Optional{Item: one}, ONNX)))
	require.False(t, ok(Objects("o", one, seq(one), ONNX)))
}

func TestDiverging(t *testing.T) {
	g := onnx.NewGraph("g", nil)
	x := g.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(1)))
	a := g.Add("", "A", 1, []*onnx.Value{x})
	b := g.Add("", "B", 1, []*onnx.Value{a.Out(0)})
	c := g.Add("", "C", 1, []*onnx.Value{b.Out(0)})
	values := func(va, vb, vc float32) map[string]*onnx.Tensor {
		return map[string]*onnx.Tensor{
			"x": tensor[float32](t, 1), a.Out(0).Name: tensor(t, va), b.Out(0).Name: tensor(t, vb), c.Out(0).Name: tensor(t, vc),
		}
	}
	want := values(1, 2, 3)
	require.Nil(t, Diverging(g, values(1, 2, 3), want, Torch))
	require.Same(t, b, Diverging(g, values(1, 9, 9), want, Torch), "the error that C inherits is not C's")
	require.Same(t, c, Diverging(g, values(1, 2, 9), want, Torch))
}

func TestNamed(t *testing.T) {
	got := map[string]*onnx.Tensor{"a": tensor[float32](t, 1), "b": tensor[float32](t, 1.1), "d": tensor[float32](t, 1)}
	want := map[string]*onnx.Tensor{"a": tensor[float32](t, 1), "b": tensor[float32](t, 1), "c": tensor[float32](t, 1)}
	r := Named([]string{"a", "b", "c", "d"}, got, want, Torch, Loosening{"b*", Tolerance{0.2, 0}, "a test"})
	var verdicts []Verdict
	for _, x := range r.Rows {
		verdicts = append(verdicts, x.Verdict)
	}
	require.Equal(t, []Verdict{Equal, Within, Missing, Extra}, verdicts)
	require.False(t, r.OK())
	require.Equal(t, "c", r.Worst(2)[0].Name)
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b, r.Rows))
	require.Contains(t, b.String(), "loosened b* to rtol 0.2, atol 0: a test")
}

func TestProfileOf(t *testing.T) {
	for _, p := range Profiles() {
		q, err := ProfileOf(p.Name)
		require.NoError(t, err)
		require.Equal(t, p, q)
	}
	_, err := ProfileOf("tensorflow")
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

func ExampleTensors() {
	got, want := onnx.Vector[float32](1, 2, 3.0001), onnx.Vector[float32](1, 2, 3)
	fmt.Println(Tensors(got, want, Torch).Verdict)
	fmt.Println(Tensors(got, want, ONNX).Verdict)
	// Output:
	// outside
	// within
}

func ExampleReport() {
	got := map[string]*onnx.Tensor{"y": onnx.Vector[float32](1, 2)}
	want := map[string]*onnx.Tensor{"y": onnx.Vector[float32](1, 2)}
	r := Named([]string{"y"}, got, want, Torch)
	if err := r.WriteText(os.Stdout, r.Rows); err != nil {
		panic(err)
	}
	// Output:
	// tensor  verdict  max abs  max rel  ulp  cosine    SQNR dB  outside %  worst
	// y       equal    0        0        0    1.000000  +Inf     0          -
	// within the tolerances of profile torch, 1 tensors
}

func ExampleProfile() {
	p, err := ProfileOf("torch")
	fmt.Println(p.Float32, err)
	// Output: {1.3e-06 1e-05} <nil>
}
