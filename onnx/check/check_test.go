package check

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gneiss-ml/gneiss/onnx"
)

// faultsOf parses a model at opset 22, IR 10, and lists its faults, one a line.
func faultsOf(t *testing.T, text string, o Options) string {
	t.Helper()
	if !strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = `<ir_version: 10, opset_import: ["" : 22]> ` + text
	}
	m, err := onnx.ParseText(text)
	require.NoError(t, err)
	var lines []string
	for _, f := range Model(m, o) {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestModel_valid(t *testing.T) {
	for _, text := range []string{
		`g (float[N] x) => (float[N] y) { y = Relu (x) }`,
		`g (float x, float w = {1}) => (float y) { y = Add (x, w) }`,
		`g (bool c, float x) => (float y) { y = If (c) <then_branch = a () => (z) { z = Neg (x) }, else_branch = b () => (z) { z = Abs (x) }> }`,
		`<ir_version: 10, opset_import: ["" : 22, "com.ex" : 1]> g (float x) => (float y) { y = com.ex.Unknown <a = 1> (x) }`,
		`<ir_version: 10, opset_import: ["" : 22, "f" : 1]> g (float x) => (float y) { y = f.F <a = 1.0> (x) }
		 <domain: "f", opset_import: ["" : 22]> F <a> (x) => (y) { y = Elu <alpha: float = @a> (x) }`,
		`g (float[N,C] x) => (float y) { y, i = MaxPool <kernel_shape = [1]> (x) }`,
	} {
		require.Empty(t, faultsOf(t, text, Options{}), text)
	}
}

func TestModel_faults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"order", `g (float x) => (float y) { y = Relu (z) z = Neg (x) }`, `graph: node "Relu#1" (Relu): input 0: value "z" is made only later, by node "Neg#2"`},
		{"cycle", `g (float x) => (float y) { y = Add (x, z) z = Neg (y) }`, `there is a cycle`},
		{"own output", `g (float x) => (float y) { y = Add (x, y) }`, `made only later`},
		{"late capture", `g (bool c, float x) => (float y) { y = If (c) <then_branch = a () => (z) { z = Neg (w) }, else_branch = b () => (z) { z = Neg (x) }> w = Neg (x) }`, `graph/If#1.then_branch: node "Neg#2" (Neg): input 0: value "w" is made only later`},
		{"no import", `<ir_version: 10, opset_import: ["" : 22]> g (float x) => (float y) { y = com.ex.Foo (x) }`, `domain "com.ex" is not imported`},
		{"import twice", `<ir_version: 10, opset_import: ["" : 22, "ai.onnx" : 21]> g (float x) => (float y) { y = Neg (x) }`, `imported twice`},
		{"new opset", `<ir_version: 10, opset_import: ["" : 99]> g (float x) => (float y) { y = Neg (x) }`, `opset 99 is newer than 28`},
		{"no operator", `g (float x) => (float y) { y = Erfc (x) }`, `opset 22 has no such operator`},
		{"not yet", `g (float x) => (float y) { y = SwiGLU (x) }`, `opset 22 has no such operator`},
		{"deprecated", `g (float[N] x) => (float[N] y) { y = Upsample (x, x) }`, `deprecated since opset 10`},
		{"private", `<ir_version: 10, opset_import: ["gneiss" : 1]> g (float x) => (float y) { y = gneiss.Foo (x) }`, `private to the program`},
		{"unknown attribute", `g (float x) => (float y) { y = Relu <beta = 1> (x) }`, `attribute "beta": Relu-14 has no such attribute`},
		{"attribute kind", `g (float x) => (float y) { y = Elu <alpha = 1> (x) }`, `attribute "alpha": expected kind 1, received 2`},
		{"attribute twice", `g (float x) => (float y) { y = Elu <alpha = 1.0, alpha = 2.0> (x) }`, `stands twice`},
		{"attribute missing", `g (float[N,C] x) => (float y) { y = MaxPool (x) }`, `MaxPool-22 needs attribute "kernel_shape"`},
		{"reference", `g (float x) => (float y) { y = Elu <alpha: float = @a> (x) }`, `outside of any`},
		{"few inputs", `g (float x) => (float y) { y = Add (x) }`, `inputs: expected 2 to 2, received 1`},
		{"many inputs", `g (float x) => (float y) { y = Relu (x, x) }`, `inputs: expected 1 to 1, received 2`},
		{"absent input", `g (float x) => (float y) { y = Add (x, "") }`, `input 1: B is required`},
		{"many outputs", `g (float x) => (float y) { y, z = Relu (x) }`, `outputs: expected 1 to 1, received 2`},
		{"type", `g (string x) => (float y) { y = Relu (x) }`, `X of Relu-14 cannot be tensor(string)`},
		{"types differ", `g (float x, double w) => (float y) { y = Add (x, w) }`, `B is tensor(double) where another value of type T is tensor(float)`},
		{"output type", `g (float x) => (int64 y) { y = Relu (x) }`, `Y is tensor(int64)`},
		{"no type", `g (x) => (float y) { y = Relu (x) }`, `input 0: value "x" has no type`},
		{"ir 3", `<ir_version: 3, opset_import: ["" : 7]> g (float x) => (float y) <float w = {1}> { y = Add (x, w) }`, `must be an input as well`},
		{"initializer type", `g (float[3] w) => (float[3] y) <double[3] w = {1, 2, 3}> { y = Neg (w) }`, `initializer "w": declared as float[3], its contents are double[3]`},
		{"external", `g () => (float[1] y) <float[1] w = ["location": "../w"]> { y = Neg (w) }`, `outside of the model's folder`},
		{"external length", `g () => (float[1] y) <float[1] w = ["location": "w", "length": "8"]> { y = Neg (w) }`, `expected 4 bytes`},
		{
			"recursion", `<ir_version: 10, opset_import: ["f" : 1]> g (float x) => (float y) { y = f.F (x) }
			<domain: "f", opset_import: ["f" : 1, "" : 22]> F (x) => (y) { y = f.G (x) }
			<domain: "f", opset_import: ["f" : 1, "" : 22]> G (x) => (y) { c = Cast <to = 9> (x) y = If (c) <then_branch = a () => (z) { z = f.F (x) }, else_branch = b () => (z) { z = Neg (x) }> }`,
			`function f.G: it comes to call itself through f.F`,
		},
		{"function attribute", `<ir_version: 10, opset_import: ["f" : 1]> g (float x) => (float y) { y = f.F (x) } <domain: "f", opset_import: ["" : 22]> F <a> (x) => (y) { y = Elu <alpha: float = @b> (x) }`, `the function has no attribute "b"`},
		{"function twice", `<ir_version: 10, opset_import: ["f" : 1]> g (float x) => (float y) { y = Neg (x) } <domain: "f"> F () => () {} <domain: "f"> F () => () {}`, `function f.F: it is defined twice`},
		{"function import", `<ir_version: 10, opset_import: ["f" : 1]> g (float x) => (float y) { y = f.F (x) } <domain: "f"> F (x) => (y) { y = Neg (x) }`, `the domain "" is not imported`},
	} {
		t.Run(c.name, func(t *testing.T) { require.Contains(t, faultsOf(t, c.text, Options{}), c.want) })
	}
}

func TestModel_strict(t *testing.T) {
	text := `<ir_version: 10, opset_import: ["com.ex" : 1]> g (float x) => (float y) { y = com.ex.Foo (x) }`
	require.Empty(t, faultsOf(t, text, Options{}))
	require.Contains(t, faultsOf(t, text, Options{Strict: true}), "nothing defines the operator")
}

func TestModel_deepCalls(t *testing.T) {
	for _, rootFirst := range []bool{true, false} {
		var b strings.Builder
		b.WriteString(`<ir_version: 10, opset_import: ["f" : 1]> g (float x) => (float y) { y = f.F0 (x) }`)
		for i := range 150 {
			k := i
			if !rootFirst {
				k = 149 - i
			}
			op := fmt.Sprintf("f.F%d", k+1)
			if k == 149 {
				op = "Neg"
			}
			fmt.Fprintf(&b, "\n<domain: \"f\", opset_import: [\"\" : 22, \"f\" : 1]> F%d (x) => (y) { y = %s (x) }", k, op)
		}
		require.Equal(t, 1, strings.Count(faultsOf(t, b.String(), Options{}), "nest deeper than 100"))
	}
}

func TestModel_sparse(t *testing.T) {
	g := onnx.NewGraph("g", nil)
	g.SetOpset("", 22)
	v := g.Initializer("w", onnx.Type{}, nil)
	m := onnx.NewModel(g)
	for _, c := range []struct {
		index []int64
		shape []int
		want  string
	}{
		{[]int64{1, 4}, []int{2}, ""},
		{[]int64{4, 1}, []int{2}, "ascending"},
		{[]int64{1, 6}, []int{2}, "ascending positions below 6"},
		{[]int64{0, 1, 1, 0}, []int{2, 2}, ""},
		{[]int64{0, 1, 2, 0}, []int{2, 2}, "on axis 0"},
		{[]int64{0, 1, 0, 1}, []int{2, 2}, "ascending"},
		{[]int64{0}, []int{1}, "expected indices of shape"},
	} {
		index, err := onnx.NewTensor(c.index, c.shape...)
		require.NoError(t, err)
		v.Sparse = &onnx.SparseTensor{Values: onnx.Vector[float32](1, 2), Indices: index, Dims: []int{2, 3}}
		err = Err(Model(m, Options{}))
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
		require.True(t, errors.Is(err, onnx.ErrInvalid))
	}
}

// The official suite has no faults.
func TestModel_suite(t *testing.T) {
	f, err := os.Open("../../testdata/conformance/suite.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	n := 0
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if !strings.HasSuffix(h.Name, ".onnx") {
			continue
		}
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		m, err := onnx.Decode(b)
		require.NoError(t, err, h.Name)
		require.NoError(t, Err(Model(m, Options{})), h.Name)
		n++
	}
	require.Greater(t, n, 2000)
	t.Logf("%d models without faults", n)
}

// What the frameworks' exporters wrote has no faults.
func TestModel_exported(t *testing.T) {
	files, err := filepath.Glob("../../testdata/models/*/*.onnx")
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		m, err := onnx.Decode(b)
		require.NoError(t, err, f)
		require.NoError(t, Err(Model(m, Options{})), f)
	}
}

func ExampleModel() {
	m, err := onnx.ParseText(`<ir_version: 10, opset_import: ["" : 22]>
		g (float[N] x) => (float[N] y) { y = Elu <alpha = 1> (z) z = Relu (x) }`)
	if err != nil {
		panic(err)
	}
	for _, f := range Model(m, Options{}) {
		fmt.Println(f)
	}
	// Output:
	// graph: node "Elu#1" (Elu): input 0: value "z" is made only later, by node "Relu#2"
	// graph: node "Elu#1" (Elu): attribute "alpha": expected kind 1, received 2
}
