package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
	"gonum.org/v1/gonum/stat"
)

// Verdict is the answer for one tensor.
type Verdict string

// Verdicts.
const (
	Equal   Verdict = "equal"   // the same bits, or all differences 0
	Within  Verdict = "within"  // within the tolerance
	Outside Verdict = "outside" // an element is outside the tolerance
	Missing Verdict = "missing" // only the reference has it
	Extra   Verdict = "extra"   // only the result has it
	Shape   Verdict = "shape"   // the shapes differ
	Type    Verdict = "type"    // the element types or kinds differ
)

// OK reports whether the verdict counts as agreement.
func (v Verdict) OK() bool { return v == Equal || v == Within }

// Row is the comparison of one tensor with its reference. Indices are flat, -1 where there is none.
type Row struct {
	Name          string
	Verdict       Verdict
	Detail        string // for shape and type: what was expected and received
	Tolerance     Tolerance
	MaxAbs        float64 // largest |got - want| where both are finite
	MaxAbsIndex   int
	MaxRel        float64 // largest |got - want|/|want| where |want| is a normal number
	RelSkipped    int     // elements left out of MaxRel
	WorstIndex    int     // where the difference exceeds the tolerance most
	Got, Want     float64 // the values there
	ULP           float64 // largest distance in numbers of the reference's type
	Cosine        float64
	SQNR          float64 // decibel; +Inf when equal
	Mismatch      float64 // share of elements outside the tolerance, in percent
	NaN, Inf      [2]int  // counts in got and want
	FirstSpecial  int     // first index where NaN or infinity stands on one side only
	Q50, Q90, Q99 float64 // quantiles of |got - want|
	Elements      int
}

// Tensors compares got with the reference want.
func Tensors(got, want *onnx.Tensor, p Profile) Row {
	r := Row{Tolerance: p.of(want.Elem), MaxAbsIndex: -1, WorstIndex: -1, FirstSpecial: -1, Cosine: 1, SQNR: math.Inf(1)}
	switch {
	case got.Elem != want.Elem:
		r.Verdict, r.Detail = Type, fmt.Sprintf("expected %v, received %v", want.Type(), got.Type())
		return r
	case !slices.Equal(got.Shape, want.Shape):
		r.Verdict, r.Detail = Shape, fmt.Sprintf("expected %v, received %v", want.Type(), got.Type())
		return r
	}
	r.Elements = want.Len()
	if want.Elem == onnx.String {
		r.strings(got.StringData(), want.StringData())
		return r
	}
	a, errA := Floats(got)
	b, errB := Floats(want)
	if errA != nil || errB != nil {
		r.Verdict, r.Detail = Type, fmt.Sprintf("element type %v cannot be compared", want.Elem)
		return r
	}
	r.numbers(a, b, want.Elem, p)
	return r
}

func (r *Row) strings(got, want []string) {
	r.Verdict = Equal
	bad := 0
	for i := range want {
		if got[i] != want[i] {
			if bad++; r.WorstIndex < 0 {
				r.WorstIndex = i
				r.Detail = fmt.Sprintf("element %d: expected %.64q, received %.64q", i, want[i], got[i])
			}
			r.Verdict = Outside
		}
	}
	if len(want) > 0 {
		r.Mismatch = 100 * float64(bad) / float64(len(want))
	}
}

// numbers compares elements, which complex types have two of each.
func (r *Row) numbers(got, want []float64, e onnx.ElemType, p Profile) {
	s := sums{}
	diffs := make([]float64, 0, len(want))
	worst, bad := math.Inf(-1), 0
	for i := range want {
		g, w := got[i], want[i]
		if special(g) || special(w) {
			if !r.special(i, g, w, p) {
				bad++
				if worst < math.Inf(1) {
					worst, r.WorstIndex, r.Got, r.Want = math.Inf(1), i, g, w
				}
			}
			continue
		}
		d := math.Abs(g - w)
		diffs = append(diffs, d)
		s.add(g, w)
		r.relative(d, w, e)
		if d > r.MaxAbs || r.MaxAbsIndex < 0 {
			r.MaxAbs, r.MaxAbsIndex = d, i
		}
		r.ULP = math.Max(r.ULP, ulps(g, w, e))
		over := d - (r.Tolerance.Abs + r.Tolerance.Rel*math.Abs(w))
		if p.Strict && math.Signbit(g) != math.Signbit(w) {
			over = math.Max(over, math.SmallestNonzeroFloat64)
		}
		if over > 0 {
			bad++
		}
		if over > worst {
			worst, r.WorstIndex, r.Got, r.Want = over, i, g, w
		}
	}
	r.finish(bad, len(want), diffs, s)
}

func (r *Row) finish(bad, n int, diffs []float64, s sums) {
	switch {
	case bad > 0:
		r.Verdict, r.Mismatch = Outside, 100*float64(bad)/float64(n)
	case r.MaxAbs == 0:
		r.Verdict = Equal
	default:
		r.Verdict = Within
	}
	if len(diffs) > 0 {
		slices.Sort(diffs)
		r.Q50 = stat.Quantile(0.5, stat.Empirical, diffs, nil)
		r.Q90 = stat.Quantile(0.9, stat.Empirical, diffs, nil)
		r.Q99 = stat.Quantile(0.99, stat.Empirical, diffs, nil)
	}
	r.Cosine, r.SQNR = s.cosine(), s.sqnr()
}

func special(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// special counts NaN and infinities at i and reports whether both sides agree.
func (r *Row) special(i int, g, w float64, p Profile) bool {
	for side, v := range [2]float64{g, w} {
		if math.IsNaN(v) {
			r.NaN[side]++
		}
		if math.IsInf(v, 0) {
			r.Inf[side]++
		}
	}
	same := g == w || math.IsNaN(g) && math.IsNaN(w) && !p.NaNFails
	if !same && r.FirstSpecial < 0 {
		r.FirstSpecial = i
	}
	return same
}

func (r *Row) relative(d, w float64, e onnx.ElemType) {
	if math.Abs(w) < smallestNormal(e) {
		r.RelSkipped++
		return
	}
	r.MaxRel = math.Max(r.MaxRel, d/math.Abs(w))
}

func smallestNormal(e onnx.ElemType) float64 {
	switch e {
	case onnx.Float64, onnx.Complex128:
		return 0x1p-1022
	case onnx.Float16:
		return 0x1p-14
	case onnx.Float32, onnx.Complex64, onnx.BFloat16:
		return 0x1p-126
	}
	return 1
}

// ulps is the distance of two finite numbers in numbers of type e.
func ulps(g, w float64, e onnx.ElemType) float64 {
	switch e {
	case onnx.Float64, onnx.Complex128:
		return math.Abs(float64(order64(g) - order64(w)))
	case onnx.Float32, onnx.Complex64:
		return math.Abs(float64(order32(float32(g)) - order32(float32(w))))
	case onnx.BFloat16:
		return math.Abs(float64(order32(float32(g))>>16 - order32(float32(w))>>16))
	case onnx.Float16:
		return math.Abs(float64(order16(g) - order16(w)))
	}
	return math.Abs(g - w)
}

// order64 numbers the float64 values in order, both zeros alike.
func order64(v float64) int64 {
	b := int64(math.Float64bits(v))
	if b < 0 {
		return math.MinInt64 - b
	}
	return b
}

func order32(v float32) int64 {
	b := int32(math.Float32bits(v))
	if b < 0 {
		return int64(math.MinInt32) - int64(b)
	}
	return int64(b)
}

func order16(v float64) int64 {
	b := int16(onnx.NewF16(float32(v)))
	if b < 0 {
		return int64(math.MinInt16) - int64(b)
	}
	return int64(b)
}

// sums are Σ got·want, Σ got², Σ want², Σ (got-want)².
type sums struct{ gw, gg, ww, dd float64 }

func (s *sums) add(g, w float64) {
	s.gw += g * w
	s.gg += g * g
	s.ww += w * w
	s.dd += (g - w) * (g - w)
}

func (s *sums) cosine() float64 {
	switch {
	case s.gg == 0 && s.ww == 0:
		return 1
	case s.gg == 0 || s.ww == 0:
		return 0
	}
	return s.gw / math.Sqrt(s.gg) / math.Sqrt(s.ww)
}

func (s *sums) sqnr() float64 {
	if s.dd == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(s.ww/s.dd)
}

// String is one line for people.
func (r Row) String() string {
	if r.Detail != "" {
		return fmt.Sprintf("%s: %s: %s", r.Name, r.Verdict, r.Detail)
	}
	s := fmt.Sprintf("%s: %s: max abs %.3g, max rel %.3g, %.3g ulp", r.Name, r.Verdict, r.MaxAbs, r.MaxRel, r.ULP)
	if r.Verdict == Outside {
		s += fmt.Sprintf(", %.3g %% outside rtol %g atol %g, worst at %d: got %v, want %v",
			r.Mismatch, r.Tolerance.Rel, r.Tolerance.Abs, r.WorstIndex, r.Got, r.Want)
	}
	return s
}
