// Command optable writes the table of operators: all of it to OPERATORS.md, its sums into README.md between the markers.
// It is run in the root of the project and takes a few seconds:
//
//	go run ./tools/optable          # writes both files
//	go run ./tools/optable -check   # says whether they are up to date: exit status 1 if not
//
// Nothing is computed by running models: what operators can do comes from their definitions and from the schemas of the
// standard, what passes comes from the list of the official cases that do not pass yet and, for operators that ONNX Runtime adds,
// from the cases that are compared with it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/atomicfile"
)

const (
	longFile  = "OPERATORS.md"
	shortFile = "README.md"
	begin     = "<!-- operators: made by `make operators` -->\n"
	end       = "<!-- end -->"
)

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 when a file is not up to date")
	flag.Parse()
	stale, err := run(*check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "optable:", err)
		os.Exit(2)
	}
	if *check && len(stale) > 0 {
		fmt.Fprintln(os.Stderr, "optable: not up to date:", stale)
		os.Exit(1)
	}
}

// run makes both texts and lists the files that differ from them; unless check is set it writes those.
func run(check bool) (stale []string, err error) {
	cases, err := readSuite("testdata/conformance/suite.tar.gz", "internal/spectest/expected_failures.txt")
	if err != nil {
		return nil, err
	}
	compared, err := readCompared("internal/ops/testdata/ms.json.gz")
	if err != nil {
		return nil, err
	}
	rows, extra := tabulate(cases), contributed(compared)
	readme, err := os.ReadFile(shortFile)
	if err != nil {
		return nil, err
	}
	short, err := splice(readme, shortForm(rows, extra, cases))
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{longFile, []byte(longForm(rows, extra, cases))}, {shortFile, short}} {
		if old, err := os.ReadFile(f.name); err == nil && bytes.Equal(old, f.text) {
			continue
		}
		stale = append(stale, f.name)
		if check {
			continue
		}
		err := atomicfile.Write(f.name, func(w io.Writer) error {
			_, err := w.Write(f.text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return stale, nil
}

// splice puts text between the markers of file.
func splice(file []byte, text string) ([]byte, error) {
	head, rest, ok := bytes.Cut(file, []byte(begin))
	_, tail, ended := bytes.Cut(rest, []byte(end))
	if !ok || !ended {
		return nil, fmt.Errorf("%s: expected the lines %q and %q", shortFile, begin, end)
	}
	return slices.Concat(head, []byte(begin), []byte(text), []byte(end), tail), nil
}
