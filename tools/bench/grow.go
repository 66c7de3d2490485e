package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

// grown is the answer of a decoding run.
type grown struct {
	Tokens  int     `json:"tokens"`
	Growing float64 `json:"growing_ms"` // all first runs of a length
	Fixed   float64 `json:"fixed_ms"`   // all means of further runs of that length
	Ratio   float64 `json:"ratio"`
}

// grow decodes tokens with a model whose inputs called past... and outputs called present... are keys and values of the words so
// far along axis 2: each step runs at a length that no run had before, and then again at the same one.
func grow(path string, threads, tokens int, answers io.Writer) error {
	s, err := runtime.Open(path, runtime.Options{Threads: threads})
	if err != nil {
		return err
	}
	defer s.Close()
	feeds, err := firstWord(s)
	if err != nil {
		return err
	}
	a := grown{Tokens: tokens}
	for step := range tokens + 1 {
		var times []float64
		var out map[string]*onnx.Tensor
		for range 4 {
			start := time.Now()
			if out, err = s.Run(context.Background(), feeds); err != nil {
				return err
			}
			times = append(times, ms(time.Since(start)))
		}
		for name, v := range out {
			if in := strings.Replace(name, "present", "past", 1); in != name {
				feeds[in] = v
			}
		}
		if step == 0 {
			continue // weights were packed
		}
		a.Growing += times[0]
		a.Fixed += (times[1] + times[2] + times[3]) / 3
	}
	a.Ratio = a.Growing / a.Fixed
	return json.NewEncoder(answers).Encode(a)
}

// firstWord is inputs for the first word: one token, and pasts of length 1.
func firstWord(s *runtime.Session) (map[string]*onnx.Tensor, error) {
	feeds := map[string]*onnx.Tensor{}
	for _, in := range s.Inputs() {
		shape := make([]int, len(in.Type.Shape))
		for i, d := range in.Type.Shape {
			shape[i] = int(max(d.N, 1))
		}
		x, err := onnx.Zeros(in.Type.Elem, shape...)
		if err != nil {
			return nil, err
		}
		feeds[in.Name] = x
	}
	return feeds, nil
}
