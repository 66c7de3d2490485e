package dataset_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/stretchr/testify/require"
)

// idx is a file of two images of 1x3 pixels.
var idx = []byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}

func TestIDX(t *testing.T) {
	x, err := dataset.IDX(bytes.NewReader(idx))
	require.NoError(t, err)
	require.Equal(t, []int{2, 1, 3}, x.Shape)
	require.Equal(t, []uint8{1, 2, 3, 4, 5, 6}, onnx.Data[uint8](x))
	x, err = dataset.IDX(iotest.OneByteReader(bytes.NewReader(idx)))
	require.NoError(t, err)
	require.Equal(t, 6, x.Len())
	x, err = dataset.IDX(bytes.NewReader([]byte{0, 0, 8, 1, 0, 0, 0, 0}))
	require.NoError(t, err)
	require.Equal(t, []int{0}, x.Shape)
}

// A file that ends early, wherever, is an error that says so.
func TestIDX_cut(t *testing.T) {
	for n := range len(idx) {
		_, err := dataset.IDX(bytes.NewReader(idx[:n]))
		require.ErrorIs(t, err, onnx.ErrInvalid, n)
		require.ErrorContains(t, err, "idx")
	}
	_, err := dataset.IDX(bytes.NewReader(idx[:20]))
	require.ErrorContains(t, err, "expected 6 elements, received 4")
}

func TestIDX_faulty(t *testing.T) {
	_, err := dataset.IDX(bytes.NewReader(append(bytes.Clone(idx), 7)))
	require.ErrorContains(t, err, "received 6 and more")
	for at, v := range map[int]byte{0: 1, 1: 1, 2: 13, 3: 0} {
		b := bytes.Clone(idx)
		b[at] = v
		_, err := dataset.IDX(bytes.NewReader(b))
		require.ErrorIs(t, err, onnx.ErrInvalid, at)
	}
	rank := bytes.Clone(idx)
	rank[3] = 9
	_, err = dataset.IDX(bytes.NewReader(rank))
	require.ErrorIs(t, err, onnx.ErrInvalid)

	huge := []byte{0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	_, err = dataset.IDX(bytes.NewReader(huge))
	require.Error(t, err)
	var limit *onnx.LimitError
	_, err = dataset.IDX(bytes.NewReader([]byte{0, 0, 8, 1, 0x7f, 0, 0, 0}))
	require.ErrorAs(t, err, &limit)
	broken := errors.New("broken")
	_, err = dataset.IDX(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func FuzzIDX(f *testing.F) {
	f.Add(idx)
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := dataset.IDX(bytes.NewReader(b))
		if err == nil && x.Len() > len(b) {
			t.Fatalf("%d elements of %d bytes", x.Len(), len(b))
		}
	})
}

func TestOneHot(t *testing.T) {
	for _, labels := range []*onnx.Tensor{tensor(t, []uint8{2, 0}, 2), tensor(t, []int32{2, 0}, 2), tensor(t, []int64{2, 0}, 2)} {
		y, err := dataset.OneHot(labels, 3)
		require.NoError(t, err)
		require.Equal(t, []int{2, 3}, y.Shape)
		require.Equal(t, []float32{0, 0, 1, 1, 0, 0}, onnx.Data[float32](y))
	}
	for _, c := range []int64{3, -1} {
		_, err := dataset.OneHot(onnx.Vector[int64](0, c), 3)
		require.ErrorIs(t, err, onnx.ErrInvalid)
	}
	_, err := dataset.OneHot(onnx.Vector[float32](0), 3)
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = dataset.OneHot(onnx.Vector[int64](0), -3)
	require.Error(t, err)
}

func TestLabels(t *testing.T) {
	y, err := dataset.Labels(tensor(t, []uint8{1, 2, 3, 4}, 2, 2))
	require.NoError(t, err)
	require.Equal(t, []int{2, 2}, y.Shape)
	require.Equal(t, []int64{1, 2, 3, 4}, onnx.Data[int64](y))
}

func TestImages(t *testing.T) {
	x := tensor(t, []uint8{0, 255, 51, 102}, 2, 1, 2)
	d, err := dataset.Images(x, tensor(t, []float32{7, 8}, 2))
	require.NoError(t, err)
	require.Equal(t, 2, d.Len())
	var b dataset.Batch
	require.NoError(t, d.Read(&b, []int{1, 0}))
	require.Equal(t, []int{2, 1, 1, 2}, b.Inputs[0].Shape)
	require.Equal(t, []float32{0.2, 0.4, 0, 1}, onnx.Data[float32](b.Inputs[0]))
	require.Equal(t, []float32{8, 7}, onnx.Data[float32](b.Targets[0]))
	require.ErrorIs(t, d.Read(&b, []int{2}), onnx.ErrInvalid)

	alone, err := dataset.Images(x, nil)
	require.NoError(t, err)
	require.NoError(t, alone.Read(&b, []int{0}))
	require.Nil(t, b.Targets)
	uneven, err := dataset.Images(x, tensor(t, []float32{7}, 1))
	require.NoError(t, err)
	require.ErrorIs(t, uneven.Read(&b, []int{0}), onnx.ErrInvalid)
	for _, bad := range []*onnx.Tensor{tensor(t, []uint8{1}, 1), tensor(t, []float32{1}, 1, 1, 1)} {
		_, err = dataset.Images(bad, nil)
		require.ErrorIs(t, err, onnx.ErrInvalid)
	}
}
