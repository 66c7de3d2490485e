package ops

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// float is the types that floating-point kernels compute in.
type float interface{ float32 | float64 }

// compiler is the type of Def.Compile.
type compiler = func(*opdef.Compile) (opdef.Step, error)

// badElem is the error for an element type without a kernel.
func badElem(e onnx.ElemType) error {
	return onnx.Unsupportedf("element type %v is not supported", e)
}

// vecTable is the kernels that a run uses: those of this CPU, or plain Go.
func vecTable(generic bool) *vec.Table {
	if generic {
		return vec.For(cpu.Generic)
	}
	return vec.Best()
}

// arith compiles op for all numbers.
func arith(op vec.Op) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch c.Elem(0) {
		case onnx.Float32:
			return pointStep(c, vecTable(c.Generic).Arith(op))
		case onnx.Float64:
			return pointStep(c, vec.Arith[float64](op))
		case onnx.Float16, onnx.BFloat16:
			return halfStep(c, vecTable(c.Generic).Arith(op))
		case onnx.Int64:
			return pointStep(c, vec.Arith[int64](op))
		case onnx.Int32:
			return pointStep(c, vec.Arith[int32](op))
		case onnx.Int16:
			return pointStep(c, vec.Arith[int16](op))
		case onnx.Int8:
			return pointStep(c, vec.Arith[int8](op))
		case onnx.Uint64:
			return pointStep(c, vec.Arith[uint64](op))
		case onnx.Uint32:
			return pointStep(c, vec.Arith[uint32](op))
		case onnx.Uint16:
			return pointStep(c, vec.Arith[uint16](op))
		case onnx.Uint8:
			return pointStep(c, vec.Arith[uint8](op))
		}
		return opdef.Step{}, badElem(c.Elem(0))
	}
}

// compare compiles op, whose result is a truth value, for all numbers.
func compare(op vec.Op) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch c.Elem(0) {
		case onnx.Float32:
			return pointStep(c, vec.Compare[float32](op))
		case onnx.Float64:
			return pointStep(c, vec.Compare[float64](op))
		case onnx.Float16, onnx.BFloat16:
			return halfStep(c, vec.Compare[float32](op))
		case onnx.Int64:
			return pointStep(c, vec.Compare[int64](op))
		case onnx.Int32:
			return pointStep(c, vec.Compare[int32](op))
		case onnx.Int16:
			return pointStep(c, vec.Compare[int16](op))
		case onnx.Int8:
			return pointStep(c, vec.Compare[int8](op))
		case onnx.Uint64:
			return pointStep(c, vec.Compare[uint64](op))
		case onnx.Uint32:
			return pointStep(c, vec.Compare[uint32](op))
		case onnx.Uint16:
			return pointStep(c, vec.Compare[uint16](op))
		case onnx.Uint8:
			return pointStep(c, vec.Compare[uint8](op))
		}
		return opdef.Step{}, badElem(c.Elem(0))
	}
}

// bitwise compiles op for all integers.
func bitwise(op vec.Op) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch c.Elem(0) {
		case onnx.Int64:
			return pointStep(c, vec.Bits[int64](op))
		case onnx.Int32:
			return pointStep(c, vec.Bits[int32](op))
		case onnx.Int16:
			return pointStep(c, vec.Bits[int16](op))
		case onnx.Int8:
			return pointStep(c, vec.Bits[int8](op))
		case onnx.Uint64:
			return pointStep(c, vec.Bits[uint64](op))
		case onnx.Uint32:
			return pointStep(c, vec.Bits[uint32](op))
		case onnx.Uint16:
			return pointStep(c, vec.Bits[uint16](op))
		case onnx.Uint8:
			return pointStep(c, vec.Bits[uint8](op))
		}
		return opdef.Step{}, badElem(c.Elem(0))
	}
}

// logic compiles op for truth values.
func logic(op vec.Op) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		if c.Elem(0) != onnx.Bool {
			return opdef.Step{}, badElem(c.Elem(0))
		}
		return pointStep(c, vec.Logic(op))
	}
}

// floats compiles y = f(x...) for the floating-point types from its two forms.
func floats(f32 func(y []float32, x [][]float32), f64 func(y []float64, x [][]float64)) compiler {
	return floatsBy(func(*onnx.Node) (func(y []float32, x [][]float32), func(y []float64, x [][]float64)) { return f32, f64 })
}

// floatsBy is floats for functions that depend on attributes.
func floatsBy(by func(*onnx.Node) (func(y []float32, x [][]float32), func(y []float64, x [][]float64))) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		f32, f64 := by(c.Node)
		switch c.Elem(0) {
		case onnx.Float32:
			return pointStep(c, f32)
		case onnx.Float64:
			return pointStep(c, f64)
		case onnx.Float16, onnx.BFloat16:
			return halfStep(c, f32)
		}
		return opdef.Step{}, badElem(c.Elem(0))
	}
}

// private is the schema of a private operator with exactly in inputs and out outputs.
func private(in, out int) *schema.Schema {
	return &schema.Schema{MinIn: in, MaxIn: in, MinOut: out, MaxOut: out}
}
