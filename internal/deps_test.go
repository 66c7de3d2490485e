// Package internal_test holds the rules of the house that concern the whole tree: who may import whom, package comments,
// the names of operator files, and that the framework names no operator.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/gneiss-ml/gneiss/"

// allowed holds the direct imports among our own packages, as ARCHITECTURE.md draws them. A name ending in / stands for a
// folder. What is not listed may import nothing of ours.
var allowed = map[string][]string{
	"cmd/gneiss":    {"serve", "train/", "compare", "runtime", "onnx/", "internal/arrayfile", "internal/atomicfile", "internal/cpu"},
	"tools/":        {"train/", "compare", "runtime", "onnx/", "internal/arrayfile", "internal/atomicfile"},
	"tools/optable": {"internal/ops", "internal/opdef", "onnx/", "internal/atomicfile"},

	"train":   {"train/", "runtime", "internal/plan", "internal/autodiff", "internal/rewrite", "internal/ops", "internal/opdef", "internal/arrayfile", "internal/atomicfile", "internal/cpu", "onnx/"},
	"train/":  {"train/", "onnx/"},
	"runtime": {"internal/plan", "internal/rewrite", "internal/ops", "internal/opdef", "internal/cpu", "internal/parallel", "onnx/"},
	"compare": {"onnx", "internal/arrayfile"},

	"internal/plan":               {"internal/ops", "internal/opdef", "internal/parallel", "onnx/"},
	"internal/rewrite":            {"internal/autodiff", "internal/ops", "internal/opdef", "onnx/"},
	"internal/autodiff":           {"internal/ops", "internal/opdef", "onnx/"},
	"internal/autodiff/gradcheck": {"internal/autodiff", "internal/ops", "internal/opdef", "internal/rewrite", "onnx/"},
	"onnx/shape":                  {"internal/ops", "internal/opdef", "onnx", "onnx/schema", "onnx/compose"},
	"internal/ops":                {"internal/opdef", "internal/kernel/", "internal/cpu", "internal/parallel", "onnx/"},
	"internal/opdef":              {"internal/parallel", "onnx", "onnx/schema"},
	"onnx/check":                  {"onnx", "onnx/schema"},
	"onnx/convert":                {"onnx", "onnx/schema"},
	"onnx/compose":                {"onnx", "onnx/schema"},
	"onnx":                        {"internal/wire", "internal/atomicfile"},
	"internal/arrayfile":          {"onnx"},
	"internal/kernel/":            {"internal/kernel/", "internal/cpu", "internal/parallel"},
	"internal/parallel":           {"internal/cpu"},
	"internal/spectest":           {"runtime", "compare", "onnx/", "internal/arrayfile"},
	"internal/reltest":            {"runtime", "train/", "compare", "onnx/", "internal/"},
}

// upward are the folders that "onnx/" does not stand for where a lower package says it.
var upward = []string{"onnx/shape"}

type goPackage struct {
	ImportPath, Doc, Name string
	Imports, GoFiles      []string
	Dir                   string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Name,Imports,GoFiles,Dir", module+"...")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.NoError(t, err, string(exit.Stderr))
	}
	require.NoError(t, err)
	var ps []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		}
		ps = append(ps, p)
	}
	require.NotEmpty(t, ps)
	return ps
}

// rules are the entries that hold for a package: its own, else its nearest folder's.
func rules(name string) []string {
	if r, ok := allowed[name]; ok {
		return r
	}
	for dir := name; ; {
		i := strings.LastIndexByte(dir, '/')
		if i < 0 {
			return nil
		}
		dir = dir[:i]
		if r, ok := allowed[dir+"/"]; ok {
			return r
		}
	}
}

func permits(rule, name string) bool {
	return rule == name || strings.HasSuffix(rule, "/") && (strings.HasPrefix(name, rule) || name == strings.TrimSuffix(rule, "/"))
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			dep, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			ok := slices.ContainsFunc(rules(name), func(r string) bool { return permits(r, dep) })
			if strings.HasPrefix(name, "internal/ops") || strings.HasPrefix(name, "train/dataset/mnist") {
				ok = ok && !slices.Contains(upward, dep)
			}
			require.True(t, ok, "%s must not import %s (see ARCHITECTURE.md)", name, dep)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		require.True(t, strings.HasPrefix(p.Doc, want), "%s: the package comment must begin with %q, got %q", p.ImportPath, want, p.Doc)
	}
}
