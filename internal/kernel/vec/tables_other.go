//go:build purego || !amd64

package vec

import "github.com/gneiss-ml/gneiss/internal/cpu"

func tableOf(cpu.Level) *Table { return &generic }

func (t *Table) sums(s *[16]float64, x []float32) { sums(s, x) }

func (t *Table) sgd(s *SGD[float32], w, g []float32) { s.step(w, g) }

func (t *Table) adam(s *Adam[float32], w, m, v, g []float32) { s.step(w, m, v, nil, g) }
