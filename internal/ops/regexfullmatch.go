package ops

import (
	"regexp"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// RegexFullMatch tells which strings a regular expression in RE2 syntax matches from end to end.
var opRegexFullMatch = opdef.Def{
	Type:    "RegexFullMatch",
	Infer:   func(c *opdef.Infer) error { return c.LikeElem(0, 0, onnx.Bool) },
	Compile: compileRegexFullMatch,
	Grad:    opdef.NoGrad,
}

func compileRegexFullMatch(c *opdef.Compile) (opdef.Step, error) {
	pattern := c.Node.Str("pattern", "")
	if _, err := regexp.Compile(pattern); err != nil {
		return opdef.Step{}, onnx.Invalidf("attribute pattern %.128q: %w", pattern, err)
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return opdef.Step{}, onnx.Invalidf("attribute pattern %.128q: %w", pattern, err)
	}
	return moveStep(c, opdef.Step{}, func(m *mover) error {
		if err := wantStrings(m, 0); err != nil {
			return err
		}
		y, err := m.bound(0, onnx.Bool, m.shape(0))
		if err != nil {
			return err
		}
		for i, s := range m.In[0].Strings() {
			y.Data[i] = byte(b2i(re.MatchString(s)))
		}
		return nil
	}), nil
}
