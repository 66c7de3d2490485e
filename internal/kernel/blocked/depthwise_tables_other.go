//go:build purego || !amd64

package blocked

var depthwise512, depthwise256 = genericDepthwise, genericDepthwise
