//go:build purego || !amd64

package gemm

import "github.com/gneiss-ml/gneiss/internal/cpu"

func table32(cpu.Level) *Table[float32] { return &generic32 }

func table64(cpu.Level) *Table[float64] { return &generic64 }
