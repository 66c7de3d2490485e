package onnx

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of error that a caller can tell apart with errors.Is, besides errors.ErrUnsupported for what is valid but not
// done here.
var (
	// ErrInvalid marks a model or an input that is wrong.
	ErrInvalid = errors.New("invalid")
	// ErrInternal marks a bug of this project, worth a report.
	ErrInternal = errors.New("internal error")
)

// kindError is a message of one kind; the message alone is printed.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// Invalidf makes an error of the invalid kind.
func Invalidf(format string, args ...any) error {
	return &kindError{ErrInvalid, fmt.Errorf(format, args...)}
}

// Unsupportedf makes an error that wraps errors.ErrUnsupported.
func Unsupportedf(format string, args ...any) error {
	return &kindError{errors.ErrUnsupported, fmt.Errorf(format, args...)}
}

// Internalf makes an error of the internal kind.
func Internalf(format string, args ...any) error {
	return &kindError{ErrInternal, fmt.Errorf("internal error: "+format, args...)}
}

// LimitError says that a limit was exceeded. It is of the unsupported kind.
type LimitError struct {
	Limit string // which limit: "memory of one run"
	Value int64  // the limit
	Asked int64  // what was asked for
	Unit  string // "bytes", "nodes"
}

// Error names the limit, its value and what was asked.
func (e *LimitError) Error() string {
	return fmt.Sprintf("limit %q is %d %s, %d asked for", e.Limit, e.Value, e.Unit, e.Asked)
}

// Unwrap says that the error is of the unsupported kind.
func (e *LimitError) Unwrap() error { return errors.ErrUnsupported }

// NodeError places an error at a node; it nests through subgraphs.
type NodeError struct {
	Node   string   // name; made from OpType and number where the model has none
	OpType string   // with its domain when that is not the standard's: "com.example.Foo"
	Opset  int      // version in force for the domain; 0 when unknown
	Inputs []string // types and shapes of the inputs, where known
	Err    error
}

// Error says where and what.
func (e *NodeError) Error() string {
	op := e.OpType
	if e.Opset > 0 {
		op = fmt.Sprintf("%s-%d", op, e.Opset)
	}
	in := ""
	if len(e.Inputs) > 0 {
		in = " on (" + strings.Join(e.Inputs, ", ") + ")"
	}
	return fmt.Sprintf("node %.128q, %.128s%s: %v", e.Node, op, in, e.Err)
}

// Unwrap gives the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// At places err at n, unless err is nil or already placed there.
func At(n *Node, err error) error {
	if err == nil {
		return nil
	}
	e := &NodeError{Node: n.Label(), OpType: n.Operator(), Opset: n.Opset(), Err: err}
	var old *NodeError
	if errors.As(err, &old) && old.Node == e.Node && old.OpType == e.OpType {
		return err
	}
	for _, v := range n.Inputs() {
		if v == nil {
			e.Inputs = append(e.Inputs, "none")
			continue
		}
		e.Inputs = append(e.Inputs, v.Type.String())
	}
	return e
}
