// Package layer has the layers that networks are made of. A layer is a struct literal whose zero fields are the usual
// defaults; its Build method appends ONNX nodes to a graph and makes its parameters.
//
// Tensors are laid out as ONNX lays them out: images [N, C, H, W], convolution weights [out, in, H, W], dense weights
// [out, in]. Defaults follow the builder's convention, Keras's or PyTorch's.
package layer
