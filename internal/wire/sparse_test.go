package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is a message 7{5{1: 3, 9: big, 2: 1}, 5{9: small}, 1: "x"}, 1: 14.
func file(big int) []byte {
	var w Writer
	w.Message(7, func() {
		w.Message(5, func() {
			w.Varint(1, 3)
			w.Bytes(9, bytes.Repeat([]byte{0xa5}, big))
			w.Varint(2, 1)
		})
		w.Message(5, func() { w.Bytes(9, []byte("small")) })
		w.Str(1, "x")
	})
	w.Varint(1, 14)
	return w.AppendTo(nil)
}

func TestReadSparse(t *testing.T) {
	for _, big := range []int{99, 100, 20_000, 300_000} {
		want := file(big)
		got, holes, err := ReadSparse(bytes.NewReader(want), len(want), 100, 7, 5, 9)
		require.NoError(t, err)
		if big < 100 {
			require.Empty(t, holes)
			require.Equal(t, want, got)
			continue
		}
		require.Equal(t, []Span{{bytes.IndexByte(want, 0xa5), big}}, holes)
		copy(got[holes[0].Offset:], want[holes[0].Offset:][:big])
		require.Equal(t, want, got)
	}
}

// TestReadSparse_malformed reads messages with errors as they are.
func TestReadSparse_malformed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	good := file(5000)
	for range 2000 {
		b := bytes.Clone(good)[:len(good)-r.IntN(3)]
		for range r.IntN(3) {
			b[min(r.IntN(12), len(b)-1)] = byte(r.Uint32())
		}
		got, holes, err := ReadSparse(bytes.NewReader(b), len(b), 100, 7, 5, 9)
		require.NoError(t, err)
		for _, h := range holes {
			copy(got[h.Offset:], b[h.Offset:][:h.Len])
		}
		require.Equal(t, b, got)
	}
	_, _, err := ReadSparse(bytes.NewReader(good), len(good)+1, 100, 7, 5, 9)
	require.Error(t, err)
}
