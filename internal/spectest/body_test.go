package spectest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/stretchr/testify/require"
)

// TestBodies runs every node case of an operator that the standard defines by a function with the body in the operator's
// place, and holds the result against the official one and against the kernel's, both at the official tolerance.
func TestBodies(t *testing.T) {
	cases, err := suite()
	require.NoError(t, err)
	ran := map[string]int{}
	for _, c := range cases {
		if c.kind != "node" {
			continue
		}
		m, err := onnx.Decode(c.files["model.onnx"])
		require.NoError(t, err)
		for _, op := range functionsIn(m) {
			ran[op]++
			t.Run(c.name+"/"+op, func(t *testing.T) {
				if reason := bodyReason(c.name, op); reason != "" {
					t.Skip(reason)
				}
				requireBody(t, c, m, op)
			})
		}
	}
	for s := range schema.All() {
		if newest, ok := schema.Newest(s.Domain, s.Name); ok && newest == s && isFunction(s) {
			require.NotZero(t, ran[s.Name], "no case of the suite has the operator %s", s.Name)
		}
	}
	require.Len(t, ran, 49)
}

func isFunction(s *schema.Schema) bool { return s.Function || s.ContextFunction }

// bodyReason is why a case cannot be computed by the body of op; empty where it can.
func bodyReason(name, op string) string {
	if op == "Softmax" && strings.HasSuffix(name, "_bf16_expanded") || op == "Elu" && name == "test_celu_bfloat16_expanded" {
		return "the expected values are rounded to bfloat16 after each operator of the case, the body would round once more inside one"
	}
	return ""
}

// functionsIn lists the operators in m's graph whose newest version is a function.
func functionsIn(m *onnx.Model) []string {
	var list []string
	for _, n := range m.Graph.Nodes {
		if s, ok := schema.Newest(n.Domain, n.OpType); ok && isFunction(s) && !slices.Contains(list, n.OpType) {
			list = append(list, n.OpType)
		}
	}
	return list
}

func requireBody(t *testing.T, c *suiteCase, m *onnx.Model, op string) {
	sets, err := c.dataSets(m)
	require.NoError(t, err)
	expand := func(n *onnx.Node) bool { return n.OpType == op }
	for _, d := range sets {
		byKernel, err := prepared(m, d, nil)
		require.NoError(t, err)
		byBody, err := prepared(m, d, expand)
		require.NoError(t, err)
		require.Len(t, byBody, len(d.out))
		for i, want := range d.out {
			name := m.Graph.Outputs[i].Name
			require.NoError(t, judge(c, name, byBody[i], want), "body and official result")
			require.NoError(t, judge(c, name, byBody[i], byKernel[i]), "body and kernel")
		}
	}
}

// prepared runs m on the plain engine with bodies in the place of the nodes that expand chooses, of which none may remain.
func prepared(m *onnx.Model, d dataSet, expand func(*onnx.Node) bool) ([]onnx.Object, error) {
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{Expand: expand})
	if err != nil {
		return nil, err
	}
	if expand != nil && slices.ContainsFunc(g.Nodes, expand) {
		return nil, fmt.Errorf("the body was not put in: %s", strings.TrimSpace(g.Text()))
	}
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All, Generic: true})
	if err != nil {
		return nil, err
	}
	in := make([]opdef.View, len(p.Inputs()))
	for i, v := range p.Inputs() {
		for j, w := range fed(m.Graph) {
			if w.Name == v.Name && j < len(d.in) {
				in[i] = plan.ViewOf(d.in[j])
			}
		}
	}
	r := p.NewRunner()
	defer r.Close()
	return r.Results(context.Background(), in)
}
