// Package schema has the facts of the ONNX standard: the inputs, outputs,
// attributes, types and bodies of every version of every operator in ai.onnx,
// ai.onnx.ml, ai.onnx.preview and ai.onnx.preview.training, as one pinned
// release defines them.
//
// The facts are generated and shared: nothing that this package returns may be
// changed. A missing domain, "" and "ai.onnx" are one domain, and facts name
// it "".
package schema
