package blocked

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// quantCase is a convolution of bytes with its data.
type quantCase struct {
	g      *conv.Geometry
	x      []byte // blocked
	w      []int8
	bias   []int32
	scales []float32
	xZero  uint8
	yZero  uint8
}

func newQuantCase(g *conv.Geometry, r *rand.Rand) *quantCase {
	c := &quantCase{g: g, xZero: uint8(r.IntN(256)), yZero: uint8(r.IntN(256))}
	c.x = make([]byte, Len(g.N, g.C, g.ImageIn()/g.C))
	for i := range c.x {
		c.x[i] = byte(r.IntN(256))
	}
	for range g.Weights() {
		c.w = append(c.w, int8(r.IntN(256)-128))
	}
	for range g.M {
		c.bias = append(c.bias, int32(r.IntN(20000)-10000))
		c.scales = append(c.scales, float32(0.5+r.Float64())*100/float32(80*80*math.Sqrt(float64(g.Weights()/g.M))))
	}
	return c
}

// reference is the definition, pixel by pixel.
func (c *quantCase) reference() []byte {
	g, s := c.g, newSpace(c.g)
	s.in, s.out = sides(g.In), sides(g.Out)
	y := make([]byte, Len(g.N, g.M, g.Pixels()))
	cg, mg := g.C/g.Groups, g.M/g.Groups
	for n := range g.N {
		for m := range g.M {
			for q := range g.Pixels() {
				sum := c.bias[m]
				for tap := range g.Taps() {
					h := q/s.out[1]*s.strides[0] + tap/s.kernel[1]*s.dilations[0] - s.pads[0]
					w := q%s.out[1]*s.strides[1] + tap%s.kernel[1]*s.dilations[1] - s.pads[1]
					if h < 0 || w < 0 || h >= s.in[0] || w >= s.in[1] {
						continue
					}
					for i := range cg {
						channel := m/mg*cg + i
						x := c.x[((n*Blocks(g.C)+channel/Lanes)*s.in[0]*s.in[1]+h*s.in[1]+w)*Lanes+channel%Lanes]
						sum += (int32(x) - int32(c.xZero)) * int32(c.w[(m*cg+i)*g.Taps()+tap])
					}
				}
				v := math.RoundToEven(float64(float32(sum)*c.scales[m])) + float64(c.yZero)
				y[((n*Blocks(g.M)+m/Lanes)*g.Pixels()+q)*Lanes+m%Lanes] = byte(min(max(v, 0), 255))
			}
		}
	}
	return y
}

func (c *quantCase) run(t testing.TB, table *Table, team *parallel.Team) []byte {
	p := NewQuantized(table, c.g)
	require.NotNil(t, p)
	packed := bytesOf(make([]float32, p.PackedBytes()/4))
	p.Pack(packed, c.w, c.bias, c.scales, c.xZero)
	y := bytesOf(make([]float32, Len(c.g.N, c.g.M, c.g.Pixels())/4))
	p.Run(team, c.x, packed, c.yZero, y)
	return y
}

// clearBytes makes the lanes without a meaning zero.
func (c *quantCase) clearBytes(y []byte) []byte {
	for i := range y {
		if i/Lanes/c.g.Pixels()%Blocks(c.g.M)*Lanes+i%Lanes >= c.g.M {
			y[i] = 0
		}
	}
	return y
}

func TestQuantized(t *testing.T) {
	few := []*conv.Geometry{
		geometry(t, 2, 3, 48, 1, []int{17, 20}, []int{7, 7}, []int{2, 2}, nil, []int{3, 3, 3, 3}),
		geometry(t, 1, 4, 20, 1, []int{9, 11}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1}),
	}
	for i, g := range append(few, directGeometries(t)...) {
		c := newQuantCase(g, kerneltest.Rand(uint64(i)))
		want := c.reference()
		for _, level := range cpu.Supported() {
			got := c.clearBytes(c.run(t, For(level), nil))
			require.True(t, slices.Equal(want, got), "%+v: %v", *g, level)
		}
		table := *Best()
		table.quant.grain = 1
		for _, threads := range kerneltest.Threads[1:] {
			team := parallel.Acquire(threads)
			require.True(t, slices.Equal(want, c.clearBytes(c.run(t, &table, team))), "%+v: %d threads", *g, threads)
			team.Release()
		}
	}
}

// TestQuantized_plain runs the plain tile in the packed forms of no other.
func TestQuantized_plain(t *testing.T) {
	table := For(cpu.Supported()[0])
	table.quant = quantPlain
	for i, g := range directGeometries(t)[:20] {
		c := newQuantCase(g, kerneltest.Rand(uint64(i)))
		require.True(t, slices.Equal(c.reference(), c.clearBytes(c.run(t, table, nil))), "%+v", *g)
	}
}

func TestQuantized_noAllocations(t *testing.T) {
	g := geometry(t, 1, 32, 64, 1, []int{14, 14}, []int{3, 3}, nil, nil, []int{1, 1, 1, 1})
	c := newQuantCase(g, kerneltest.Rand(1))
	p := NewQuantized(nil, g)
	packed := bytesOf(make([]float32, p.PackedBytes()/4))
	p.Pack(packed, c.w, c.bias, c.scales, c.xZero)
	y := make([]byte, len(c.reference()))
	team := parallel.Acquire(2)
	require.Zero(t, testing.AllocsPerRun(10, func() { p.Run(team, c.x, packed, 3, y) }))
	team.Release()
}

func BenchmarkQuantized(b *testing.B) {
	for _, s := range []struct{ c, m, size, kernel int }{{64, 64, 56, 1}, {64, 256, 56, 1}, {256, 64, 56, 1}, {64, 64, 56, 3}, {256, 256, 14, 3}, {1024, 256, 14, 1}, {512, 512, 7, 3}} {
		b.Run(fmt.Sprintf("%d-%d/%dx%d/k%d", s.c, s.m, s.size, s.size, s.kernel), func(b *testing.B) {
			pad := s.kernel / 2
			g := geometry(b, 1, s.c, s.m, 1, []int{s.size, s.size}, []int{s.kernel, s.kernel}, nil, nil, []int{pad, pad, pad, pad})
			c := newQuantCase(g, kerneltest.Rand(1))
			p := NewQuantized(nil, g)
			packed := bytesOf(make([]float32, p.PackedBytes()/4))
			p.Pack(packed, c.w, c.bias, c.scales, c.xZero)
			y := make([]byte, Len(1, g.M, g.Pixels()))
			for b.Loop() {
				p.Run(nil, c.x, packed, 3, y)
			}
			b.ReportMetric(2*float64(g.Weights())*float64(g.Pixels())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
		})
	}
}

func TestQuantRows(t *testing.T) {
	r := kerneltest.Rand(3)
	bytes := func(n int) []byte {
		s := make([]byte, n)
		for i := range s {
			s[i] = byte(r.IntN(256))
		}
		return s
	}
	for _, level := range cpu.Supported() {
		q := For(level).quant
		for _, n := range []int{0, 16, 32, 48, 64, 400} {
			a, b, got, want := bytes(n), bytes(n), make([]byte, n), make([]byte, n)
			q.max(n, got, a, b)
			maxBytes(n, want, a, b)
			require.Equal(t, want, got)
			s := quantSum{aScale: 0.03, bScale: 0.7, yScale: 2.41, aZero: 3, bZero: 200, yZero: 100, low: -100, high: 155}
			q.add(n, got, a, b, &s)
			quantAdd(n, want, a, b, &s)
			require.Equal(t, want, got, "%v", level)
			x := kerneltest.Hostile(r, make([]float32, n))
			q.quantize(n, got, x, &s)
			quantizeRow(n, want, x, &s)
			require.Equal(t, want, got, "%v", level)
		}
		for _, stride := range []int{1, 2, 3} {
			x := bytes(16 * (20*stride + 5))
			got, want := make([]byte, 20*16), make([]byte, 20*16)
			for _, taps := range []int{1, 2, 5} {
				q.maxWindows(20, taps, stride, got, x)
				maxWindows(20, taps, stride, want, x)
				require.Equal(t, want, got, "%v", level)
			}
		}
	}
}

func drawnBytes(r *rand.Rand, n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = byte(r.IntN(256))
	}
	return s
}

// TestMaxBytes compares with the pooling of the same numbers.
func TestMaxBytes(t *testing.T) {
	r := kerneltest.Rand(4)
	for _, c := range []struct{ in, kernel, strides, dilations, pads []int }{
		{[]int{9, 8}, []int{3, 3}, []int{2, 2}, []int{1, 1}, []int{1, 1, 1, 1}},
		{[]int{9, 8}, []int{2, 3}, []int{1, 1}, []int{2, 2}, []int{0, 0, 1, 2}},
		{[]int{40}, []int{5}, []int{3}, []int{1}, []int{2, 2}},
	} {
		out := make([]int, len(c.in))
		for i, n := range c.in {
			out[i] = (n+c.pads[i]+c.pads[len(c.in)+i]-c.dilations[i]*(c.kernel[i]-1)-1)/c.strides[i] + 1
		}
		g, err := pool.NewGeometry(2, 20, c.in, out, c.kernel, c.strides, c.dilations, c.pads)
		require.NoError(t, err)
		x := drawnBytes(r, Len(2, 20, product(c.in)))
		n := Len(2, 20, product(out))
		in, want, y := make([]float32, len(x)), make([]float32, n), make([]byte, n)
		for i, v := range x {
			in[i] = float32(v)
		}
		NewMaxPool(nil, g).Run(nil, in, want)
		for _, level := range cpu.Supported() {
			p := NewMaxBytes(For(level), g)
			p.Run(nil, x, y, make([]byte, p.Scratch(1)))
			for i, v := range want {
				require.Equal(t, v, float32(y[i]), "%v: %d", level, i)
			}
		}
	}
}

func TestMeanBytes(t *testing.T) {
	x, y := drawnBytes(kerneltest.Rand(5), Len(2, 20, 30)), make([]byte, Len(2, 20, 1))
	MeanBytes(y, x, 30, Scale{0.02, 9}, Scale{0.003, 120})
	for i, got := range y {
		sum := 0.0
		for p := range 30 {
			sum += (float64(x[(i/Lanes*30+p)*Lanes+i%Lanes]) - 9) * 0.02
		}
		want := min(max(math.RoundToEven(sum/30/0.003)+120, 0), 255)
		require.InDelta(t, want, float64(got), 1)
	}
}

func TestByteSum(t *testing.T) {
	r := kerneltest.Rand(6)
	n := 3*byteTask + 16
	a, b, want := drawnBytes(r, n), drawnBytes(r, n), make([]byte, n)
	var j ByteSum
	j.Run(nil, nil, want, a, b, Scale{0.1, 3}, Scale{0.2, 4}, Scale{0.3, 100})
	sum := math.RoundToEven((0.1*(float64(a[0])-3)+0.2*(float64(b[0])-4))/0.3) + 100
	require.Equal(t, byte(min(max(sum, 0), 255)), want[0])
	for _, threads := range kerneltest.Threads[1:] {
		team, y := parallel.Acquire(threads), make([]byte, n)
		require.Zero(t, testing.AllocsPerRun(3, func() { j.Run(team, nil, y, a, b, Scale{0.1, 3}, Scale{0.2, 4}, Scale{0.3, 100}) }))
		require.Equal(t, want, y)
		team.Release()
	}
}

func TestPackBytes(t *testing.T) {
	for _, channels := range []int{1, 3, 16, 20, 32} {
		src, got := drawnBytes(kerneltest.Rand(7), 2*channels*5), make([]byte, 2*channels*5)
		dst := drawnBytes(kerneltest.Rand(8), Len(2, channels, 5))
		PackBytes(dst, src, 2, channels, 5)
		require.Equal(t, src[channels*5], dst[Len(1, channels, 5)])
		UnpackBytes(got, dst, 2, channels, 5)
		require.Equal(t, src, got)
	}
}
