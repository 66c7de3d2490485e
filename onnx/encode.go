package onnx

import (
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// Encode writes m as the bytes of a ModelProto. A model that was decoded and not changed gives a message that says the same
// in every field, unknown ones included; the order of fields is that of their numbers. Nodes are written in the order of
// Graph.Nodes; Graph.Updates are not written.
//
// It is an error if an initializer has no contents, or if the message would be 2 GiB or longer (WriteFile can move tensors to
// a second file).
func (m *Model) Encode() ([]byte, error) { return m.Append(nil) }

// Append is Encode, appending to b.
func (m *Model) Append(b []byte) ([]byte, error) {
	e := encoder{}
	if err := e.encode(m); err != nil {
		return nil, err
	}
	return e.AppendTo(b), nil
}

// Write is Encode, written to w.
func (m *Model) Write(w io.Writer) error {
	e := encoder{}
	if err := e.encode(m); err != nil {
		return err
	}
	_, err := e.WriteTo(w)
	return err
}

// EncodeTensor writes t as the bytes of a TensorProto.
func EncodeTensor(t *Tensor) ([]byte, error) {
	e := encoder{}
	e.tensor(t, t.Name)
	return e.finish()
}

// EncodeFunction writes f as the bytes of a FunctionProto.
func EncodeFunction(f *Function) ([]byte, error) {
	e := encoder{}
	e.function(f)
	return e.finish()
}

// encoder writes messages. Its first error is kept.
type encoder struct {
	wire.Writer
	err error
	// place gives a tensor a place in an external file; nil: every tensor stays in the message.
	place func(*Tensor) *External
}

func (e *encoder) encode(m *Model) error {
	e.model(m)
	return e.check()
}

func (e *encoder) check() error {
	if e.err == nil && e.Size() > math.MaxInt32 {
		e.err = &LimitError{Limit: "size of one message", Value: math.MaxInt32, Asked: e.Size(), Unit: "bytes"}
	}
	return prefixed(e.err)
}

func (e *encoder) finish() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	return e.AppendTo(nil), nil
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// str writes a string unless it is empty and stood not in the file.
func (e *encoder) str(num protowire.Number, s string, p present) {
	if s != "" || p.has(int(num)) {
		e.Str(num, s)
	}
}

func (e *encoder) entries(num protowire.Number, list []Entry) {
	for _, x := range list {
		e.Message(num, func() {
			e.Str(1, x.Key)
			e.Str(2, x.Value)
		})
	}
}

func (e *encoder) strings(num protowire.Number, list []string) {
	for _, s := range list {
		e.Str(num, s)
	}
}

func (e *encoder) blobs(num protowire.Number, list [][]byte) {
	for _, b := range list {
		e.Bytes(num, b)
	}
}

func (e *encoder) model(m *Model) {
	p := m.info.present
	e.Varint(1, int64(m.IRVersion))
	e.str(2, m.Producer, p)
	e.str(3, m.ProducerVersion, p)
	e.str(4, m.Domain, p)
	if m.ModelVersion != 0 || p.has(5) {
		e.Varint(5, m.ModelVersion)
	}
	e.str(6, m.Doc, p)
	e.Message(7, func() { e.graph(m.Graph) })
	e.opsets(8, m.Graph)
	e.entries(14, m.Metadata)
	for _, t := range m.Training {
		e.Message(20, func() { e.training(t) })
	}
	for _, f := range m.Functions {
		e.Message(25, func() { e.function(f) })
	}
	e.blobs(26, m.info.configuration)
	e.Raw(m.info.unknown)
}

// opsets writes the imports; a domain is written even when empty, as onnx's own helper does, unless the file did not.
func (e *encoder) opsets(num protowire.Number, g *Graph) {
	for i, o := range g.Opsets {
		form := opsetForm{present: fromFile | 1<<1 | 1<<2}
		if i < len(g.info.opsets) {
			form = g.info.opsets[i]
		}
		e.Message(num, func() {
			e.str(1, o.Domain, form.present)
			if o.Version != 0 || form.present.has(2) {
				e.Varint(2, int64(o.Version))
			}
			e.Raw(form.unknown)
		})
	}
}

func (e *encoder) training(t *TrainingInfo) {
	if t.Initialization != nil {
		e.Message(1, func() { e.graph(t.Initialization) })
	}
	if t.Algorithm != nil {
		e.Message(2, func() { e.graph(t.Algorithm) })
	}
	e.entries(3, t.InitializationBinding)
	e.entries(4, t.UpdateBinding)
	e.Raw(t.unknown)
}

func (e *encoder) function(f *Function) {
	e.str(1, f.Name, f.present)
	for _, v := range f.Body.Inputs {
		e.Str(4, v.Name)
	}
	for _, v := range f.Body.Outputs {
		e.Str(5, v.Name)
	}
	e.strings(6, f.Attributes)
	e.nodes(7, f.Body)
	e.str(8, f.Doc, f.present)
	e.opsets(9, f.Body)
	e.str(10, f.Domain, f.present)
	for i := range f.Defaults {
		e.Message(11, func() { e.attribute(&f.Defaults[i]) })
	}
	e.valueInfo(12, f.Body)
	e.str(13, f.Overload, f.present)
	e.entries(14, f.Metadata)
	e.Raw(f.unknown)
}

func (e *encoder) graph(g *Graph) {
	p := g.info.present
	e.nodes(1, g)
	e.str(2, g.Name, p)
	for _, v := range g.Initializers {
		if v.Sparse == nil {
			e.initializer(v)
		}
	}
	e.str(10, g.Doc, p)
	e.ports(11, g.Inputs, g.info.inputs)
	e.ports(12, g.Outputs, g.info.outputs)
	e.valueInfo(13, g)
	e.blobs(14, g.info.quant)
	for _, v := range g.Initializers {
		if v.Sparse != nil {
			e.Message(15, func() { e.sparse(v.Sparse, v.Name) })
		}
	}
	e.entries(16, g.Metadata)
	e.Raw(g.info.unknown)
}

func (e *encoder) initializer(v *Value) {
	if v.Init == nil {
		e.fail(Invalidf("initializer %.128q has no contents", v.Name))
		return
	}
	e.Message(5, func() { e.tensor(v.Init, v.Name) })
}

func (e *encoder) nodes(num protowire.Number, g *Graph) {
	for _, n := range g.Nodes {
		e.Message(num, func() { e.node(n) })
	}
}

func (e *encoder) slots(num protowire.Number, list []slot) {
	for _, s := range list {
		name := ""
		if s.v != nil {
			name = s.v.Name
		}
		e.Str(num, name)
	}
}

func (e *encoder) node(n *Node) {
	p := n.present
	e.slots(1, n.in)
	e.slots(2, n.out)
	e.str(3, n.Name, p)
	e.str(4, n.OpType, p)
	for i := range n.Attrs {
		e.Message(5, func() { e.attribute(&n.Attrs[i]) })
	}
	e.str(6, n.Doc, p)
	e.str(7, n.Domain, p)
	e.str(8, n.Overload, p)
	e.entries(9, n.Metadata)
	e.Raw(n.unknown)
}

// ports writes the inputs or outputs of a graph, as they stood in the file where that still holds.
func (e *encoder) ports(num protowire.Number, values []*Value, infos []declared) {
	byName := make(map[string]*declared, len(infos))
	for i := range infos {
		byName[infos[i].name] = &infos[i]
	}
	for i, v := range values {
		if i < len(infos) && infos[i].name == v.Name {
			e.value(num, v, &infos[i])
			continue
		}
		e.value(num, v, byName[v.Name])
	}
}

// valueInfo writes the declarations of the file, without those of values that are gone.
func (e *encoder) valueInfo(num protowire.Number, g *Graph) {
	if len(g.info.valueInfo) == 0 {
		return
	}
	byName := map[string]*Value{}
	g.eachValue(func(v *Value) { byName[v.Name] = v })
	for i := range g.info.valueInfo {
		d := &g.info.valueInfo[i]
		switch v := byName[d.name]; {
		case v != nil:
			e.value(num, v, d)
		case d.stray:
			e.Bytes(num, d.raw)
		}
	}
}

// eachValue calls do for the values that g itself defines.
func (g *Graph) eachValue(do func(*Value)) {
	for _, v := range g.Inputs {
		do(v)
	}
	for _, v := range g.Initializers {
		do(v)
	}
	for _, n := range g.Nodes {
		for _, s := range n.out {
			if s.v != nil {
				do(s.v)
			}
		}
	}
}

// value writes a ValueInfoProto: as it stood in the file, if d is not nil and the value's type is still that one.
func (e *encoder) value(num protowire.Number, v *Value, d *declared) {
	if d == nil {
		e.Message(num, func() {
			e.Str(1, v.Name)
			e.typ(2, v.Type)
			e.str(3, v.Doc, 0)
		})
		return
	}
	if d.other || d.typ().Equal(v.Type) {
		e.Bytes(num, d.raw)
		return
	}
	e.Message(num, func() {
		e.Str(1, v.Name)
		e.typ(2, v.Type)
		for r := wire.NewReader(d.raw, 0); r.Next(); {
			if r.Num > 2 {
				e.Raw(r.Raw())
			}
		}
	})
}

// typ is the type that the file declared.
func (d *declared) typ() Type {
	dec := &decoder{budget: math.MaxInt64}
	_, t, _, err := dec.valueInfo(wire.NewReader(d.raw, 0))
	if err != nil {
		return Type{}
	}
	return t
}

// typ writes a TypeProto; nothing for an unknown type.
func (e *encoder) typ(num protowire.Number, t Type) {
	if t.Kind != KindUnknown {
		e.Message(num, func() { e.typeBody(t) })
	}
}

func (e *encoder) typeBody(t Type) {
	switch t.Kind {
	case KindTensor:
		e.Message(1, func() { e.tensorType(t) })
	case KindSequence:
		e.Message(4, func() { e.typ(1, *t.of()) })
	case KindMap:
		e.Message(5, func() {
			e.Varint(1, int64(t.Key))
			e.typ(2, *t.of())
		})
	case KindOpaque:
		e.Message(7, func() {})
	case KindSparseTensor:
		e.Message(8, func() { e.tensorType(t) })
	case KindOptional:
		e.Message(9, func() { e.typ(1, *t.of()) })
	}
}

func (e *encoder) tensorType(t Type) {
	e.Varint(1, int64(t.Elem))
	if !t.Ranked {
		return
	}
	e.Message(2, func() {
		for _, d := range t.Shape {
			e.Message(1, func() { e.dim(d) })
		}
	})
}

func (e *encoder) dim(d Dim) {
	switch {
	case d.Name != "":
		e.Str(2, d.Name)
	case d.N != math.MinInt64:
		e.Varint(1, d.N)
	}
}

func (e *encoder) attribute(a *Attribute) {
	p := a.present
	// has says whether the value of a kind is written: it stood in the file, or the attribute is new and of that kind.
	has := func(k AttrKind) bool { return p.has(attrFields[k]) || p == 0 && a.Kind == k && a.Ref == "" }
	e.str(1, a.Name, p)
	if has(AttrFloat) || a.F != 0 {
		e.Float32(2, a.F)
	}
	if has(AttrInt) || a.I != 0 {
		e.Varint(3, a.I)
	}
	if has(AttrString) || a.S != "" {
		e.Str(4, a.S)
	}
	if a.T != nil {
		e.Message(5, func() { e.tensor(a.T, a.T.Name) })
	}
	if a.G != nil {
		e.Message(6, func() { e.graph(a.G) })
	}
	e.lists(a)
	e.str(13, a.Doc, p)
	e.attrTypes(a)
	if a.Kind != AttrUndefined && (p == 0 || p.has(20)) || p.has(20) {
		e.Varint(20, int64(a.Kind))
	}
	e.str(21, a.Ref, p)
	if a.Sparse != nil {
		e.Message(22, func() { e.sparse(a.Sparse, a.Sparse.Values.Name) })
	}
	for _, s := range a.SparseTensors {
		e.Message(23, func() { e.sparse(s, s.Values.Name) })
	}
	e.Raw(a.unknown)
}

func (e *encoder) lists(a *Attribute) {
	for _, v := range a.Floats {
		e.Float32(7, v)
	}
	for _, v := range a.Ints {
		e.Varint(8, v)
	}
	e.strings(9, a.Strings)
	for _, t := range a.Tensors {
		e.Message(10, func() { e.tensor(t, t.Name) })
	}
	for _, g := range a.Graphs {
		e.Message(11, func() { e.graph(g) })
	}
}

// attrTypes writes types, as they stood in the file where they are still the same.
func (e *encoder) attrTypes(a *Attribute) {
	num, list := protowire.Number(15), a.Types
	if a.Type != nil {
		num, list = 14, append([]Type{*a.Type}, a.Types...)
	}
	for i, t := range list {
		if i > 0 {
			num = 15
		}
		if i < len(a.types) {
			dec := &decoder{budget: math.MaxInt64}
			if old, err := dec.typ(wire.NewReader(a.types[i], 0)); err == nil && old.Equal(t) {
				e.Bytes(num, a.types[i])
				continue
			}
		}
		e.Message(num, func() { e.typeBody(t) })
	}
}

// tensorError places an error at a tensor.
func tensorError(name string, err error) error { return fmt.Errorf("tensor %.128q: %w", name, err) }
