//go:build purego || !amd64

package blocked

var pool512, pool256 = genericPool, genericPool
