package arrayfile

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func sample(t *testing.T, e onnx.ElemType, shape ...int) *onnx.Tensor {
	t.Helper()
	x, err := onnx.Zeros(e, shape...)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, uint64(e)))
	for i, b := 0, x.Mutable(); i < len(b); i++ {
		b[i] = byte(r.IntN(2))
	}
	return x
}

func TestRoundTrip(t *testing.T) {
	all := map[string]*onnx.Tensor{
		"a/weight:0": sample(t, onnx.Float32, 2, 3), "b": sample(t, onnx.Int64), "c": sample(t, onnx.Bool, 5),
		"d": sample(t, onnx.BFloat16, 4, 1), "e": sample(t, onnx.Float64, 0, 3), "f": sample(t, onnx.Uint8, 1),
	}
	var st, nz bytes.Buffer
	require.NoError(t, WriteSafetensors(&st, all, map[string]string{"seed": "1"}))
	got, meta, err := ReadSafetensors(st.Bytes())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"seed": "1"}, meta)
	same(t, all, got)

	require.NoError(t, WriteNPZ(&nz, all))
	got, err = ReadNPZ(bytes.NewReader(nz.Bytes()), int64(nz.Len()), 0)
	require.NoError(t, err)
	same(t, all, got)
}

func same(t *testing.T, want, got map[string]*onnx.Tensor) {
	t.Helper()
	require.Len(t, got, len(want))
	for n, w := range want {
		require.NotNil(t, got[n], n)
		require.Equal(t, w.Type().String(), got[n].Type().String(), n)
		require.True(t, bytes.Equal(w.Bytes(), got[n].Bytes()), n)
	}
}

// Files that numpy 2 wrote: np.asfortranarray(np.arange(6, dtype='>i4').reshape(2, 3)) and np.float16(1.5).
const (
	numpyBigFortran = "k05VTVBZAQB2AHsnZGVzY3InOiAnPmk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAwAAAAEAAAAEAAAAAgAAAAU="
	numpyHalf       = "k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPg=="
)

func TestReadNPY_numpy(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(numpyBigFortran)
	require.NoError(t, err)
	x, err := ReadNPY(bytes.NewReader(b), 0)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3}, x.Shape)
	require.Equal(t, []int32{0, 1, 2, 3, 4, 5}, onnx.Data[int32](x))

	b, err = base64.StdEncoding.DecodeString(numpyHalf)
	require.NoError(t, err)
	x, err = ReadNPY(bytes.NewReader(b), 0)
	require.NoError(t, err)
	require.Empty(t, x.Shape)
	require.Equal(t, []onnx.F16{0x3e00}, onnx.Data[onnx.F16](x))
}

// TestDamaged cuts and flips files: an error or arrays, never a panic.
func TestDamaged(t *testing.T) {
	all := map[string]*onnx.Tensor{"x": sample(t, onnx.Float32, 3, 4), "y": sample(t, onnx.Int8, 9)}
	var st, nz, np bytes.Buffer
	require.NoError(t, WriteSafetensors(&st, all, nil))
	require.NoError(t, WriteNPZ(&nz, all))
	require.NoError(t, WriteNPY(&np, all["x"]))
	read := func(b []byte) {
		_, _, _ = ReadSafetensors(b)
		_, _ = ReadNPZ(bytes.NewReader(b), int64(len(b)), 1<<20)
		_, _ = ReadNPY(bytes.NewReader(b), 1<<20)
	}
	for _, file := range [][]byte{st.Bytes(), nz.Bytes(), np.Bytes()} {
		for i := range file {
			read(file[:i])
			for _, bit := range []byte{1, 0x80, 0xff} {
				m := bytes.Clone(file)
				m[i] ^= bit
				read(m)
			}
		}
	}
	_, err := ReadNPY(bytes.NewReader(np.Bytes()[:np.Len()-1]), 0)
	require.ErrorIs(t, err, onnx.ErrInvalid)
	_, err = ReadNPY(bytes.NewReader(np.Bytes()), 47)
	var limit *onnx.LimitError
	require.ErrorAs(t, err, &limit)
}
