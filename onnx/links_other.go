//go:build !unix

package onnx

import "io/fs"

// linkCount is 1: the system does not say how many names a file has.
func linkCount(fs.FileInfo) uint64 { return 1 }

// nonblock is nothing where there are no named pipes among files.
const nonblock = 0
