package onnx

// Builder appends nodes to a graph and keeps its first error; later calls then do nothing useful but are safe, so that one
// check at the end suffices (as bufio.Writer does).
//
// Infer, when not nil, gives each appended node's outputs their types; onnx/shape.NewBuilder returns a Builder with it.
type Builder struct {
	Graph *Graph
	Infer func(*Node) error
	err   *error
}

// NewBuilder makes a Builder that appends to g and infers nothing.
func NewBuilder(g *Graph, infer func(*Node) error) *Builder {
	return &Builder{Graph: g, Infer: infer, err: new(error)}
}

// Sub is a Builder for a new graph inside b's, to be used as an attribute. Errors are b's.
func (b *Builder) Sub(name string) *Builder {
	return &Builder{Graph: NewGraph(name, b.Graph), Infer: b.Infer, err: b.err}
}

// Err is the first error.
func (b *Builder) Err() error { return *b.err }

// Fail records err as the first error, unless it is nil or there is one already.
func (b *Builder) Fail(err error) {
	if *b.err == nil && err != nil {
		*b.err = err
	}
}

// Node appends a node with nOut outputs and infers their types.
func (b *Builder) Node(domain, opType string, nOut int, in []*Value, attrs ...Attribute) *Node {
	n := b.Graph.Add(domain, opType, nOut, in, attrs...)
	b.Reinfer(n)
	return n
}

// Reinfer infers n's outputs again, after a change.
func (b *Builder) Reinfer(n *Node) {
	if *b.err == nil && b.Infer != nil {
		b.Fail(At(n, b.Infer(n)))
	}
}

// Op appends a node of the default domain with one output, which it returns.
func (b *Builder) Op(opType string, in []*Value, attrs ...Attribute) *Value {
	return b.Node("", opType, 1, in, attrs...).Out(0)
}

// Private is the domain of the operators that exist only inside the program, for gradients and fusion.
const Private = "gneiss"

// Private appends a node of the private domain with one output, which it returns.
func (b *Builder) Private(opType string, in []*Value, attrs ...Attribute) *Value {
	return b.Node(Private, opType, 1, in, attrs...).Out(0)
}

// Const adds an initializer that holds t.
func (b *Builder) Const(t *Tensor) *Value {
	return b.Graph.Initializer("const", t.Type(), t)
}
