package opdef

import (
	"context"

	"github.com/gneiss-ml/gneiss/internal/parallel"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Compile is the context of Def.Compile. Nothing in it depends on sizes.
type Compile struct {
	Node                *onnx.Node
	InLayout, OutLayout []Layout       // chosen by the layout pass; Plain otherwise
	Consts              []*onnx.Tensor // contents of inputs that no plan ever overwrites; nil entries otherwise
	Bodies              []Body         // compiled subgraphs, in the order of Node.Subgraphs
	Generic             bool           // use the generic kernel tables: the plain engine
	Direct              bool           // sum convolutions directly, never by way of Winograd's transform
}

// Elem is the element type of input i; Undefined when absent.
func (c *Compile) Elem(i int) onnx.ElemType {
	if v := c.Node.In(i); v != nil {
		return v.Type.Elem
	}
	return onnx.Undefined
}

// OutElem is the element type of output i; Undefined when absent.
func (c *Compile) OutElem(i int) onnx.ElemType {
	if v := c.Node.Out(i); v != nil {
		return v.Type.Elem
	}
	return onnx.Undefined
}

// Const is the contents of input i when they can never change; nil otherwise.
func (c *Compile) Const(i int) *onnx.Tensor {
	if i < len(c.Consts) {
		return c.Consts[i]
	}
	return nil
}

// Body is a compiled subgraph. Captured values reach it by themselves.
type Body interface {
	// New makes a private arena to run the body in. Called from Step.State.
	New() BodyRun
}

// BodyRun runs a body. Its results stay valid until its next Run.
type BodyRun interface {
	Run(r *Run, in []View) ([]View, error)
}

// View is a tensor in a run, or a value of another kind in Box. It does not own its bytes. The shape is the logical one and
// must not be changed in place.
type View struct {
	Elem   onnx.ElemType
	Layout Layout
	Shape  []int
	Data   []byte // nil for strings
	// Box holds what lies outside the arena: []string for tensors of strings, else *Seq, *Opt or an onnx.Object.
	Box any
}

// Seq is a sequence in a run. Items own their bytes. A Seq is never changed once it is an output.
type Seq struct {
	Of    onnx.Type // type of the elements as far as known
	Items []View
}

// Opt is an optional in a run.
type Opt struct {
	Of   onnx.Type
	Item *View // nil: empty
}

// Absent reports a left-out optional input or output.
func (v *View) Absent() bool { return v.Elem == onnx.Undefined && v.Box == nil }

// Len is the number of elements of a tensor.
func (v *View) Len() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Strings is the elements of a tensor of strings.
func (v *View) Strings() []string {
	s, _ := v.Box.([]string)
	return s
}

// Of is the elements of v as T, which must be v's type.
func Of[T onnx.Number](v View) []T { return onnx.View[T](v.Data) }

// Bound is what a Step may ask when sizes are known: views without bytes.
type Bound struct {
	In, Out []View
	Threads int // most threads that a run may have
}

// Alias allows output Out to take the buffer of input In where nobody reads it later and both have the same number of bytes.
type Alias struct{ Out, In int }

// Cost is what a step does: floating-point operations and bytes read and written.
type Cost struct{ FLOP, Bytes int64 }

// Step is a compiled node. It is shared by all concurrent runs and holds no mutable state.
type Step struct {
	// Scratch is the bytes of scratch memory for known sizes; nil: none.
	Scratch func(*Bound) int
	// Alias lists which outputs may take which input's buffer.
	Alias []Alias
	// Join says, for known sizes, at which byte of output 0 each input begins, if the output is the inputs one after the other: the
	// steps that make them may then write there, and Run finds them in place. Nil, or nil offsets: it is not.
	Join func(*Bound) []int
	// ShapeOnly lists inputs of which only the shape is read: they keep no buffer alive, and constants come without bytes unless
	// somebody else reads them.
	ShapeOnly []int
	// Data says that output sizes depend on data, or that outputs are not tensors with bytes: Run makes them with Run.Alloc,
	// Run.AllocStrings or Run.SetBox.
	Data bool
	// Cost is FLOP and bytes for known sizes; nil: no FLOP, the bytes of inputs and outputs.
	Cost func(*Bound) Cost
	// Held is the bytes that the step holds for all runs, such as packed constants, which it may make when they are first
	// needed and which are no state, since nobody can tell; nil: none.
	Held func() int64
	// State makes what a run object keeps for this step from run to run: task structs, body runs; nil: nothing.
	State func() any
	// Run computes the outputs.
	Run func(*Run) error
}

// Fault carries an error out of a function that returns none, by a panic: it becomes the error of the step.
type Fault struct{ Err error }

// Each is the Compile of an operator that has nothing to decide.
func Each(run func(*Run) error) func(*Compile) (Step, error) {
	return func(*Compile) (Step, error) { return Step{Run: run}, nil }
}

// Run is what a step sees while it runs. It lives in the run object and is reused.
type Run struct {
	Ctx      context.Context
	Node     *onnx.Node
	In, Out  []View
	Captures []View // values of enclosing graphs that the subgraphs read, in the order of Node.Captures
	Scratch  []byte
	State    any
	Team     *parallel.Team // nil: the caller alone
	Generic  bool           // use the generic kernel tables
	// Seed, StepNo, ID and the element's number are the key of a random number; ID is the node's number in the loaded graph.
	Seed, StepNo, ID uint64
	// Training says that this run is a training step.
	Training bool
	// Unchanged is set by a step in the commit section that did not write: versions stay.
	Unchanged bool

	Host Host
}

// Host is the run object that a step runs in.
type Host interface {
	// Alloc makes the buffer of tensor output i of the running step, charged to the budget.
	Alloc(r *Run, i int, e onnx.ElemType, shape []int) (View, error)
	// SetView makes v output i of the running step.
	SetView(r *Run, i int, v View)
	// Memory charges bytes that the step makes for itself; a negative number gives them back.
	Memory(bytes int64) error
	// Charge pays for executed nodes and looks whether the run was cancelled.
	Charge(nodes int) error
}

// Alloc makes output i, whose size is known only now, with room for its bytes (not cleared).
func (r *Run) Alloc(i int, e onnx.ElemType, shape ...int) (View, error) {
	return r.Host.Alloc(r, i, e, shape)
}

// SetBox makes output i a value that lives outside the arena. Strings have a shape.
func (r *Run) SetBox(i int, v View) { r.Host.SetView(r, i, v) }

// Has reports whether input i is present.
func (r *Run) Has(i int) bool { return i < len(r.In) && !r.In[i].Absent() }

// Wants reports whether output i is present.
func (r *Run) Wants(i int) bool { return i < len(r.Out) && r.Node.Out(i) != nil }
