// Package onnxgo runs models with Gneiss for programs that were written against github.com/owulveryck/onnx-go.
//
// Such a program makes a backend, hands it to a model, reads a file into the model, sets inputs, runs the backend and takes
// the outputs. There are two ways to have Gneiss compute:
//
//   - Graph is a backend of onnx-go: give NewGraph's result to onnx.NewModel. onnx-go's reader stays in front, with its limits:
//     it passes on neither domains nor opsets nor subgraphs, so models have one graph and operators of the default domain,
//     and Options.Opset must say the opset.
//   - Model stands in for onnx-go's Model as well: give the same Graph to this package's NewModel. It keeps the bytes of the
//     file and runs whatever Gneiss runs.
//
// Tensors are gorgonia.org/tensor's in both.
package onnxgo
