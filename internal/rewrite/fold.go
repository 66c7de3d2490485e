package rewrite

import (
	"encoding/binary"
	"math"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

// fold computes what is constant: nodes whose inputs are constants, through Options.Eval, and integers that inference
// knows, such as the shape of a value whose sizes are fixed. Outputs whose size is not known beforehand or is above the limit
// stay as they are.
func (p *optimiser) fold() error {
	f := shape.New(p.set)
	f.Forgive = true
	f.Variable = func(v *onnx.Value) bool { return p.o.isVariable(v) }
	if err := f.Graph(p.g); err != nil {
		return err
	}
	return graphs(p.g, func(g *onnx.Graph) error {
		order, err := sorted(g)
		if err != nil {
			return err
		}
		for _, n := range order {
			if err := p.o.err(); err != nil {
				return err
			}
			p.foldKnown(f, n)
			p.foldReshape(f, n)
			if err := p.foldNode(n); err != nil {
				return onnx.At(n, err)
			}
		}
		return nil
	})
}

// foldKnown makes constants of outputs of n whose contents inference knows.
func (p *optimiser) foldKnown(f *shape.Inferrer, n *onnx.Node) {
	for _, v := range n.Outputs() {
		if v == nil || len(v.Uses()) == 0 || p.outputs[v] || !v.Type.IsFixed() || len(v.Type.Shape) > 1 {
			continue
		}
		if t := intTensor(v.Type, f.Ints(v)); t != nil {
			p.setConstant(v, t)
		}
	}
}

// foldReshape lets n, a Reshape to a computed shape, read a constant: where all sizes but one are fixed, the one has a name,
// and the input has the same name once and as many elements besides, the name is what -1 means.
func (p *optimiser) foldReshape(f *shape.Inferrer, n *onnx.Node) {
	if !is(n, "Reshape") || n.NumIn() != 2 || n.In(0) == nil || n.In(1) == nil || n.In(1).Init != nil || !n.In(0).Type.Ranked {
		return
	}
	name, size, ok := oneName(n.In(0).Type.Shape)
	dims := f.Ints(n.In(1))
	name2, size2, ok2 := oneName(dims)
	if !ok || !ok2 || name != name2 || size != size2 {
		return
	}
	to := make([]int64, len(dims))
	for i, d := range dims {
		to[i] = d.N
		if d.Name != "" {
			to[i] = -1
		}
	}
	t := onnx.Vector(to...)
	n.SetIn(1, p.g.Initializer(n.In(1).Name, t.Type(), t))
}

// oneName is the only name among dims and the product of the others, which must be fixed and not 0.
func oneName(dims []onnx.Dim) (name string, size int, ok bool) {
	size = 1
	for _, d := range dims {
		switch {
		case d.Name != "" && name == "":
			name = d.Name
		case !d.IsFixed() || d.N == 0 || d.N > math.MaxInt:
			return "", 0, false
		default:
			if size, ok = onnx.MulSize(size, int(d.N)); !ok {
				return "", 0, false
			}
		}
	}
	return name, size, name != ""
}

// intTensor is the tensor of type ty with the given contents; nil when not all of them are known.
func intTensor(ty onnx.Type, dims []onnx.Dim) *onnx.Tensor {
	if ty.Elem != onnx.Int64 && ty.Elem != onnx.Int32 || dims == nil {
		return nil
	}
	n := 1
	var sizes []int
	if len(ty.Shape) == 1 {
		n = int(ty.Shape[0].N)
		sizes = []int{n}
	}
	if len(dims) != n {
		return nil
	}
	var b []byte
	for _, d := range dims {
		switch {
		case d.Name != "" || d.N == onnx.Unknown.N:
			return nil
		case ty.Elem == onnx.Int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(d.N))
		default:
			b = binary.LittleEndian.AppendUint32(b, uint32(d.N))
		}
	}
	t, err := onnx.Zeros(ty.Elem, sizes...)
	if err != nil {
		return nil
	}
	copy(t.Mutable(), b)
	return t
}

// foldNode computes n when its inputs are constants and its outputs are small.
func (p *optimiser) foldNode(n *onnx.Node) error {
	if p.o.Eval == nil || !p.wanted(n) || !pure(n, p.set.Find(n.Domain, n.OpType)) {
		return nil
	}
	ins, inBytes := make([]*onnx.Tensor, n.NumIn()), int64(0)
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if ins[i] = p.constant(v); ins[i] == nil {
			return nil
		}
		inBytes += int64(ins[i].ByteLen())
	}
	bytes, ok := outBytes(n)
	if !ok {
		return nil
	}
	if max := max(inBytes, p.foldBytes()); bytes > max {
		if p.o.Logger != nil {
			p.o.Logger.Warn("constant not folded: too large", "node", n.Label(), "op", n.Operator(), "bytes", bytes, "limit", max)
		}
		return nil
	}
	if err := p.o.charge(bytes); err != nil {
		return err
	}
	outs, err := p.o.Eval(n, ins)
	if err != nil { // what is wrong with it is said when the graph runs
		if p.o.Logger != nil {
			p.o.Logger.Warn("constant not folded", "node", n.Label(), "op", n.Operator(), "error", err)
		}
		return p.o.err()
	}
	for i, v := range n.Outputs() {
		if v != nil && i < len(outs) && outs[i] != nil && !p.outputs[v] {
			p.setConstant(v, outs[i])
		}
	}
	return nil
}

// wanted reports whether somebody but a graph's border reads an output of n.
func (p *optimiser) wanted(n *onnx.Node) bool {
	for _, v := range n.Outputs() {
		if v != nil && len(v.Uses()) > 0 && !p.outputs[v] {
			return true
		}
	}
	return false
}

func (p *optimiser) foldBytes() int64 {
	if p.o.FoldBytes == 0 {
		return 1 << 20
	}
	return p.o.FoldBytes
}

// outBytes is the size of n's outputs; ok is false when it is not known.
func outBytes(n *onnx.Node) (int64, bool) {
	total := int64(0)
	for _, v := range n.Outputs() {
		if v == nil {
			continue
		}
		if !v.Type.IsTensor() || !v.Type.IsFixed() || v.Type.Elem == onnx.String {
			return 0, false
		}
		sizes := make([]int, len(v.Type.Shape))
		for i, d := range v.Type.Shape {
			sizes[i] = int(d.N)
			if int64(sizes[i]) != d.N {
				return 0, false
			}
		}
		count, ok := onnx.NumElements(sizes)
		if !ok {
			return 0, false
		}
		bytes, ok := v.Type.Elem.NumBytes(count)
		if !ok || int64(bytes) > (1<<62)-total {
			return 0, false
		}
		total += int64(bytes)
	}
	return total, true
}
