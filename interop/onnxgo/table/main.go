// Command table measures what onnx-go's own backend runs of the committed models of PyTorch and Keras, what the same reader
// runs with Gneiss behind it, and what this module's Model runs. It prints the table of README.md:
//
//	go run ./table ../../testdata/models
//
// Each cell is a process of its own, because a backend may panic in a goroutine or never end.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/interop/onnxgo"
	"github.com/gneiss-ml/gneiss/onnx"
	upstream "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"gorgonia.org/tensor"
)

// columns are the ways to run a model.
var columns = []struct{ head, kind string }{
	{"onnx-go 0.5.0 with gorgonnx", "gorgonnx"},
	{"onnx-go 0.5.0 with `onnxgo.Graph`", "graph"},
	{"`onnxgo.Model`", "model"},
}

// limit is how long one cell may take.
const limit = 60 * time.Second

func main() {
	if len(os.Args) == 4 && os.Args[1] == "case" {
		fmt.Println(verdict(runCase(os.Args[2], os.Args[3])))
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: table MODELS")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write measures every case below root that has expected outputs.
func write(w io.Writer, root string) error {
	sets, err := filepath.Glob(filepath.Join(root, "*", "test_data_set_0"))
	if err != nil || len(sets) == 0 {
		return fmt.Errorf("no cases below %q: %w", root, err)
	}
	head, line := "| case |", "|---|"
	for _, c := range columns {
		head, line = head+" "+c.head+" |", line+"---|"
	}
	runs := make([]int, len(columns))
	fmt.Fprintf(w, "%s\n%s\n", head, line)
	for _, set := range sets {
		dir := filepath.Dir(set)
		fmt.Fprintf(w, "| %s |", filepath.Base(dir))
		for i, c := range columns {
			cell := measure(c.kind, dir)
			if cell == "runs" {
				runs[i]++
			}
			fmt.Fprintf(w, " %s |", cell)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "| run, of all |")
	for _, n := range runs {
		fmt.Fprintf(w, " %d of %d |", n, len(sets))
	}
	_, err = fmt.Fprintln(w)
	return err
}

// measure runs one cell in a process of its own.
func measure(kind, dir string) string {
	self, err := os.Executable()
	if err != nil {
		return cell(err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, self, "case", kind, dir)
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("no answer in %v", limit)
	case err == nil:
		return cell(out.String())
	}
	for l := range strings.SplitSeq(errs.String(), "\n") {
		if strings.HasPrefix(l, "panic: ") {
			return cell(l)
		}
	}
	return cell(err.Error())
}

// cell makes a text fit a table.
func cell(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	if r := []rune(s); len(r) > 120 {
		s = string(r[:117]) + "..."
	}
	return s
}

func verdict(err error) string {
	var missing *upstream.ErrNotImplemented
	switch {
	case err == nil:
		return "runs"
	case errors.As(err, &missing) && missing.AttributeName != "": // its own text has the whole attribute
		return fmt.Sprintf("attribute %q: %s", missing.AttributeName, missing.Message)
	}
	return err.Error()
}

// runCase runs a case and compares its outputs with the framework's under PyTorch's tolerances.
func runCase(kind, dir string) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("panic: %v", x)
		}
	}()
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return err
	}
	m, run, err := open(kind, dir, data)
	if err != nil {
		return err
	}
	ins, err := read(dir, "input", upstream.NewTensor)
	if err != nil {
		return err
	}
	for i, t := range ins {
		if err := m.SetInput(i, t); err != nil {
			return err
		}
	}
	if err := run(); err != nil {
		return err
	}
	outs, err := m.GetOutputTensors()
	if err != nil {
		return err
	}
	wants, err := read(dir, "output", onnx.DecodeTensor)
	if err != nil {
		return err
	}
	if len(outs) != len(wants) {
		return fmt.Errorf("expected %d outputs, received %d", len(wants), len(outs))
	}
	for i, want := range wants {
		got, err := onnxgo.FromGorgonia(outs[i])
		if err != nil {
			return err
		}
		if row := compare.Tensors(got, want, compare.Torch); !row.Verdict.OK() {
			return fmt.Errorf("output %d differs: %v", i, row)
		}
	}
	return nil
}

// model is what onnx-go's Model and this module's have in common.
type model interface {
	UnmarshalBinary(data []byte) error
	SetInput(i int, t tensor.Tensor) error
	GetOutputTensors() ([]tensor.Tensor, error)
}

// open reads a model and gives what runs it.
func open(kind, dir string, data []byte) (model, func() error, error) {
	switch kind {
	case "gorgonnx":
		g := gorgonnx.NewGraph()
		m := upstream.NewModel(g)
		return m, g.Run, m.UnmarshalBinary(data)
	case "graph":
		opset, err := onnxgo.Opset(data)
		if err != nil {
			return nil, nil, err
		}
		g := onnxgo.NewGraph(onnxgo.Options{Opset: opset})
		m := upstream.NewModel(g)
		return m, g.Run, m.UnmarshalBinary(data)
	case "model":
		g := onnxgo.NewGraph(onnxgo.Options{})
		m := onnxgo.NewModel(g)
		return m, g.Run, m.ReadFile(filepath.Join(dir, "model.onnx"))
	}
	return nil, nil, fmt.Errorf("%q is no way to run a model", kind)
}

// read reads KIND_0.pb, KIND_1.pb, ... of a case's data.
func read[T any](dir, kind string, decode func([]byte) (T, error)) ([]T, error) {
	var all []T
	for {
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, len(all))))
		if errors.Is(err, os.ErrNotExist) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		t, err := decode(b)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
}
