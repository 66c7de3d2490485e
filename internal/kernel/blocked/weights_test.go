package blocked

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/kernel/kerneltest"
)

// packAll packs all of w for a kernel of a plan with geometry g.
func packAll(k kernel, g *conv.Geometry, dst, w []float32) {
	(&Plan{t: Best(), g: g, k: k}).PackWeights(dst, w)
}

// packCase is weights and where each belongs.
type packCase struct {
	g    *conv.Geometry
	k    kernel
	w    []float32
	want []float32
}

// parts packs w in parts of one and of two units, from behind, into memory that was used before.
func (c *packCase) check(t *testing.T, name string) {
	t.Helper()
	p := &Plan{t: Best(), g: c.g, k: c.k}
	for units := range 3 {
		dst := kerneltest.Guarded[float32](t, p.PackedWeights())
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		if units == 0 {
			p.PackWeights(dst, c.w)
		} else {
			step := units * p.PackUnit()
			for at := (len(c.w) - 1) / step * step; at >= 0; at -= step {
				p.PackPart(dst, c.w[at:min(at+step, len(c.w))], at)
			}
		}
		require.Equal(t, c.want, append([]float32{}, dst...), "%s, in parts of %d units", name, units)
	}
}

// TestPackWeights compares the packed weights of all tiers with their definitions, and parts with all of them.
func TestPackWeights(t *testing.T) {
	for _, level := range cpu.Supported() {
		table := For(level)
		for _, s := range [][3]int{{16, 16, 1}, {3, 40, 1}, {17, 33, 1}, {40, 100, 1}, {96, 96, 2}, {64, 128, 4}} {
			for _, kernel := range []int{1, 2, 3} {
				g := geometry(t, 1, s[0], s[1], s[2], []int{8, 8}, []int{kernel, kernel}, nil, nil, []int{1, 1, 1, 1})
				w := kerneltest.Fill(kerneltest.Rand(1), kerneltest.Guarded[float32](t, g.Weights()))
				name := fmt.Sprintf("%v %v by %d", level, s, kernel)
				for _, o := range []Options{{}, {PlainInput: true}} {
					if k, ok := newDirect(table, g, o).(*direct); ok {
						(&packCase{g, k, w, directWeights(k, w)}).check(t, name)
					}
				}
				for form := range winogradForms {
					if winogradFits(g) {
						k := makeWinograd(table, g, form)
						(&packCase{g, k, w, winogradWeights(k, w)}).check(t, name)
					}
				}
			}
		}
	}
}

// directWeights is panels, and in each the steps of the sums, output channel beside output channel.
func directWeights(p *direct, w []float32) []float32 {
	want := make([]float32, p.packedWeights())
	for m := range p.m {
		group, in := m/p.mg, m%p.mg
		first := in / p.t.width * p.t.width
		panel := want[group*p.panelWeights(Blocks(p.mg)*Lanes)+p.panelWeights(first):]
		for c := range p.cg {
			for tap := range p.taps {
				panel[p.step(tap, c)*p.t.panel(first, p.mg)+in-first] = w[(m*p.cg+c)*p.taps+tap]
			}
		}
	}
	return want
}

// winogradWeights is G k Gt for each pair of channels, by place.
func winogradWeights(p *winograd, w []float32) []float32 {
	want := make([]float32, p.packedWeights())
	cg, mg := p.g.C/p.g.Groups, p.g.M/p.g.Groups
	for m := range p.g.M {
		group, in := m/mg, m%mg
		panel := in / p.t.width
		width := min(p.t.width, p.mb*Lanes-panel*p.t.width)
		for c := range cg {
			k := w[(m*cg+c)*9:][:9]
			for place := range p.products {
				at := p.weightsAt(group, panelPlace{panel, place}) + c*width + in%p.t.width
				want[at] = transformed(p.winogradForm.g[place/p.points], p.winogradForm.g[place%p.points], k)
			}
		}
	}
	return want
}

// transformed is down k across.
func transformed(down, across [3]float64, k []float32) float32 {
	var row [3]float64
	for j := range row {
		row[j] = float64(down[0]*float64(k[j])) + float64(down[1]*float64(k[3+j])) + float64(down[2]*float64(k[6+j]))
	}
	return float32(float64(across[0]*row[0]) + float64(across[1]*row[1]) + float64(across[2]*row[2]))
}

func BenchmarkPackWeights(b *testing.B) {
	for _, s := range []struct {
		channels, size, kernel int
		o                      Options
	}{{256, 14, 3, Options{}}, {512, 7, 3, Options{}}, {256, 56, 1, Options{}}, {256, 14, 3, Options{Direct: true}}} {
		g := geometry(b, 1, s.channels, s.channels, 1, []int{s.size, s.size}, []int{s.kernel, s.kernel}, nil, nil, nil)
		p := NewPlan(nil, g, s.o)
		b.Run(fmt.Sprintf("%s/%d", p.Format(), s.channels), func(b *testing.B) {
			w, dst := onLine(g.Weights()), onLine(p.PackedWeights())
			b.SetBytes(int64(4 * len(w)))
			for b.Loop() {
				p.PackWeights(dst, w)
			}
		})
	}
}
