package ops

import (
	"math"
	"math/bits"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// inferVariadic is the Infer of an output with the broadcast shape of all inputs and the element type of the first.
func inferVariadic(c *opdef.Infer) error { return broadcastAll(c, c.Elem(0)) }

// inferTruth is inferVariadic for an output of truth values.
func inferTruth(c *opdef.Infer) error { return broadcastAll(c, onnx.Bool) }

func broadcastAll(c *opdef.Infer, e onnx.ElemType) error {
	js := make([]int, c.Node.NumIn())
	for j := range js {
		js[j] = j
		if t, ok := c.In(j); ok && t.Elem != c.Elem(0) && t.Elem != onnx.Undefined && c.Elem(0) != onnx.Undefined {
			return onnx.Invalidf("expected inputs of one type, received %v and %v", c.Elem(0), t.Elem)
		}
	}
	return c.SetBroadcast(0, e, js...)
}

// inferArith is inferVariadic that also computes the contents of small integer tensors: f is the result for two entries.
func inferArith(f func(a, b onnx.Dim) onnx.Dim) func(*opdef.Infer) error {
	return func(c *opdef.Infer) error {
		if err := inferVariadic(c); err != nil {
			return err
		}
		if out, ok := foldInts(c, f); ok {
			c.SetInts(0, out)
		}
		return nil
	}
}

// foldInts applies f to the contents of all inputs, from the left.
func foldInts(c *opdef.Infer, f func(a, b onnx.Dim) onnx.Dim) ([]onnx.Dim, bool) {
	if e := c.Elem(0); e != onnx.Int64 && e != onnx.Int32 || c.Outs[0].Rank() > 1 {
		return nil, false
	}
	out, ok := c.Ints(0)
	for j := 1; ok && j < c.Node.NumIn(); j++ {
		var v []onnx.Dim
		if v, ok = c.Ints(j); ok {
			out, ok = zipDims(f, out, v, c.Elem(0) == onnx.Int32)
		}
	}
	return out, ok
}

// zipDims applies f entry by entry; a list of one entry serves for all.
func zipDims(f func(a, b onnx.Dim) onnx.Dim, a, b []onnx.Dim, narrow bool) ([]onnx.Dim, bool) {
	n := max(len(a), len(b))
	if len(a) != len(b) && len(a) != 1 && len(b) != 1 || len(a)*len(b) == 0 {
		return nil, false
	}
	out := make([]onnx.Dim, n)
	for i := range out {
		out[i] = f(a[i%len(a)], b[i%len(b)])
		if d := out[i]; narrow && d.Name == "" && d.N != int64(int32(d.N)) {
			out[i] = onnx.Unknown
		}
	}
	return out, true
}

// known reports whether the entry is a number.
func known(ds ...onnx.Dim) bool {
	for _, d := range ds {
		if d.Name != "" || d.N == onnx.Unknown.N {
			return false
		}
	}
	return true
}

func isNumber(d onnx.Dim, n int64) bool { return known(d) && d.N == n }

func addDims(a, b onnx.Dim) onnx.Dim {
	switch s := a.N + b.N; {
	case isNumber(a, 0):
		return b
	case isNumber(b, 0):
		return a
	case known(a, b) && (s > a.N) == (b.N > 0):
		return onnx.Dim{N: s}
	}
	return onnx.Unknown
}

func subDims(a, b onnx.Dim) onnx.Dim {
	switch s := a.N - b.N; {
	case isNumber(b, 0):
		return a
	case a.Name != "" && a == b:
		return onnx.Fixed(0)
	case known(a, b) && (s < a.N) == (b.N > 0):
		return onnx.Dim{N: s}
	}
	return onnx.Unknown
}

func mulDims(a, b onnx.Dim) onnx.Dim {
	switch {
	case isNumber(a, 1):
		return b
	case isNumber(b, 1):
		return a
	case known(a, b):
		if hi, lo := bits.Mul64(magnitude(a.N), magnitude(b.N)); hi == 0 && lo <= math.MaxInt64 {
			return onnx.Dim{N: a.N * b.N}
		}
	}
	return onnx.Unknown
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func divDims(a, b onnx.Dim) onnx.Dim {
	switch {
	case isNumber(b, 1):
		return a
	case known(a, b) && b.N != 0:
		return onnx.Dim{N: a.N / b.N}
	}
	return onnx.Unknown
}

func minDims(a, b onnx.Dim) onnx.Dim {
	switch {
	case a.Same(b):
		return a
	case known(a, b):
		return onnx.Dim{N: min(a.N, b.N)}
	}
	return onnx.Unknown
}

func maxDims(a, b onnx.Dim) onnx.Dim {
	switch {
	case a.Same(b):
		return a
	case known(a, b):
		return onnx.Dim{N: max(a.N, b.N)}
	}
	return onnx.Unknown
}
