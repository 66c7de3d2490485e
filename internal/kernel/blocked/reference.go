package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// reference is the definition of a blocked convolution, summed in float64.
type reference struct {
	g *conv.Geometry
	o Options
}

func (p *reference) format() string     { return "reference" }
func (p *reference) packedWeights() int { return p.g.Weights() }
func (p *reference) packUnit() int      { return p.g.M }
func (p *reference) scratch(int) int    { return 0 }

func (p *reference) packWeights(_ *packing, dst, w []float32, _, _ int) {
	copy(dst, w[:p.g.Weights()])
}

func (p *reference) run(_ *parallel.Team, x, weights []float32, e *Epilogue, y, _ []float32) {
	g := p.g
	in, out := sides(g.In), sides(g.Out)
	kernel, strides, dilations := sides(g.Kernel), sides(g.Strides), sides(g.Dilations)
	top, left := 0, g.Pads[0]
	if len(g.In) == 2 {
		top, left = g.Pads[0], g.Pads[1]
	}
	cg, mg := g.C/g.Groups, g.M/g.Groups
	at := func(n, c, h, w int) float32 {
		if p.o.PlainInput {
			return x[((n*g.C+c)*in[0]+h)*in[1]+w]
		}
		return x[((n*Blocks(g.C)+c/Lanes)*in[0]*in[1]+h*in[1]+w)*Lanes+c%Lanes]
	}
	for n := range g.N {
		for m := range Blocks(g.M) * Lanes {
			for q := range out[0] * out[1] {
				to := ((n*Blocks(g.M)+m/Lanes)*out[0]*out[1]+q)*Lanes + m%Lanes
				if m >= g.M {
					y[to] = 0
					continue
				}
				sum := float64(0)
				for t := range kernel[0] * kernel[1] {
					h, w := q/out[1]*strides[0]+t/kernel[1]*dilations[0]-top, q%out[1]*strides[1]+t%kernel[1]*dilations[1]-left
					if h < 0 || w < 0 || h >= in[0] || w >= in[1] {
						continue
					}
					for c := range cg {
						sum += float64(at(n, m/mg*cg+c, h, w)) * float64(weights[(m*cg+c)*kernel[0]*kernel[1]+t])
					}
				}
				if e.Bias != nil {
					sum += float64(e.Bias[m])
				}
				if e.Residual != nil {
					sum += float64(e.Residual[to])
				}
				y[to] = e.apply(float32(sum))
			}
		}
	}
}

// sides returns height and width of one or two sizes.
func sides(sizes []int) [2]int {
	if len(sizes) == 1 {
		return [2]int{1, sizes[0]}
	}
	return [2]int{sizes[0], sizes[1]}
}
