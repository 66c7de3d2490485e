// Package onnx is the model: a live graph of nodes and values, tensors of all element types of the standard, a Builder that
// appends nodes, and the binary and text forms.
//
// A Model holds a Graph. A Graph is live: each Value knows the Node that makes it and the nodes that read it, those inside
// subgraphs included, so that a program can walk and change it without looking names up. Names, metadata, functions, fields
// that a newer standard may add and the order of things survive reading and writing.
//
// The package knows no operator. What the operators of the standard look like is in onnx/schema, what they compute is in the
// runtime package.
//
// Source: the ONNX intermediate representation, IR versions 3 to 14 (onnx 1.23.2).
package onnx
