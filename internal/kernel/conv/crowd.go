package conv

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/parallel"
)

// A crowdPlan says how many small images are convolved: side by side, so that
// a tile computes the same pixel of several images. The sums are those of
// images that are computed alone, with equal bits.
type crowdPlan struct {
	use    bool
	width  int   // columns of a staged row
	pad    int   // of them, before the image
	first  int   // the first tap of the last axis
	taps   int   // taps of the last axis in a sum: all, or the only one that reads the image
	height int   // rows of the image
	off    []int // by step: where it begins, relative to the pixel
}

// Images are a crowd if their rows are narrow and there are enough of them.
const (
	crowdRow      = 6
	crowdImages   = 8
	crowdChannels = 16
	crowdPixels   = 1 << 12 // of a channel in all images
	crowdTask     = 16      // channels that are staged by a task
)

func (p *Plan[T]) planCrowd() crowdPlan {
	g := p.g
	last := len(g.In) - 1
	if g.N < crowdImages || g.Groups > 1 || last > 1 || p.ow > crowdRow || min(g.C, g.M) < crowdChannels ||
		g.N*max(p.pixels, product(g.In)) > crowdPixels {
		return crowdPlan{}
	}
	c := crowdPlan{use: true, width: g.Pads[last] + g.In[last] + g.Pads[len(g.In)+last], pad: g.Pads[last], height: 1, taps: g.Kernel[last]}
	if last == 1 {
		c.height = g.In[0]
	}
	c.leaveOut(g)
	for ty := range p.outer.n {
		for channel := range g.C {
			for tx := range c.taps {
				c.off = append(c.off, ((channel*c.height+ty*p.outer.step)*c.width+tx*g.Dilations[last])*g.N)
			}
		}
	}
	return c
}

// leaveOut leaves out the taps that read padding where only one reads the image.
func (c *crowdPlan) leaveOut(g *Geometry) {
	last := len(g.In) - 1
	if g.Out[last] > 1 {
		return
	}
	from, to := 0, c.taps
	for ; from < to && from*g.Dilations[last] < c.pad; from++ {
	}
	for ; to > from && (to-1)*g.Dilations[last] >= c.pad+g.In[last]; to-- {
	}
	if to-from == 1 {
		c.first, c.taps = from, 1
	}
}

// crowd is a convolution of many images on its way: a task whose tiles are some
// channels to stage, or panels of output channels.
type crowd[T gemm.Float] struct {
	*Plan[T]
	x, w, y, bias []T
	relu          bool
	staged        []T // by channel, row, column and image
	buffers       []T // by worker
	multiply      bool
}

func (p *Plan[T]) crowdStage() int { return roundUp(p.g.C*p.crowd.height*p.crowd.width*p.g.N, 16) }

// crowdBuffer is what a worker needs to stage channels, or to compute a panel.
func (p *Plan[T]) crowdBuffer() int {
	return roundUp(p.g.N*max(crowdTask*product(p.g.In), p.pixels*p.t.Cols), 16)
}

func (p *Plan[T]) crowdScratch(threads int) int { return p.crowdStage() + threads*p.crowdBuffer() }

// convolveCrowd runs the convolution with packed weights.
func (p *Plan[T]) convolveCrowd(team *parallel.Team, x, w, bias []T, relu bool, y, scratch []T) {
	j := p.crowds.Take()
	*j = crowd[T]{Plan: p, x: x, w: w, y: y, bias: bias, relu: relu}
	j.staged = take(&scratch, p.crowdStage())
	j.buffers = scratch
	team.DoWorkers((p.g.C+crowdTask-1)/crowdTask, j)
	j.multiply = true
	team.DoWorkers((p.g.M+p.t.Cols-1)/p.t.Cols, j)
	p.crowds.Give(j)
}

// Tile stages some channels or computes a panel.
func (j *crowd[T]) Tile(worker, i int) {
	buffer := j.buffers[worker*j.crowdBuffer():][:j.crowdBuffer()]
	if j.multiply {
		j.panel(buffer, i*j.t.Cols)
		return
	}
	j.stageChannels(buffer, i*crowdTask, min(crowdTask, j.g.C-i*crowdTask))
}

// stageChannels lays the images side by side, with their padding on the left
// and on the right.
func (j *crowd[T]) stageChannels(buffer []T, c, channels int) {
	n, in := j.g.N, product(j.g.In)
	row := j.crowd.width * n
	to := j.staged[c*j.crowd.height*row:][:channels*j.crowd.height*row]
	width := in / j.crowd.height * n
	if width == row {
		j.t.Transpose(to, n, j.x[c*in:], j.g.C*in, n, channels*in)
		return
	}
	j.t.Transpose(buffer, n, j.x[c*in:], j.g.C*in, n, channels*in)
	clear(to)
	for i := range channels * j.crowd.height {
		copy(to[i*row+j.crowd.pad*n:][:width], buffer[i*width:])
	}
}

// panel computes the output channels from m on of all images.
func (j *crowd[T]) panel(buffer []T, m int) {
	t, n := j.t, j.g.N
	channels := min(t.Cols, j.g.M-m)
	for row := range j.rows {
		for x := range j.ow {
			j.pixel(buffer[(row*j.ow+x)*n*t.Cols:], m, channels, row, x)
		}
	}
	for image := range n {
		y := j.y[(image*j.g.M+m)*j.pixels:]
		if j.pixels == 1 {
			copy(y[:channels], buffer[image*t.Cols:])
			continue
		}
		t.Transpose(y, j.pixels, buffer[image*t.Cols:], n*t.Cols, j.pixels, channels)
	}
}

// pixel computes a pixel of all images.
func (j *crowd[T]) pixel(out []T, m, channels, row, x int) {
	t, n, last := j.t, j.g.N, len(j.g.In)-1
	from, to := j.outer.inside(row)
	at := x*j.g.Strides[last] + j.crowd.first*j.g.Dilations[last]
	if from == to { // only padding
		from, to = 0, 0
	} else {
		at += (row*j.outer.stride - j.outer.before + from*j.outer.step) * j.crowd.width
	}
	off := j.crowd.off[:(to-from)*j.cg*j.crowd.taps]
	w := j.w[m*j.k+(from*j.cg*j.inner+j.crowd.first)*t.Cols:]
	start, bias := gemm.FromZero, []T(nil)
	if j.bias != nil {
		start, bias = gemm.FromColBias, j.bias[m:]
	}
	pieces := (n + t.Rows - 1) / t.Rows
	for i := range pieces {
		a, b := i*n/pieces, (i+1)*n/pieces
		t.TileA(b-a, len(off), j.staged[at*n+a:], off, w, j.inner/j.crowd.taps*t.Cols, out[a*t.Cols:], t.Cols, channels, start, bias, j.relu)
	}
}
