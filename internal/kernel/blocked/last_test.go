package blocked

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

func TestPackLast(t *testing.T) {
	r := kerneltest.Rand(1)
	for _, s := range [][3]int{{1, 1, 1}, {2, 16, 7}, {3, 17, 40}, {1, 96, 300}, {2, 40, 1000}, {0, 16, 3}, {2, 20000, 2}} {
		n, channels, pixels := s[0], s[1], s[2]
		x := kerneltest.Fill(r, kerneltest.Guarded[float32](t, n*channels*pixels))
		plain := make([]float32, len(x))
		for i, v := range x {
			image, p, c := i/(channels*pixels), i/channels%pixels, i%channels
			plain[(image*channels+c)*pixels+p] = v
		}
		want := make([]float32, Len(n, channels, pixels))
		Pack(nil, want, plain, n, channels, pixels)
		for _, level := range cpu.Supported() {
			restore := Override(For(level))
			back := make([]float32, len(x))
			y := make([]float32, len(want))
			PackLast(nil, y, x, n, channels, pixels)
			UnpackLast(nil, back, y, n, channels, pixels)
			require.Equal(t, want, y)
			require.Equal(t, -1, kerneltest.Same(x, back))
			restore()
		}
		for _, threads := range kerneltest.Threads {
			team := parallel.Acquire(threads)
			y, back := kerneltest.Guarded[float32](t, len(want)), kerneltest.Guarded[float32](t, len(x))
			PackLast(team, y, x, n, channels, pixels)
			require.Equal(t, -1, kerneltest.Same(want, y), s)
			UnpackLast(team, back, y, n, channels, pixels)
			require.Equal(t, -1, kerneltest.Same(x, back), s)
			require.Zero(t, testing.AllocsPerRun(3, func() { PackLast(team, y, x, n, channels, pixels) }))
			team.Release()
		}
	}
}
