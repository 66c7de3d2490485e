package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A weightsPlan says how the weight gradient is computed: as a product of dy
// and the input for each tap, with input channels in the vectors; or, where
// these are few, as one product for all taps, with output channels in them.
// Where every channel is alone there is no product, only sums over pixels. The
// sum over the images is cut into parts whose number depends on sizes
// alone; they are added up in a fixed tree.
type weightsPlan struct {
	alone  bool
	byTap  bool
	parts  int
	pixOff []int // byTap: where a pixel begins, relative to the tap
}

const (
	mostParts  = 8
	partsSize  = 1 << 20 // elements of all parts together
	pixelsEach = 512     // pixels of a product, so that its factors stay in the cache
	copyCost   = 16      // of an element of an unfolded image, in multiplications
)

func (p *Plan[T]) planWeights() weightsPlan {
	t := p.t
	w := weightsPlan{parts: 1}
	for w.parts < mostParts && 2*w.parts <= p.g.N && 2*w.parts*p.g.Weights() <= partsSize {
		w.parts *= 2
	}
	if w.alone = p.cg == 1 && p.mg == 1 && p.g.Groups > 1; w.alone {
		return w
	}
	byTap := tiled(p.mg, t.Rows) * roundUp(p.cg, t.Cols) * p.taps
	atOnce := tiled(p.k, t.Rows)*roundUp(p.mg, t.Cols) + copyCost*p.k
	w.byTap = byTap <= atOnce
	if !w.byTap {
		return w
	}
	w.pixOff = make([]int, 0, p.pixels)
	for _, off := range p.rowOff {
		for x := range p.ow {
			w.pixOff = append(w.pixOff, (off+x)*p.cg)
		}
	}
	return w
}

// weightsGradient is a weight gradient on its way: a task whose tiles are
// parts, or the steps of one image.
type weightsGradient[T gemm.Float] struct {
	*Plan[T]
	x, dy, dw []T
	sums      []T // by part
	buffers   []T // by worker, or one set
	step      weightsStep
	image     int
	first     bool // the image begins a part
	part      int
}

// A weightsStep says what the tiles of a task are.
type weightsStep int

const (
	wholeParts weightsStep = iota
	stageChannels
	prepareGroups
	preparePanels
	multiplyTiles
)

// buffers are one worker's copies of one image: the staged input; by tap, the
// input transposed and dy in panels; at once, the input unfolded and in panels
// and dy transposed.
type buffers[T gemm.Float] struct {
	staged, wide, panels, unfolded []T
}

func (p *Plan[T]) wideSize() int {
	switch {
	case p.weights.alone:
		return 0
	case p.weights.byTap:
		return roundUp(p.g.Groups*p.stage.plane*p.cg+tail, 16)
	}
	return roundUp(p.g.M*p.pixels+tail, 16)
}

// panelRows is the rows of the left factor of a group.
func (p *Plan[T]) panelRows() int {
	if p.weights.byTap {
		return p.mg
	}
	return p.k
}

func (p *Plan[T]) panelsSize() int {
	if p.weights.alone {
		return 0
	}
	return roundUp(p.g.Groups*gemm.PackedA(p.t, p.panelRows(), p.pixels), 16)
}

func (p *Plan[T]) unfoldedSize() int {
	if p.weights.byTap || p.weights.alone {
		return 0
	}
	return roundUp(p.g.C*p.taps*p.pixels, 16)
}

func (p *Plan[T]) buffersSize() int {
	return p.stage.size(p.g.C) + p.wideSize() + p.panelsSize() + p.unfoldedSize()
}

func (w *weightsGradient[T]) buffersOf(worker int) buffers[T] {
	s := w.buffers[worker*w.buffersSize():][:w.buffersSize()]
	return buffers[T]{
		staged: take(&s, w.stage.size(w.g.C)), wide: take(&s, w.wideSize()),
		panels: take(&s, w.panelsSize()), unfolded: take(&s, w.unfoldedSize()),
	}
}

// WeightsScratch returns how many elements BackwardWeights needs as scratch on
// a team of that many threads.
func (p *Plan[T]) WeightsScratch(threads int) int {
	if p.empty {
		return 0
	}
	if p.together.use {
		return p.togetherScratch(threads)
	}
	return p.weights.parts*roundUp(p.g.Weights(), 16) + max(threads, 1)*p.buffersSize()
}

// BackwardWeights computes dw, [M, C/Groups, kernel...], from x, [N, C, In...],
// and dy, [N, M, Out...]: a sum over images and pixels.
func (p *Plan[T]) BackwardWeights(team *parallel.Team, x, dy, dw, scratch []T) {
	g := p.g
	check(len(x) >= g.N*g.ImageIn() && len(dy) >= g.N*g.ImageOut() && len(dw) >= g.Weights())
	if p.empty {
		clear(dw[:g.Weights()])
		return
	}
	team = p.worth(team)
	scratch = orMake(scratch, p.WeightsScratch(team.Threads()))
	if p.together.use {
		p.weightsTogether(team, x, dy, dw, scratch)
		return
	}
	w := p.grads.Take()
	*w = weightsGradient[T]{Plan: p, x: x, dy: dy, dw: dw}
	w.sums = take(&scratch, p.weights.parts*roundUp(g.Weights(), 16))
	w.buffers = scratch
	w.run(team)
	w.addParts()
	w.write()
	p.grads.Give(w)
}

// run shares out the parts if there are enough of them, and otherwise the
// tiles of each image. The bits are the same either way.
func (w *weightsGradient[T]) run(team *parallel.Team) {
	parts := w.weights.parts
	if parts >= team.Threads() {
		team.DoWorkers(parts, w)
		return
	}
	for w.part = range parts {
		from, to := w.imagesOf(w.part)
		for w.image = from; w.image < to; w.image++ {
			w.first = w.image == from
			w.steps(team)
		}
	}
}

func (w *weightsGradient[T]) imagesOf(part int) (from, to int) {
	parts := w.weights.parts
	return part * w.g.N / parts, (part + 1) * w.g.N / parts
}

// steps runs one image, step by step.
func (w *weightsGradient[T]) steps(team *parallel.Team) {
	for w.step = stageChannels; w.step <= multiplyTiles; w.step++ {
		team.DoWorkers(w.tiles(w.step), w)
	}
}

// tiles counts the tiles of a step.
func (w *weightsGradient[T]) tiles(step weightsStep) int {
	panels := w.g.Groups * ((w.panelRows() + w.t.Rows - 1) / w.t.Rows)
	switch {
	case step == stageChannels && w.stage.copied:
		return w.g.C
	case w.weights.alone && step == multiplyTiles:
		return w.g.Groups
	case w.weights.alone:
		return 0
	case step == prepareGroups:
		return w.g.Groups
	case step == preparePanels:
		return panels
	case step == multiplyTiles && w.weights.byTap:
		return panels * w.taps
	case step == multiplyTiles:
		return panels
	}
	return 0
}

// Tile runs a part, or a tile of the step at hand.
func (w *weightsGradient[T]) Tile(worker, i int) {
	if w.step != wholeParts {
		w.tile(w.buffersOf(0), w.step, i, w.image, w.part, w.first)
		return
	}
	from, to := w.imagesOf(i)
	b := w.buffersOf(worker)
	for image := from; image < to; image++ {
		for step := stageChannels; step <= multiplyTiles; step++ {
			for tile := range w.tiles(step) {
				w.tile(b, step, tile, image, i, image == from)
			}
		}
	}
}

func (w *weightsGradient[T]) tile(b buffers[T], step weightsStep, i, image, part int, first bool) {
	panels := (w.panelRows() + w.t.Rows - 1) / w.t.Rows
	x := w.x[image*w.g.ImageIn():][:w.g.ImageIn()]
	switch step {
	case stageChannels:
		in := w.g.ImageIn() / w.g.C
		fill(&w.stage, b.staged[i*w.stage.plane:], x[i*in:], 1)
		return
	case prepareGroups:
		if w.stage.copied {
			x = b.staged
		}
		w.prepareGroup(b, i, x[i*w.cg*w.stage.plane:], w.dy[(image*w.g.M+i*w.mg)*w.pixels:])
		return
	case preparePanels:
		w.preparePanel(b, i/panels, i%panels, w.dy[image*w.g.ImageOut():])
		return
	}
	sum := w.sums[part*roundUp(w.g.Weights(), 16):][:w.g.Weights()]
	if w.weights.alone {
		if w.stage.copied {
			x = b.staged
		}
		w.addAlone(sum[i*w.taps:], x[i*w.stage.plane:], w.dy[(image*w.g.M+i)*w.pixels:], first)
		return
	}
	start := gemm.FromC
	if first {
		start = gemm.FromZero
	}
	if w.weights.byTap {
		tap := i % w.taps
		i /= w.taps
		w.multiplyTap(b, sum, i/panels, i%panels, tap, start)
		return
	}
	w.multiplyAll(b, sum, i/panels, i%panels, start)
}

// prepareGroup makes the right factor of a group, and unfolds the input.
func (w *weightsGradient[T]) prepareGroup(b buffers[T], group int, x, dy []T) {
	if w.weights.byTap {
		w.t.Transpose(b.wide[group*w.stage.plane*w.cg:], w.cg, x, w.stage.plane, w.cg, w.stage.plane)
		return
	}
	w.t.Transpose(b.wide[group*w.mg*w.pixels:], w.mg, dy, w.pixels, w.mg, w.pixels)
	to := b.unfolded[group*w.k*w.pixels:]
	for range w.cg {
		for _, off := range w.tapOff {
			for r, row := range w.rowOff {
				copy(to[r*w.ow:][:w.ow], x[off+row:])
			}
			to = to[w.pixels:]
		}
		x = x[w.stage.plane:]
	}
}

// preparePanel packs one panel of the left factor of a group.
func (w *weightsGradient[T]) preparePanel(b buffers[T], group, panel int, dy []T) {
	rows := w.panelRows()
	from := dy[group*w.mg*w.pixels:]
	if !w.weights.byTap {
		from = b.unfolded[group*w.k*w.pixels:]
	}
	i0 := panel * w.t.Rows
	to := b.panels[group*gemm.PackedA(w.t, rows, w.pixels)+i0*w.pixels:]
	w.t.Transpose(to, w.t.Rows, from[i0*w.pixels:], w.pixels, min(w.t.Rows, rows-i0), w.pixels)
}

// multiplyTap adds one image to the gradient of a panel of output channels
// and one tap; the sum lies [group, tap, output channel, input channel].
func (w *weightsGradient[T]) multiplyTap(b buffers[T], sum []T, group, panel, tap int, start gemm.Start) {
	t := w.t
	m0 := panel * t.Rows
	rows := min(t.Rows, w.mg-m0)
	a := b.panels[group*gemm.PackedA(t, w.mg, w.pixels)+m0*w.pixels:]
	wide := b.wide[group*w.stage.plane*w.cg+w.tapOff[tap]*w.cg:]
	sum = sum[((group*w.taps+tap)*w.mg+m0)*w.cg:]
	for p0 := 0; p0 < w.pixels; p0 += pixelsEach {
		n := min(pixelsEach, w.pixels-p0)
		for c := 0; c < w.cg; c += t.Cols {
			t.TileB(rows, n, a[p0*t.Rows:], t.Rows, wide[c:], w.weights.pixOff[p0:p0+n], sum[c:], w.cg, min(t.Cols, w.cg-c), start, nil, false)
		}
		start = gemm.FromC
	}
}

// multiplyAll adds one image to the gradient of a panel of input channels and
// taps; the sum lies [group, input channel, tap, output channel].
func (w *weightsGradient[T]) multiplyAll(b buffers[T], sum []T, group, panel int, start gemm.Start) {
	t := w.t
	i0 := panel * t.Rows
	rows := min(t.Rows, w.k-i0)
	a := b.panels[group*gemm.PackedA(t, w.k, w.pixels)+i0*w.pixels:]
	wide := b.wide[group*w.mg*w.pixels:]
	sum = sum[(group*w.k+i0)*w.mg:]
	for p0 := 0; p0 < w.pixels; p0 += pixelsEach {
		n := min(pixelsEach, w.pixels-p0)
		for m := 0; m < w.mg; m += t.Cols {
			t.Tile(rows, n, a[p0*t.Rows:], t.Rows, wide[p0*w.mg+m:], w.mg, sum[m:], w.mg, min(t.Cols, w.mg-m), start, nil, false)
		}
		start = gemm.FromC
	}
}

// addAlone adds one image to the gradient of a channel that is alone.
func (w *weightsGradient[T]) addAlone(sum, x, dy []T, first bool) {
	for tap, off := range w.tapOff {
		var total T
		for r, row := range w.rowOff {
			total += dot(dy[r*w.ow:][:w.ow], x[off+row:])
		}
		if !first {
			total += sum[tap]
		}
		sum[tap] = total
	}
}

// dot multiplies and adds in four chains and these in a tree, each product and
// each sum rounded.
func dot[T gemm.Float](x, y []T) T {
	var s [4]T
	y = y[:len(x)]
	for ; len(x) >= 4; x, y = x[4:], y[4:] {
		s[0] += T(x[0] * y[0])
		s[1] += T(x[1] * y[1])
		s[2] += T(x[2] * y[2])
		s[3] += T(x[3] * y[3])
	}
	for i, v := range x {
		s[i] += T(v * y[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// addParts adds the parts in a binary tree into the first.
func (w *weightsGradient[T]) addParts() {
	each := roundUp(w.g.Weights(), 16)
	for step := 1; step < w.weights.parts; step *= 2 {
		for i := 0; i+step < w.weights.parts; i += 2 * step {
			add(w.sums[i*each:], w.sums[(i+step)*each:][:each])
		}
	}
}

// write brings the sum into the order of the weights.
func (w *weightsGradient[T]) write() {
	if w.weights.alone {
		copy(w.dw, w.sums[:w.g.Weights()])
		return
	}
	for g := range w.g.Groups {
		sum := w.sums[g*w.mg*w.k:][:w.mg*w.k]
		dw := w.dw[g*w.mg*w.k:][:w.mg*w.k]
		if w.weights.byTap {
			w.t.Transpose(dw, w.taps, sum, w.mg*w.cg, w.taps, w.mg*w.cg)
			continue
		}
		w.t.Transpose(dw, w.k, sum, w.mg, w.k, w.mg)
	}
}

// BackwardBias computes db, [M]: the sum of dy, [N, M, Out...], over images
// and pixels, in an order that depends on sizes alone.
func (p *Plan[T]) BackwardBias(team *parallel.Team, dy, db []T) {
	g := p.g
	check(len(dy) >= g.N*g.ImageOut() && len(db) >= g.M)
	if g.N*g.ImageOut() < 1<<14 {
		team = nil
	}
	j := p.biases.Take()
	*j = biasGradient[T]{Plan: p, dy: dy, db: db}
	team.Do((g.M+biasChannels-1)/biasChannels, j)
	p.biases.Give(j)
}

// biasGradient is a task whose tiles are some channels.
type biasGradient[T gemm.Float] struct {
	*Plan[T]
	dy, db []T
}

const biasChannels = 8

// Tile sums its channels, each image alone and then over the images.
func (b *biasGradient[T]) Tile(i int) {
	for m := i * biasChannels; m < min((i+1)*biasChannels, b.g.M); m++ {
		var all T
		for n := range b.g.N {
			all += sum(b.dy[(n*b.g.M+m)*b.pixels:][:b.pixels])
		}
		b.db[m] = all
	}
}

// sum adds in eight chains and these in a tree.
func sum[T gemm.Float](x []T) T {
	var s [8]T
	for ; len(x) >= 8; x = x[8:] {
		s[0] += x[0]
		s[1] += x[1]
		s[2] += x[2]
		s[3] += x[3]
		s[4] += x[4]
		s[5] += x[5]
		s[6] += x[6]
		s[7] += x[7]
	}
	for i, v := range x {
		s[i] += v
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}
