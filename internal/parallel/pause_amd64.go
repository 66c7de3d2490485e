//go:build !purego

package parallel

// pause tells the processor n times that this is a waiting loop; n is at
// least 1. It stands for: for range n {}.
//
//go:noescape
func pause(n int)
