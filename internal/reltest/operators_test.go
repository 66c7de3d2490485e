package reltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

// TestOperators spoils the official cases of every operator in one way at a time: an unknown attribute, inputs of another
// type or rank, without elements, left out, full of numbers that no index may be, axes that are not there. A run must end
// with a result or with an error of one line that names the node; an unknown attribute, an axis out of range and a type that
// the schema does not allow must be errors.
func TestOperators(t *testing.T) {
	seeds, err := suite()
	require.NoError(t, err)
	var s score
	defer s.report(t)
	count, kinds := map[string]int{}, map[string]map[string]int{}
	for _, seed := range seeds {
		m, err := onnx.Decode(seed.model)
		if err != nil || len(m.Graph.Nodes) != 1 || strings.Contains(seed.id, "_expanded") {
			continue
		}
		op := m.Graph.Nodes[0].Operator()
		if count[op]++; testing.Short() && count[op] > 1 {
			continue
		}
		for _, d := range defects(m, seed.feeds(m)) {
			kind, err := tryDefect(seed, d)
			if kinds[d.kind] == nil {
				kinds[d.kind] = map[string]int{}
			}
			kinds[d.kind][kind]++
			if why := d.complaint(kind, err); why != "" {
				s.fail("%s (%s): %s: %s: %.600v", seed.id, op, d.name, why, err)
			} else {
				s.pass()
			}
		}
	}
	for _, k := range []string{"attribute", "type", "rank", "empty", "missing", "number", "axis"} {
		t.Log(k, kinds[k])
	}
	require.Greater(t, len(count), 180)
}

// defect is one way to spoil a case of one node. spoil may change the inputs in place.
type defect struct {
	kind, name string
	spoil      func(*onnx.Node, map[string]onnx.Object) bool // false: it cannot be done here
	mustFail   bool
}

// complaint is what is wrong with how a run ended; "" for nothing.
func (d *defect) complaint(kind string, err error) string {
	var node *onnx.NodeError
	switch {
	case kind == "internal" || kind == "panic" || kind == "untyped" || kind == "stopped":
		return kind
	case kind == "result" && d.mustFail:
		return "it is not refused"
	case err == nil:
		return ""
	case strings.Contains(err.Error(), "\n"):
		return "the message has several lines"
	case !errors.As(err, &node) && !strings.Contains(err.Error(), "put "):
		return "the message does not say where"
	}
	return ""
}

func tryDefect(s *seed, d defect) (kind string, err error) {
	defer func() {
		if x := recover(); x != nil {
			kind, err = "panic", fmt.Errorf("%v\n%s", x, debug.Stack()) //nolint:errorlint // x is no error
		}
	}()
	m, err := onnx.Decode(s.model)
	if err != nil {
		return kindOf(err), err
	}
	feeds := s.feeds(m)
	if !d.spoil(m.Graph.Nodes[0], feeds) {
		return "result", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), mutantTime)
	defer cancel()
	session, err := runtime.New(m, runtime.Options{Threads: 1, Limits: runtime.Limits{Memory: 64 << 20, Nodes: 100_000}})
	if err != nil {
		return kindOf(err), err
	}
	defer session.Close()
	_, err = session.RunObjects(ctx, feeds)
	if errors.Is(err, context.DeadlineExceeded) {
		return "stopped", err
	}
	return kindOf(err), err
}

// defects lists the ways to spoil the node of m.
func defects(m *onnx.Model, feeds map[string]onnx.Object) []defect {
	n := m.Graph.Nodes[0]
	facts := factsOf(n)
	list := []defect{{
		kind: "attribute", name: "unknown attribute", mustFail: true,
		spoil: func(n *onnx.Node, _ map[string]onnx.Object) bool {
			n.SetAttr(onnx.Int("no_such_attribute", 1))
			return true
		},
	}}
	list = append(list, axisDefects(n)...)
	for i := range n.NumIn() {
		v := n.In(i)
		if v == nil {
			continue
		}
		list = append(list, missing(i))
		x, ok := feeds[v.Name].(*onnx.Tensor)
		if !ok {
			continue
		}
		list = append(list, typeDefects(facts, n, i, x)...)
		list = append(list, rankDefects(i, x)...)
		list = append(list, numberDefects(i, x)...)
	}
	return append(list, emptyDefects(n, feeds)...)
}

// missing leaves out input i.
func missing(i int) defect {
	return defect{kind: "missing", name: fmt.Sprintf("without input %d", i), spoil: func(n *onnx.Node, _ map[string]onnx.Object) bool {
		n.SetIn(i, nil)
		return true
	}}
}

// axisDefects sets axes that are not there.
func axisDefects(n *onnx.Node) (list []defect) {
	for _, a := range n.Attrs {
		for _, far := range []int64{100, -100, math.MaxInt64, math.MinInt64} {
			set := onnx.Int(a.Name, far)
			switch {
			case a.Name == "axis" && a.Kind == onnx.AttrInt && !strings.HasSuffix(n.OpType, "uantizeLinear"): // which ignore it beside one scale
			case a.Name == "axes" && a.Kind == onnx.AttrInts && len(a.Ints) > 0:
				set = onnx.Ints(a.Name, append([]int64{far}, a.Ints[1:]...)...)
			case a.Kind == onnx.AttrInt:
				list = append(list, extreme(set, false))
				continue
			case a.Kind == onnx.AttrInts && len(a.Ints) > 0:
				list = append(list, extreme(onnx.Ints(a.Name, append([]int64{far}, a.Ints[1:]...)...), false))
				continue
			default:
				continue
			}
			list = append(list, extreme(set, true))
		}
	}
	return list
}

func extreme(a onnx.Attribute, mustFail bool) defect {
	return defect{kind: "axis", name: fmt.Sprintf("attribute %s: %d %d", a.Name, a.I, a.Ints), mustFail: mustFail, spoil: func(n *onnx.Node, _ map[string]onnx.Object) bool {
		n.SetAttr(a)
		return true
	}}
}

// feed makes x input i of the node, whatever its type, and lets the outputs have any type.
func feed(n *onnx.Node, feeds map[string]onnx.Object, i int, x *onnx.Tensor) bool {
	v := n.In(i)
	if v == nil || x == nil {
		return false
	}
	v.Type = x.Type()
	feeds[v.Name] = x
	for _, o := range n.Outputs() {
		if o != nil {
			o.Type = onnx.Type{}
		}
	}
	return true
}

// typeDefects gives input i each other element type; what the schema does not allow must be refused.
func typeDefects(facts *schema.Schema, n *onnx.Node, i int, x *onnx.Tensor) (list []defect) {
	others := []onnx.ElemType{onnx.Bool, onnx.Int64, onnx.Int32, onnx.Uint8, onnx.Float32, onnx.Float64, onnx.Float16, onnx.BFloat16, onnx.Complex64, onnx.String, onnx.Int4, onnx.Float8E4M3FN}
	for _, e := range others {
		if e == x.Elem {
			continue
		}
		list = append(list, defect{
			kind: "type", name: fmt.Sprintf("input %d of type %v", i, e), mustFail: facts != nil && !allows(facts, i, e),
			spoil: func(n *onnx.Node, feeds map[string]onnx.Object) bool {
				y, err := onnx.Zeros(e, x.Shape...)
				return err == nil && feed(n, feeds, i, y)
			},
		})
	}
	return list
}

// allows reports whether the schema lets input i be a tensor of e.
func allows(s *schema.Schema, i int, e onnx.ElemType) bool {
	if i >= len(s.Inputs) {
		i = len(s.Inputs) - 1
	}
	want := "tensor(" + e.String() + ")"
	name := s.Inputs[i].Type
	for _, c := range s.Types {
		if c.Name == name {
			return slices.Contains(c.Types, want)
		}
	}
	return name == want
}

// rankDefects gives input i other ranks.
func rankDefects(i int, x *onnx.Tensor) (list []defect) {
	shapes := [][]int{{}, append([]int{1}, x.Shape...), append(slices.Clone(x.Shape), 1), append(slices.Clone(x.Shape), 2), {1, 1, 1, 1, 1, 1, 1}}
	if len(x.Shape) > 0 {
		shapes = append(shapes, x.Shape[1:], x.Shape[:len(x.Shape)-1])
	}
	for _, shape := range shapes {
		list = append(list, defect{kind: "rank", name: fmt.Sprintf("input %d of shape %v", i, shape), spoil: func(n *onnx.Node, feeds map[string]onnx.Object) bool {
			y, err := onnx.Zeros(x.Elem, shape...)
			if err != nil || !feed(n, feeds, i, y) {
				return false
			}
			if x.Elem != onnx.String {
				for b, from := y.Mutable(), x.Bytes(); len(b) > 0 && len(from) > 0; {
					b = b[copy(b, from):]
				}
			}
			return true
		}})
	}
	return list
}

// numberDefects fills an input of integers with numbers that no index, axis or size may be.
func numberDefects(i int, x *onnx.Tensor) (list []defect) {
	if x.Elem != onnx.Int64 && x.Elem != onnx.Int32 {
		return nil
	}
	for _, v := range []int64{0, -1, 1 << 20, 1<<31 - 1, -1 << 31, math.MaxInt64, math.MinInt64} {
		list = append(list, defect{kind: "number", name: fmt.Sprintf("input %d full of %d", i, v), spoil: func(n *onnx.Node, feeds map[string]onnx.Object) bool {
			y, err := onnx.Zeros(x.Elem, x.Shape...)
			if err != nil {
				return false
			}
			for j := range y.Len() {
				if x.Elem == onnx.Int64 {
					onnx.View[int64](y.Mutable())[j] = v
				} else {
					onnx.View[int32](y.Mutable())[j] = int32(v)
				}
			}
			return feed(n, feeds, i, y)
		}})
	}
	return list
}

// emptyDefects makes one dimension of one input 0, and all dimensions of a size in all inputs.
func emptyDefects(n *onnx.Node, feeds map[string]onnx.Object) (list []defect) {
	sizes := map[int]bool{}
	for i := range n.NumIn() {
		if n.In(i) == nil {
			continue
		}
		x, ok := feeds[n.In(i).Name].(*onnx.Tensor)
		if !ok {
			continue
		}
		for axis, size := range x.Shape {
			sizes[size] = true
			list = append(list, defect{kind: "empty", name: fmt.Sprintf("axis %d of input %d of size 0", axis, i), spoil: func(n *onnx.Node, feeds map[string]onnx.Object) bool {
				shape := slices.Clone(x.Shape)
				shape[axis] = 0
				y, err := onnx.Zeros(x.Elem, shape...)
				return err == nil && feed(n, feeds, i, y)
			}})
		}
	}
	for size := range sizes {
		list = append(list, defect{kind: "empty", name: fmt.Sprintf("all sizes of %d are 0", size), spoil: func(n *onnx.Node, feeds map[string]onnx.Object) bool {
			return emptied(n, feeds, size)
		}})
	}
	slices.SortFunc(list, func(a, b defect) int { return strings.Compare(a.name, b.name) })
	return list
}

func emptied(n *onnx.Node, feeds map[string]onnx.Object, size int) bool {
	for i := range n.NumIn() {
		if n.In(i) == nil {
			continue
		}
		x, ok := feeds[n.In(i).Name].(*onnx.Tensor)
		if !ok || !slices.Contains(x.Shape, size) {
			continue
		}
		shape := slices.Clone(x.Shape)
		for j, d := range shape {
			if d == size {
				shape[j] = 0
			}
		}
		y, err := onnx.Zeros(x.Elem, shape...)
		if err != nil || !feed(n, feeds, i, y) {
			return false
		}
	}
	return true
}
