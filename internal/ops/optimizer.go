package ops

import (
	"math"

	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
)

// Optimizer operators update a weight and its slots. Their inputs are
//
//	w, slots..., g, lr, scale, apply, t
//
// g is the gradient, which is multiplied by scale first; lr is the learning rate; lr and scale are scalars of type float or
// double; apply is a bool: when it is false nothing changes; t is an int64, the number of this step, from 1 on. Outputs are w
// and the slots. The attribute convention is "keras" or "pytorch" and says whose formula and whose roundings count: Keras
// computes scalars in the type of w, PyTorch in double. The attribute weight_decay is added to the gradient times w, or, if
// decoupled is set, taken from w before the step. Float attributes mean the decimal number that their author wrote.

// optimizerSchema is the schema of an optimizer operator with at most slots slots.
func optimizerSchema(slots, most int) *schema.Schema {
	return &schema.Schema{MinIn: 6 + slots, MaxIn: 6 + most, MinOut: 1 + slots, MaxOut: 1 + most}
}

// inferOptimizer gives w and the slots the types that they have.
func inferOptimizer(c *opdef.Infer) error {
	for i := range c.Outs {
		if err := c.Like(i, i); err != nil {
			return err
		}
	}
	return nil
}

// update is what an optimizer's step computes with.
type update[T float] struct {
	w, g    []T
	slots   [3][]T
	t       float64
	lr      float64
	scale   float64
	keras   bool
	node    *onnx.Node
	table   *vec.Table
	run     func(lo, hi int)
	compute func(u *update[T])
}

// compileOptimizer compiles an optimizer for float and double from functions that set run.
func compileOptimizer(f32 func(*update[float32]), f64 func(*update[float64])) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		switch v := c.Node.Str("convention", ""); v {
		case "keras", "pytorch":
		default:
			return opdef.Step{}, onnx.Invalidf("convention: expected \"keras\" or \"pytorch\", received %.128q", v)
		}
		slots := c.Node.NumIn() - 6
		for i := range slots + 2 {
			if c.Elem(i) != c.Elem(0) {
				return opdef.Step{}, onnx.Invalidf("input %d is of type %v, the weight of type %v", i, c.Elem(i), c.Elem(0))
			}
		}
		switch e := c.Elem(0); e {
		case onnx.Float32:
			return optimizerStep(slots, f32), nil
		case onnx.Float64:
			return optimizerStep(slots, f64), nil
		default:
			return opdef.Step{}, badElem(e)
		}
	}
}

func optimizerStep[T float](slots int, compute func(*update[T])) opdef.Step {
	s := opdef.Step{
		State: func() any { return &update[T]{compute: compute} },
		Run:   func(r *opdef.Run) error { return r.State.(*update[T]).step(r, slots) },
	}
	for i := range slots + 1 {
		s.Alias = append(s.Alias, opdef.Alias{Out: i, In: i})
	}
	return s
}

func (u *update[T]) step(r *opdef.Run, slots int) error {
	for i := range slots + 1 {
		copy(r.Out[i].Data, r.In[i].Data) // nothing when they are one
	}
	if !opdef.Of[bool](r.In[slots+4])[0] {
		r.Unchanged = true
		return nil
	}
	u.w, u.g = opdef.Of[T](r.Out[0]), opdef.Of[T](r.In[slots+1])
	for i := range slots {
		u.slots[i] = opdef.Of[T](r.Out[i+1])
		if len(u.slots[i]) != len(u.w) {
			return onnx.Invalidf("slot of shape %v for a weight of shape %v", r.In[i+1].Shape, r.In[0].Shape)
		}
	}
	if len(u.g) != len(u.w) {
		return onnx.Invalidf("gradient of shape %v for a weight of shape %v", r.In[slots+1].Shape, r.In[0].Shape)
	}
	u.lr, u.scale, u.t = scalarOf(r.In[slots+2]), scalarOf(r.In[slots+3]), float64(opdef.Of[int64](r.In[slots+5])[0])
	u.table = vecTable(r.Generic)
	u.node, u.keras = r.Node, r.Node.Str("convention", "") == "keras"
	u.compute(u)
	r.Team.Do(tiles(len(u.w)), u)
	return nil
}

// Tile updates tile i.
func (u *update[T]) Tile(i int) { u.run(i*tileSize, min((i+1)*tileSize, len(u.w))) }

// scalarOf is a scalar of type float or double.
func scalarOf(v opdef.View) float64 {
	if v.Elem == onnx.Float64 {
		return opdef.Of[float64](v)[0]
	}
	return float64(opdef.Of[float32](v)[0])
}

// decay is the constants of weight decay.
func (u *update[T]) decay() vec.Decay[T] {
	d, weight := vec.Decay[T]{LR: T(u.lr), Product: u.keras}, realAttr(u.node, "weight_decay", 0)
	if u.node.Int("decoupled", 0) != 0 {
		d.Decoupled, d.Keep = T(weight), T(1-u.lr*weight)
	} else {
		d.Coupled = T(weight)
	}
	return d
}

// powerOf is beta^t in the type of w.
func powerOf[T float](beta float64, t float64) T { return T(math.Pow(float64(T(beta)), t)) }

// sqrt is the square root in the type of v.
func sqrt[T float](v T) T { return T(math.Sqrt(float64(v))) }
