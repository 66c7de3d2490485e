package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

const (
	packRows     = 256 // elements of all kernels of a panel that are turned at a time
	packChannels = 8   // input channels whose kernels of 3x3 are transformed at a time
	packWidth    = 2 * Lanes

	// packPlace is an odd number of lines of the cache, so that the places fall into different sets.
	packPlace = packChannels*packWidth + Lanes
)

// packing is the memory of one that packs weights.
type packing struct {
	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)

	rows   [packRows * packWidth]float32 // output channels side by side
	places [winogradPoints * winogradPoints * packPlace]float32
}

var packings parallel.FreeList[packing]

func newPacking(t *Table) *packing {
	l := packings.Take()
	l.transpose = gemm.For[float32](t.Level).Transpose
	return l
}

// panelUnit is how many output channels of mg in a group, in panels of width, are packed at least at a time: panels begin
// again with each group.
func panelUnit(groups, mg, width int) int {
	if groups > 1 {
		return mg
	}
	return width
}

func (p *direct) packUnit() int { return panelUnit(p.groups, p.mg, p.t.width) }

// packWeights writes panels, and in each the steps of the sums, output channel beside output channel.
func (p *direct) packWeights(l *packing, dst, w []float32, from, n int) {
	each := p.panelWeights(Blocks(p.mg) * Lanes)
	for m := from; m < from+n; {
		group, first := m/p.mg, m%p.mg
		width := p.t.panel(first, p.mg)
		channels := min(width, p.mg-first)
		panel := dst[group*each+p.panelWeights(first):][:p.panelWeights(width)]
		if channels < width || p.steps > p.cg {
			clear(panel)
		}
		p.packPanel(l, panel, width, w[(m-from)*p.cg*p.taps:], channels)
		m += channels
	}
}

// packPanel writes a panel for so many output channels.
func (p *direct) packPanel(l *packing, panel []float32, width int, w []float32, channels int) {
	row := p.cg * p.taps
	if p.taps == 1 && !p.plain {
		l.transpose(panel, width, w, row, channels, row)
		return
	}
	for at := 0; at < row; at += packRows {
		n := min(packRows, row-at)
		l.transpose(l.rows[:], width, w[at:], row, channels, n)
		for i := range n {
			c, tap := (at+i)/p.taps, (at+i)%p.taps
			copy(panel[p.step(tap, c)*width:][:channels], l.rows[i*width:])
		}
	}
}

func (w *winograd) packUnit() int { return panelUnit(w.g.Groups, w.g.M/w.g.Groups, w.t.width) }

// packWeights writes, for each place, panels of t.width output channels of the transformed weights.
func (w *winograd) packWeights(l *packing, dst, weights []float32, from, n int) {
	cg, mg := w.g.C/w.g.Groups, w.g.M/w.g.Groups
	for m := from; m < from+n; {
		group, first := m/mg, m%mg
		channels := min(w.t.width, mg-first)
		panel := dst[w.weightsAt(group, panelPlace{first / w.t.width, 0}):]
		w.packPanel(l, panel, ceil(channels, Lanes)*Lanes, weights[(m-from)*cg*9:], channels)
		m += channels
	}
}

// packPanel writes the panel of width channels, of which so many exist, for all places.
func (w *winograd) packPanel(l *packing, panel []float32, width int, weights []float32, channels int) {
	cg := w.g.C / w.g.Groups
	for c := 0; c < w.cb*Lanes; c += packChannels {
		for b := 0; b < width; b += Lanes {
			kernels, have := l.rows[:packChannels*9*Lanes], min(packChannels, max(cg-c, 0))
			if channels-b < Lanes || have < packChannels {
				clear(kernels)
			}
			if have > 0 {
				l.transpose(kernels, Lanes, weights[(b*cg+c)*9:], cg*9, min(Lanes, channels-b), have*9)
			}
			w.t.weights(packChannels, w.points, w.winogradForm.g, kernels, l.places[b:], packPlace, width)
		}
		for i := range w.products {
			copy(panel[i*w.mb*Lanes*w.cb*Lanes+c*width:][:packChannels*width], l.places[i*packPlace:])
		}
	}
}

// f32WinogradWeightsGeneric writes G k Gt of kernels k of 3x3, each product and sum rounded to float64.
func f32WinogradWeightsGeneric(n, points int, g [][3]float64, w, u []float32, uStep, next int) {
	for c := range n {
		for l := range Lanes {
			transformKernel(points, g, w[c*9*Lanes+l:], u[c*next+l:], uStep)
		}
	}
}

// transformKernel transforms a kernel whose elements are Lanes apart.
func transformKernel(points int, g [][3]float64, k, u []float32, uStep int) {
	for i, down := range g[:points] {
		var row [3]float64
		for j := range row {
			row[j] = dot3(down, float64(k[j*Lanes]), float64(k[(3+j)*Lanes]), float64(k[(6+j)*Lanes]))
		}
		for j, across := range g[:points] {
			u[(i*points+j)*uStep] = float32(dot3(across, row[0], row[1], row[2]))
		}
	}
}

// dot3 rounds each product and sum: the conversions forbid to fuse them.
func dot3(g [3]float64, x, y, z float64) float64 {
	return float64(float64(g[0]*x)+float64(g[1]*y)) + float64(g[2]*z)
}
