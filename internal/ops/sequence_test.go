package ops_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/stretchr/testify/require"
)

// sequenced runs build over x0, x1 ... and returns its outputs.
func sequenced(t *testing.T, in tensors, build func(b *onnx.Builder, x values) values) (tensors, error) {
	t.Helper()
	b, feeds := shape.NewBuilder("sequence"), map[string]*onnx.Tensor{}
	var vs values
	for _, x := range in {
		v := b.Graph.Input("x", x.Type())
		feeds[v.Name], vs = x, append(vs, v)
	}
	b.Graph.Outputs = build(b, vs)
	require.NoError(t, b.Err())
	run, err := engine(1)(b.Graph)
	require.NoError(t, err)
	return run(feeds)
}

func TestSequence(t *testing.T) {
	x, y := onnx.Vector[float32](1, 2), onnx.Vector[float32](3, 4, 5)
	outs, err := sequenced(t, tensors{x, y}, func(b *onnx.Builder, x values) values {
		at := func(i int64) *onnx.Value { return b.Const(onnx.Scalar(i)) }
		s := b.Op("SequenceConstruct", values{x[0], x[1]})
		s = b.Op("SequenceInsert", values{s, x[1], at(-2)}) // 345 12 345
		short := b.Op("SequenceErase", values{s, at(0)})    // 12 345
		joined := b.Op("ConcatFromSequence", values{short}, onnx.Int("axis", -1))
		stacked := b.Op("ConcatFromSequence", values{b.Op("SequenceErase", values{s, at(1)})}, onnx.Int("axis", 0), onnx.Int("new_axis", 1))
		last := b.Op("SequenceAt", values{b.Op("SequenceErase", values{s}), at(-1)})
		empty := b.Op("SequenceEmpty", nil)
		return values{joined, stacked, last, b.Op("SequenceLength", values{s}), b.Op("SequenceLength", values{empty})}
	})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5}, onnx.Data[float32](outs[0]))
	require.Equal(t, []int{2, 3}, outs[1].Shape)
	require.Equal(t, []float32{3, 4, 5, 3, 4, 5}, onnx.Data[float32](outs[1]))
	require.Equal(t, []float32{1, 2}, onnx.Data[float32](outs[2]))
	require.Equal(t, []int64{3}, onnx.Data[int64](outs[3]))
	require.Equal(t, []int64{0}, onnx.Data[int64](outs[4]))
}

// TestSequence_range holds that positions out of range are errors, those of the standard are not.
func TestSequence_range(t *testing.T) {
	at := func(op string, p int64) error {
		_, err := sequenced(t, tensors{onnx.Vector[float32](1), onnx.Scalar(p)}, func(b *onnx.Builder, x values) values {
			s := b.Op("SequenceConstruct", values{x[0], x[0]})
			if op == "SequenceInsert" {
				return values{b.Op("SequenceLength", values{b.Op(op, values{s, x[0], x[1]})})}
			}
			return values{b.Op(op, values{s, x[1]})}
		})
		return err
	}
	for _, p := range []int64{-2, 1} {
		require.NoError(t, at("SequenceAt", p))
		require.NoError(t, at("SequenceErase", p))
		require.NoError(t, at("SequenceInsert", p))
	}
	require.NoError(t, at("SequenceInsert", 2))
	require.ErrorContains(t, at("SequenceInsert", 3), "position 3 is out of range for a sequence of 2")
	for _, p := range []int64{-3, 2} {
		require.Error(t, at("SequenceAt", p))
		require.Error(t, at("SequenceErase", p))
	}
}

// TestOptional_empty holds that taking from an empty optional is an error.
func TestOptional_empty(t *testing.T) {
	typ := onnx.Unranked(onnx.Float32)
	of := onnx.Attribute{Name: "type", Kind: onnx.AttrType, Type: &typ}
	outs, err := sequenced(t, nil, func(b *onnx.Builder, x values) values {
		return values{b.Op("OptionalHasElement", values{b.Op("Optional", nil, of)})}
	})
	require.NoError(t, err)
	require.Equal(t, []bool{false}, onnx.Data[bool](outs[0]))
	_, err = sequenced(t, nil, func(b *onnx.Builder, x values) values {
		return values{b.Op("OptionalGetElement", values{b.Op("Optional", nil, of)})}
	})
	require.ErrorContains(t, err, "the optional is empty")
}
