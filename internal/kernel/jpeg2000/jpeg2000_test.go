package jpeg2000

import (
	"encoding/json"
	"hash/crc32"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fixture is a file of testdata/files.json, which tools/python/jpeg2000_fixtures.py makes with OpenJPEG.
type fixture struct {
	Name          string
	Width, Height int
	File          []byte
	CRC32         uint32
	Pixels        []byte // where floating-point numbers may round otherwise
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

// TestDecode compares every pixel with OpenJPEG's: exactly, or after the irreversible wavelet within 1.
func TestDecode(t *testing.T) {
	for _, c := range fixtures(t) {
		t.Run(c.Name, func(t *testing.T) {
			w, h, err := Size(c.File)
			require.NoError(t, err)
			require.Equal(t, []int{c.Width, c.Height}, []int{w, h})
			img, err := Decode(c.File)
			require.NoError(t, err)
			if c.Pixels == nil {
				require.Equal(t, c.CRC32, crc32.ChecksumIEEE(img.Pix))
				return
			}
			differ := 0
			for i, v := range c.Pixels {
				require.InDelta(t, v, img.Pix[i], 1)
				if v != img.Pix[i] {
					differ++
				}
			}
			require.LessOrEqual(t, differ, len(c.Pixels)/100)
		})
	}
}

// TestDecode_damaged cuts files short and flips their bits: there may be an error, but no panic and no long work.
func TestDecode_damaged(t *testing.T) {
	for _, c := range fixtures(t) {
		step := 1 + len(c.File)/60
		for n := 0; n < len(c.File); n += step {
			b := append([]byte{}, c.File...)
			b[n] ^= byte(1 << (n / step % 8))
			for _, b := range [][]byte{c.File[:n], b} {
				if w, h, err := Size(b); err == nil && w*h < 1<<14 {
					start := time.Now()
					_, _ = Decode(b)
					require.Less(t, time.Since(start), 5*time.Second, "%s, byte %d", c.Name, n)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range fixtures(f) {
		f.Add(c.File)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, h, err := Size(b); err == nil && w*h < 1<<14 {
			_, _ = Decode(b)
		}
	})
}
