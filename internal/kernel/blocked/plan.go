package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/conv"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// Options say how a convolution may be computed.
type Options struct {
	PlainInput bool // the input is plain, [N, C, spatial...]: for the first layer
	Direct     bool // never by Winograd's transform, whose results are less exact
}

// Supports reports whether blocked convolutions exist for an image with so
// many spatial axes, channels, output channels and groups: one or two axes;
// one group, as many groups as channels and output channels, or groups of
// whole blocks on both sides.
func Supports(axes, channels, out, groups int) bool {
	if axes < 1 || axes > 2 || groups < 1 {
		return false
	}
	depthwise := groups == channels && groups == out
	whole := channels/groups%Lanes == 0 && out/groups%Lanes == 0
	return groups == 1 || depthwise || whole
}

// A Plan is what a convolution of one geometry needs to know. It may be used
// by several goroutines at a time.
type Plan struct {
	g *conv.Geometry
	o Options
}

// NewPlan prepares a convolution that Supports allows. With PlainInput there
// is one group.
func NewPlan(g *conv.Geometry, o Options) *Plan { return &Plan{g: g, o: o} }

// Format names the form of packed weights; plans with weights of one shape,
// in as many groups, and of one format can read each other's.
func (p *Plan) Format() string { return "reference" }

// PackedWeights returns the length of the weights in packed form.
func (p *Plan) PackedWeights() int { return p.g.Weights() }

// PackWeights packs w, [M, C/Groups, kernel...], into dst of PackedWeights
// elements.
func (p *Plan) PackWeights(dst, w []float32) { copy(dst, w[:p.g.Weights()]) }

// Scratch returns how many elements Run needs as scratch on a team of that
// many threads.
func (p *Plan) Scratch(threads int) int { return 0 }

// Run computes y, blocked [N, M, Out...], from x, [N, C, In...], blocked
// unless the plan says PlainInput.
func (p *Plan) Run(team *parallel.Team, x, weights []float32, e Epilogue, y, scratch []float32) {
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
