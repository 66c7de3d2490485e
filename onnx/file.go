package onnx

// ReadOptions says how a model is read. The zero ReadOptions is the default.
type ReadOptions struct {
	Limits Limits
}
