package blocked

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// TestPack: every element goes to its lane and comes back, on every tier and
// with any number of threads.
func TestPack(t *testing.T) {
	r := kerneltest.Rand(1)
	for _, level := range cpu.Supported() {
		restore := Override(For(level))
		for _, channels := range []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40} {
			for _, pixels := range []int{0, 1, 2, 7, 8, 9, 49, 255, 256, 257, 600} {
				team := parallel.Acquire(kerneltest.Threads[pixels%4])
				const n = 2
				plain := kerneltest.Fill(r, kerneltest.Guarded[float32](t, n*channels*pixels))
				blocked := kerneltest.Guarded[float32](t, Len(n, channels, pixels))
				Pack(team, blocked, plain, n, channels, pixels)
				for i, v := range blocked {
					image, b, p, lane := i/Lanes/pixels/Blocks(channels), i/Lanes/pixels%Blocks(channels), i/Lanes%pixels, i%Lanes
					want := float32(0)
					if c := b*Lanes + lane; c < channels {
						want = plain[(image*channels+c)*pixels+p]
					}
					require.Equal(t, want, v, "%d channels, %d pixels: element %d", channels, pixels, i)
				}
				back := kerneltest.Guarded[float32](t, len(plain))
				Unpack(team, back, blocked, n, channels, pixels)
				require.Equal(t, plain, back)
				team.Release()
			}
		}
		restore()
	}
}

func TestPack_noAllocations(t *testing.T) {
	team := parallel.Acquire(2)
	defer team.Release()
	plain, blocked := make([]float32, 40*500), make([]float32, Len(1, 40, 500))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		Pack(team, blocked, plain, 1, 40, 500)
		Unpack(team, plain, blocked, 1, 40, 500)
	}))
}

func BenchmarkPack(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, s := range [][2]int{{64, 56 * 56}, {3, 224 * 224}, {512, 49}} {
			b.Run(fmt.Sprintf("%dx%d/%d", s[0], s[1], threads), func(b *testing.B) {
				team := parallel.Acquire(threads)
				defer team.Release()
				plain, blocked := onLine(s[0]*s[1]), onLine(Len(1, s[0], s[1]))
				b.SetBytes(int64(8 * len(plain)))
				for b.Loop() {
					Pack(team, blocked, plain, 1, s[0], s[1])
				}
			})
			b.Run(fmt.Sprintf("Unpack/%dx%d/%d", s[0], s[1], threads), func(b *testing.B) {
				team := parallel.Acquire(threads)
				defer team.Release()
				plain, blocked := onLine(s[0]*s[1]), onLine(Len(1, s[0], s[1]))
				b.SetBytes(int64(8 * len(plain)))
				for b.Loop() {
					Unpack(team, plain, blocked, 1, s[0], s[1])
				}
			})
		}
	}
}
