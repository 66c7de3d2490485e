// Package compare says whether two results are equal and, if not, where and by how much.
//
// Tensors compares two tensors under a Profile, the tolerances of a framework's own test functions, and gives a Row. Runs
// compares everything that two runs of a model computed and names the first node whose inputs agree and whose outputs do
// not. The package imports neither runtime nor operators, so that every test may use it.
//
// Sources of the tolerances: torch.testing.assert_close, tf.test.assertAllCloseAccordingToType, keras testing, the ONNX
// backend tests, ONNX Runtime's unit tests, numpy.testing.assert_allclose.
package compare
