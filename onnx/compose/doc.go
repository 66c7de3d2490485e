// Package compose takes models apart and puts them together. Calls of functions are replaced by the functions' bodies.
//
// Source: ONNX inliner (onnx 1.23.2): a function is found by domain, name and overload, attributes are passed by reference
// with optional defaults, recursion is refused.
package compose
