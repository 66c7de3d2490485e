package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/stretchr/testify/require"
)

// framework are the folders that must name no operator; schema and convert lie inside onnx and are left out.
var framework = []string{"../onnx", "opdef", "plan", "autodiff", "../runtime"}

func TestFrameworkNamesNoOperator(t *testing.T) {
	known := map[string]bool{}
	for s := range schema.All() {
		known[s.Name] = true
	}
	require.NotEmpty(t, known)
	for _, dir := range framework {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "schema" || d.Name() == "convert" || d.Name() == "gradcheck" || d.Name() == "testdata") {
				return fs.SkipDir
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				namesNone(t, path, known)
			}
			return nil
		}))
	}
}

// namesNone looks for string literals that are an operator's name. Comments may name operators.
func namesNone(t *testing.T, path string, known map[string]bool) {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			require.NoError(t, err)
			require.False(t, known[s], "%s names the operator %q", files.Position(lit.Pos()), s)
		}
		return true
	})
}

var defLiteral = regexp.MustCompile(`(?m)^var op(\w+) = opdef\.Def\{`)

// TestOperatorFiles checks that an operator stands in the file of its name and that there is one operator to a file.
func TestOperatorFiles(t *testing.T) {
	files, err := filepath.Glob("ops/*.go")
	require.NoError(t, err)
	found := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		defs := defLiteral.FindAllStringSubmatch(string(text), -1)
		found += len(defs)
		require.LessOrEqual(t, len(defs), 1, "%s holds more than one operator", path)
		for _, d := range defs {
			base := strings.TrimSuffix(filepath.Base(path), ".go")
			for _, domain := range []string{"ml_", "ms_", "gneiss_", "preview_"} {
				base = strings.TrimPrefix(base, domain)
			}
			name := strings.ToLower(d[1])
			for _, domain := range []string{"ml", "ms", "gneiss", "preview"} {
				if strings.TrimPrefix(name, domain) == base {
					name = base
				}
			}
			require.Equal(t, base, name, "%s holds the operator %s", path, d[1])
		}
	}
	require.NotZero(t, found)
}
