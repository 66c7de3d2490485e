//go:build purego || !amd64

package vec

import "github.com/gneiss-ml/gneiss/internal/cpu"

func tableOf(cpu.Level) *Table { return &generic }

func (t *Table) sums(s *[16]float64, x []float32) { sums(s, x) }

func (t *Table) sgd(s *SGD[float32], w, g []float32) { s.step(w, g) }

func (t *Table) adam(s *Adam[float32], w, m, v, g []float32) { s.step(w, m, v, nil, g) }

func (t *Table) deviations(*[16]float64, []float32, float64) int { return 0 }

func (t *Table) products(*[32]float64, []float32, []float32, float64) int { return 0 }

func (t *Table) affine(y, x []float32, a, d float32) { affine(y, x, a, d) }

func (t *Table) batchGrad(g *BatchGrad, dx, dy, x []float32) { runBatchGrad(g, dx, dy, x) }

func (t *Table) greatest(x []float32) float32 { return greatest(x) }

func (t *Table) expSum(y, x []float32, shift float32) float32 { return expSum(y, x, shift) }

func (t *Table) normal(y, x, scale, bias []float32, c [4]float32) { normal(y, x, scale, bias, c) }

func (t *Table) normalWhole(y, x []float32, c [4]float32) { normalWhole(y, x, c) }

func (t *Table) sqrt(y, x []float32) { sqrt(y, x) }

func (t *Table) clip(y, x []float32, c [2]float32) { clip(y, x, c) }

func (t *Table) leakyRelu(y, x []float32, c [1]float32) { leakyRelu(y, x, c) }

func (t *Table) hardSigmoid(y, x []float32, c [4]float32) { hardSigmoid(y, x, c) }

func (t *Table) hardSwish(y, x []float32, c [4]float32) { hardSwish(y, x, c) }
