package onnx

import (
	"errors"
	"fmt"

	"github.com/gneiss-ml/gneiss/internal/wire"
)

// What can be wrong with a name in a graph; a NameError wraps one of them.
var (
	// ErrUndefined marks a value that is read but that nothing defines.
	ErrUndefined = errors.New("not defined")
	// ErrDuplicate marks a name with two definitions in one graph.
	ErrDuplicate = errors.New("defined twice")
	// ErrShadow marks a name in a subgraph that hides one of an enclosing graph.
	ErrShadow = errors.New("hiding a value of an enclosing graph")
)

// NameError is an error of the invalid kind about a name in a graph.
type NameError struct {
	Name string // of the value
	Err  error  // ErrUndefined, ErrDuplicate or ErrShadow
}

// Error says which name and what is wrong with it.
func (e *NameError) Error() string { return fmt.Sprintf("value %.128q is %v", e.Name, e.Err) }

// Unwrap gives the kind and the cause.
func (e *NameError) Unwrap() []error { return []error{ErrInvalid, e.Err} }

// scope is the names that a graph defines, inside those of the enclosing graphs.
type scope struct {
	outer *scope
	names map[string]def
	at    int  // node whose attributes are being read
	open  bool // undefined names become values that nothing makes
	g     *Graph
}

// def is a definition and the place of the node that makes it; -1 for inputs and initializers.
type def struct {
	v   *Value
	pos int
}

func newScope(g *Graph, outer *scope) *scope {
	return &scope{outer: outer, names: map[string]def{}, g: g}
}

func (s *scope) lookup(name string) (def, *scope) {
	for ; s != nil; s = s.outer {
		if d, ok := s.names[name]; ok {
			return d, s
		}
	}
	return def{}, nil
}

// linker turns a message into nodes and values. All names of a graph are defined before the first is looked up, so nodes
// may stand in any order.
type linker struct {
	*decoder
	g     *Graph
	scope *scope

	inputs, outputs, infos []*wire.Reader
	dense, sparse          []*wire.Reader
	defaults               []*wire.Reader
	nodes                  []pending
}

// pending is a node whose inputs and attributes are not yet read.
type pending struct {
	r     *wire.Reader
	n     *Node
	in    []string
	attrs []*wire.Reader
}

func (d *decoder) newGraph(name string, outer *Graph) *Graph { return NewGraph(name, outer) }

// graph reads a graph. outer is the graph whose node holds it, in the scope sc, which has no names where it only says that
// undefined names are allowed.
func (d *decoder) graph(r *wire.Reader, outer *Graph, sc *scope, opsets []Opset, forms []opsetForm) (*Graph, error) {
	if outer != nil && int64(outer.Depth()+1) > d.subgraphs {
		return nil, &LimitError{Limit: "depth of subgraphs", Value: d.subgraphs, Asked: int64(outer.Depth() + 1), Unit: "graphs"}
	}
	if err := d.charge(sizeOf[Graph]() + sizeOf[linker]()); err != nil {
		return nil, err
	}
	g := d.newGraph("", outer)
	g.Opsets, g.info.opsets, g.info.present = opsets, forms, fromFile
	l := linker{decoder: d, g: g, scope: newScope(g, sc)}
	if err := l.fields(r); err != nil {
		return nil, err
	}
	return g, l.graphBody()
}

func (l *linker) fields(r *wire.Reader) error {
	g := l.g
	for r.Next() {
		var err error
		switch r.Num {
		case 1:
			l.nodes = append(l.nodes, pending{r: l.later(r)})
		case 2:
			g.Name = l.str(r)
		case 5:
			l.dense = append(l.dense, l.later(r))
		case 10:
			g.Doc = l.str(r)
		case 11:
			l.inputs = append(l.inputs, l.later(r))
		case 12:
			l.outputs = append(l.outputs, l.later(r))
		case 13:
			l.infos = append(l.infos, l.later(r))
		case 14:
			err = l.charge(2 * sizeOf[[]byte]())
			g.info.quant = append(g.info.quant, r.Bytes())
		case 15:
			l.sparse = append(l.sparse, l.later(r))
		case 16:
			err = within("metadata_props", len(g.Metadata), l.entries(&g.Metadata, r))
		default:
			l.keep(&g.info.unknown, r)
		}
		if err != nil {
			return err
		}
		g.info.present.see(r)
	}
	return finish(r)
}

func (l *linker) graphBody() error {
	for i, r := range l.inputs {
		if err := l.input(r); err != nil {
			return within("input", i, err)
		}
	}
	for i, r := range l.dense {
		if err := l.initializer(r); err != nil {
			return within("initializer", i, err)
		}
	}
	for i, r := range l.sparse {
		if err := l.sparseInitializer(r); err != nil {
			return within("sparse_initializer", i, err)
		}
	}
	if err := l.link(); err != nil {
		return err
	}
	for i, r := range l.outputs {
		if err := l.outputInfo(r); err != nil {
			return within("output", i, err)
		}
	}
	return l.valueInfos()
}

// define makes a value called name. pos is the place of the node that makes it; -1 when none does.
func (l *linker) define(name string, pos int) (*Value, error) {
	if name == "" {
		return nil, Invalidf("a value has no name")
	}
	if _, ok := l.scope.names[name]; ok {
		return nil, &NameError{name, ErrDuplicate}
	}
	if d, s := l.scope.outer.lookup(name); s != nil && d.pos < s.at {
		return nil, &NameError{name, ErrShadow}
	}
	if err := l.charge(sizeOf[Value]() + 128); err != nil {
		return nil, err
	}
	v := &Value{Name: name, graph: l.g}
	l.scope.names[name] = def{v, pos}
	l.g.claim(name)
	return v, nil
}

func (l *linker) input(r *wire.Reader) error {
	info, t, doc, err := l.valueInfo(r)
	if err != nil {
		return err
	}
	v, err := l.define(info.name, -1)
	if err != nil {
		return err
	}
	v.Type, v.Doc = t, doc
	l.g.Inputs = append(l.g.Inputs, v)
	l.g.info.inputs = append(l.g.info.inputs, info)
	return nil
}

// initial is the value of an initializer, which may be an input as well (in IR 3 it always is).
func (l *linker) initial(name string) (*Value, error) {
	if d, ok := l.scope.names[name]; ok && !d.v.init {
		d.v.init = true
		return d.v, nil
	}
	v, err := l.define(name, -1)
	if err == nil {
		v.init = true
	}
	return v, err
}

func (l *linker) initializer(r *wire.Reader) error {
	t, err := l.tensor(r)
	if err != nil {
		return err
	}
	v, err := l.initial(t.Name)
	if err != nil {
		return err
	}
	v.Init = t
	if v.Type.Kind == KindUnknown {
		v.Type = t.Type()
	}
	l.g.Initializers = append(l.g.Initializers, v)
	return nil
}

func (l *linker) sparseInitializer(r *wire.Reader) error {
	s, err := l.sparseTensor(r)
	if err != nil {
		return err
	}
	v, err := l.initial(s.Values.Name)
	if err != nil {
		return err
	}
	v.Sparse = s
	if v.Type.Kind == KindUnknown {
		v.Type = s.ObjectType()
		v.Type.Kind = KindTensor // what readers of the value see
	}
	l.g.Initializers = append(l.g.Initializers, v)
	return nil
}

// link makes the nodes: first what they define, then what they read.
func (l *linker) link() error {
	for i := range l.nodes {
		if err := l.node(&l.nodes[i], i); err != nil {
			return within("node", i, err)
		}
	}
	for i := range l.nodes {
		if err := l.reads(&l.nodes[i], i); err != nil {
			return within("node", i, err)
		}
	}
	return nil
}

// node reads what is not a reference: names, and the outputs, which it defines.
func (l *linker) node(p *pending, pos int) error {
	if err := l.charge(sizeOf[Node]() + 64); err != nil {
		return err
	}
	n := &Node{graph: l.g, present: fromFile}
	p.n = n
	var out []string
	for r := p.r; r.Next(); {
		var err error
		switch r.Num {
		case 1:
			p.in = append(p.in, l.str(r))
		case 2:
			out = append(out, l.str(r))
		case 3:
			n.Name = l.str(r)
		case 4:
			n.OpType = l.str(r)
		case 5:
			p.attrs = append(p.attrs, l.later(r))
		case 6:
			n.Doc = l.str(r)
		case 7:
			n.Domain = l.str(r)
		case 8:
			n.Overload = l.str(r)
		case 9:
			err = within("metadata_props", len(n.Metadata), l.entries(&n.Metadata, r))
		default:
			l.keep(&n.unknown, r)
		}
		if err != nil {
			return err
		}
		n.present.see(r)
	}
	if err := finish(p.r); err != nil {
		return err
	}
	l.g.Nodes = append(l.g.Nodes, n)
	if n.Name != "" {
		l.g.claim(n.Name)
	}
	return l.makes(n, out, pos)
}

func (l *linker) makes(n *Node, out []string, pos int) error {
	for i, name := range out {
		n.out = append(n.out, slot{})
		if name == "" {
			continue
		}
		v, err := l.define(name, pos)
		if err != nil {
			return within("output", i, err)
		}
		v.node, v.index = n, i
		n.out[i].v = v
	}
	return nil
}

// reads looks up the inputs of a node and reads its attributes, subgraphs included. Nodes are numbered here, so that those
// of a subgraph come after the node that holds it and before the next one.
func (l *linker) reads(p *pending, pos int) error {
	l.g.names.ids++
	p.n.ID = l.g.names.ids
	for i, name := range p.in {
		v, err := l.find(name)
		if err != nil {
			return within("input", i, err)
		}
		if err := l.charge(2 * (sizeOf[slot]() + sizeOf[Use]())); err != nil {
			return err
		}
		p.n.AddIn(v)
	}
	l.scope.at = pos
	for i, r := range p.attrs {
		a, err := l.attribute(r, l.scope)
		if err != nil {
			return within("attribute", i, err)
		}
		p.n.Attrs = append(p.n.Attrs, a)
	}
	return nil
}

// find is the value called name; nil, which is an absent input, for the empty name.
func (l *linker) find(name string) (*Value, error) {
	if name == "" {
		return nil, nil
	}
	d, s := l.scope.lookup(name)
	if s != nil {
		return d.v, nil
	}
	for s = l.scope; s != nil; s = s.outer {
		if s.open {
			return l.stray(name)
		}
	}
	return nil, &NameError{name, ErrUndefined}
}

// stray makes a value that nothing makes, in the outermost graph of a training recipe.
func (l *linker) stray(name string) (*Value, error) {
	s := l.scope
	for s.outer != nil && !s.outer.open {
		s = s.outer
	}
	if err := l.charge(sizeOf[Value]() + 128); err != nil {
		return nil, err
	}
	v := &Value{Name: name, graph: s.g}
	s.names[name] = def{v, -1}
	s.g.claim(name)
	return v, nil
}

func (l *linker) output(name string) (*Value, error) {
	if name == "" {
		return nil, Invalidf("a graph output has no name")
	}
	return l.find(name)
}

func (l *linker) outputInfo(r *wire.Reader) error {
	info, t, doc, err := l.valueInfo(r)
	if err != nil {
		return err
	}
	v, err := l.output(info.name)
	if err != nil {
		return err
	}
	l.describe(&info, v, t, doc)
	l.g.Outputs = append(l.g.Outputs, v)
	l.g.info.outputs = append(l.g.info.outputs, info)
	return nil
}

// describe gives v a type and a text unless something else did.
func (l *linker) describe(info *declared, v *Value, t Type, doc string) {
	if v.Type.Kind == KindUnknown {
		v.Type = t
	}
	if v.Doc == "" {
		v.Doc = doc
	}
	info.other = !v.Type.Equal(t)
}

func (l *linker) valueInfos() error {
	for i, r := range l.infos {
		info, t, doc, err := l.valueInfo(r)
		if err != nil {
			return within("value_info", i, err)
		}
		if d, ok := l.scope.names[info.name]; ok {
			l.describe(&info, d.v, t, doc)
		} else {
			info.stray = true
		}
		l.g.info.valueInfo = append(l.g.info.valueInfo, info)
	}
	return nil
}
