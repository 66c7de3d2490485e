package ops

import (
	"cmp"
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// NonMaxSuppression picks boxes by falling score, for each batch and class, leaving out those whose intersection over union with
// a picked one is above iou_threshold. The result lists batch, class and box. Of equal scores the lower index comes first.
//
// Opset 10, 11: the meaning is one.
var opNonMaxSuppression = opdef.Def{
	Type: "NonMaxSuppression",
	Infer: func(c *opdef.Infer) error {
		c.Set(0, onnx.Int64, onnx.Unknown, onnx.Fixed(3))
		return nil
	},
	Compile: func(*opdef.Compile) (opdef.Step, error) {
		return opdef.Step{Data: true, Run: runSuppression}, nil
	},
	Grad: opdef.ZeroGrad,
}

func runSuppression(r *opdef.Run) error {
	boxes, scores := r.In[0], r.In[1]
	if len(boxes.Shape) != 3 || len(scores.Shape) != 3 || boxes.Shape[2] != 4 || boxes.Shape[0] != scores.Shape[0] || boxes.Shape[1] != scores.Shape[2] {
		return onnx.Invalidf("expected boxes [batch, count, 4] and scores [batch, classes, count], received %v and %v", boxes.Shape, scores.Shape)
	}
	most, err := onlyOf[int64](r, 2, 0)
	if err != nil {
		return err
	}
	iou, err := onlyOf[float32](r, 3, 0)
	if err != nil {
		return err
	}
	if !(iou >= 0 && iou <= 1) {
		return onnx.Invalidf("iou_threshold: expected 0 to 1, received %v", iou)
	}
	least, err := onlyOf(r, 4, float32(math.Inf(-1)))
	if err != nil {
		return err
	}
	count, classes := boxes.Shape[1], scores.Shape[1]
	all := corners(opdef.Of[float32](boxes), r.Node.Int("center_point_box", 0) != 0)
	var picked []int64
	order := make([]int, 0, count)
	for s := range boxes.Shape[0] * classes {
		if most <= 0 {
			break
		}
		if err := r.Host.Charge(0); err != nil {
			return err
		}
		v := opdef.Of[float32](scores)[s*count : (s+1)*count]
		order = order[:0]
		for i, x := range v {
			if x > least || !r.Has(4) {
				order = append(order, i)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return byFalling(v[a], v[b]) })
		at := s / classes
		for _, i := range pickBoxes(all[at*count:(at+1)*count], order, iou, most) {
			picked = append(picked, int64(at), int64(s%classes), int64(i))
		}
	}
	out, err := r.Alloc(0, onnx.Int64, len(picked)/3, 3)
	if err != nil {
		return err
	}
	copy(opdef.Of[int64](out), picked)
	return nil
}

// onlyOf is the only element of input i, or def when it is absent.
func onlyOf[T onnx.Number](r *opdef.Run, i int, def T) (T, error) {
	if !r.Has(i) {
		return def, nil
	}
	v := opdef.Of[T](r.In[i])
	if len(v) != 1 {
		return def, onnx.Invalidf("input %d: expected 1 element, received %d", i, len(v))
	}
	return v[0], nil
}

// byFalling orders scores: NaN first, then from high to low.
func byFalling(a, b float32) int {
	if a != a || b != b {
		return cmp.Compare(-b2i(a != a), -b2i(b != b))
	}
	return cmp.Compare(b, a)
}

// box is two corners, the lower one first, and the area between them.
type box struct{ y0, x0, y1, x1, area float32 }

func corners(v []float32, centred bool) []box {
	out := make([]box, len(v)/4)
	for i := range out {
		a, b, c, d := v[4*i], v[4*i+1], v[4*i+2], v[4*i+3]
		if centred { // x, y, width, height
			a, b, c, d = b-d/2, a-c/2, b+d/2, a+c/2
		}
		q := box{y0: min(a, c), x0: min(b, d), y1: max(a, c), x1: max(b, d)}
		q.area = (q.y1 - q.y0) * (q.x1 - q.x0)
		out[i] = q
	}
	return out
}

// overlap is intersection over union.
func (a *box) overlap(b *box) float32 {
	h, w := min(a.y1, b.y1)-max(a.y0, b.y0), min(a.x1, b.x1)-max(a.x0, b.x0)
	if !(h > 0 && w > 0) {
		return 0
	}
	shared := h * w
	if union := a.area + b.area - shared; union > 0 {
		return shared / union
	}
	return 0
}

// pickBoxes is up to most of order, without those that overlap an earlier one too much.
func pickBoxes(boxes []box, order []int, iou float32, most int64) []int {
	var picked []int
next:
	for _, i := range order {
		if int64(len(picked)) >= most {
			break
		}
		for _, p := range picked {
			if boxes[i].overlap(&boxes[p]) > iou {
				continue next
			}
		}
		picked = append(picked, i)
	}
	return picked
}
