package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// TreeEnsemble adds up what the leaves of trees say of each target, and transforms the scores. Sums are taken in float64.
// Sets of members belong to the nodes of mode BRANCH_MEMBER in the order of nodes_modes.
var opTreeEnsemble = opdef.Def{
	Type:   "TreeEnsemble",
	Domain: mlDomain,
	Infer: func(c *opdef.Infer) error {
		n, err := rowsDim(c)
		if err == nil {
			c.Set(0, c.Elem(0), n, sizeDim(onnx.Dim{N: c.Node.Int("n_targets", onnx.Unknown.N)}))
		}
		return err
	},
	Compile: compileTreeEnsemble,
	Grad:    opdef.NoGrad,
}

func compileTreeEnsemble(c *opdef.Compile) (opdef.Step, error) {
	f, err := ensembleOf(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	how := c.Node.Int("aggregate_function", 1)
	if how < 0 || how > 3 {
		return opdef.Step{}, onnx.Invalidf("attribute aggregate_function: expected 0 to 3, received %d", how)
	}
	names, post := []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}, c.Node.Int("post_transform", 0)
	if post < 0 || post >= int64(len(names)) {
		return opdef.Step{}, onnx.Invalidf("attribute post_transform: expected 0 to 4, received %d", post)
	}
	transform, err := postTransform(names[post])
	if err != nil {
		return opdef.Step{}, err
	}
	targets, err := f.targets(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		return runForest(m, f, aggregate(how), targets, m.In[0].Elem, transform)
	}), nil
}

// tensorAttr is a tensor attribute of n as numbers; nil when absent.
func tensorAttr(n *onnx.Node, name string) ([]float64, error) {
	if a := n.Attr(name); a != nil && a.T != nil {
		return tensorReals(a.T)
	}
	return nil, nil
}

// ensembleOf reads the attributes of a TreeEnsemble: the nodes of the forest are the inner nodes, then the leaves.
func ensembleOf(n *onnx.Node) (*forest, error) {
	features, roots := intsAttr(n, "nodes_featureids"), intsAttr(n, "tree_roots")
	var lists [3][]float64
	for i, name := range []string{"nodes_modes", "nodes_splits", "leaf_weights"} {
		var err error
		if lists[i], err = tensorAttr(n, name); err != nil {
			return nil, err
		}
	}
	modes, splits, weights := lists[0], lists[1], lists[2]
	targets := intsAttr(n, "leaf_targetids")
	if len(modes) != len(features) || len(splits) != len(features) || len(targets) != len(weights) {
		return nil, onnx.Invalidf("%d modes, %d splits for %d nodes, %d targets for %d leaves", len(modes), len(splits), len(features), len(targets), len(weights))
	}
	f := &forest{nodes: make([]treeNode, len(features)+len(weights))}
	for i, w := range weights {
		if targets[i] < 0 || targets[i] > 1<<28 {
			return nil, onnx.Invalidf("leaf %d has target %d", i, targets[i])
		}
		f.weights = append(f.weights, leafWeight{int(targets[i]), w})
		f.nodes[len(features)+i] = treeNode{rule: leafRule, from: i, to: i + 1}
	}
	missing := intsAttr(n, "nodes_missing_value_tracks_true")
	for i := range features {
		t := &f.nodes[i]
		if modes[i] < 0 || int(modes[i]) >= len(treeRules) {
			return nil, onnx.Invalidf("node %d has mode %v", i, modes[i])
		}
		t.rule, t.value, t.missing = treeRules[int(modes[i])], splits[i], i < len(missing) && missing[i] != 0
		if err := t.branch(features[i], len(treeRules)); err != nil {
			return nil, err
		}
		var err error
		if t.yes, err = childAt(n, "true", i, len(features), len(weights)); err != nil {
			return nil, err
		}
		if t.no, err = childAt(n, "false", i, len(features), len(weights)); err != nil {
			return nil, err
		}
	}
	for _, r := range roots {
		if r < 0 || r >= int64(len(features)) {
			return nil, onnx.Invalidf("root %d of %d nodes", r, len(features))
		}
		f.roots = append(f.roots, int(r))
	}
	return f, f.addMembers(n)
}

// childAt is the place of the child of inner node i on the side true or false.
func childAt(n *onnx.Node, side string, i, nodes, leaves int) (int, error) {
	ids, leafs := intsAttr(n, "nodes_"+side+"nodeids"), intsAttr(n, "nodes_"+side+"leafs")
	if i >= len(ids) || i >= len(leafs) {
		return 0, onnx.Invalidf("%d and %d entries for the %s children of %d nodes", len(ids), len(leafs), side, nodes)
	}
	at, limit := 0, nodes
	if leafs[i] != 0 {
		at, limit = nodes, leaves
	}
	if ids[i] < 0 || ids[i] >= int64(limit) {
		return 0, onnx.Invalidf("node %d has the child %d of %d", i, ids[i], limit)
	}
	return at + int(ids[i]), nil
}

// addMembers hands the sets in membership_values, each ended by NaN, to the nodes that test membership.
func (f *forest) addMembers(n *onnx.Node) error {
	members, err := tensorAttr(n, "membership_values")
	if err != nil {
		return err
	}
	for i := range f.nodes {
		t := &f.nodes[i]
		if t.rule != "BRANCH_MEMBER" {
			continue
		}
		t.set = map[float64]bool{}
		for len(members) > 0 && members[0] == members[0] {
			t.set[members[0]], members = true, members[1:]
		}
		if len(members) == 0 {
			return onnx.Invalidf("attribute membership_values: the members of node %d do not end", i)
		}
		members = members[1:]
	}
	return nil
}
