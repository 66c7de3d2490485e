package rewrite_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

const arrow = "\n==> level %d\n"

// TestGolden holds what the passes make of a model, in the standard's text syntax: a file of testdata is the model, then for
// levels -1 (prepared only) to 2 the graph.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			text, _, _ := strings.Cut(string(b), fmt.Sprintf(arrow, -1))
			m, err := onnx.ParseText(text)
			require.NoError(t, err)
			var got strings.Builder
			got.WriteString(text)
			for level := -1; level <= 2; level++ {
				g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
				require.NoError(t, err)
				if level >= 0 {
					require.NoError(t, rewrite.Optimise(g, ops.All, rewrite.Options{Level: level, Eval: eval}))
				}
				got.WriteString(fmt.Sprintf(arrow, level) + g.Text())
			}
			if *update {
				require.NoError(t, os.WriteFile(f, []byte(got.String()), 0o644))
				return
			}
			require.Equal(t, string(b), got.String())
		})
	}
}
