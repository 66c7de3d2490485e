package ops

import (
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TfIdfVectorizer counts n-grams: item j of a gram may stand 1 to max_skip_count+1 places behind item j-1, always as many.
// Each gram of the pool has a coordinate of the output, which holds its count (TF), its weight where it occurs (IDF), or
// both multiplied (TFIDF). Weights belong to coordinates, as in the reference implementation.
var opTfIdfVectorizer = opdef.Def{
	Type:    "TfIdfVectorizer",
	Infer:   inferTfIdfVectorizer,
	Compile: compileTfIdfVectorizer,
	Grad:    opdef.NoGrad,
}

// grams is what the attributes of TfIdfVectorizer say.
type grams struct {
	low, high, skips int
	words            map[string]int32 // strings and integers of the pool, numbered
	ints             map[int64]int32
	next             map[gramStep]int32 // the tree of grams
	column           map[int32]int      // where a gram that ends at a node of the tree is counted
	width            int
	weights          []float32
	mode             string
}

// gramStep is an edge of the tree of grams: from a node, 0 for the root, by an item.
type gramStep struct{ node, item int32 }

func inferTfIdfVectorizer(c *opdef.Infer) error {
	g, err := newGrams(c.Node)
	if err != nil {
		return err
	}
	x, err := c.Shape(0)
	switch {
	case err != nil:
		return setElem(c, 0, onnx.Float32, err)
	case len(x) == 1:
		c.Set(0, onnx.Float32, onnx.Fixed(g.width))
	case len(x) == 2:
		c.Set(0, onnx.Float32, x[0], onnx.Fixed(g.width))
	default:
		return onnx.Invalidf("expected rank 1 or 2, received %v", c.Ins[0])
	}
	return nil
}

func newGrams(n *onnx.Node) (*grams, error) {
	low, high, skips := n.Int("min_gram_length", 0), n.Int("max_gram_length", 0), n.Int("max_skip_count", 0)
	if low < 1 || high < low || skips < 0 || high > 1<<20 || skips > 1<<20 {
		return nil, onnx.Invalidf("expected 1 <= min_gram_length <= max_gram_length and max_skip_count >= 0, received %d, %d and %d", low, high, skips)
	}
	g := &grams{
		low: int(low), high: int(high), skips: int(skips), mode: n.Str("mode", ""),
		words: map[string]int32{}, ints: map[int64]int32{}, next: map[gramStep]int32{}, column: map[int32]int{},
	}
	if !slices.Contains([]string{"TF", "IDF", "TFIDF"}, g.mode) {
		return nil, onnx.Invalidf("attribute mode: expected TF, IDF or TFIDF, received %.128q", g.mode)
	}
	pool, err := g.pool(n)
	if err != nil {
		return nil, err
	}
	columns, _ := n.Ints("ngram_indexes")
	for _, v := range columns {
		if v < 0 || v > 1<<28 {
			return nil, onnx.Invalidf("attribute ngram_indexes: %d is not a coordinate", v)
		}
		g.width = max(g.width, int(v)+1)
	}
	if a := n.Attr("weights"); a != nil && len(a.Floats) > 0 {
		if g.weights = a.Floats; len(g.weights) < g.width {
			return nil, onnx.Invalidf("%d weights for %d coordinates", len(g.weights), g.width)
		}
	}
	starts, _ := n.Ints("ngram_counts")
	return g, g.grow(pool, starts, columns)
}

// pool numbers the items of the pool.
func (g *grams) pool(n *onnx.Node) ([]int32, error) {
	words, ints := n.Attr("pool_strings"), n.Attr("pool_int64s")
	if (words == nil || len(words.Strings) == 0) == (ints == nil || len(ints.Ints) == 0) {
		return nil, onnx.Invalidf("expected one of the attributes pool_strings and pool_int64s")
	}
	var pool []int32
	if words != nil && len(words.Strings) > 0 {
		for _, s := range words.Strings {
			pool = append(pool, number32(g.words, s))
		}
		return pool, nil
	}
	for _, v := range ints.Ints {
		pool = append(pool, number32(g.ints, v))
	}
	return pool, nil
}

// number32 is the number of a key, from 1 on; a new one when it has none.
func number32[K comparable](m map[K]int32, k K) int32 {
	if _, ok := m[k]; !ok {
		m[k] = int32(len(m) + 1)
	}
	return m[k]
}

// grow builds the tree of grams: those of i+1 items start at starts[i] of the pool.
func (g *grams) grow(pool []int32, starts, columns []int64) error {
	id := 0
	for i, from := range starts {
		to := int64(len(pool))
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		if from < 0 || from > to || to > int64(len(pool)) || (to-from)%int64(i+1) != 0 {
			return onnx.Invalidf("attribute ngram_counts: %d to %d does not hold grams of %d of %d items", from, to, i+1, len(pool))
		}
		for part := pool[from:to]; len(part) > 0; part = part[i+1:] {
			if id >= len(columns) {
				return onnx.Invalidf("more grams than the %d entries of ngram_indexes", len(columns))
			}
			node := int32(0)
			for _, item := range part[:i+1] {
				node = number32(g.next, gramStep{node, item})
			}
			g.column[node] = int(columns[id])
			id++
		}
	}
	return nil
}

func compileTfIdfVectorizer(c *opdef.Compile) (opdef.Step, error) {
	g, err := newGrams(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	switch e := c.Elem(0); {
	case e == onnx.String && len(g.words) > 0, isShapeInt(e) && len(g.ints) > 0:
	default:
		return opdef.Step{}, onnx.Invalidf("the pool does not fit an input of type %v", e)
	}
	return moveStep(c, opdef.Step{}, g.run), nil
}

func (g *grams) run(m *mover) error {
	shape := m.shape(0)
	if len(shape) != 1 && len(shape) != 2 {
		return onnx.Invalidf("expected rank 1 or 2, received shape %v", slices.Clone(shape))
	}
	rows, n := product(shape[:len(shape)-1]), shape[len(shape)-1]
	to := m.clone(shape)
	to[len(to)-1] = g.width
	y, err := m.bound(0, onnx.Float32, to)
	if err != nil {
		return err
	}
	items, err := g.items(m)
	if err != nil {
		return err
	}
	out := opdef.Of[float32](y)
	clear(out)
	for r := range rows {
		row := out[r*g.width : (r+1)*g.width]
		g.count(row, items[r*n:(r+1)*n])
		g.weigh(row)
	}
	return nil
}

// items is the numbers of the input's elements; 0 for what the pool lacks.
func (g *grams) items(m *mover) ([]int32, error) {
	v := m.In[0]
	if err := m.charge(v.Len(), 4); err != nil {
		return nil, err
	}
	out := make([]int32, v.Len())
	if v.Elem == onnx.String {
		for i, s := range v.Strings() {
			out[i] = g.words[s]
		}
		return out, nil
	}
	x, err := integersOf(v)
	for i := range out {
		out[i] = g.ints[x.at(i)]
	}
	return out, err
}

func (g *grams) count(row []float32, items []int32) {
	for skip := range g.skips + 1 {
		if skip >= len(items) && skip > 0 {
			return
		}
		for at := range items {
			node, ok := int32(0), true
			for j, p := 1, at; j <= g.high && p < len(items); j, p = j+1, p+skip+1 {
				if node, ok = g.next[gramStep{node, items[p]}]; !ok {
					break
				}
				if col, ends := g.column[node]; ends && j >= g.low && (j > 1 || skip == 0) {
					row[col]++
				}
			}
		}
	}
}

func (g *grams) weigh(row []float32) {
	if g.mode == "TF" {
		return
	}
	for i, v := range row {
		w := float32(1)
		if g.weights != nil {
			w = g.weights[i]
		}
		switch {
		case g.mode == "TFIDF":
			row[i] = v * w
		case v > 0:
			row[i] = w
		}
	}
}
