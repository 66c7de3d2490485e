//go:build purego || !amd64

package blocked

import "github.com/gneiss-ml/gneiss/internal/cpu"

func winogradFor(cpu.Level) winogradTable { return genericWinograd }
