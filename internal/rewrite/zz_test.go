package rewrite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
)

func TestZZ(t *testing.T) {
	files, _ := filepath.Glob("/tmp/rw/suite/*/*/model.onnx")
	uns := map[string]int{}
	ok := 0
	for _, f := range files {
		m, err := onnx.ReadFile(f)
		if err != nil {
			fmt.Println("READ", f, err)
			continue
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					fmt.Println("PANIC", f, r)
				}
			}()
			g, err := rewrite.Prepare(m, set, rewrite.Options{})
			if err == nil {
				err = rewrite.Optimise(g, set, rewrite.Options{Level: 2, Eval: eval})
			}
			switch {
			case err == nil:
				ok++
			case errors.Is(err, errors.ErrUnsupported):
				var at *onnx.NodeError
				errors.As(err, &at)
				if at == nil {
					fmt.Println("NOAT", f, err)
					return
				}
				uns[at.OpType]++
			default:
				s := err.Error()
				fmt.Println("ERR", f[len("/tmp/rw/suite/"):len(f)-11], s[:min(len(s), 300)])
			}
		}()
	}
	var names []string
	for k := range uns {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Print(k, ":", uns[k], " ")
	}
	fmt.Println("\nOK", ok, "of", len(files))
}
