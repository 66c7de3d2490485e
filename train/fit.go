package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/metric"
)

// ErrStop ends a training without an error when a callback returns it.
var ErrStop = errors.New("stop training")

// FitOptions says how long and in what pieces a model is trained.
type FitOptions struct {
	Epochs    int // 0: 1
	BatchSize int // rows; 0: 32
	// ValidationSplit is the share of rows, the last ones, that are not trained on but evaluated after each epoch. It is
	// ignored when Validation is given.
	ValidationSplit float64
	Validation      dataset.Dataset
	// NoShuffle keeps the order of the rows; else each epoch has a permutation drawn from the seed.
	NoShuffle bool
	// InitialEpoch is the number of the first epoch; a resumed training goes on from its checkpoint whatever this says.
	InitialEpoch int
	// OnBatch, OnEpoch are called after each batch and each epoch, by the goroutine that trains. An error ends the training;
	// ErrStop ends it without an error.
	OnBatch func(BatchEnd) error
	OnEpoch func(*Model, Epoch) error
}

// BatchEnd is where a training stands.
type BatchEnd struct {
	Epoch, Batch, Batches int // from 0; Batch is finished
	Rows                  int // of the epoch, finished
	Loss                  float64
	Metrics               map[string]float64 // of the epoch so far
	Elapsed               time.Duration      // of the epoch
}

func (o FitOptions) resolve() (FitOptions, error) {
	switch {
	case o.Epochs < 0:
		return o, onnx.Invalidf("train: expected a positive number of epochs, received %d", o.Epochs)
	case o.BatchSize < 0:
		return o, onnx.Invalidf("train: expected a positive batch size, received %d", o.BatchSize)
	case !(o.ValidationSplit >= 0 && o.ValidationSplit < 1):
		return o, onnx.Invalidf("train: expected a validation split from 0 to below 1, received %v", o.ValidationSplit)
	}
	if o.Epochs == 0 {
		o.Epochs = 1
	}
	if o.BatchSize == 0 {
		o.BatchSize = 32
	}
	return o, nil
}

// split takes the validation rows off the end of d.
func (o FitOptions) split(d dataset.Dataset) (train, validation dataset.Dataset, err error) {
	n := d.Len()
	if o.Validation != nil || o.ValidationSplit == 0 {
		if n == 0 {
			return nil, nil, onnx.Invalidf("train: the data set has no rows")
		}
		return d, o.Validation, nil
	}
	at := int(math.Floor(float64(n) * (1 - o.ValidationSplit)))
	if at == 0 || at == n {
		return nil, nil, onnx.Invalidf("train: a validation split of %v leaves an empty side of %d rows", o.ValidationSplit, n)
	}
	return dataset.Slice(d, 0, at), dataset.Slice(d, at, n), nil
}

// Fit trains for o.Epochs epochs and returns what each gave. On an error it returns the epochs that were finished as well.
func (m *Model) Fit(ctx context.Context, d dataset.Dataset, o FitOptions) (*History, error) {
	h := &History{}
	for e, err := range m.Epochs(ctx, d, o) {
		if errors.Is(err, ErrStop) {
			return h, nil
		}
		if err != nil {
			return h, err
		}
		h.Epochs = append(h.Epochs, e)
	}
	return h, nil
}

// Epochs is Fit as a loop: each iteration trains one epoch. Leaving the loop ends the training.
func (m *Model) Epochs(ctx context.Context, d dataset.Dataset, o FitOptions) iter.Seq2[Epoch, error] {
	return func(yield func(Epoch, error) bool) {
		c, err := m.ready()
		if err == nil {
			o, err = o.resolve()
		}
		var train, validation dataset.Dataset
		if err == nil {
			train, validation, err = o.split(d)
		}
		if err != nil {
			yield(Epoch{}, err)
			return
		}
		if c.epoch < o.InitialEpoch {
			c.epoch, c.batch = o.InitialEpoch, 0
		}
		for c.epoch < o.Epochs {
			e, err := m.oneEpoch(ctx, c, train, validation, o)
			if err == nil && o.OnEpoch != nil {
				err = o.OnEpoch(m, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// oneEpoch trains on every batch of an epoch and evaluates.
func (m *Model) oneEpoch(ctx context.Context, c *compiled, train, validation dataset.Dataset, o FitOptions) (Epoch, error) {
	start := time.Now()
	order := dataset.Order(train.Len(), !o.NoShuffle, c.cfg.Seed, c.epoch)
	t, err := c.newTally()
	if err != nil {
		return Epoch{}, err
	}
	end := BatchEnd{Epoch: c.epoch, Batch: c.batch, Batches: (train.Len() + o.BatchSize - 1) / o.BatchSize}
	for b, err := range dataset.Batches(train, order, o.BatchSize, c.batch) {
		if err == nil {
			err = c.trainBatch(ctx, b, t)
		}
		if err != nil {
			return Epoch{}, fmt.Errorf("train: epoch %d, batch %d: %w", c.epoch, c.batch, err)
		}
		if o.OnBatch != nil {
			end.Rows, end.Loss, end.Metrics, end.Elapsed = t.rows, t.meanLoss(), t.values(), time.Since(start)
			if err := o.OnBatch(end); err != nil {
				return Epoch{}, err
			}
		}
		end.Batch = c.batch
	}
	e := Epoch{
		Epoch: c.epoch, Loss: t.meanLoss(), Metrics: t.values(), LearningRate: c.rate(), Rows: t.rows, Duration: time.Since(start),
	}
	e.RowsPerSecond = float64(t.rows) / e.Duration.Seconds()
	c.mu.Lock()
	c.epoch, c.batch = c.epoch+1, 0
	c.mu.Unlock()
	if validation != nil {
		s, err := m.evaluate(ctx, c, validation, o.BatchSize)
		if err != nil {
			return e, fmt.Errorf("train: validation: %w", err)
		}
		e.Validated, e.ValLoss, e.ValMetrics = true, s.Loss, s.Metrics
	}
	return e, nil
}

func (c *compiled) rate() float64 { return c.cfg.Optimizer.Rate(c.cfg.Convention) }

// tally gathers loss and metrics over rows.
type tally struct {
	metrics []metric.Metric
	accs    []metric.Accumulator
	loss    float64
	rows    int
}

func (c *compiled) newTally() (*tally, error) {
	t := &tally{metrics: c.cfg.Metrics}
	for _, m := range c.cfg.Metrics {
		a, err := m.New(c.output, c.target)
		if err != nil {
			return nil, fmt.Errorf("train: metric %q: %w", m.Name(), err)
		}
		t.accs = append(t.accs, a)
	}
	return t, nil
}

func (t *tally) add(rows int, loss float64, y, target *onnx.Tensor) error {
	t.rows += rows
	t.loss += loss * float64(rows)
	for i, a := range t.accs {
		if err := a.Add(y, target); err != nil {
			return fmt.Errorf("metric %q: %w", t.metrics[i].Name(), err)
		}
	}
	return nil
}

func (t *tally) meanLoss() float64 { return t.loss / float64(max(t.rows, 1)) }

func (t *tally) values() map[string]float64 {
	v := map[string]float64{}
	for i, a := range t.accs {
		v[t.metrics[i].Name()] = a.Value()
	}
	return v
}

// feeds are the views of a batch's inputs.
func (c *compiled) feeds(b *dataset.Batch) ([]opdef.View, error) {
	if len(b.Inputs) != len(c.inputs) {
		return nil, onnx.Invalidf("the model has %d inputs, the data set gives %d", len(c.inputs), len(b.Inputs))
	}
	var vs []opdef.View
	for i, t := range b.Inputs {
		if want := c.inputs[i].Type.Elem; t.Elem != want {
			return nil, onnx.Invalidf("input %.128q: expected %v, received %v", c.inputs[i].Name, c.inputs[i].Type, t.Type())
		}
		vs = append(vs, plan.ViewOf(t))
	}
	return vs, nil
}

func oneTarget(b *dataset.Batch) (*onnx.Tensor, error) {
	if len(b.Targets) != 1 {
		return nil, onnx.Invalidf("expected a data set with one target, received %d", len(b.Targets))
	}
	return b.Targets[0], nil
}

// trainBatch runs one training step.
func (c *compiled) trainBatch(ctx context.Context, b *dataset.Batch, t *tally) error {
	ins, err := c.feeds(b)
	if err != nil {
		return err
	}
	target, err := oneTarget(b)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	apply := c.micro == c.cfg.Accumulate-1
	c.scalars.set(c.rate(), 1/float64(c.cfg.Accumulate), c.updates+1, apply, c.micro == 0)
	ins = append(ins, plan.ViewOf(target))
	for _, s := range []*onnx.Tensor{c.scalars.rate, c.scalars.scale, c.scalars.t, c.scalars.apply, c.scalars.first} {
		ins = append(ins, plan.ViewOf(s))
	}
	c.run.Seed, c.run.StepNo, c.run.Training = c.cfg.Seed, uint64(c.updates)*uint64(c.cfg.Accumulate)+uint64(c.micro), true
	if err := c.run.Run(ctx, ins, nil); err != nil {
		return err
	}
	c.batch++
	if c.micro = (c.micro + 1) % c.cfg.Accumulate; c.micro == 0 {
		c.updates++
	}
	return count(c.run, b, t, target)
}

func scalar(v opdef.View) (float64, error) {
	switch {
	case v.Elem == onnx.Float32 && v.Len() == 1:
		return float64(opdef.Of[float32](v)[0]), nil
	case v.Elem == onnx.Float64 && v.Len() == 1:
		return opdef.Of[float64](v)[0], nil
	}
	return 0, onnx.Invalidf("expected a loss of one float, received %v of shape %v", v.Elem, v.Shape)
}

func (s *scalars) set(rate, scale float64, t int64, apply, first bool) {
	onnx.View[float64](s.rate.Mutable())[0] = rate
	onnx.View[float64](s.scale.Mutable())[0] = scale
	onnx.View[int64](s.t.Mutable())[0] = t
	onnx.View[bool](s.apply.Mutable())[0] = apply
	onnx.View[bool](s.first.Mutable())[0] = first
}

// Evaluate computes loss and metrics over d with fixed parameters, in inference mode.
func (m *Model) Evaluate(ctx context.Context, d dataset.Dataset) (Score, error) {
	c, err := m.ready()
	if err != nil {
		return Score{}, err
	}
	s, err := m.evaluate(ctx, c, d, 64)
	if err != nil {
		return s, fmt.Errorf("train: evaluate: %w", err)
	}
	return s, nil
}
