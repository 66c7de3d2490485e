package train

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/dataset"
)

// runners is a plan with run objects that are not in use.
type runners struct {
	p    *plan.Plan
	pool sync.Pool
}

func (r *runners) get() *plan.Runner {
	if x, ok := r.pool.Get().(*plan.Runner); ok {
		return x
	}
	return r.p.NewRunner()
}

// do runs the plan once and hands the runner to use, whose results are valid until it returns.
func (r *runners) do(ctx context.Context, seed uint64, ins []opdef.View, use func(*plan.Runner) error) error {
	x := r.get()
	defer r.pool.Put(x)
	x.Seed = seed
	if err := x.Run(ctx, ins, nil); err != nil {
		return err
	}
	return use(x)
}

// Predict computes the first output for the inputs x, in the order of the model's inputs. It is safe during Fit.
func (m *Model) Predict(ctx context.Context, x ...*onnx.Tensor) (*onnx.Tensor, error) {
	c, err := m.ready()
	if err != nil {
		return nil, err
	}
	ins, err := c.feeds(&dataset.Batch{Inputs: x})
	if err != nil {
		return nil, fmt.Errorf("train: predict: %w", err)
	}
	var y *onnx.Tensor
	err = c.predict.do(ctx, c.cfg.Seed, ins, func(r *plan.Runner) error {
		y, err = plan.TensorOf(r.Out(0))
		if err == nil {
			y = y.Clone()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("train: predict: %w", err)
	}
	return y, nil
}

// PredictAll computes the first output for all rows of d, batch by batch; targets are not read.
func (m *Model) PredictAll(ctx context.Context, d dataset.Dataset, batchSize int) (*onnx.Tensor, error) {
	var data []byte
	var like *onnx.Tensor
	rows := 0
	for b, err := range dataset.Batches(d, dataset.Order(d.Len(), false, 0, 0), max(batchSize, 1), 0) {
		if err != nil {
			return nil, fmt.Errorf("train: predict: %w", err)
		}
		if like, err = m.Predict(ctx, b.Inputs...); err != nil {
			return nil, err
		}
		data = append(data, like.Bytes()...)
		rows += b.Rows()
	}
	if like == nil || len(like.Shape) == 0 {
		return nil, onnx.Invalidf("train: predict: the data set has no rows")
	}
	shape := slices.Clone(like.Shape)
	shape[0] = rows
	y, err := onnx.Borrow(like.Elem, shape, data)
	if err != nil {
		return nil, fmt.Errorf("train: predict: %w", err)
	}
	return y.Clone(), nil
}

// evaluate computes loss and metrics over d in inference mode.
func (m *Model) evaluate(ctx context.Context, c *compiled, d dataset.Dataset, batchSize int) (Score, error) {
	t, err := c.newTally()
	if err != nil {
		return Score{}, err
	}
	for b, err := range dataset.Batches(d, dataset.Order(d.Len(), false, 0, 0), batchSize, 0) {
		if err == nil {
			err = c.evaluateBatch(ctx, b, t)
		}
		if err != nil {
			return Score{}, err
		}
	}
	return Score{Loss: t.meanLoss(), Metrics: t.values(), Rows: t.rows}, nil
}

func (c *compiled) evaluateBatch(ctx context.Context, b *dataset.Batch, t *tally) error {
	ins, err := c.feeds(b)
	if err != nil {
		return err
	}
	target, err := oneTarget(b)
	if err != nil {
		return err
	}
	ins = append(ins, plan.ViewOf(target))
	return c.evaluation.do(ctx, c.cfg.Seed, ins, func(r *plan.Runner) error { return count(r, b, t, target) })
}

// count adds the results of a run whose outputs are loss and prediction to the tally.
func count(r *plan.Runner, b *dataset.Batch, t *tally, target *onnx.Tensor) error {
	loss, err := scalar(r.Out(0))
	if err != nil {
		return err
	}
	y, err := plan.TensorOf(r.Out(1))
	if err != nil {
		return err
	}
	return t.add(b.Rows(), loss, y, target)
}

// Gradients computes the loss of one batch in training form and its gradient with respect to every trainable parameter, by
// name. Nothing is changed.
func (m *Model) Gradients(ctx context.Context, b *dataset.Batch) (loss float64, grads map[string]*onnx.Tensor, err error) {
	c, err := m.ready()
	if err != nil {
		return 0, nil, err
	}
	p, names, err := c.gradientPlan(m)
	if err != nil {
		return 0, nil, fmt.Errorf("train: gradients: %w", err)
	}
	ins, err := c.feeds(b)
	if err != nil {
		return 0, nil, fmt.Errorf("train: gradients: %w", err)
	}
	target, err := oneTarget(b)
	if err != nil {
		return 0, nil, fmt.Errorf("train: gradients: %w", err)
	}
	ins = append(ins, plan.ViewOf(target))
	grads = map[string]*onnx.Tensor{}
	err = (&runners{p: p}).do(ctx, c.cfg.Seed, ins, func(r *plan.Runner) error {
		if loss, err = scalar(r.Out(0)); err != nil {
			return err
		}
		for i, name := range names {
			t, err := plan.TensorOf(r.Out(i + 1))
			if err != nil {
				return err
			}
			grads[name] = t.Clone()
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("train: gradients: %w", err)
	}
	return loss, grads, nil
}

// TrainBatch runs one training step on b, whose learning rate and number follow from the steps before, and returns the loss
// before the update.
func (m *Model) TrainBatch(ctx context.Context, b *dataset.Batch) (float64, error) {
	c, err := m.ready()
	if err != nil {
		return 0, err
	}
	t := &tally{}
	if err := c.trainBatch(ctx, b, t); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return t.meanLoss(), nil
}

// State copies parameters, running statistics and optimizer slots (optimizer.<slot>.<parameter>) as the last finished step
// left them.
func (m *Model) State() (map[string]*onnx.Tensor, error) {
	c, err := m.ready()
	if err != nil {
		return nil, err
	}
	names := c.vars.Names()
	ts, err := c.vars.ReadAll(names)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	state := map[string]*onnx.Tensor{}
	for i, n := range names {
		state[n] = ts[i]
	}
	return state, nil
}

// SetParameters replaces the contents of parameters and running statistics by name. Optimizer state stays.
func (m *Model) SetParameters(values map[string]*onnx.Tensor) error {
	c, err := m.ready()
	if err != nil {
		return err
	}
	var names []string
	for _, p := range m.params {
		if values[p.Name] != nil {
			names = append(names, p.Name)
		}
	}
	if len(names) != len(values) {
		return onnx.Invalidf("train: %d tensors were given, of which %d are parameters of the model", len(values), len(names))
	}
	ts := make([]*onnx.Tensor, len(names))
	for i, n := range names {
		ts[i] = values[n]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.vars.WriteAll(names, ts); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
