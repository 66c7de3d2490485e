package train

import (
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/metric"
	"github.com/gneiss-ml/gneiss/train/optimizer"
)

// Config says how a model is trained.
type Config struct {
	Optimizer optimizer.Optimizer // nil: optimizer.SGD{}
	Loss      loss.Loss           // needed; for the model's first output
	Metrics   []metric.Metric     // of the first output

	// Convention of a Sequential that is not built yet, of optimizer and loss; Inherit is Keras. It must not contradict a
	// model that is built already.
	Convention convention.Convention
	// Seed fixes initial weights, the order of rows and the dropout masks.
	Seed uint64
	// Threads is the most goroutines that compute; 0 is one per CPU. The results do not depend on it.
	Threads int
	// Engine is the engine of training and prediction: the optimised one, or the plain one.
	Engine runtime.Engine
	// Accumulate is the number of batches whose gradients are averaged for one update; 0 is 1.
	Accumulate int

	// For models read from a file. BatchNorm says whether batch normalisation stays as in inference (the default) or uses and
	// updates the statistics of the batches. Dropout switches the Dropout nodes on.
	BatchNorm BatchNormMode
	Dropout   bool
}

// BatchNormMode is what becomes of batch normalisation in a model read from a file.
type BatchNormMode uint8

// Modes of batch normalisation.
const (
	// Frozen normalises by the statistics in the file, which do not change.
	Frozen BatchNormMode = iota
	// UpdateStatistics normalises by the batch's statistics and moves the running ones.
	UpdateStatistics
)

// resolve fills the defaults in.
func (c Config) resolve(m *Model) (Config, error) {
	if c.Loss == nil {
		return c, onnx.Invalidf("Config.Loss is missing")
	}
	if c.Accumulate < 0 || c.Threads < 0 {
		return c, onnx.Invalidf("expected positive Accumulate and Threads, received %d and %d", c.Accumulate, c.Threads)
	}
	if c.Optimizer == nil {
		c.Optimizer = optimizer.SGD{}
	}
	c.Accumulate = max(c.Accumulate, 1)
	if m.b != nil {
		if c.Convention != convention.Inherit && c.Convention != m.b.Convention {
			return c, onnx.Invalidf("the model was built under the convention %v, Config says %v", m.b.Convention, c.Convention)
		}
		c.Convention = m.b.Convention
	}
	c.Convention = c.Convention.Or(convention.Keras)
	return c, nil
}
