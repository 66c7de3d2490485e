package ops

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// com.microsoft.Tokenizer cuts strings, [C] or [N, C], into tokens along a new last axis, filled up with pad_value: what lies
// between the matches of each of separators, one after the other, or the matches of tokenexp, in RE2 syntax, the longest from
// the left. One empty separator, or the tokenexp ".", cuts into characters. Tokens of fewer than mincharnum characters are left
// out. With mark, 0x02 stands before and 0x03 behind the tokens of each string. No strings at all stay without the new axis.
//
// Source: ONNX Runtime 1.32, contrib operators.
var opMsTokenizer = opdef.Def{
	Type:    "Tokenizer",
	Domain:  msDomain,
	Schema:  contrib("Tokenizer", "X:T", "Y:T", "T=string", "mark!:int mincharnum!:int pad_value!:string separators:strings tokenexp:string"),
	Infer:   inferTokenizer,
	Compile: compileTokenizer,
	Grad:    opdef.NoGrad,
}

func inferTokenizer(c *opdef.Infer) error {
	x, err := c.Shape(0)
	if err != nil {
		c.SetUnranked(0, onnx.String)
		return err
	}
	if len(x) != 1 && len(x) != 2 {
		return onnx.Invalidf("expected strings of rank 1 or 2, received %v", c.Ins[0])
	}
	last := x[len(x)-1]
	switch {
	case last.IsFixed() && last.N == 0:
		c.Set(0, onnx.String, x...)
	case last.IsFixed():
		c.Set(0, onnx.String, append(slices.Clone(x), onnx.Unknown)...)
	default:
		c.SetUnranked(0, onnx.String)
	}
	return nil
}

func compileTokenizer(c *opdef.Compile) (opdef.Step, error) {
	cut, err := tokenCutter(c.Node)
	if err != nil {
		return opdef.Step{}, err
	}
	least := c.Node.Int("mincharnum", 1)
	if least < 1 {
		return opdef.Step{}, onnx.Invalidf("attribute mincharnum: expected at least 1, received %d", least)
	}
	mark, pad := c.Node.Int("mark", 0) != 0, c.Node.Str("pad_value", "")
	keep := func(s string) []string {
		tokens := slices.DeleteFunc(cut(s), func(t string) bool { return int64(utf8.RuneCountInString(t)) < least })
		if mark {
			tokens = slices.Concat([]string{"\x02"}, tokens, []string{"\x03"})
		}
		return tokens
	}
	return boxing(func(m *mover) error { return tokenize(m, keep, pad) })(c)
}

// tokenCutter gives the function that the attributes describe.
func tokenCutter(n *onnx.Node) (func(string) []string, error) {
	var separators []string
	if a := n.Attr("separators"); a != nil {
		separators = a.Strings
	}
	expression := n.Str("tokenexp", "")
	switch {
	case (len(separators) > 0) == (expression != ""):
		return nil, onnx.Invalidf("expected one of the attributes separators and tokenexp")
	case len(separators) == 1 && separators[0] == "", expression == ".":
		return func(s string) []string { return strings.Split(s, "") }, nil
	case expression != "":
		re, err := longest(expression)
		return func(s string) []string {
			return slices.DeleteFunc(re.FindAllString(s, -1), func(t string) bool { return t == "" })
		}, err
	}
	var list []*regexp.Regexp
	for _, s := range separators {
		re, err := longest(s)
		if err != nil {
			return nil, err
		}
		list = append(list, re)
	}
	return func(s string) []string {
		parts := []string{s}
		for _, re := range list {
			var next []string
			for _, p := range parts {
				next = append(next, re.Split(p, -1)...)
			}
			parts = slices.DeleteFunc(next, func(t string) bool { return t == "" })
		}
		return parts
	}, nil
}

// longest is an expression whose matches are the longest.
func longest(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, onnx.Invalidf("pattern %.128q: %w", pattern, err)
	}
	re.Longest()
	return re, nil
}

func tokenize(m *mover, cut func(string) []string, pad string) error {
	if err := wantStrings(m, 0); err != nil {
		return err
	}
	x, shape := m.In[0].Strings(), slices.Clone(m.shape(0))
	if len(shape) != 1 && len(shape) != 2 {
		return onnx.Invalidf("expected strings of rank 1 or 2, received shape %v", shape)
	}
	if err := m.charge(len(x), 24); err != nil {
		return err
	}
	parts, most := make([][]string, len(x)), 0
	for i, s := range x {
		parts[i] = cut(s)
		if err := m.charge(len(parts[i]), 16); err != nil {
			return err
		}
		most = max(most, len(parts[i]))
	}
	if len(x) > 0 {
		shape = append(shape, most)
	}
	y, err := m.output(0, onnx.String, shape)
	if err != nil {
		return err
	}
	for i, p := range parts {
		row := y.s[i*most : (i+1)*most]
		for j := copy(row, p); j < most; j++ {
			row[j] = pad
		}
	}
	return nil
}
