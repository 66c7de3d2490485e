package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

func (a *app) inspect() *cobra.Command {
	var f common
	var asJSON, asText bool
	c := &cobra.Command{
		Use: "inspect MODEL", Short: "What is in a model", Args: cobra.ExactArgs(1), Example: "  gneiss inspect model.onnx",
		RunE: func(c *cobra.Command, args []string) error { return a.inspectModel(c, args[0], f, asJSON, asText) },
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "JSON")
	c.Flags().BoolVar(&asText, "text", false, "the graph in the standard's text form")
	return c
}

// port is an input or an output in JSON.
type port struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// contents is what inspect tells.
type contents struct {
	Inputs     []port         `json:"inputs"`
	Outputs    []port         `json:"outputs"`
	Operators  map[string]int `json:"operators"`
	Parameters int            `json:"parameters"`
	FLOPs      *int64         `json:"flops"`
	Memory     int64          `json:"memory_bytes"`
	Opsets     map[string]int `json:"opsets"`
	Producer   string         `json:"producer"`
	External   []string       `json:"external_files"`
}

func (a *app) inspectModel(cmd *cobra.Command, path string, f common, asJSON, asText bool) error {
	m, err := readModel(path, onnx.ReadOptions{SkipExternal: true})
	if err != nil {
		return err
	}
	if asText {
		_, err := fmt.Fprint(a.out, m.Text())
		return err
	}
	r := contentsOf(m)
	o, err := f.options(a, "fast", 1)
	if err != nil {
		return err
	}
	r.FLOPs = flops(cmd, path, o)
	if asJSON {
		return json.NewEncoder(a.out).Encode(r)
	}
	a.printContents(r)
	return nil
}

func contentsOf(m *onnx.Model) contents {
	r := contents{
		Inputs: ports(m.Graph.Inputs, m), Outputs: ports(m.Graph.Outputs, nil), Operators: map[string]int{}, Opsets: map[string]int{},
		Producer: strings.TrimSpace(m.Producer + " " + m.ProducerVersion), External: externalFiles(m),
	}
	countOperators(m.Graph, r.Operators)
	for _, o := range m.Graph.Opsets {
		name := o.Domain
		if name == "" {
			name = "ai.onnx"
		}
		r.Opsets[name] = o.Version
	}
	m.Tensors(func(t *onnx.Tensor) {
		if n, ok := t.Elem.NumBytes(t.Len()); ok {
			r.Memory += int64(n)
		}
	})
	for _, v := range m.Graph.Initializers {
		if v.Init != nil {
			r.Parameters += v.Init.Len()
		}
	}
	return r
}

// externalFiles lists the files beside m that hold its tensors, in the order in which m names them.
func externalFiles(m *onnx.Model) []string {
	files := []string{}
	m.Tensors(func(t *onnx.Tensor) {
		if t.External != nil && !slices.Contains(files, t.External.Location) {
			files = append(files, t.External.Location)
		}
	})
	return files
}

// ports lists values; of a model's inputs those that are initializers are left out.
func ports(vs []*onnx.Value, m *onnx.Model) []port {
	out := []port{}
	for _, v := range vs {
		if m == nil || !v.IsInitializer() {
			out = append(out, port{v.Name, v.Type.String()})
		}
	}
	return out
}

func countOperators(g *onnx.Graph, to map[string]int) {
	for _, n := range g.Nodes {
		to[n.Operator()]++
		for _, s := range n.Subgraphs() {
			countOperators(s, to)
		}
	}
}

// flops runs the model once on zeros with every open dim at 1 and adds up; nil when it does not run.
func flops(cmd *cobra.Command, path string, o runtime.Options) *int64 {
	s, err := runtime.Open(path, o)
	if err != nil {
		return nil
	}
	defer s.Close()
	in := map[string]*onnx.Tensor{}
	for _, i := range s.Inputs() {
		shape := make([]int, len(i.Type.Shape))
		for j, d := range i.Type.Shape {
			shape[j] = 1
			if d.IsFixed() {
				shape[j] = int(d.N)
			}
		}
		n, ok := onnx.NumElements(shape)
		if bytes, ok2 := i.Type.Elem.NumBytes(n); !ok || !ok2 || bytes > maxRandom || !i.Type.Ranked {
			return nil
		}
		if in[i.Name], err = onnx.Zeros(i.Type.Elem, shape...); err != nil {
			return nil
		}
	}
	b, err := s.Bind(in, nil)
	if err != nil {
		return nil
	}
	defer b.Close()
	total := int64(0)
	b.Profile(func(e runtime.Event) { total += e.FLOP })
	if b.Run(cmd.Context()) != nil {
		return nil
	}
	return &total
}

func (a *app) printContents(r contents) {
	for _, p := range r.Inputs {
		fmt.Fprintf(a.out, "input   %s %s\n", p.Name, p.Type)
	}
	for _, p := range r.Outputs {
		fmt.Fprintf(a.out, "output  %s %s\n", p.Name, p.Type)
	}
	for _, op := range slices.Sorted(maps.Keys(r.Operators)) {
		fmt.Fprintf(a.out, "%6d  %s\n", r.Operators[op], op)
	}
	fmt.Fprintf(a.out, "parameters %d, weights %d bytes", r.Parameters, r.Memory)
	if r.FLOPs != nil {
		fmt.Fprintf(a.out, ", %d floating-point operations with open dims at 1", *r.FLOPs)
	}
	fmt.Fprintln(a.out)
	for _, d := range slices.Sorted(maps.Keys(r.Opsets)) {
		fmt.Fprintf(a.out, "opset %s %d\n", d, r.Opsets[d])
	}
	fmt.Fprintf(a.out, "producer %s\n", r.Producer)
	for _, e := range r.External {
		fmt.Fprintf(a.out, "external file %s\n", e)
	}
}
