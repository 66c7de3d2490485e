package main

import (
	"bytes"
	"image"
	_ "image/jpeg" // decoders of the formats that --in and predict take
	_ "image/png"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"golang.org/x/image/draw"
)

// maxPixels is the most pixels of an image.
const maxPixels = 64_000_000

// layout is how a model wants its images.
type layout struct {
	height, width, channels int
	channelsLast            bool
	elem                    onnx.ElemType
}

// layoutOf reads the layout from an input's type: [N, C, H, W] or [N, H, W, C] with 1 or 3 channels.
func layoutOf(i runtime.Info) (layout, error) {
	bad := onnx.Invalidf("input %.128q (%v) is no image: expected float or uint8 [N, C, H, W] or [N, H, W, C] with 1 or 3 channels and fixed sizes", i.Name, i.Type)
	s := i.Type.Shape
	if len(s) != 4 || i.Type.Elem != onnx.Float32 && i.Type.Elem != onnx.Uint8 {
		return layout{}, bad
	}
	for _, d := range s[1:] {
		if !d.IsFixed() || d.N < 1 || d.N > 1<<14 {
			return layout{}, bad
		}
	}
	l := layout{height: int(s[2].N), width: int(s[3].N), channels: int(s[1].N), elem: i.Type.Elem}
	if l.channels != 1 && l.channels != 3 {
		l = layout{height: int(s[1].N), width: int(s[2].N), channels: int(s[3].N), elem: i.Type.Elem, channelsLast: true}
	}
	if l.channels != 1 && l.channels != 3 {
		return layout{}, bad
	}
	return l, nil
}

// imageTensor decodes a PNG or JPEG and scales it to what the input wants: grey or colour, values from 0 to 1 for floats,
// from 0 to 255 for bytes.
func imageTensor(b []byte, i runtime.Info) (*onnx.Tensor, error) {
	l, err := layoutOf(i)
	if err != nil {
		return nil, err
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, onnx.Invalidf("image: %w", err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil, &onnx.LimitError{Limit: "pixels of an image", Value: maxPixels, Asked: int64(c.Width) * int64(c.Height), Unit: "pixels"}
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, onnx.Invalidf("image: %w", err)
	}
	return l.tensor(img)
}

// tensor scales img and lays its pixels out.
func (l layout) tensor(img image.Image) (*onnx.Tensor, error) {
	rect := image.Rect(0, 0, l.width, l.height)
	scaled := image.NewRGBA(rect)
	grey := image.NewGray(rect)
	if img.Bounds().Size() == rect.Size() {
		draw.Copy(scaled, image.Point{}, img, img.Bounds(), draw.Src, nil)
	} else {
		draw.CatmullRom.Scale(scaled, rect, img, img.Bounds(), draw.Src, nil)
	}
	draw.Copy(grey, image.Point{}, scaled, rect, draw.Src, nil)
	shape := []int{1, l.channels, l.height, l.width}
	if l.channelsLast {
		shape = []int{1, l.height, l.width, l.channels}
	}
	t, err := onnx.Zeros(l.elem, shape...)
	if err != nil {
		return nil, err
	}
	for y := range l.height {
		for x := range l.width {
			for c := range l.channels {
				v := grey.GrayAt(x, y).Y
				if l.channels == 3 {
					v = scaled.Pix[scaled.PixOffset(x, y)+c]
				}
				l.put(t, y, x, c, v)
			}
		}
	}
	return t, nil
}

func (l layout) put(t *onnx.Tensor, y, x, c int, v uint8) {
	at := (c*l.height+y)*l.width + x
	if l.channelsLast {
		at = (y*l.width+x)*l.channels + c
	}
	if l.elem == onnx.Uint8 {
		t.Mutable()[at] = v
		return
	}
	onnx.View[float32](t.Mutable())[at] = float32(v) / 255
}
