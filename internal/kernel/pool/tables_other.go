//go:build purego || !amd64

package pool

var vectors, wide = generic, generic
