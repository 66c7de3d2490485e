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

import "github.com/gneiss-ml/gneiss/internal/parallel"

// Lanes is the channels of a block.
const Lanes = 16

// Blocks returns the blocks of so many channels.
func Blocks(channels int) int { return (channels + Lanes - 1) / Lanes }

// Len returns the elements of a blocked tensor of n images of so many pixels.
// The caller knows that the product fits an int.
func Len(n, channels, pixels int) int { return n * Blocks(channels) * pixels * Lanes }

// Pack writes the plain tensor src, [n, channels, pixels], to dst, blocked.
func Pack(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	check(len(dst) >= Len(n, channels, pixels) && len(src) >= n*channels*pixels)
	for image := range n {
		for b := range Blocks(channels) {
			to := dst[(image*Blocks(channels)+b)*pixels*Lanes:][:pixels*Lanes]
			clear(to)
			for c := b * Lanes; c < min((b+1)*Lanes, channels); c++ {
				for p, v := range src[(image*channels+c)*pixels:][:pixels] {
					to[p*Lanes+c%Lanes] = v
				}
			}
		}
	}
}

// Unpack writes the blocked tensor src to dst, [n, channels, pixels].
func Unpack(team *parallel.Team, dst, src []float32, n, channels, pixels int) {
	check(len(src) >= Len(n, channels, pixels) && len(dst) >= n*channels*pixels)
	for image := range n {
		for c := range channels {
			from := src[(image*Blocks(channels)+c/Lanes)*pixels*Lanes:]
			to := dst[(image*channels+c)*pixels:][:pixels]
			for p := range to {
				to[p] = from[p*Lanes+c%Lanes]
			}
		}
	}
}

func check(ok bool) {
	if !ok {
		panic("blocked: slice too short")
	}
}
