//go:build amd64 && !purego

package cpu

import "golang.org/x/sys/cpu"

func detect() []Level {
	levels := []Level{Generic}
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return levels
	}
	levels = append(levels, AVX2)
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ {
		levels = append(levels, AVX512)
	}
	return levels
}

func features(tier Level) Features {
	x := &cpu.X86
	return Features{
		VNNI:    tier >= AVX512 && x.HasAVX512VNNI,
		BF16:    tier >= AVX512 && x.HasAVX512BF16,
		AVXVNNI: tier >= AVX2 && x.HasAVXVNNI,
	}
}
