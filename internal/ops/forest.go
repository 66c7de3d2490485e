package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// forest is decision trees. Every tree leads a row of features to one leaf, which adds weights to targets.
type forest struct {
	nodes   []treeNode
	weights []leafWeight
	roots   []int
}

// treeNode is an inner node or a leaf.
type treeNode struct {
	rule     string
	feature  int
	value    float64
	set      map[float64]bool // of the rule BRANCH_MEMBER
	missing  bool             // NaN goes the way of true
	yes, no  int
	from, to int // weights of a leaf
}

type leafWeight struct {
	target int
	weight float64
}

// rules of inner nodes, in the order of the numbers that TreeEnsemble has for them.
var treeRules = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"}

const leafRule = "LEAF"

// yesFor reports which way x goes.
func (t *treeNode) yesFor(x float64) bool {
	if t.missing && x != x {
		return true
	}
	switch t.rule {
	case "BRANCH_LEQ":
		return x <= t.value
	case "BRANCH_LT":
		return x < t.value
	case "BRANCH_GTE":
		return x >= t.value
	case "BRANCH_GT":
		return x > t.value
	case "BRANCH_EQ":
		return x == t.value
	case "BRANCH_NEQ":
		return x != t.value
	}
	return t.set[x]
}

// leaf is where the tree with the given root leads x.
func (f *forest) leaf(root int, x []float64) (*treeNode, error) {
	at := root
	for range f.nodes {
		n := &f.nodes[at]
		switch {
		case n.rule == leafRule:
			return n, nil
		case n.feature >= len(x):
			return nil, onnx.Invalidf("node %d reads feature %d of %d", at, n.feature, len(x))
		case n.yesFor(x[n.feature]):
			at = n.yes
		default:
			at = n.no
		}
	}
	return nil, onnx.Invalidf("the tree of node %d has a cycle", root)
}

// aggregate is how the weights for one target become one score.
type aggregate uint8

// The numbers are those of TreeEnsemble.
const (
	averageWeights aggregate = iota
	sumWeights
	minWeight
	maxWeight
)

// score adds up the leaves that x reaches into y, which starts at zero; hit tells which targets had a weight.
func (f *forest) score(y []float64, hit []bool, x []float64, how aggregate) error {
	clear(y)
	clear(hit)
	for _, root := range f.roots {
		leaf, err := f.leaf(root, x)
		if err != nil {
			return err
		}
		for _, w := range f.weights[leaf.from:leaf.to] {
			v := &y[w.target]
			switch {
			case how == minWeight && hit[w.target]:
				*v = math.Min(*v, w.weight)
			case how == maxWeight && hit[w.target]:
				*v = math.Max(*v, w.weight)
			default:
				*v += w.weight
			}
			hit[w.target] = true
		}
	}
	if how == averageWeights {
		for i := range y {
			y[i] /= float64(len(f.roots))
		}
	}
	return nil
}

// checkTargets is an error when a weight is for a target that is not below n.
func (f *forest) checkTargets(n int) error {
	for _, w := range f.weights {
		if w.target < 0 || w.target >= n {
			return onnx.Invalidf("a leaf has target %d of %d", w.target, n)
		}
	}
	return nil
}

// treeKey names a node in the attributes of versions 1 to 3.
type treeKey struct{ tree, node int64 }

// forestOf reads the attributes nodes_* of a TreeEnsembleClassifier or TreeEnsembleRegressor; weights are in the attributes
// that start with prefix, target or class.
func forestOf(n *onnx.Node, prefix string) (*forest, error) {
	f, places, err := nodesOf(n)
	if err != nil {
		return nil, err
	}
	return f, f.addWeights(n, prefix, places)
}

func nodesOf(n *onnx.Node) (*forest, map[treeKey]int, error) {
	trees, ids, rules := intsAttr(n, "nodes_treeids"), intsAttr(n, "nodes_nodeids"), stringsAttr(n, "nodes_modes")
	features, yes, no := intsAttr(n, "nodes_featureids"), intsAttr(n, "nodes_truenodeids"), intsAttr(n, "nodes_falsenodeids")
	missing := intsAttr(n, "nodes_missing_value_tracks_true")
	values, err := realsAttr(n, "nodes_values", "nodes_values_as_tensor")
	if err != nil {
		return nil, nil, err
	}
	for _, k := range []int{len(ids), len(rules), len(features), len(yes), len(no), len(values)} {
		if k != len(trees) {
			return nil, nil, onnx.Invalidf("the attributes nodes_* have %d and %d entries", len(trees), k)
		}
	}
	f, places := &forest{nodes: make([]treeNode, len(trees))}, make(map[treeKey]int, len(trees))
	rooted := map[int64]bool{}
	for i := range trees {
		places[treeKey{trees[i], ids[i]}] = i
		if !rooted[trees[i]] {
			rooted[trees[i]], f.roots = true, append(f.roots, i)
		}
	}
	for i := range f.nodes {
		t := &f.nodes[i]
		t.rule, t.value, t.missing = rules[i], values[i], i < len(missing) && missing[i] != 0
		if t.rule == leafRule {
			continue
		}
		var okYes, okNo bool
		t.yes, okYes = places[treeKey{trees[i], yes[i]}]
		t.no, okNo = places[treeKey{trees[i], no[i]}]
		if !okYes || !okNo {
			return nil, nil, onnx.Invalidf("node %d of tree %d leads to nodes %d and %d, one of which is missing", ids[i], trees[i], yes[i], no[i])
		}
		if err := t.branch(features[i], 6); err != nil {
			return nil, nil, err
		}
	}
	return f, places, nil
}

// branch checks the rule and sets the feature of an inner node; rules are the first of the list.
func (t *treeNode) branch(feature int64, rules int) error {
	if feature < 0 || feature > math.MaxInt32 {
		return onnx.Invalidf("%d is not the number of a feature", feature)
	}
	t.feature = int(feature)
	if slices.Contains(treeRules[:rules], t.rule) {
		return nil
	}
	return onnx.Invalidf("unknown mode %.128q of a node", t.rule)
}

// addWeights gives the leaves their weights.
func (f *forest) addWeights(n *onnx.Node, prefix string, places map[treeKey]int) error {
	trees, ids, targets := intsAttr(n, prefix+"_treeids"), intsAttr(n, prefix+"_nodeids"), intsAttr(n, prefix+"_ids")
	weights, err := realsAttr(n, prefix+"_weights", prefix+"_weights_as_tensor")
	if err != nil {
		return err
	}
	if len(ids) != len(trees) || len(targets) != len(trees) || len(weights) != len(trees) {
		return onnx.Invalidf("the attributes %s_* have %d, %d, %d and %d entries", prefix, len(trees), len(ids), len(targets), len(weights))
	}
	of := make([][]leafWeight, len(f.nodes))
	for i := range trees {
		at, ok := places[treeKey{trees[i], ids[i]}]
		if !ok || targets[i] < 0 || targets[i] > math.MaxInt32 {
			return onnx.Invalidf("weight %d belongs to node %d of tree %d and target %d, which is not possible", i, ids[i], trees[i], targets[i])
		}
		of[at] = append(of[at], leafWeight{int(targets[i]), weights[i]})
	}
	for i := range f.nodes {
		f.nodes[i].from = len(f.weights)
		f.weights = append(f.weights, of[i]...)
		f.nodes[i].to = len(f.weights)
	}
	return nil
}
