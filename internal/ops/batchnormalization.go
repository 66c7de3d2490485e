package ops

import (
	"github.com/gneiss-ml/gneiss/internal/kernel/norm"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// BatchNormalization: Y = scale·(X - mean)/√(var + epsilon) + B by channels. With training_mode the batch's own mean and
// population variance normalise, and outputs 1 and 2 are the running ones moved towards them:
// momentum·old + (1-momentum)·batch.
//
// Opset 1, 6: is_test, consumed_inputs, spatial. 9: spatial goes. 14: training_mode and three outputs; before, five outputs,
// whose number chose the mode. 15: scale and statistics have element types of their own.
// The outputs saved_mean and saved_var of old versions are not supported, nor is double beside other types.
var opBatchNormalization = opdef.Def{
	Type:     "BatchNormalization",
	Infer:    inferBatchNormalization,
	Compile:  compileBatchNormalization,
	Grad:     gradBatchNormalization,
	Upgrade:  upgradeBatchNormalization,
	Training: trainBatchNormalization,
}

func inferBatchNormalization(c *opdef.Infer) error {
	if err := c.Like(0, 0); err != nil {
		return err
	}
	channels := onnx.Unknown
	if s, err := c.Shape(0); err == nil {
		if len(s) == 0 {
			return onnx.Invalidf("expected an input of rank 1 or more, received %v", c.Ins[0])
		}
		if channels = onnx.Fixed(1); len(s) > 1 {
			channels = s[1]
		}
	}
	for i := 1; i < 5; i++ {
		s, err := c.Shape(i)
		if err != nil {
			continue
		}
		if len(s) != 1 || s[0].IsFixed() && channels.IsFixed() && s[0] != channels {
			return onnx.Invalidf("input %d: expected one element for each of %v channels, received %v", i, channels, c.Ins[i])
		}
		if !channels.IsFixed() {
			channels = s[0]
		}
	}
	for i := 1; i < len(c.Outs); i++ {
		c.Set(i, c.Elem(3), channels)
	}
	return nil
}

func upgradeBatchNormalization(c *opdef.Rewrite) error {
	n := c.Node
	if c.Version >= 14 {
		return nil
	}
	for i := 3; i < n.NumOut(); i++ {
		if n.Out(i) != nil && n.Out(i).Used() {
			return onnx.Unsupportedf("output %d, a saved statistic, is not supported", i)
		}
		n.DropOut(i)
	}
	training := n.NumOut() > 1 && n.Int("is_test", 0) == 0
	spatial := n.Int("spatial", 1)
	n.DropAttr("consumed_inputs", "is_test", "spatial")
	if training {
		n.SetAttr(onnx.Int("training_mode", 1))
	}
	if spatial == 0 {
		return perActivation(c)
	}
	return nil
}

// perActivation makes each element of a sample a channel: what spatial = 0 meant.
func perActivation(c *opdef.Rewrite) error {
	n, x := c.Node, c.Node.In(0)
	if n.Int("training_mode", 0) != 0 {
		return onnx.Unsupportedf("spatial = 0 in training mode is not supported")
	}
	n.SetIn(0, c.Op("Flatten", values{x}, onnx.Int("axis", 1)))
	flat := c.Builder.Const(onnx.Vector[int64](-1))
	for i := 1; i < 5; i++ {
		n.SetIn(i, c.Op("Reshape", values{n.In(i), flat}))
	}
	y := n.Out(0)
	back := c.Node.Graph().Add("", "Reshape", 1, values{nil, c.Op("Shape", values{x})})
	y.ReplaceUses(back.Out(0))
	back.SetIn(0, y)
	c.Reinfer(n)
	c.Reinfer(back)
	return c.Err()
}

func trainBatchNormalization(c *opdef.Rewrite) error {
	n := c.Node
	if n.Int("training_mode", 0) == 0 {
		n.SetAttr(onnx.Int("training_mode", 1))
	}
	for i := range 2 {
		v := n.In(3 + i)
		if v == nil || !v.IsInitializer() {
			return onnx.Unsupportedf("training needs running statistics that are initializers, input %d is none", 3+i)
		}
		next := n.MakeOut(1 + i)
		c.Graph.Updates = append(c.Graph.Updates, onnx.Update{Var: v, New: next})
	}
	c.Reinfer(n)
	return c.Err()
}

// channelShape reads a shape as [N, C, Inner]; a vector has one channel.
func channelShape(shape []int) norm.Shape {
	if len(shape) == 1 {
		return norm.Shape{N: shape[0], C: 1, Inner: 1}
	}
	return norm.Shape{N: shape[0], C: shape[1], Inner: product(shape[2:])}
}

func compileBatchNormalization(c *opdef.Compile) (opdef.Step, error) {
	for i := range c.Node.NumIn() {
		if x, e := c.Elem(0), c.Elem(i); (x == onnx.Float64) != (e == onnx.Float64) {
			return opdef.Step{}, onnx.Unsupportedf("%v beside %v is not supported", x, e)
		}
	}
	return floatKernel(0, batchNormStep[float32], batchNormStep[float64])(c)
}

func batchNormStep[T norm.Float](c *opdef.Compile) (opdef.Step, error) {
	training := c.Node.Int("training_mode", 0) != 0
	epsilon, momentum := realAttr(c.Node, "epsilon", 1e-5), realAttr(c.Node, "momentum", 0.9)
	return opdef.Step{
		Alias: []opdef.Alias{{Out: 0, In: 0}},
		State: func() any { return &norm.Batch[T]{Epsilon: epsilon, Momentum: momentum, Table: vecTable(c.Generic)} },
		Run: func(r *opdef.Run) error {
			b := r.State.(*norm.Batch[T])
			b.Shape = channelShape(r.In[0].Shape)
			b.X, b.Y = opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
			b.Scale, b.Bias = opdef.Of[T](r.In[1]), opdef.Of[T](r.In[2])
			b.Mean, b.Var = opdef.Of[T](r.In[3]), opdef.Of[T](r.In[4])
			if !training {
				b.Infer(r.Team)
				return nil
			}
			b.NewMean, b.NewVar = outOf[T](r, 1), outOf[T](r, 2)
			b.Train(r.Team)
			return nil
		},
	}, nil
}

// outOf is the elements of output i; nil when absent.
func outOf[T onnx.Number](r *opdef.Run, i int) []T {
	if i >= len(r.Out) {
		return nil
	}
	return opdef.Of[T](r.Out[i])
}

func gradBatchNormalization(c *opdef.Grad) error {
	n := c.Node
	if c.DY(1) != nil || c.DY(2) != nil {
		return onnx.Unsupportedf("%w with respect to running statistics", opdef.ErrNoGrad)
	}
	training := n.Int("training_mode", 0) != 0
	ins := values{c.DY(0), c.In(0), c.In(1)}
	if !training {
		ins = append(ins, c.In(3), c.In(4))
	}
	g := c.Builder.Node(onnx.Private, "BatchNormalizationGrad", 3, ins,
		onnx.Float("epsilon", n.Float("epsilon", 1e-5)), onnx.Int("training_mode", n.Int("training_mode", 0)))
	for i := range 3 {
		c.SetDX(i, g.Out(i))
	}
	if !training {
		batchNormStatistics(c, g.Out(1), g.Out(2))
	}
	return nil
}

// batchNormStatistics gives the gradients of the statistics in inference mode: with s = scale/√(var+ε),
// dmean = -s·Σdy = -s·dB and dvar = -½·scale/(var+ε)·dscale.
func batchNormStatistics(c *opdef.Grad, dscale, dbias *onnx.Value) {
	f := formula{c}
	scale := c.In(1)
	v := f.add(c.In(4), f.num(realAttr(c.Node, "epsilon", 1e-5)))
	if c.Needs(3) {
		c.SetDX(3, f.one("Neg", f.mul(f.div(scale, f.one("Sqrt", v)), dbias)))
	}
	if c.Needs(4) {
		c.SetDX(4, f.mul(f.num(-0.5), f.mul(f.div(scale, v), dscale)))
	}
}
