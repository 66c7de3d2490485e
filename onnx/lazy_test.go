package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// lazyModel has large and small initializers of several types.
func lazyModel(t *testing.T) *Model {
	t.Helper()
	m := NewModel(NewGraph("lazy", nil))
	g := m.Graph
	for i, e := range []ElemType{Float32, Bool, Int64, Float32} {
		n := 40_000 + i
		if i == 3 {
			n = 10
		}
		x, err := Zeros(e, n)
		require.NoError(t, err)
		for j := range x.Mutable() {
			x.Mutable()[j] = byte(j * (7 + i) % 2)
		}
		g.Initializer(string(rune('a'+i)), x.Type(), x)
	}
	return m
}

func TestReadOptions_Lazy(t *testing.T) {
	for _, external := range []int64{-1, 1024} {
		m, path := lazyModel(t), filepath.Join(t.TempDir(), "m.onnx")
		require.NoError(t, WriteOptions{External: external}.WriteFile(m, path))
		got, err := ReadOptions{Lazy: true}.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, got.Unread())
		for i, v := range got.Graph.Initializers {
			want := m.Graph.Initializers[i].Init
			require.Equal(t, i == 1 || i == 3, v.Init.Held(), v.Name)
			require.Equal(t, want.ByteLen(), v.Init.ByteLen())
			peeked, err := v.Init.Peek(nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want.Bytes(), peeked))
			for _, unit := range []int{1, 24, 100_000, 1 << 30} {
				parts, calls := make([]byte, want.ByteLen()), 0
				require.NoError(t, v.Init.PeekParts(unit, make([]byte, 50_000), func(offset int, part []byte) {
					require.Zero(t, offset%unit)
					copy(parts[offset:], part)
					calls++
				}))
				require.True(t, bytes.Equal(want.Bytes(), parts), "units of %d bytes", unit)
				require.Equal(t, calls > 1, !v.Init.Held() && unit < want.ByteLen(), "units of %d bytes", unit)
			}
			require.NoError(t, v.Init.Load())
			require.True(t, v.Init.Held())
			require.True(t, bytes.Equal(want.Bytes(), v.Init.Bytes()))
			v.Init.Release()
			require.True(t, bytes.Equal(want.Bytes(), v.Init.Clone().Bytes()))
			v.Init.Release()
			require.Equal(t, i == 1 || i == 3, v.Init.Held(), v.Name)
		}
		again := filepath.Join(t.TempDir(), "again.onnx")
		require.NoError(t, WriteOptions{External: -1}.WriteFile(got, again))
		require.NoError(t, WriteOptions{External: -1}.WriteFile(m, path+"2"))
		a, err := os.ReadFile(again)
		require.NoError(t, err)
		b, err := os.ReadFile(path + "2")
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b))
	}
}

// TestReadOptions_Lazy_changed says so when the file is another one by now.
func TestReadOptions_Lazy_changed(t *testing.T) {
	m, path := lazyModel(t), filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, WriteOptions{External: -1}.WriteFile(m, path))
	got, err := ReadOptions{Lazy: true}.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 1000))
	x := got.Graph.Initializers[0].Init
	require.ErrorContains(t, x.Load(), `"m.onnx" has changed since it was opened`)
	require.Nil(t, x.Bytes())
	_, err = x.Peek(nil)
	require.Error(t, err)
	require.Error(t, x.PeekParts(4, nil, func(int, []byte) { t.Error("was given a part") }))
}

func TestDeferred(t *testing.T) {
	calls := 0
	x, err := Deferred(Int16, []int{3}, func(dst []byte) error {
		calls++
		copy(dst, []byte{1, 0, 2, 0, 3, 0})
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []int16{1, 2, 3}, Data[int16](x))
	require.Equal(t, []int16{1, 2, 3}, Data[int16](x))
	require.Equal(t, 1, calls)
	x.Release()
	require.NoError(t, x.PeekParts(2, make([]byte, 2), func(offset int, part []byte) {
		require.Zero(t, offset)
		require.Equal(t, []int16{1, 2, 3}, View[int16](part))
	}))
	x.Mutable()[0] = 9
	require.Equal(t, []int16{9, 2, 3}, Data[int16](x))
	require.Equal(t, 3, calls)

	_, err = Deferred(String, []int{3}, nil)
	require.Error(t, err)
	_, err = Deferred(Int8, []int{-3}, nil)
	require.Error(t, err)
	x, err = Deferred(Int8, []int{3}, func([]byte) error { return errors.New("no") })
	require.NoError(t, err)
	require.EqualError(t, x.Load(), "no")
}
