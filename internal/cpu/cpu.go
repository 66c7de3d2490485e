// Package cpu says which kernels this process uses.
//
// The processor's features are read once and condensed into one Level. Every
// kernel package keeps one table per Level and asks Tier which one to take;
// no other code looks at features. The environment variable GNEISS_CPU
// (avx512, avx2, neon or generic) lowers the tier; asking for more than the
// machine has gives the best it has.
package cpu

import (
	"os"
	"sync"
)

// A Level is a set of instructions for which a full set of kernels exists.
type Level int

// The levels. On one architecture a greater level includes the lesser ones.
const (
	// Generic is plain Go, on every architecture.
	Generic Level = iota
	// NEON is Advanced SIMD of arm64.
	NEON
	// AVX2 is AVX2 with FMA.
	AVX2
	// AVX512 is AVX2 and the subsets F, BW, VL and DQ of AVX-512.
	AVX512
)

// String returns the name that GNEISS_CPU uses.
func (l Level) String() string {
	switch l {
	case NEON:
		return "neon"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return "generic"
}

// Features are instructions beside the level. A flag is false where the tier
// in use is too low for a kernel to use it.
type Features struct {
	VNNI    bool // AVX-512 VNNI
	BF16    bool // AVX-512 BF16
	AVXVNNI bool // VNNI in its VEX form
	DotProd bool // SDOT and UDOT of arm64
	I8MM    bool // SMMLA and UMMLA of arm64
}

type choice struct {
	supported []Level
	tier      Level
	features  Features
}

var chosen = sync.OnceValue(func() choice {
	levels := detect()
	tier := choose(levels, os.Getenv("GNEISS_CPU"))
	return choice{levels, tier, features(tier)}
})

// Tier returns the level in use, chosen at the first call.
func Tier() Level { return chosen().tier }

// Supported returns the levels that this machine and this build can run, the
// lowest first. GNEISS_CPU does not shorten it.
func Supported() []Level {
	return append([]Level(nil), chosen().supported...)
}

// Has returns the features beside the tier in use.
func Has() Features { return chosen().features }

// choose returns the best of levels that is not above the one asked for. An
// unknown name and a level of another architecture count as not asked.
func choose(levels []Level, asked string) Level {
	best := levels[len(levels)-1]
	for _, l := range levels {
		if l.String() == asked {
			return l
		}
	}
	return best
}
