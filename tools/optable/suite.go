package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// suiteCase is an official case: the operators it is about and whether it passes on both engines.
type suiteCase struct {
	id     string
	ops    []opKey
	passes bool
}

// opKey names an operator; the domain "" is ai.onnx.
type opKey struct{ domain, name string }

// readSuite reads the models of the archive and the list of cases that do not pass.
func readSuite(archive, failures string) ([]*suiteCase, error) {
	failing, err := readFailures(failures)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, err
	}
	var cases []*suiteCase
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		id, ok := strings.CutSuffix(h.Name, "/model.onnx")
		if !ok {
			continue
		}
		m, err := onnx.Read(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		cases = append(cases, &suiteCase{id, operatorsOf(m.Graph), !failing[id]})
	}
	shareBodies(cases)
	return cases, nil
}

// readCompared counts the cases of each operator that are compared with ONNX Runtime; each is a model of one node.
func readCompared(path string) (map[opKey]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var file struct {
		Cases []struct {
			Name  string
			Model []byte
		}
	}
	if err := json.NewDecoder(z).Decode(&file); err != nil {
		return nil, err
	}
	counts := map[opKey]int{}
	for _, c := range file.Cases {
		m, err := onnx.Decode(c.Model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		for _, k := range operatorsOf(m.Graph) {
			counts[k]++
		}
	}
	return counts, nil
}

// readFailures is the set of the cases that fail on an engine.
func readFailures(path string) (map[string]bool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	failing := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if id, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && id != "#" {
			failing[id] = true
		}
	}
	return failing, nil
}

// operatorsOf lists the operators of a graph and its subgraphs, each once.
func operatorsOf(g *onnx.Graph) []opKey {
	var list []opKey
	seen := map[opKey]bool{}
	var walk func(*onnx.Graph)
	walk = func(g *onnx.Graph) {
		for _, n := range g.Nodes {
			k := opKey{n.Domain, n.OpType}
			if onnx.IsDefaultDomain(k.domain) {
				k.domain = ""
			}
			if !seen[k] {
				seen[k], list = true, append(list, k)
			}
			for _, s := range n.Subgraphs() {
				walk(s)
			}
		}
	}
	walk(g)
	return list
}

// shareBodies makes a case that holds the body of an operator a case of that operator: the standard's suite has, beside
// test_x, the case test_x_expanded.
func shareBodies(cases []*suiteCase) {
	byID := make(map[string]*suiteCase, len(cases))
	for _, c := range cases {
		byID[c.id] = c
	}
	for _, c := range cases {
		if i := strings.LastIndex(c.id, "_expanded"); i >= 0 && byID[c.id[:i]] != nil {
			c.ops = byID[c.id[:i]].ops
		}
	}
}

// isNode reports whether the case is one of those about single operators.
func (c *suiteCase) isNode() bool { return strings.HasPrefix(c.id, "node/") }
