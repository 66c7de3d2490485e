package opdef

import "github.com/gneiss-ml/gneiss/onnx"

// Grad is the context of Def.Grad. Its Builder infers, so gradient nodes have types.
type Grad struct {
	*onnx.Builder
	Node *onnx.Node
	// Host is the reverse pass.
	Host GradHost

	dy, dx []*onnx.Value
	dcap   map[*onnx.Value]*onnx.Value
}

// GradHost is the reverse pass that calls Def.Grad.
type GradHost interface {
	// Needs reports whether the gradient of v is wanted.
	Needs(v *onnx.Value) bool
	// Zeros is a value of zeros with the shape and element type of like.
	Zeros(b *onnx.Builder, like *onnx.Value) *onnx.Value
	// Sum adds two gradients.
	Sum(b *onnx.Builder, x, y *onnx.Value) *onnx.Value
	// ThroughBody gives the gradients by differentiating the body that the standard gives the operator.
	ThroughBody(c *Grad) error
	// Differentiate writes a copy of body and its reverse pass into another builder.
	Differentiate(into *onnx.Builder, body *onnx.Graph, args, dys, captures []*onnx.Value) (dargs []*onnx.Value, dcaps map[*onnx.Value]*onnx.Value, err error)
}

// NewGrad makes the context for n, whose outputs have the gradients dy (nil entries: the output does not reach the loss).
func NewGrad(b *onnx.Builder, n *onnx.Node, host GradHost, dy []*onnx.Value) *Grad {
	return &Grad{Builder: b, Node: n, Host: host, dy: dy, dx: make([]*onnx.Value, n.NumIn()), dcap: map[*onnx.Value]*onnx.Value{}}
}

// In is input i of the node; nil when absent.
func (c *Grad) In(i int) *onnx.Value { return c.Node.In(i) }

// Y is output i of the node, added to it when the model left it off (indices, a mask, statistics).
func (c *Grad) Y(i int) *onnx.Value {
	if v := c.Node.Out(i); v != nil {
		return v
	}
	v := c.Node.MakeOut(i)
	c.Reinfer(c.Node)
	return v
}

// DY is the gradient of output i; nil when it does not reach the loss.
func (c *Grad) DY(i int) *onnx.Value {
	if i >= len(c.dy) {
		return nil
	}
	return c.dy[i]
}

// Needs reports whether the gradient of input i is wanted.
func (c *Grad) Needs(i int) bool { return c.In(i) != nil && c.Host.Needs(c.In(i)) }

// SetDX gives the gradient of input i. Giving one that is not wanted is allowed.
func (c *Grad) SetDX(i int, dx *onnx.Value) {
	if i < len(c.dx) {
		c.dx[i] = dx
	}
}

// DX is what SetDX gave.
func (c *Grad) DX(i int) *onnx.Value { return c.dx[i] }

// Captures lists the values of enclosing graphs that the node's subgraphs read and whose gradient is wanted.
func (c *Grad) Captures() []*onnx.Value {
	var out []*onnx.Value
	for _, v := range c.Node.Captures() {
		if c.Host.Needs(v) {
			out = append(out, v)
		}
	}
	return out
}

// SetDCapture gives the gradient of a captured value.
func (c *Grad) SetDCapture(v, d *onnx.Value) { c.dcap[v] = d }

// DCapture is what SetDCapture gave.
func (c *Grad) DCapture(v *onnx.Value) *onnx.Value { return c.dcap[v] }

// Zeros is a value of zeros with the shape and element type of like.
func (c *Grad) Zeros(like *onnx.Value) *onnx.Value { return c.Host.Zeros(c.Builder, like) }

// Differentiate writes a copy of subgraph i, with args for its inputs, and its reverse pass into another builder. dys[k] is
// the gradient of output k, nil for none. It returns a gradient for each argument of a float type (nil for the others) and
// for each of Captures; what nothing reaches is a zero.
func (c *Grad) Differentiate(i int, into *onnx.Builder, args, dys []*onnx.Value) ([]*onnx.Value, map[*onnx.Value]*onnx.Value, error) {
	return c.Host.Differentiate(into, c.Node.Subgraphs()[i], args, dys, c.Captures())
}
