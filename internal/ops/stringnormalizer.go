package ops

import (
	"strings"
	"unicode"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// StringNormalizer removes stop words from a list [C] or [1, C] and changes the case of what is left. When nothing is left
// the result is one empty string.
//
// Of locales, the Turkish and Azeri ones change case by their own rules, all others by Unicode's.
var opStringNormalizer = opdef.Def{
	Type:    "StringNormalizer",
	Infer:   inferStringNormalizer,
	Compile: compileStringNormalizer,
	Grad:    opdef.NoGrad,
}

func inferStringNormalizer(c *opdef.Infer) error {
	x, err := c.Shape(0)
	switch {
	case err != nil:
		return setElem(c, 0, onnx.String, err)
	case len(x) == 1:
		c.Set(0, onnx.String, onnx.Unknown)
	case len(x) == 2:
		c.Set(0, onnx.String, onnx.Fixed(1), onnx.Unknown)
	default:
		return onnx.Invalidf("expected rank 1 or 2, received %v", c.Ins[0])
	}
	return nil
}

func compileStringNormalizer(c *opdef.Compile) (opdef.Step, error) {
	lower, upper := strings.ToLower, strings.ToUpper
	if l := c.Node.Str("locale", ""); strings.HasPrefix(l, "tr") || strings.HasPrefix(l, "az") {
		lower = func(s string) string { return strings.ToLowerSpecial(unicode.TurkishCase, s) }
		upper = func(s string) string { return strings.ToUpperSpecial(unicode.TurkishCase, s) }
	}
	change, key := func(s string) string { return s }, lower
	switch action := c.Node.Str("case_change_action", "NONE"); action {
	case "NONE":
	case "LOWER":
		change = lower
	case "UPPER":
		change = upper
	default:
		return opdef.Step{}, onnx.Invalidf("attribute case_change_action: expected NONE, LOWER or UPPER, received %.128q", action)
	}
	if c.Node.Int("is_case_sensitive", 0) != 0 {
		key = func(s string) string { return s }
	}
	stop := map[string]bool{}
	if a := c.Node.Attr("stopwords"); a != nil {
		for _, w := range a.Strings {
			stop[key(w)] = true
		}
	}
	return moveStep(c, opdef.Step{Data: true}, func(m *mover) error { return runStringNormalizer(m, stop, key, change) }), nil
}

func runStringNormalizer(m *mover, stop map[string]bool, key, change func(string) string) error {
	if err := wantStrings(m, 0); err != nil {
		return err
	}
	shape := m.clone(m.shape(0))
	if r := len(shape); r != 1 && (r != 2 || shape[0] != 1) {
		return onnx.Invalidf("expected shape [C] or [1, C], received %v", m.shape(0))
	}
	x := m.In[0].Strings()
	if err := m.charge(len(x), 16); err != nil {
		return err
	}
	var kept []string
	for _, s := range x {
		if len(stop) > 0 && stop[key(s)] {
			continue
		}
		if err := m.text(len(s)); err != nil {
			return err
		}
		kept = append(kept, change(s))
	}
	if len(kept) == 0 {
		kept = []string{""}
	}
	shape[len(shape)-1] = len(kept)
	y, err := m.output(0, onnx.String, shape)
	if err == nil {
		copy(y.s, kept)
	}
	return err
}
