package ops

import (
	"slices"
	"strings"
	"unicode"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// StringSplit cuts strings at a delimiter, maxsplit times at most, counted from the left. Without a delimiter it cuts at runs
// of white space and leaves out those at the ends. The first output has a last axis of the parts, filled up with empty
// strings, the second the number of parts of each string.
var opStringSplit = opdef.Def{
	Type: "StringSplit",
	Infer: func(c *opdef.Infer) error {
		x, err := c.Shape(0)
		if err != nil {
			c.SetUnranked(0, onnx.String)
			return setElem(c, 1, onnx.Int64, err)
		}
		c.Set(0, onnx.String, append(slices.Clone(x), onnx.Unknown)...)
		c.Set(1, onnx.Int64, x...)
		return nil
	},
	Compile: boxing(runStringSplit),
	Grad:    opdef.NoGrad,
}

func runStringSplit(m *mover) error {
	if err := wantStrings(m, 0); err != nil {
		return err
	}
	x, delimiter, limit := m.In[0].Strings(), m.Node.Str("delimiter", ""), m.Node.Int("maxsplit", -1)
	if err := m.charge(len(x), 24); err != nil {
		return err
	}
	parts, most := make([][]string, len(x)), 0
	for i, s := range x {
		parts[i] = cutText(s, delimiter, limit)
		if err := m.charge(len(parts[i]), 16); err != nil {
			return err
		}
		most = max(most, len(parts[i]))
	}
	shape := m.shape(0)
	if m.Wants(1) {
		z, err := m.bound(1, onnx.Int64, shape)
		if err != nil {
			return err
		}
		for i, p := range parts {
			opdef.Of[int64](z)[i] = int64(len(p))
		}
	}
	if !m.Wants(0) {
		return nil
	}
	y, err := m.output(0, onnx.String, append(slices.Clone(shape), most))
	if err != nil {
		return err
	}
	for i, p := range parts {
		copy(y.s[i*most:(i+1)*most], p)
	}
	return nil
}

// cutText cuts s at the delimiter, or at white space when that is empty; limit below 0 means as often as possible.
func cutText(s, delimiter string, limit int64) []string {
	if delimiter != "" {
		if limit < 0 || limit >= int64(len(s)) {
			return strings.Split(s, delimiter)
		}
		return strings.SplitN(s, delimiter, int(limit)+1)
	}
	var parts []string
	for s = strings.TrimLeftFunc(s, isBlank); s != ""; s = strings.TrimLeftFunc(s, isBlank) {
		end := strings.IndexFunc(s, isBlank)
		if end < 0 || limit == 0 {
			return append(parts, s)
		}
		parts, s, limit = append(parts, s[:end]), s[end:], limit-1
	}
	return parts
}

// isBlank is what counts as white space: as Unicode has it, and the four separators of ASCII.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
