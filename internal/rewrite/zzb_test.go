package rewrite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/internal/autodiff"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

func TestZZB(t *testing.T) {
	for _, op := range []string{"Relu", "Softmax", "Identity", "Dropout"} {
		m := graph(11, func(b *onnx.Builder, x *onnx.Value) *onnx.Value {
			for range 30000 {
				x = b.Op(op, values{x})
			}
			return x
		})
		s := time.Now()
		g, err := rewrite.Prepare(m, set, rewrite.Options{})
		fmt.Println(op, "prepare", time.Since(s), err)
		if err != nil {
			continue
		}
		for l := 0; l < 3; l++ {
			h, _ := g.Copy(nil)
			s = time.Now()
			err = rewrite.Optimise(h, set, rewrite.Options{Level: l})
			fmt.Println(op, "optimise", l, time.Since(s), err, len(h.Nodes))
		}
		if op == "Relu" {
			b := shape.BuilderFor(g, set)
			s = time.Now()
			dy := g.Input("dy", g.Outputs[0].Type)
			_, err = autodiff.Gradients(b, set, g.Outputs, values{dy}, g.Inputs[:1])
			fmt.Println(op, "grad", time.Since(s), err, len(g.Nodes))
		}
	}
}
