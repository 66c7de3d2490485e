// Package runtime runs ONNX models.
//
//	s, err := runtime.Open("model.onnx", runtime.Options{})
//	out, err := s.Run(ctx, map[string]*onnx.Tensor{"x": x})
//
// A Session is a model made ready: copied, rewritten to the newest forms of its operators, fused, planned. It is safe for
// concurrent use. Run allocates its results and nothing else that grows with the model; Bind fixes inputs and outputs so
// that a run allocates nothing at all.
//
// There are two engines. The fast one is the default. The plain one does no more than the standard says, node by node; it is
// the definition that the fast one is compared with. Results do not depend on the number of threads.
//
// Errors are of three kinds: invalid (errors.Is with onnx.ErrInvalid: the model or an input is wrong), unsupported
// (errors.ErrUnsupported: right, but not done here; a limit is of this kind) and internal (onnx.ErrInternal: a bug worth a
// report). A NodeError inside says at which node. A run that was cancelled wraps the context's cause.
//
// Limits protect from models that ask for too much; see Limits.
package runtime
