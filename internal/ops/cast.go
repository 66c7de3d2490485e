package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// Cast converts between all element types. Opset 6 made the attribute to a number, 9 added strings, 19 saturate and the
// 8-bit types, 24 round_mode.
//
// Floating-point numbers out of an integer's range: see floatInt32. To bool: whether the number is not 0.
var opCast = opdef.Def{
	Type:  "Cast",
	Infer: func(c *opdef.Infer) error { return inferCast(c, castTarget(c.Node)) },
	Compile: func(c *opdef.Compile) (opdef.Step, error) {
		return castStep(c, castTarget(c.Node), opdef.Step{})
	},
	Grad: gradCast,
	Upgrade: func(c *opdef.Rewrite) error {
		if to := c.Node.Attr("to"); to != nil && to.Kind == onnx.AttrString {
			e, err := oldElemName(to.S)
			if err != nil {
				return err
			}
			c.Node.SetAttr(onnx.Int("to", int64(e)))
		}
		return nil
	},
	Widen: func(c *opdef.Rewrite) error {
		if castTarget(c.Node).IsFloat() {
			c.Node.SetAttr(onnx.Int("to", int64(onnx.Float64)))
		}
		return nil
	},
}

// castTarget is the type that the attribute to names; Undefined when it is none.
func castTarget(n *onnx.Node) onnx.ElemType {
	e, _ := dtypeAttr(n, "to", onnx.Undefined)
	return e
}

// oldElemName is the element type called s in Cast before opset 6: a name of TensorProto.DataType.
func oldElemName(s string) (onnx.ElemType, error) {
	names := []string{
		"UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE",
		"UINT32", "UINT64", "COMPLEX64", "COMPLEX128",
	}
	for i, n := range names {
		if i > 0 && n == s {
			return onnx.ElemType(i), nil
		}
	}
	return onnx.Undefined, onnx.Invalidf("unknown element type %.128q", s)
}

func inferCast(c *opdef.Infer, to onnx.ElemType) error {
	if !to.Valid() {
		return onnx.Invalidf("attribute to is %d, which is not an element type", c.Node.Int("to", int64(to)))
	}
	if err := c.LikeElem(0, 0, to); err != nil {
		return err
	}
	v, ok := c.Ints(0)
	if !ok || !isShapeInt(to) || !isShapeInt(c.Elem(0)) || c.Outs[0].Rank() > 1 {
		return nil
	}
	for _, d := range v {
		if to == onnx.Int32 && known(d) && d.N != int64(int32(d.N)) {
			return nil
		}
	}
	c.SetInts(0, v)
	return nil
}

// castState is what a conversion keeps from run to run.
type castState struct {
	mover
	wide wide
}

// castStep converts input 0 to the element type to.
func castStep(c *opdef.Compile, to onnx.ElemType, s opdef.Step) (opdef.Step, error) {
	from := c.Elem(0)
	o := float8{saturate: c.Node.Int("saturate", 1) != 0, round: c.Node.Str("round_mode", "up")}
	if o.round != "up" && o.round != "down" && o.round != "nearest" {
		return opdef.Step{}, onnx.Invalidf("unknown round_mode %.128q", o.round)
	}
	if from == to {
		return copyStep(c, s, func(m *mover) ([]int, error) { return m.shape(0), nil }), nil
	}
	conv, err := newConversion(from, to, o)
	if err != nil {
		return opdef.Step{}, err
	}
	if !from.Packed() && !to.Packed() && from.Size() > 0 && from.Size() == to.Size() {
		s.Alias = append(s.Alias, opdef.Alias{}) // a chunk is read before it is written
	}
	s = moveStep(c, s, nil)
	s.State = func() any { return new(castState) }
	s.Run = func(r *opdef.Run) error {
		st := r.State.(*castState)
		m := &st.mover
		m.Run, m.used, m.late = r, 0, m.late[:0]
		return m.end(castRun(m, &st.wide, conv))
	}
	return s, nil
}

func castRun(m *mover, w *wide, conv *conversion) error {
	x, err := m.elements(0)
	if err != nil {
		return err
	}
	y, err := m.output(0, conv.to, m.shape(0))
	if err != nil {
		return err
	}
	return conv.run(w, y, x)
}

// gradCast casts back where both types have gradients.
func gradCast(c *opdef.Grad) error {
	if e := c.In(0).Type.Elem; e.IsFloat() && c.DY(0).Type.Elem.IsFloat() {
		c.SetDX(0, c.Op("Cast", values{c.DY(0)}, onnx.Int("to", int64(e))))
	}
	return nil
}
