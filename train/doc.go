// Package train builds, trains and exports models. A model is an ONNX graph, made from layers (Sequential, Functional) or
// read from a file (Open). Compile adds a loss, differentiates the graph and appends the optimizer's nodes: one graph for a
// whole training step, planned once. Fit runs it; ONNX gives the inference graph with the trained values.
//
// The words are Keras's: Compile, Fit, Evaluate, Predict, Summary, History. Where Keras and PyTorch differ in what a word
// means, package convention says whose rule holds.
package train
