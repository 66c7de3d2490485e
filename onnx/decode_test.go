package onnx

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

func parse(t *testing.T, body string) (*Model, error) {
	t.Helper()
	return ParseText(`<ir_version: 10, opset_import: ["" : 22]> ` + body)
}

func TestDecode_names(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
		value      string
	}{
		{"undefined", `g () => (y) { y = Neg (x) }`, ErrUndefined, "x"},
		{"undefined output", `g () => (y) { }`, ErrUndefined, "y"},
		{"input twice", `g (float x, float x) => () { }`, ErrDuplicate, "x"},
		{"made twice", `g (float x) => () { y = Neg (x) y = Abs (x) }`, ErrDuplicate, "y"},
		{"made and input", `g (float x) => () { x = Neg (x) }`, ErrDuplicate, "x"},
		{"initializer twice", `g () => () <float w = {1}, float w = {2}> { }`, ErrDuplicate, "w"},
		{"shadowed input", `g (bool x) => (y) { y = If (x) <then_branch = t () => (x) { x = Neg (x) }> }`, ErrShadow, "x"},
		{"shadowed node", `g (bool c) => (y) { x = Not (c) y = If (c) <then_branch = t () => (x) { x = Not (c) }> }`, ErrShadow, "x"},
		{"undefined in subgraph", `g (bool c) => (y) { y = If (c) <then_branch = t () => (z) { z = Neg (a) }> }`, ErrUndefined, "a"},
		{"sibling is not seen", `g (bool c) => (y) { y = If (c) <then_branch = t () => (a) { a = Not (c) }, else_branch = e () => (a) {}> }`, ErrUndefined, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(t, c.text)
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, ErrInvalid)
			var e *NameError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.value, e.Name)
		})
	}
}

func TestDecode_scopes(t *testing.T) {
	m, err := parse(t, `g (bool c) => (y, late) {
		y = If (c) <then_branch = t () => (a) { a = Not (late) }, else_branch = e () => (a) { a = Not (c) }>
		late = Not (first)
		first = Not (c)
	}`)
	require.NoError(t, err, "branches may use the same names, and nodes may stand in any order")
	g := m.Graph
	sub := g.Nodes[0].Subgraph("then_branch")
	require.Same(t, g.Nodes[1].Out(0), sub.Nodes[0].In(0))
	require.Same(t, g, sub.Outer)
	require.Equal(t, []int{1, 4, 5}, []int{g.Nodes[0].ID, g.Nodes[1].ID, g.Nodes[2].ID})
	require.Equal(t, 2, sub.Nodes[0].ID)
	require.Len(t, g.Inputs[0].Uses(), 3)
	order, ok := Sorted(g, nil)
	require.True(t, ok)
	require.Equal(t, []*Node{g.Nodes[2], g.Nodes[1], g.Nodes[0]}, order)
}

func TestDecode_version(t *testing.T) {
	for _, v := range []string{"1", "2", "15"} {
		_, err := ParseText("<ir_version: " + v + "> g () => () {}")
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, v)
	}
	_, err := ParseText("<ir_version: 0> g () => () {}")
	require.ErrorIs(t, err, ErrInvalid)
}

func TestDecode_training(t *testing.T) {
	b, err := os.ReadFile("testdata/training.onnx")
	require.NoError(t, err)
	m, err := Decode(b)
	require.NoError(t, err)
	step := m.Training[0].Algorithm
	require.Equal(t, []Entry{{"w", "new_w"}}, m.Training[0].UpdateBinding)
	require.Equal(t, "y", step.Nodes[0].In(1).Name, "a value of the model's graph")
	require.Nil(t, step.Nodes[0].In(1).Node())
}

// tensorBytes makes a TensorProto.
func tensorBytes(elem ElemType, dims []int64, do func(w *wire.Writer)) []byte {
	w := wire.Writer{}
	for _, d := range dims {
		w.Varint(1, d)
	}
	w.Varint(2, int64(elem))
	if do != nil {
		do(&w)
	}
	return w.AppendTo(nil)
}

func TestDecodeTensor_refuses(t *testing.T) {
	raw := func(n int) func(*wire.Writer) {
		return func(w *wire.Writer) { w.Bytes(9, make([]byte, n)) }
	}
	floats := func(w *wire.Writer) { w.Bytes(4, make([]byte, 8)) }
	for name, b := range map[string][]byte{
		"no type":       tensorBytes(Undefined, nil, raw(4)),
		"unknown type":  tensorBytes(29, nil, raw(4)),
		"negative type": tensorBytes(-1, nil, raw(4)),
		"negative dim":  tensorBytes(Float32, []int64{-1}, raw(4)),
		"product":       tensorBytes(Float32, []int64{1 << 40, 1 << 40}, raw(4)),
		"bytes":         tensorBytes(Float64, []int64{1 << 61}, raw(4)),
		"raw short":     tensorBytes(Float32, []int64{2}, raw(7)),
		"raw long":      tensorBytes(Float32, []int64{2}, raw(9)),
		"none":          tensorBytes(Float32, []int64{2}, nil),
		"packed":        tensorBytes(Int4, []int64{3}, raw(3)),
		"six bits":      tensorBytes(Float6E2M3, []int64{5}, raw(5)),
		"other field":   tensorBytes(Int64, []int64{2}, floats),
		"typed length":  tensorBytes(Float32, []int64{3}, floats),
		"typed and raw": tensorBytes(Float32, []int64{2}, func(w *wire.Writer) { floats(w); raw(8)(w) }),
		"two fields":    tensorBytes(Float32, []int64{2}, func(w *wire.Writer) { floats(w); w.Varint(5, 1) }),
		"raw strings":   tensorBytes(String, []int64{1}, raw(1)),
		"no location":   tensorBytes(Float32, []int64{1}, func(w *wire.Writer) { w.Varint(14, 1) }),
		"cut varint":    tensorBytes(Int32, []int64{1}, func(w *wire.Writer) { w.Bytes(5, []byte{0x80}) }),
		"long varint":   tensorBytes(Int32, []int64{1}, func(w *wire.Writer) { w.Bytes(5, []byte(strings.Repeat("\xff", 11)+"\x01")) }),
		"wrong wire":    {0x10 | 2, 0},
		"group":         {0x0b, 0x0c},
		"length":        {0x4a, 5, 0},
		"big length":    {0x4a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"field 0":       {0x00, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeTensor(b)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

func TestDecodeTensor_storage(t *testing.T) {
	b, err := os.ReadFile("testdata/tensors.onnx")
	require.NoError(t, err)
	m, err := Decode(b)
	require.NoError(t, err)
	byName := map[string]*Tensor{}
	for _, v := range m.Graph.Initializers {
		byName[v.Name] = v.Init
	}
	require.Equal(t, []int64{0, -1, math.MaxInt64, math.MinInt64, 7}, Data[int64](byName["typed_INT64"]))
	require.Equal(t, []int8{0, -1, 127, -128, 5}, Data[int8](byName["typed_INT8"]))
	require.Equal(t, []uint64{0, math.MaxUint64, 1 << 63, 3, 4}, Data[uint64](byName["typed_UINT64"]))
	require.Equal(t, []F16{0, 1, 63, 32, 7}, Data[F16](byName["typed_FLOAT16"]))
	require.Equal(t, []byte{0x21, 0xF8, 0x07}, byName["typed_INT4"].Bytes())
	require.Equal(t, []byte{0x40, 0xf0, 0x83, 0x07}, byName["typed_FLOAT6E2M3"].Bytes(), "x0|x1<<6, x1>>2|x2<<4, x2>>4|x3<<2, x4")
	require.Equal(t, []string{"", "a", "\xff\x00", "é", `"\`}, byName["typed_STRING"].StringData())
	require.Equal(t, []bool{false, true, true}, Data[bool](byName["truth"]), "any byte but 0 is true")
	require.Equal(t, []uint8{255, 44}, Data[uint8](byName["odd"]), "low bits, as onnx takes them")
	require.Equal(t, "none.bin", byName["outside"].External.Location)
}

func TestDecode_limits(t *testing.T) {
	deep := `x = Not (c)`
	for range 33 {
		deep = `If (c) <then_branch = t () => () { = ` + strings.TrimPrefix(deep, "x = ") + ` }>`
	}
	_, err := parse(t, `g (bool c) => () { = `+deep+` }`)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "depth of subgraphs", limit.Limit)

	many := strings.Repeat("{", 1) + strings.Repeat(" = Foo <a = 1> () ", 2000) + "}"
	m, err := parse(t, "g () => () "+many)
	require.NoError(t, err)
	b, err := m.Encode()
	require.NoError(t, err)
	_, err = ReadOptions{Limits: Limits{Memory: 1 << 16}}.Decode(b)
	require.ErrorAs(t, err, &limit)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = ReadOptions{Limits: Limits{Message: 100}}.Decode(b)
	require.ErrorAs(t, err, &limit)

	w := wire.Writer{}
	nest := func(do func()) func() { return func() { w.Message(4, func() { w.Message(1, do) }) } }
	do := func() {}
	for range 101 {
		do = nest(do)
	}
	w.Varint(1, 10)
	w.Message(7, func() { w.Message(11, func() { w.Str(1, "x"); w.Message(2, do) }) })
	_, err = Decode(w.AppendTo(nil))
	require.ErrorContains(t, err, "nest too deep")
}

func TestDecodeObject(t *testing.T) {
	seq := &Sequence{Of: Unranked(Float32), Items: []Object{Vector[float32](1, 2), Scalar[float32](3)}}
	for name, o := range map[string]Object{
		"tensor":         Vector[int64](1, 2),
		"sequence":       seq,
		"empty sequence": &Sequence{Of: Unranked(Int64), Items: nil},
		"none":           &Optional{Of: Unranked(Float32)},
		"optional":       &Optional{Of: SequenceOf(Unranked(Float32)), Item: seq},
		"map":            &Map{Keys: Vector[int64](5, 6), Values: seq},
		"sparse":         &SparseTensor{Values: Vector[float32](1), Indices: Vector[int64](2), Dims: []int{4}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := EncodeObject(o)
			require.NoError(t, err)
			again, err := DecodeObject(b, o.ObjectType())
			require.NoError(t, err)
			c, err := EncodeObject(again)
			require.NoError(t, err)
			require.Equal(t, b, c)
		})
	}
	b, err := EncodeObject(Vector[int64](1))
	require.NoError(t, err)
	_, err = DecodeObject(b, Unranked(Float32))
	require.ErrorIs(t, err, ErrInvalid)
}

// What is changed after reading is written, what is not stays as the file had it.
func TestEncode_changed(t *testing.T) {
	b, err := os.ReadFile("testdata/values.onnx")
	require.NoError(t, err)
	m, err := Decode(b)
	require.NoError(t, err)
	for _, v := range m.Graph.Inputs {
		if v.Name == "dims" {
			v.Type.Shape[0] = Fixed(7)
		}
	}
	c, err := m.Encode()
	require.NoError(t, err)
	again, err := Decode(c)
	require.NoError(t, err)
	require.Equal(t, "float[7,3,?,2*s1,?,?]", again.Graph.Inputs[2].Type.String())
	require.Contains(t, string(c), "dangling")
	require.Contains(t, string(c), "\n\x01k\x12\x01v", "metadata of the changed value")
}

func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"testdata/*.onnx"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, name := range files {
			b, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadOptions{Limits: Limits{Memory: 1 << 24}}.Decode(b)
		if err != nil {
			require.NotErrorIs(t, err, ErrInternal)
			return
		}
		c, err := m.Encode()
		require.NoError(t, err)
		again, err := Decode(c)
		require.NoError(t, err)
		d, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, c, d)
		_ = m.Text()
		_, _ = m.Copy().Encode()
	})
}

// Many small messages must not cost much more memory than the budget says.
func TestDecode_bombs(t *testing.T) {
	const n = 1 << 19 // empty messages, two or three bytes each
	repeat := func(num protowire.Number) func(*wire.Writer) {
		field := protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), 0)
		return func(w *wire.Writer) { w.Raw(bytes.Repeat(field, n)) }
	}
	in := func(num protowire.Number, do func(*wire.Writer)) func(*wire.Writer) {
		return func(w *wire.Writer) { w.Message(num, func() { do(w) }) }
	}
	for name, do := range map[string]func(*wire.Writer){
		"nodes":       in(7, repeat(1)),
		"attributes":  in(7, in(1, repeat(5))),
		"node inputs": in(7, in(1, repeat(1))),
		"strings":     in(7, in(1, in(5, repeat(9)))),
		"types":       in(7, in(1, in(5, repeat(15)))),
		"value_info":  in(7, repeat(13)),
		"annotations": in(7, repeat(14)),
		"dims":        in(7, in(11, in(2, in(1, in(2, repeat(1)))))),
		"metadata":    repeat(14),
		"imports":     repeat(8),
		"training":    repeat(20),
		"functions":   repeat(25),
		"devices":     repeat(26),
		"unknown":     repeat(1000),
		"tensor": in(7, in(5, func(w *wire.Writer) {
			w.Varint(2, int64(Int64))
			w.Varint(1, n)
			w.Str(8, "w")
			w.Bytes(7, make([]byte, n))
		})),
	} {
		t.Run(name, func(t *testing.T) {
			w := wire.Writer{}
			w.Varint(1, 10)
			do(&w)
			b := w.AppendTo(nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := Decode(b)
			runtime.ReadMemStats(&after)
			budget := 64<<20 + 8*uint64(len(b))
			got := after.TotalAlloc - before.TotalAlloc
			require.Less(t, got, 4*budget, "%v", err) // all that was allocated: readers and outgrown slices are garbage by now
			runtime.KeepAlive(m)
		})
	}
}

// Every prefix and every model with one byte changed gives a model or a typed error.
func TestDecode_mutants(t *testing.T) {
	files, err := filepath.Glob("testdata/*.onnx")
	require.NoError(t, err)
	models, refused := 0, 0
	try := func(b []byte) {
		m, err := Decode(b)
		if err != nil {
			require.True(t, errors.Is(err, ErrInvalid) || errors.Is(err, errors.ErrUnsupported), "%v", err)
			refused++
			return
		}
		models++
		_ = m.Text()
		_, err = m.Encode()
		require.NoError(t, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for i := range b {
			try(b[:i])
			for _, x := range []byte{0x01, 0x80} {
				c := append([]byte(nil), b...)
				c[i] ^= x
				try(c)
			}
		}
	}
	t.Logf("%d mutants read, %d refused", models, refused)
}
