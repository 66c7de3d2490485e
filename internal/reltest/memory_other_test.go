//go:build !linux

package reltest

// peakMemory is not known here.
func peakMemory() int64 { return 0 }
