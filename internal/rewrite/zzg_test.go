package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
)

func zzEngine(g *onnx.Graph) (gradcheck.Run, error) {
	if err := rewrite.Optimise(g, set, rewrite.Options{}); err != nil {
		return nil, fmt.Errorf("optimise: %w", err)
	}
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: set})
	if err != nil {
		return nil, err
	}
	r := p.NewRunner()
	return func(feeds map[string]*onnx.Tensor) ([]*onnx.Tensor, error) {
		ins := make([]opdef.View, len(g.Inputs))
		for i, v := range g.Inputs {
			if feeds[v.Name] != nil {
				ins[i] = plan.ViewOf(feeds[v.Name])
			}
		}
		outs, err := r.Results(context.Background(), ins)
		if err != nil {
			return nil, err
		}
		ts := make([]*onnx.Tensor, len(outs))
		for i, o := range outs {
			t, ok := o.(*onnx.Tensor)
			if !ok {
				return nil, fmt.Errorf("SKIP not a tensor")
			}
			ts[i] = t
		}
		return ts, nil
	}, nil
}

func TestZZG(t *testing.T) {
	pat := os.Getenv("ZZ")
	if pat == "" {
		pat = "node/*"
	}
	files, _ := filepath.Glob("/tmp/rw/suite/" + pat + "/model.onnx")
	count := map[string]int{}
	nograd := map[string]int{}
	for _, f := range files {
		name := f[len("/tmp/rw/suite/") : len(f)-11]
		m, err := onnx.ReadFile(f)
		if err != nil {
			continue
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					fmt.Println("PANIC", name, r)
				}
			}()
			g, err := rewrite.Prepare(m, set, rewrite.Options{})
			if err != nil {
				count["unprepared"]++
				return
			}
			feeds := map[string]*onnx.Tensor{}
			for i, v := range g.Inputs {
				b, err := os.ReadFile(filepath.Dir(f) + fmt.Sprintf("/test_data_set_0/input_%d.pb", i))
				if err != nil || !v.Type.IsTensor() {
					count["noinput"]++
					return
				}
				x, err := onnx.DecodeTensor(b)
				if err != nil {
					count["noinput"]++
					return
				}
				feeds[v.Name] = x
			}
			start := time.Now()
			err = gradcheck.Check(g, feeds, gradcheck.Options{Set: set, Engine: zzEngine})
			if d := time.Since(start); d > 2*time.Second {
				fmt.Println("SLOW", name, d)
			}
			switch {
			case err == nil:
				count["ok"]++
			case strings.Contains(err.Error(), "nothing to check"), strings.Contains(err.Error(), "SKIP"):
				count["nothing"]++
			case errors.Is(err, opdef.ErrNoGrad):
				var at *onnx.NodeError
				errors.As(err, &at)
				nograd[at.OpType]++
			default:
				s := err.Error()
				fmt.Println("ERR", name, s[:min(len(s), 250)])
				count["err"]++
			}
		}()
	}
	var ks []string
	for k := range nograd {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	for _, k := range ks {
		fmt.Print(k, ":", nograd[k], " ")
	}
	fmt.Println(count)
}
