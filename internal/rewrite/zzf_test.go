package rewrite_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
)

func TestZZF(t *testing.T) {
	files, _ := filepath.Glob("/tmp/rw/suite/*/*/model.onnx")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 5))
	seen := map[string]int{}
	n, dec, prep := 0, 0, 0
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); n++ {
		f := files[r.IntN(len(files))]
		b, _ := os.ReadFile(f)
		if len(b) == 0 || len(b) > 20000 {
			continue
		}
		for range 1 + r.IntN(3) {
			switch r.IntN(3) {
			case 0:
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			case 1:
				b[r.IntN(len(b))] = byte(r.IntN(256))
			case 2:
				b[r.IntN(len(b))] = byte(r.IntN(4))
			}
		}
		func() {
			defer func() {
				if e := recover(); e != nil {
					st := string(debug.Stack())
					// first own frame after panic
					i := strings.Index(st, "panic(")
					lines := strings.Split(st[max(i, 0):], "\n")
					key := fmt.Sprint(e)
					for _, l := range lines {
						if strings.Contains(l, "/work/main/") || strings.Contains(l, "/tmp/rw/wt/") {
							key += " @ " + strings.TrimSpace(l)
							break
						}
					}
					seen[key]++
					if seen[key] == 1 {
						fmt.Println("PANIC", key, f)
						if strings.Contains(key, "rewrite") || strings.Contains(key, "shape/") || strings.Contains(key, "compose") {
							fmt.Println(st[:min(len(st), 3000)])
						}
					}
				}
			}()
			m, err := onnx.Decode(b)
			if err != nil {
				return
			}
			dec++
			start := time.Now()
			_, _ = shape.InferModel(m)
			g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
			if err == nil {
				prep++
				err = rewrite.Optimise(g, ops.All, rewrite.Options{Level: 2})
			}
			if err != nil && strings.Contains(err.Error(), "internal error") {
				key := err.Error()
				key = key[:min(len(key), 60)]
				if seen[key]++; seen[key] == 1 {
					fmt.Println("INTERNAL", err, f)
				}
			}
			if d := time.Since(start); d > time.Second {
				fmt.Println("SLOW", d, f, err)
			}
		}()
	}
	fmt.Println(n, dec, prep)
}
