package ops

import (
	"math"
	"slices"

	"github.com/gneiss-ml/gneiss/internal/kernel/sample"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// regionSizes is the output sizes that n's attributes name.
func regionSizes(n *onnx.Node) (h, w int, err error) {
	size := []int64{n.Int("output_height", 1), n.Int("output_width", 1)}
	if pooled, ok := n.Ints("pooled_shape"); ok {
		size = pooled
	}
	if len(size) != 2 || size[0] < 1 || size[1] < 1 || size[0] > math.MaxInt16 || size[1] > math.MaxInt16 {
		return 0, 0, onnx.Invalidf("expected two output sizes of at least 1, received %v", size)
	}
	return int(size[0]), int(size[1]), nil
}

func inferRegions(c *opdef.Infer) error {
	c.SetUnranked(0, c.Elem(0))
	h, w, err := regionSizes(c.Node)
	if err != nil {
		return err
	}
	x, err := c.ShapeRank(0, 4)
	if err != nil {
		return err
	}
	rois, err := c.ShapeRank(1, 2)
	if err != nil {
		return err
	}
	c.Set(0, c.Elem(0), rois[0], x[1], onnx.Fixed(h), onnx.Fixed(w))
	return nil
}

// regions is the state of the steps that pool regions of interest.
type regions[T float] struct {
	sample.Regions[T]
	boxes   []T
	samples []int64
}

// prepare sets the regions up from an image x, boxes and, with RoiAlign, the samples' numbers.
func (s *regions[T]) prepare(r *opdef.Run, x, boxes, samples opdef.View) (err error) {
	n := r.Node
	if s.OutH, s.OutW, err = regionSizes(n); err != nil {
		return err
	}
	width := map[bool]int{true: 4, false: 5}[samples.Elem != onnx.Undefined]
	if len(x.Shape) != 4 || len(boxes.Shape) != 2 || boxes.Shape[1] != width {
		return onnx.Invalidf("expected an image of rank 4 and regions [count, %d], received shapes %v and %v", width, x.Shape, boxes.Shape)
	}
	s.C, s.H, s.W, s.Scale = x.Shape[1], x.Shape[2], x.Shape[3], float64(n.Float("spatial_scale", 1))
	s.X = opdef.Of[T](x)
	data, count := opdef.Of[T](boxes), boxes.Shape[0]
	s.samples = sized(s.samples, count)
	if width == 4 {
		ids, err := integersOf(samples)
		if err != nil {
			return err
		}
		if ids.len() != count {
			return onnx.Invalidf("batch_indices: expected %d, received %d", count, ids.len())
		}
		for i := range count {
			s.samples[i] = ids.at(i)
		}
		s.Boxes = data
	} else {
		s.boxes = sized(s.boxes, 4*count)
		for i := range count {
			s.samples[i] = truncate(float64(data[5*i]))
			copy(s.boxes[4*i:4*i+4], data[5*i+1:])
		}
		s.Boxes = s.boxes
	}
	for i, v := range s.samples {
		if v < 0 || v >= int64(x.Shape[0]) {
			return onnx.Invalidf("region %d is of sample %d, of %d", i, v, x.Shape[0])
		}
	}
	if s.Samples = s.samples; count > 0 && s.H*s.W == 0 {
		return onnx.Invalidf("an image of shape %v has no pixels", x.Shape)
	}
	return nil
}

// alignModes reads the attributes of RoiAlign.
func alignModes(n *onnx.Node) (half, largest bool, ratio int, err error) {
	mode, how := n.Str("mode", "avg"), n.Str("coordinate_transformation_mode", "half_pixel")
	if !slices.Contains([]string{"avg", "max"}, mode) || !slices.Contains([]string{"half_pixel", "output_half_pixel"}, how) {
		return false, false, 0, onnx.Invalidf("attributes mode %.128q and coordinate_transformation_mode %.128q are not known", mode, how)
	}
	if v := n.Int("sampling_ratio", 0); v >= 0 && v <= 1<<12 {
		return how == "half_pixel", mode == "max", int(v), nil
	}
	return false, false, 0, onnx.Invalidf("attribute sampling_ratio: expected 0 to %d, received %d", 1<<12, n.Int("sampling_ratio", 0))
}

// regionStep compiles a step over regions; align tells RoiAlign from MaxRoiPool and image is the input with X.
func regionStep[T float](c *opdef.Compile, align bool, image int, run func(s *regions[T], r *opdef.Run)) (opdef.Step, error) {
	half, largest, ratio, err := alignModes(c.Node)
	if !align {
		half, largest, ratio, err = false, false, 0, nil
	}
	return opdef.Step{
		State: func() any { return &regions[T]{Regions: sample.Regions[T]{Half: half, Max: largest, Ratio: ratio}} },
		Run: func(r *opdef.Run) error {
			s, samples := r.State.(*regions[T]), opdef.View{}
			if align {
				samples = r.In[image+2]
			}
			if err := s.prepare(r, r.In[image], r.In[image+1], samples); err != nil {
				return err
			}
			run(s, r)
			return nil
		},
	}, err
}

// regionForward compiles RoiAlign or MaxRoiPool.
func regionForward[T float](align bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		return regionStep(c, align, 0, func(s *regions[T], r *opdef.Run) {
			if s.Y = opdef.Of[T](r.Out[0]); align {
				s.Align(r.Team)
			} else {
				s.Pool(r.Team)
			}
		})
	}
}

// regionBackward compiles their gradients, from (dY, X, rois) and RoiAlign's batch_indices.
func regionBackward[T float](align bool) compiler {
	return func(c *opdef.Compile) (opdef.Step, error) {
		return regionStep(c, align, 1, func(s *regions[T], r *opdef.Run) {
			s.DY, s.DX = opdef.Of[T](r.In[0]), opdef.Of[T](r.Out[0])
			clear(s.DX)
			if !align {
				s.PoolBack(r.Team)
				return
			}
			s.AlignBack(r.Team)
			if s.DBoxes = outOf[T](r, 1); s.DBoxes != nil {
				s.AlignBoxesBack(r.Team)
			}
		})
	}
}
