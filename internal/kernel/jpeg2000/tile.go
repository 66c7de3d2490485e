package jpeg2000

import (
	"errors"
	"math"
	"slices"
)

// tile is a tile with its data.
type tile struct {
	d              *decoder
	index          int
	params         params
	data           []byte
	x0, y0, x1, y1 int
	comps          []*tileComponent
}

// tileComponent is a component of a tile.
type tileComponent struct {
	x0, y0, x1, y1 int
	levels         []*resolution
}

// resolution is what one level adds.
type resolution struct {
	x0, y0, x1, y1 int
	pw, ph         int // logarithms of the size of a precinct
	across, down   int
	bands          []*band
	precincts      []*precinct
}

// band is a band of coefficients.
type band struct {
	kind           int // 0 low, 1 high across, 2 high down, 3 both
	x0, y0, x1, y1 int
	planes         int
	step           float32
	coefs          []int32 // twice the coefficients
}

// precinct is the code-blocks of a part of a resolution, for each band.
type precinct struct {
	x, y  int // where it begins in the image
	bands []precinctBand
}

type precinctBand struct {
	band         *band
	across, down int
	blocks       []block
	included     *tagTree
	empty        *tagTree // bit planes of zeros
}

// maxBlocks bounds the code-blocks of an image.
const maxBlocks = 1 << 20

func (t *tile) decode() error {
	d := t.d
	p, q := t.index%d.tilesAcross, t.index/d.tilesAcross
	t.x0, t.y0 = max(d.tileX+p*d.tileW, d.x0), max(d.tileY+q*d.tileH, d.y0)
	t.x1, t.y1 = min(d.tileX+(p+1)*d.tileW, d.x1), min(d.tileY+(q+1)*d.tileH, d.y1)
	for i := range d.comps {
		c, err := t.component(i)
		if err != nil {
			return err
		}
		t.comps = append(t.comps, c)
	}
	if err := t.packets(); err != nil {
		return err
	}
	planes := make([]plane, len(t.comps))
	for i, c := range t.comps {
		planes[i] = t.rebuild(i, c)
	}
	if t.params.transform && len(planes) >= 3 {
		if err := mix(planes[:3]); err != nil {
			return err
		}
	}
	for i := range planes {
		t.store(i, &planes[i])
	}
	t.comps, t.data = nil, nil
	return nil
}

// component lays component i out.
func (t *tile) component(i int) (*tileComponent, error) {
	k, code := &t.d.comps[i], &t.params.comps[i]
	c := &tileComponent{x0: ceilDiv(t.x0, k.dx), y0: ceilDiv(t.y0, k.dy), x1: ceilDiv(t.x1, k.dx), y1: ceilDiv(t.y1, k.dy)}
	for r := range code.levels + 1 {
		n := code.levels - r
		res := &resolution{x0: ceilShift(c.x0, n), y0: ceilShift(c.y0, n), x1: ceilShift(c.x1, n), y1: ceilShift(c.y1, n)}
		res.pw, res.ph = int(code.precincts[r]&15), int(code.precincts[r]>>4)
		if res.x1 > res.x0 && res.y1 > res.y0 {
			res.across = ceilShift(res.x1, res.pw) - res.x0>>res.pw
			res.down = ceilShift(res.y1, res.ph) - res.y0>>res.ph
		}
		kinds := []int{0}
		if r > 0 {
			kinds = []int{1, 2, 3}
		}
		for b, kind := range kinds {
			res.bands = append(res.bands, t.band(i, c, r, b, kind))
		}
		if err := t.precincts(i, res, r); err != nil {
			return nil, err
		}
		c.levels = append(c.levels, res)
	}
	return c, nil
}

// band lays band number b of resolution r out.
func (t *tile) band(i int, c *tileComponent, r, b, kind int) *band {
	code, q := &t.params.comps[i], &t.params.quants[i]
	n, half := code.levels, 0
	if r > 0 {
		n = code.levels - r + 1
		half = 1 << (n - 1)
	}
	dx, dy := half*(kind&1), half*(kind>>1)
	k := &band{kind: kind, x0: ceilShift(c.x0-dx, n), y0: ceilShift(c.y0-dy, n), x1: ceilShift(c.x1-dx, n), y1: ceilShift(c.y1-dy, n)}
	s := q.step(r, b, code.levels)
	k.planes = q.guard + s.exponent - 1
	gain := kind&1 + kind>>1
	k.step = float32(math.Ldexp(1+float64(s.mantissa)/2048, t.d.comps[i].depth+gain-s.exponent))
	k.coefs = make([]int32, max(k.x1-k.x0, 0)*max(k.y1-k.y0, 0))
	return k
}

// precincts lays the precincts of a resolution out.
func (t *tile) precincts(i int, res *resolution, r int) error {
	code, k := &t.params.comps[i], &t.d.comps[i]
	n := code.levels - r
	if res.across > 0 && res.down > maxBlocks/res.across {
		return errors.New("too many precincts")
	}
	t.d.blocks += res.across * res.down
	for p := range res.across * res.down {
		px, py := res.x0>>res.pw+p%res.across, res.y0>>res.ph+p/res.across
		c := &precinct{x: px << (res.pw + n) * k.dx, y: py << (res.ph + n) * k.dy}
		if px<<res.pw < res.x0 {
			c.x = t.x0
		}
		if py<<res.ph < res.y0 {
			c.y = t.y0
		}
		for _, b := range res.bands {
			shift := 0
			if r > 0 {
				shift = 1
			}
			x0, y0 := max(px<<res.pw>>shift, b.x0), max(py<<res.ph>>shift, b.y0)
			x1, y1 := min((px+1)<<res.pw>>shift, b.x1), min((py+1)<<res.ph>>shift, b.y1)
			w, h := min(code.width, res.pw-shift), min(code.height, res.ph-shift)
			if x0 < x1 && y0 < y1 {
				across, down := ceilShift(x1, w)-x0>>w, ceilShift(y1, h)-y0>>h
				if across > maxBlocks/down || t.d.blocks+across*down > maxBlocks {
					return errors.New("too many code-blocks")
				}
				t.d.blocks += across * down
			}
			c.bands = append(c.bands, blocksOf(b, x0, y0, x1, y1, w, h))
		}
		res.precincts = append(res.precincts, c)
	}
	return nil
}

// blocksOf cuts a part of a band into code-blocks of up to 2^w x 2^h.
func blocksOf(b *band, x0, y0, x1, y1, w, h int) precinctBand {
	p := precinctBand{band: b}
	if x0 >= x1 || y0 >= y1 {
		return p
	}
	gx, gy := x0>>w, y0>>h
	p.across, p.down = ceilShift(x1, w)-gx, ceilShift(y1, h)-gy
	for i := range p.across * p.down {
		x, y := gx+i%p.across, gy+i/p.across
		p.blocks = append(p.blocks, block{
			x0: max(x<<w, x0), y0: max(y<<h, y0), x1: min((x+1)<<w, x1), y1: min((y+1)<<h, y1), lengthBits: 3,
		})
	}
	p.included, p.empty = newTagTree(p.across, p.down), newTagTree(p.across, p.down)
	return p
}

// packetOf is one precinct in the order of the progression.
type packetOf struct{ comp, res, at, layer int }

// packets reads all packets, as far as there is data.
func (t *tile) packets() error {
	r := &packetReader{t: t, b: t.data}
	for _, p := range t.order() {
		if p.layer >= 0 {
			if done, err := r.packet(p); done || err != nil {
				return err
			}
			continue
		}
		for p.layer = range t.params.layers {
			if done, err := r.packet(p); done || err != nil {
				return err
			}
		}
	}
	return nil
}

// order lists the precincts in the order of the progression; layer -1 stands for all layers in turn.
func (t *tile) order() []packetOf {
	var list []packetOf
	deepest := 0
	for i, c := range t.comps {
		deepest = max(deepest, len(c.levels))
		for r, res := range c.levels {
			for p := range res.precincts {
				list = append(list, packetOf{i, r, p, -1})
			}
		}
	}
	key := func(p packetOf) [5]int {
		q := t.comps[p.comp].levels[p.res].precincts[p.at]
		switch t.params.progression {
		case 0, 1:
			return [5]int{p.res, p.comp, p.at}
		case 2:
			return [5]int{p.res, q.y, q.x, p.comp, p.at}
		case 3:
			return [5]int{q.y, q.x, p.comp, p.res, p.at}
		}
		return [5]int{p.comp, q.y, q.x, p.res, p.at}
	}
	slices.SortStableFunc(list, func(a, b packetOf) int {
		j, k := key(a), key(b)
		return slices.Compare(j[:], k[:])
	})
	switch t.params.progression {
	case 0:
		return layered(list, 0, len(list), t.params.layers, len(t.data))
	case 1:
		var out []packetOf
		for lo := 0; lo < len(list); {
			hi := lo
			for hi < len(list) && list[hi].res == list[lo].res {
				hi++
			}
			out = append(out, layered(list, lo, hi, t.params.layers, len(t.data))...)
			lo = hi
		}
		return out
	}
	return list
}

// layered repeats the precincts from lo to hi for each layer, up to limit times in all: a packet has a byte at least.
func layered(list []packetOf, lo, hi, layers, limit int) []packetOf {
	var out []packetOf
	for l := range layers {
		for _, p := range list[lo:hi] {
			if p.layer = l; len(out) > limit {
				return out
			}
			out = append(out, p)
		}
	}
	return out
}
