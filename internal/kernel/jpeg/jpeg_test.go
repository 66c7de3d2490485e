package jpeg

import (
	"encoding/json"
	"hash/crc32"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// fixture is a file of testdata/files.json, which tools/python/jpeg_fixtures.py makes with Pillow.
type fixture struct {
	Name          string
	Width, Height int
	File          []byte
	CRC32         uint32
}

func fixtures(t testing.TB) []fixture {
	t.Helper()
	b, err := os.ReadFile("testdata/files.json")
	require.NoError(t, err)
	var list struct{ Cases []fixture }
	require.NoError(t, json.Unmarshal(b, &list))
	require.NotEmpty(t, list.Cases)
	return list.Cases
}

// TestDecode compares every pixel with libjpeg-turbo's.
func TestDecode(t *testing.T) {
	for _, c := range fixtures(t) {
		t.Run(c.Name, func(t *testing.T) {
			w, h, err := Size(c.File)
			require.NoError(t, err)
			require.Equal(t, []int{c.Width, c.Height}, []int{w, h})
			img, err := Decode(c.File)
			require.NoError(t, err)
			require.Equal(t, c.CRC32, crc32.ChecksumIEEE(img.Pix))
		})
	}
}

// TestDecode_damaged cuts files short and flips their bytes: there may be an error, but no panic.
func TestDecode_damaged(t *testing.T) {
	for _, c := range fixtures(t) {
		for n := range c.File {
			_, _ = Decode(c.File[:n])
			b := append([]byte{}, c.File...)
			b[n] ^= byte(1 << (n % 8))
			if w, h, err := Size(b); err == nil && w*h < 1<<14 {
				_, _ = Decode(b)
			}
		}
	}
}
