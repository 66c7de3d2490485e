//go:build arm64 && !purego

package cpu

import "golang.org/x/sys/cpu"

// NEON joins the levels when its kernels exist.
func detect() []Level { return []Level{Generic} }

func features(tier Level) Features {
	return Features{
		DotProd: tier >= NEON && cpu.ARM64.HasASIMDDP,
		I8MM:    tier >= NEON && cpu.ARM64.HasI8MM,
	}
}
