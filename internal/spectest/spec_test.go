package spectest

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write "+failuresFile+" anew")

// expected and found are the list as it was and as it is now; ran counts cases by kind and engine: passed, total.
var (
	expected failures
	found    = failures{}
	seen     = map[string]bool{}
	ran      = map[string][2]int{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if expected, err = readFailures(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	var lines []string
	for k, n := range ran {
		lines = append(lines, fmt.Sprintf("%-30s %5d of %5d pass", k, n[0], n[1]))
	}
	slices.Sort(lines)
	fmt.Println(strings.Join(lines, "\n"))
	if *update {
		for id, reason := range expected { // cases that this run left out
			if !seen[id] {
				found[id] = reason
			}
		}
		if err := found.write(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestNode(t *testing.T)             { runKind(t, "node") }
func TestSimple(t *testing.T)           { runKind(t, "simple") }
func TestPytorchConverted(t *testing.T) { runKind(t, "pytorch-converted") }
func TestPytorchOperator(t *testing.T)  { runKind(t, "pytorch-operator") }
func TestLight(t *testing.T)            { runKind(t, "light") }

// runKind runs all cases of a kind as subtests.
func runKind(t *testing.T, kind string) {
	cases, err := suite()
	require.NoError(t, err)
	count := 0
	for _, c := range cases {
		if c.kind == kind {
			count++
			t.Run(c.name, func(t *testing.T) { runCase(t, c) })
		}
	}
	require.NotZero(t, count, "the archive has no case of this kind")
}

// runCase runs a case on both engines and compares the outcome with the list.
func runCase(t *testing.T, c *suiteCase) {
	for _, e := range engines {
		if testing.Short() && c.kind == "light" && (e.options.Engine == runtime.Plain || cpu.Tier() == cpu.Generic) {
			continue // whole networks in plain Go take minutes; the full run has them
		}
		id, err := c.id()+" "+e.name, check(c, e)
		key := c.kind + " " + e.name
		n := ran[key]
		n[1]++
		reason, listed := expected[id]
		if seen[id] = true; err == nil {
			n[0]++
		} else {
			found[id] = kept(reason, err)
		}
		ran[key] = n
		switch {
		case *update:
		case err != nil && !listed:
			t.Errorf("%s engine: %v", e.name, err)
		case err == nil && listed:
			t.Errorf("%s engine: passes, but is listed in %s: %s", e.name, failuresFile, reason)
		case err != nil && testing.Verbose():
			t.Logf("%s engine, expected: %v", e.name, err)
		}
	}
}

// check runs a case and gives the first difference from what is expected.
func check(c *suiteCase, e engine) error {
	m, err := onnx.Decode(c.files["model.onnx"])
	if err != nil {
		return err
	}
	sets, err := c.dataSets(m)
	if err != nil {
		return err
	}
	for _, d := range sets {
		got, err := e.run(m, d.in)
		if err != nil {
			return err
		}
		if len(got) != len(d.out) {
			return fmt.Errorf("%d outputs, want %d", len(got), len(d.out))
		}
		for i, want := range d.out {
			if err := judge(c, m.Graph.Outputs[i].Name, got[i], want); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge applies the official rule, save for cases whose expected values nothing in them determines.
func judge(c *suiteCase, name string, got, want onnx.Object) error {
	if strings.HasPrefix(c.name, "test_bernoulli") {
		return judgeBernoulli(got, want)
	}
	profile, err := c.tolerance()
	if err != nil {
		return err
	}
	for _, row := range compare.Objects(name, got, want, profile) {
		if row.Verdict.OK() {
			continue
		}
		return errors.New(cmp.Or(row.Detail, fmt.Sprintf("wrong result: output %s[%d] is %v, want %v", row.Name, row.WorstIndex, row.Got, row.Want)))
	}
	return nil
}

// judgeBernoulli looks at type, shape and that all values are 0 or 1: the expected ones come from a state that no file holds.
func judgeBernoulli(got, want onnx.Object) error {
	g, ok := got.(*onnx.Tensor)
	w := want.(*onnx.Tensor)
	if !ok || g.Elem != w.Elem || !slices.Equal(g.Shape, w.Shape) {
		return fmt.Errorf("expected %v, received %v", w.Type(), got.ObjectType())
	}
	vs, err := compare.Floats(g)
	if err != nil {
		return err
	}
	for _, v := range vs {
		if v != 0 && v != 1 {
			return fmt.Errorf("wrong result: %v is not 0 or 1", v)
		}
	}
	return nil
}
