package spectest

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/autodiff/gradcheck"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/internal/ops"
	"github.com/gneiss-ml/gneiss/internal/plan"
	"github.com/gneiss-ml/gneiss/internal/rewrite"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/stretchr/testify/require"
)

// maxGradient is the number of elements of the largest input whose gradient is checked.
const maxGradient = 1 << 12

// TestGradient compares, for every node case with float inputs and outputs, the gradient with central differences in float64,
// by all inputs that the standard does not mark as not differentiable: at the case's inputs or, where these lie on a kink, a tie
// or the edge of a domain, beside them. Cases of operators without a gradient count as such.
func TestGradient(t *testing.T) {
	cases, err := suite()
	require.NoError(t, err)
	for _, c := range cases {
		if c.kind != "node" || strings.HasSuffix(c.name, "_expanded") {
			continue
		}
		g, feeds := gradientCase(c)
		if g == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) { runGradient(t, c, g, feeds) })
	}
}

// gradientCase is the prepared graph and its inputs; nil where there is nothing to differentiate.
func gradientCase(c *suiteCase) (*onnx.Graph, map[string]*onnx.Tensor) {
	m, err := onnx.Decode(c.files["model.onnx"])
	if err != nil {
		return nil, nil
	}
	sets, err := c.dataSets(m)
	if err != nil {
		return nil, nil
	}
	feeds, floats := map[string]*onnx.Tensor{}, [2]bool{}
	for i, o := range sets[0].in {
		x, ok := o.(*onnx.Tensor)
		if !ok || x.Len() > maxGradient {
			return nil, nil
		}
		feeds[fed(m.Graph)[i].Name] = x
		floats[0] = floats[0] || x.Elem == onnx.Float32 || x.Elem == onnx.Float64
	}
	for _, o := range sets[0].out {
		y, ok := o.(*onnx.Tensor)
		if !ok {
			return nil, nil
		}
		floats[1] = floats[1] || y.Elem == onnx.Float32 || y.Elem == onnx.Float64
	}
	if !floats[0] || !floats[1] {
		return nil, nil
	}
	g, err := rewrite.Prepare(m, ops.All, rewrite.Options{})
	if err != nil {
		return nil, nil // TestNode has it
	}
	return g, feeds
}

func runGradient(t *testing.T, c *suiteCase, g *onnx.Graph, feeds map[string]*onnx.Tensor) {
	id, only := "gradient/"+c.name+" plain", differentiable(g)
	if seen[id] = true; len(only) == 0 {
		return
	}
	options := gradcheck.Options{Set: ops.All, Engine: planned, Only: only}
	err := gradcheck.Check(g, feeds, options)
	if err != nil && !errors.Is(err, opdef.ErrNoGrad) {
		if noDouble(g) {
			options.Eps = 1e-2 // float32 has no digits for smaller steps
		}
		if gradcheck.Check(g, beside(feeds), options) == nil {
			err = nil
		}
	}
	key, n := "gradient", [2]int{}
	reason, listed := expected[id]
	switch {
	case errors.Is(err, opdef.ErrNoGrad):
		n = ran["no gradient"]
		ran["no gradient"] = [2]int{n[0], n[1] + 1}
		return
	case err != nil:
		found[id] = kept(reason, err)
	}
	n = ran[key]
	ran[key] = [2]int{n[0] + 1 - b2i(err != nil), n[1] + 1}
	switch {
	case *update:
	case err != nil && !listed:
		t.Error(err)
	case err == nil && listed:
		t.Errorf("passes, but is listed in %s: %s", failuresFile, reason)
	case err != nil:
		t.Logf("expected: %v", err)
	}
}

// noDouble reports whether the standard has no float64 form of some node's operator.
func noDouble(g *onnx.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *onnx.Node) bool {
		s, ok := schema.Newest(n.Domain, n.OpType)
		return ok && len(s.Inputs) > 0 && s.Constraint(s.Inputs[0].Type).Allows("tensor(float)") && !s.Constraint(s.Inputs[0].Type).Allows("tensor(double)")
	})
}

// finite is v, or 0 where v is no number or infinite.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// beside is feeds with finite floats, moved by up to a fiftieth, all by different amounts, so that they lie on no kink, tie or
// edge of a domain, where there is no derivative.
func beside(feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	moved, amount := map[string]*onnx.Tensor{}, 0.0
	next := func() float64 { amount = math.Mod(amount+0.618, 1); return 0.005 + 0.015*amount }
	for _, name := range slices.Sorted(maps.Keys(feeds)) {
		moved[name] = feeds[name]
		if x, err := rewrite.WideTensor(feeds[name]); err == nil && x.Elem == onnx.Float64 {
			y := slices.Clone(onnx.Data[float64](x))
			for i, v := range y {
				y[i] = finite(v) + next()
			}
			moved[name], _ = onnx.NewTensor(y, x.Shape...)
		}
	}
	return moved
}

// differentiable lists the inputs of g that some node reads where the standard does not forbid a gradient.
func differentiable(g *onnx.Graph) []string {
	names := []string{}
	for _, v := range g.Inputs {
		if v.Type.Elem.IsFloat() && slices.ContainsFunc(v.Uses(), hasGradient) {
			names = append(names, v.Name)
		}
	}
	return names
}

func hasGradient(u onnx.Use) bool {
	s, ok := schema.Newest(u.Node.Domain, u.Node.OpType)
	return !ok || s.Input(u.Index) == nil || s.Input(u.Index).Diff != schema.DiffNo
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// planned runs graphs through internal/plan with the generic kernels.
func planned(g *onnx.Graph) (gradcheck.Run, error) {
	p, err := plan.Build(g, plan.NewVars(), plan.Options{Set: ops.All, Generic: true})
	if err != nil {
		return nil, err
	}
	r := p.NewRunner()
	return func(feeds map[string]*onnx.Tensor) ([]*onnx.Tensor, error) {
		var in []opdef.View
		for _, v := range p.Inputs() {
			if x := feeds[v.Name]; x != nil {
				in = append(in, plan.ViewOf(x))
			} else {
				in = append(in, opdef.View{})
			}
		}
		out, err := r.Results(context.Background(), in)
		if err != nil {
			return nil, err
		}
		ts := make([]*onnx.Tensor, len(out))
		for i, o := range out {
			ts[i] = o.(*onnx.Tensor)
		}
		return ts, nil
	}, nil
}
