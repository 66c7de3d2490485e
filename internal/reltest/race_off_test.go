//go:build !race

package reltest

// slower is by how much the race detector slows things down.
const slower = 1
