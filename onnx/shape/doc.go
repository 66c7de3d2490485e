// Package shape infers the types and shapes of values: symbolic sizes keep their names, and the contents of small integer
// tensors are followed as sizes, so that a shape that a graph computes is known too.
//
// NewBuilder makes a Builder that infers while it appends. InferModel gives the types of a model's values.
//
// Source: ONNX 1.23.2, the inference of every operator's newest form; older forms are upgraded on a scratch graph first.
package shape
