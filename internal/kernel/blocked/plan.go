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
	t *Table
	g *conv.Geometry
	k kernel

	epilogues parallel.FreeList[Epilogue]
}

// A kernel is one way to compute a convolution.
type kernel interface {
	format() string
	packedWeights() int
	// packUnit is the output channels that packWeights takes at least at a time.
	packUnit() int
	// packWeights writes where they belong the weights of n output channels from a multiple of packUnit on, which w holds.
	packWeights(l *packing, dst, w []float32, from, n int)
	scratch(threads int) int
	run(team *parallel.Team, x, weights []float32, e *Epilogue, y, scratch []float32)
}

// NewPlan prepares a convolution that Supports allows. With PlainInput there
// is one group. t nil is the table of this CPU.
func NewPlan(t *Table, g *conv.Geometry, o Options) *Plan {
	if t == nil {
		t = Best()
	}
	return &Plan{t: t, g: g, k: choose(t, g, o)}
}

// choose returns the first kernel that takes the geometry.
func choose(t *Table, g *conv.Geometry, o Options) kernel {
	for _, try := range []func(*Table, *conv.Geometry, Options) kernel{newDepthwise, newWinograd, newDirect} {
		if k := try(t, g, o); k != nil {
			return k
		}
	}
	return &reference{g: g, o: o}
}

// Format names the form of packed weights; plans with weights of one shape,
// in as many groups, and of one format can read each other's.
func (p *Plan) Format() string { return p.k.format() }

// PackedWeights returns the length of the weights in packed form.
func (p *Plan) PackedWeights() int { return p.k.packedWeights() }

// PackWeights packs w, [M, C/Groups, kernel...], into dst of PackedWeights
// elements.
func (p *Plan) PackWeights(dst, w []float32) {
	check(len(w) >= p.g.Weights())
	p.PackPart(dst, w[:p.g.Weights()], 0)
}

// PackUnit returns of how many elements of w the parts of PackPart are
// multiples.
func (p *Plan) PackUnit() int { return min(p.k.packUnit(), p.g.M) * p.channelWeights() }

func (p *Plan) channelWeights() int { return p.g.Weights() / max(p.g.M, 1) }

// PackPart packs a part of w that begins at element at, a multiple of
// PackUnit, as a multiple or the rest is long, to where it belongs in dst.
// For all parts, in any order, that is what PackWeights does.
func (p *Plan) PackPart(dst, part []float32, at int) {
	check(len(dst) >= p.PackedWeights() && at >= 0 && len(part) <= p.g.Weights()-at)
	each := p.channelWeights()
	if len(part) == 0 {
		return
	}
	l := newPacking(p.t)
	p.k.packWeights(l, dst, part, at/each, len(part)/each)
	packings.Give(l)
}

// Scratch returns how many elements Run needs as scratch on a team of that
// many threads.
func (p *Plan) Scratch(threads int) int { return p.k.scratch(max(threads, 1)) }

// Run computes y, blocked [N, M, Out...], from x, [N, C, In...], blocked
// unless the plan says PlainInput.
func (p *Plan) Run(team *parallel.Team, x, weights []float32, e Epilogue, y, scratch []float32) {
	check(len(weights) >= p.PackedWeights() && len(scratch) >= p.Scratch(team.Threads()))
	own := p.epilogues.Take()
	*own = e
	p.k.run(team, x, weights, own, y, scratch)
	p.epilogues.Give(own)
}
