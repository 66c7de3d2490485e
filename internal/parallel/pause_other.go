//go:build purego || !amd64

package parallel

import "runtime"

// pause gives the processor to another goroutine where no instruction for
// waiting is available.
func pause(int) { runtime.Gosched() }
