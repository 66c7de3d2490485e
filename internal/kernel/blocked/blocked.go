// Package blocked convolves and pools float32 tensors whose channels lie in
// blocks of 16: element [n, c, p] of [N, C, spatial...] stands at
// [n, c/16, p, c%16]. So the channels of a pixel fill whole vectors, and
// element-wise work needs no knowledge of the layout.
//
// The lanes beyond C in the last block hold finite numbers of no meaning:
// weights and biases are zero there. There is no halo; kernels with padding
// treat borders themselves.
//
// Results have equal bits for any number of threads and on every tier.
package blocked

// Lanes is the channels of a block.
const Lanes = 16

// Blocks returns the blocks of so many channels.
func Blocks(channels int) int { return (channels + Lanes - 1) / Lanes }

// Len returns the elements of a blocked tensor of n images of so many pixels.
// The caller knows that the product fits an int.
func Len(n, channels, pixels int) int { return n * Blocks(channels) * pixels * Lanes }

func check(ok bool) {
	if !ok {
		panic("blocked: slice too short")
	}
}
