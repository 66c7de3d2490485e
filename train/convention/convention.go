// Package convention says whose rules hold where Keras and PyTorch differ: constants of layers and optimizers, initial
// weights, the form of an update, how a loss is averaged.
package convention

// Convention is a set of rules. What inherits all the way up is Keras.
type Convention uint8

// The conventions.
const (
	// Inherit takes the rules of what stands above: a literal those of the model, a model Keras's.
	Inherit Convention = iota
	// Keras is Keras 3 with the TensorFlow backend.
	Keras
	// PyTorch is PyTorch 2.
	PyTorch
)

// Or is c, or up when c inherits, or Keras when that inherits as well.
func (c Convention) Or(up Convention) Convention {
	switch {
	case c != Inherit:
		return c
	case up != Inherit:
		return up
	}
	return Keras
}

// Pick is keras or torch, as c says.
func Pick[T any](c Convention, keras, torch T) T {
	if c == PyTorch {
		return torch
	}
	return keras
}

// String is the name of the framework.
func (c Convention) String() string {
	switch c {
	case Keras:
		return "keras"
	case PyTorch:
		return "pytorch"
	}
	return "inherit"
}
