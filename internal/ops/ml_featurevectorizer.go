package ops

import (
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// FeatureVectorizer joins rows of features [N, C] or [C] to one tensor. Each input gets as many columns as inputdimensions
// says: features behind are left out, missing ones are 0.
var opFeatureVectorizer = opdef.Def{
	Type:    "FeatureVectorizer",
	Domain:  mlDomain,
	Infer:   inferFeatureVectorizer,
	Compile: moving(runFeatureVectorizer),
	Grad:    opdef.NoGrad,
}

// featureColumns is the columns of each input; -1 where only the input says it.
func featureColumns(n *onnx.Node) ([]int, error) {
	given := intsAttr(n, "inputdimensions")
	if given != nil && len(given) != n.NumIn() {
		return nil, onnx.Invalidf("%d inputdimensions for %d inputs", len(given), n.NumIn())
	}
	cols := make([]int, n.NumIn())
	for i := range cols {
		cols[i] = -1
		if given != nil {
			if given[i] < 0 || given[i] > 1<<28 {
				return nil, onnx.Invalidf("inputdimensions: %d is not a size", given[i])
			}
			cols[i] = int(given[i])
		}
	}
	return cols, nil
}

func inferFeatureVectorizer(c *opdef.Infer) error {
	rows, err := rowsDim(c)
	if err != nil {
		return err
	}
	cols, err := featureColumns(c.Node)
	if err != nil {
		return err
	}
	total := onnx.Fixed(0)
	for i, n := range cols {
		d := onnx.Unknown
		if s, err := c.Shape(i); n >= 0 {
			d = onnx.Fixed(n)
		} else if err == nil && len(s) > 0 {
			d = s[len(s)-1]
		}
		total = addDims(total, d)
	}
	c.Set(0, onnx.Float32, rows, sizeDim(total))
	return nil
}

func runFeatureVectorizer(m *mover) error {
	cols, err := featureColumns(m.Node)
	if err != nil {
		return err
	}
	rows, total := 1, 0
	for i, v := range m.In {
		r := len(v.Shape)
		if r != 1 && r != 2 {
			return onnx.Invalidf("input %d: expected shape [N, C] or [C], received %v", i, v.Shape)
		}
		if n := product(v.Shape[:r-1]); i == 0 {
			rows = n
		} else if n != rows {
			return onnx.Invalidf("inputs of %d and %d rows", rows, n)
		}
		if cols[i] < 0 {
			cols[i] = v.Shape[r-1]
		}
		total += cols[i]
	}
	size, ok := onnx.MulSize(rows, total)
	if !ok {
		return onnx.Invalidf("an output of %d rows of %d is too large", rows, total)
	}
	y, err := m.room(size)
	if err != nil {
		return err
	}
	at := 0
	for i, v := range m.In {
		x, err := m.reals(i)
		if err != nil {
			return err
		}
		given := v.Shape[len(v.Shape)-1]
		for r := range rows {
			copy(y[r*total+at:r*total+at+cols[i]], x[r*given:(r+1)*given])
		}
		at += cols[i]
	}
	return m.setReals(0, onnx.Float32, []int{rows, total}, y)
}
