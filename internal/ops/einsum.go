package ops

import (
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Einsum: sums of products of elements by Einstein's convention: letters name axes, those of the result are kept, the others
// summed; an ellipsis stands for axes that broadcast. Operands are contracted from the left by matrix products. A letter that
// the result has twice, which the standard does not allow, makes a diagonal; gradients use that.
//
// Opset 12, 28: types. 16-bit types are computed in float32; integers wrap.
var opEinsum = opdef.Def{
	Type:    "Einsum",
	Infer:   inferEinsum,
	Compile: compileEinsum,
	Grad:    gradEinsum,
}

// ellipsis is the label of the last axis that an ellipsis stands for; those before it have higher numbers.
const ellipsis = 256

// equation is a parsed equation: the terms as they stand, and what they mean for given ranks.
type equation struct {
	terms  []string
	result string
	in     [][]int // labels of the axes
	out    []int
}

// splitEquation reads an equation; an absent result has each label that stands once, in alphabetical order.
func splitEquation(n *onnx.Node) (*equation, error) {
	text := strings.ReplaceAll(n.Str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(text, "->")
	e := &equation{terms: strings.Split(left, ","), result: right}
	if len(e.terms) != n.NumIn() {
		return nil, onnx.Invalidf("attribute equation: %d terms for %d operands in %.128q", len(e.terms), n.NumIn(), text)
	}
	for _, t := range append(slices.Clone(e.terms), e.result) {
		plain := strings.Replace(t, "...", "", 1)
		for _, r := range plain {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return nil, onnx.Invalidf("attribute equation: %.128q is not a term", t)
			}
		}
	}
	if explicit {
		return e, nil
	}
	if strings.Contains(left, "...") {
		e.result = "..."
	}
	for r := 'A'; r <= 'z'; r++ {
		if strings.Count(left, string(r)) == 1 && r != '.' {
			e.result += string(r)
		}
	}
	return e, nil
}

// bind finds the labels for operands of the given ranks.
func (e *equation) bind(ranks []int) error {
	e.in = e.in[:0]
	most := 0
	for i, t := range e.terms {
		letters := len(strings.Replace(t, "...", "", 1))
		dots := ranks[i] - letters
		if dots < 0 || dots > 0 && !strings.Contains(t, "...") {
			return onnx.Invalidf("attribute equation: term %.128q for an operand of rank %d", t, ranks[i])
		}
		most = max(most, dots)
		e.in = append(e.in, termLabels(t, dots))
	}
	e.out = termLabels(e.result, most)
	for _, l := range e.out {
		found := false
		for _, in := range e.in {
			found = found || slices.Contains(in, l)
		}
		if !found {
			return onnx.Invalidf("attribute equation: the result %.128q names an axis that no operand has", e.result)
		}
	}
	return nil
}

// termLabels is the labels of a term whose ellipsis stands for dots axes.
func termLabels(term string, dots int) []int {
	var labels []int
	for i := 0; i < len(term); i++ {
		if term[i] != '.' {
			labels = append(labels, int(term[i]))
			continue
		}
		for d := dots - 1; d >= 0; d-- {
			labels = append(labels, ellipsis+d)
		}
		i += 2
	}
	return labels
}

func inferEinsum(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	e, err := splitEquation(c.Node)
	if err != nil {
		return err
	}
	ranks, shapes := make([]int, len(e.terms)), make([][]onnx.Dim, len(e.terms))
	for i := range ranks {
		s, err := c.Shape(i)
		if err != nil {
			return err
		}
		ranks[i], shapes[i] = len(s), s
	}
	if err := e.bind(ranks); err != nil {
		return err
	}
	dims := map[int]onnx.Dim{}
	for i, labels := range e.in {
		for a, l := range labels {
			d, ok := dims[l]
			if !ok {
				dims[l] = shapes[i][a]
				continue
			}
			both, err := opdef.Broadcast([]onnx.Dim{d}, shapes[i][a:a+1])
			if err != nil {
				return err
			}
			dims[l] = both[0]
		}
	}
	out := make([]onnx.Dim, len(e.out))
	for i, l := range e.out {
		out[i] = dims[l]
	}
	c.Set(0, c.Elem(0), out...)
	return nil
}

// term is an operand in an Einsum: its distinct labels, and how far its elements are apart along them.
type term[T any] struct {
	data    []T
	labels  []int
	strides []int
}

// einsums is the state of an Einsum step.
type einsums[T float32 | float64 | int64] struct {
	e    *equation
	size map[int]int
	mul  func(m, n, k int, a, b, c []T)
}

// sizes finds the size of each label.
func (s *einsums[T]) sizes(in []opdef.View) error {
	ranks := make([]int, len(in))
	for i := range in {
		ranks[i] = len(in[i].Shape)
	}
	if err := s.e.bind(ranks); err != nil {
		return err
	}
	s.size = map[int]int{}
	for i, labels := range s.e.in {
		for a, l := range labels {
			d := in[i].Shape[a]
			if old, ok := s.size[l]; ok && old != d && old != 1 && d != 1 {
				return onnx.Invalidf("operand %d of shape %v has %d elements along an axis of %d", i, in[i].Shape, d, old)
			} else if !ok || old == 1 {
				s.size[l] = d
			}
		}
	}
	return nil
}

// operand is data of the given shape as a term.
func (s *einsums[T]) operand(data []T, shape, labels []int) term[T] {
	t := term[T]{data: data}
	for a, step := range opdef.Strides(shape) {
		l := labels[a]
		if shape[a] == 1 {
			step = 0
		}
		if i := slices.Index(t.labels, l); i >= 0 {
			t.strides[i] += step
			continue
		}
		t.labels, t.strides = append(t.labels, l), append(t.strides, step)
	}
	return t
}

// count is the number of elements along labels.
func (s *einsums[T]) count(labels []int) (int, bool) {
	dims := make([]int, len(labels))
	for i, l := range labels {
		dims[i] = s.size[l]
	}
	return onnx.NumElements(dims)
}

// dense is the elements of t in the order of keep, summed over the other labels.
func (s *einsums[T]) dense(t term[T], keep []int) (term[T], error) {
	order := slices.Clone(keep)
	for _, l := range t.labels {
		if !slices.Contains(keep, l) {
			order = append(order, l)
		}
	}
	n, ok := s.count(keep)
	all, ok2 := s.count(order)
	if !ok || !ok2 {
		return t, onnx.Invalidf("a product in the equation is too large")
	}
	out := term[T]{data: make([]T, n), labels: keep, strides: make([]int, len(keep))}
	for i, step := len(keep)-1, 1; i >= 0; i-- {
		out.strides[i], step = step, step*s.size[keep[i]]
	}
	if all == 0 {
		return out, nil
	}
	steps, dims, index := make([]int, len(order)), make([]int, len(order)), make([]int, len(order))
	for i, l := range order {
		dims[i] = s.size[l]
		if k := slices.Index(t.labels, l); k >= 0 {
			steps[i] = t.strides[k]
		}
	}
	group, at := all/n, 0
	for e := range all {
		out.data[e/group] += t.data[at]
		for a := len(order) - 1; a >= 0; a-- {
			at += steps[a]
			if index[a]++; index[a] < dims[a] {
				break
			}
			at -= steps[a] * dims[a]
			index[a] = 0
		}
	}
	return out, nil
}

// pair contracts two terms; labels in needed are kept.
func (s *einsums[T]) pair(a, b term[T], needed []int) (term[T], error) {
	var batch, left, right, inner []int
	for _, l := range a.labels {
		switch shared, kept := slices.Contains(b.labels, l), slices.Contains(needed, l); {
		case shared && kept:
			batch = append(batch, l)
		case shared:
			inner = append(inner, l)
		case kept:
			left = append(left, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) && slices.Contains(needed, l) {
			right = append(right, l)
		}
	}
	da, err := s.dense(a, slices.Concat(batch, left, inner))
	if err != nil {
		return a, err
	}
	db, err := s.dense(b, slices.Concat(batch, inner, right))
	if err != nil {
		return a, err
	}
	labels := slices.Concat(batch, left, right)
	total, ok := s.count(labels)
	if !ok {
		return a, onnx.Invalidf("a product in the equation is too large")
	}
	count, _ := s.count(batch)
	m, _ := s.count(left)
	n, _ := s.count(right)
	k, _ := s.count(inner)
	c := make([]T, total)
	for i := range count {
		s.mul(m, n, k, da.data[i*m*k:(i+1)*m*k], db.data[i*k*n:(i+1)*k*n], c[i*m*n:(i+1)*m*n])
	}
	out := term[T]{data: c, labels: labels, strides: make([]int, len(labels))}
	for i, step := len(labels)-1, 1; i >= 0; i-- {
		out.strides[i], step = step, step*s.size[labels[i]]
	}
	return out, nil
}

// compute writes the result to y.
func (s *einsums[T]) compute(terms []term[T], y []T) error {
	acc := terms[0]
	for i := 1; i < len(terms); i++ {
		needed := slices.Clone(s.e.out)
		for _, t := range terms[i+1:] {
			needed = append(needed, t.labels...)
		}
		var err error
		if acc, err = s.pair(acc, terms[i], needed); err != nil {
			return err
		}
	}
	var distinct []int
	for _, l := range s.e.out {
		if !slices.Contains(distinct, l) {
			distinct = append(distinct, l)
		}
	}
	out, err := s.dense(acc, distinct)
	if err != nil || len(distinct) == len(s.e.out) {
		copy(y, out.data)
		return err
	}
	shape := make([]int, len(s.e.out))
	for i, l := range s.e.out {
		shape[i] = s.size[l]
	}
	clear(y)
	to := s.operand(y, shape, s.e.out)
	for e, v := range out.data {
		at, rest := 0, e
		for i := len(distinct) - 1; i >= 0; i-- {
			n := s.size[distinct[i]]
			at += rest % n * to.strides[i]
			rest /= n
		}
		y[at] = v
	}
	return nil
}

// run computes r's output in T; read gives the elements of input i and write takes those of the result.
func (s *einsums[T]) run(r *opdef.Run, read func(i int) []T, y []T) error {
	if err := s.sizes(r.In); err != nil {
		return err
	}
	terms, bytes := make([]term[T], len(r.In)), int64(0)
	for i := range r.In {
		terms[i] = s.operand(read(i), r.In[i].Shape, s.e.in[i])
		bytes += 16 * int64(r.In[i].Len())
	}
	bytes += 16 * int64(len(y))
	if err := r.Host.Memory(bytes); err != nil {
		return err
	}
	err := s.compute(terms, y)
	if e := r.Host.Memory(-bytes); err == nil {
		err = e
	}
	return err
}

func compileEinsum(c *opdef.Compile) (opdef.Step, error) {
	if err := oneElem(c); err != nil {
		return opdef.Step{}, err
	}
	if e := c.Elem(0); e.IsInteger() {
		return einsumIntegers(c)
	}
	return floatKernel(0, einsumStep[float32], einsumStep[float64])(c)
}

func einsumStep[T gemm.Float](c *opdef.Compile) (opdef.Step, error) {
	e, err := splitEquation(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	table := gemmTable[T](c.Generic)
	return opdef.Step{Run: func(r *opdef.Run) error {
		own := *e
		own.in = nil
		s := &einsums[T]{e: &own, mul: func(m, n, k int, a, b, c []T) {
			if m > 0 && n > 0 {
				gemm.Mul(table, r.Team, m, n, k, gemm.Operand[T]{Data: a, Stride: max(k, 1)}, gemm.Operand[T]{Data: b, Stride: n}, c, n, gemm.Epilogue[T]{}, nil)
			}
		}}
		return s.run(r, func(i int) []T { return opdef.Of[T](r.In[i]) }, opdef.Of[T](r.Out[0]))
	}}, nil
}

// einsumIntegers computes in int64, whose low bits are those of every smaller integer.
func einsumIntegers(c *opdef.Compile) (opdef.Step, error) {
	e, err := splitEquation(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	read, write := integerCodec(c.Elem(0))
	return opdef.Step{Run: func(r *opdef.Run) error {
		own := *e
		own.in = nil
		s := &einsums[int64]{e: &own, mul: mulIntegers[int64]}
		y := make([]int64, r.Out[0].Len())
		err := s.run(r, func(i int) []int64 {
			x := make([]int64, r.In[i].Len())
			read(x, r.In[i].Data)
			return x
		}, y)
		write(r.Out[0].Data, y)
		return err
	}}, nil
}

// integerCodec reads integers of type e as int64 and writes the low bits of such.
func integerCodec(e onnx.ElemType) (read func([]int64, []byte), write func([]byte, []int64)) {
	switch e {
	case onnx.Int8:
		return readWhole[int8], writeWhole[int8]
	case onnx.Int16:
		return readWhole[int16], writeWhole[int16]
	case onnx.Int32:
		return readWhole[int32], writeWhole[int32]
	case onnx.Uint8:
		return readWhole[uint8], writeWhole[uint8]
	case onnx.Uint16:
		return readWhole[uint16], writeWhole[uint16]
	case onnx.Uint32:
		return readWhole[uint32], writeWhole[uint32]
	case onnx.Uint64:
		return readWhole[uint64], writeWhole[uint64]
	}
	return readWhole[int64], writeWhole[int64]
}

func readWhole[S whole](to []int64, from []byte) {
	for i, v := range onnx.View[S](from) {
		to[i] = int64(v)
	}
}

func writeWhole[S whole](to []byte, from []int64) {
	out := onnx.View[S](to)
	for i, v := range from {
		out[i] = S(v)
	}
}

// gradEinsum: the gradient of an operand is an Einsum of dY and the other operands; where neither has one of its labels, a
// tensor of ones in its shape stands for it.
func gradEinsum(c *opdef.Grad) error {
	e, err := splitEquation(c.Node)
	if err != nil {
		return err
	}
	for i, t := range e.terms {
		if !c.Needs(i) {
			continue
		}
		ins, terms := values{c.DY(0)}, []string{e.result}
		for j, other := range e.terms {
			if j != i {
				ins, terms = append(ins, c.In(j)), append(terms, other)
			}
		}
		have := strings.Join(terms, "")
		missing := strings.Contains(t, "...") && !strings.Contains(have, "...")
		for _, r := range strings.Replace(t, "...", "", 1) {
			missing = missing || !strings.ContainsRune(have, r)
		}
		if missing {
			ins, terms = append(ins, c.Op("Exp", values{c.Zeros(c.In(i))})), append(terms, t)
		}
		dx := c.Op("Einsum", ins, onnx.Str("equation", strings.Join(terms, ",")+"->"+t))
		c.SetDX(i, sumTo(c, dx, c.In(i)))
	}
	return nil
}
