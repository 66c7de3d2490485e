package blocked

import (
	"github.com/gneiss-ml/gneiss/internal/cpu"
)

type poolTable struct{}

func poolFor(cpu.Level) poolTable { return poolTable{} }
