package ops

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/gneiss-ml/gneiss/internal/kernel/jpeg"
	"github.com/gneiss-ml/gneiss/internal/kernel/jpeg2000"
	"github.com/gneiss-ml/gneiss/internal/opdef"
	"github.com/gneiss-ml/gneiss/onnx"
)

// ImageDecoder decodes a file into pixels [H, W, 3], red first (RGB) or blue first (BGR), or [H, W, 1] (Grayscale: ITU-R 601
// luma). Files: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP. Transparency is left out, 16-bit channels keep their high byte, EXIF
// orientation is not applied.
//
// One version, of opset 20.
var opImageDecoder = opdef.Def{
	Type:    "ImageDecoder",
	Infer:   inferImageDecoder,
	Compile: boxing(runImageDecoder),
	Grad:    opdef.NoGrad,
}

// pixelChannels is the number of channels that the attribute pixel_format means.
func pixelChannels(n *onnx.Node) (int, error) {
	switch f := n.Str("pixel_format", "RGB"); f {
	case "RGB", "BGR":
		return 3, nil
	case "Grayscale":
		return 1, nil
	default:
		return 0, onnx.Invalidf("attribute pixel_format: expected RGB, BGR or Grayscale, received %.128q", f)
	}
}

func inferImageDecoder(c *opdef.Infer) error {
	n, err := pixelChannels(c.Node)
	if err == nil {
		c.Set(0, onnx.Uint8, onnx.Unknown, onnx.Unknown, onnx.Fixed(n))
	}
	return err
}

// maxImage is the largest output: a few bytes of a file can ask for any.
const maxImage = 1 << 29

// imageFormat is a file format: how it begins, its header and its pixels.
type imageFormat struct {
	magics []string // "?" stands for any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var imageFormats = []imageFormat{
	{[]string{"BM"}, bmp.DecodeConfig, bmp.Decode},
	{[]string{"\xff\xd8\xff"}, jpegConfig, jpegDecode},
	{[]string{"\x89PNG\r\n\x1a\n"}, png.DecodeConfig, png.Decode},
	{[]string{"P1", "P2", "P3", "P4", "P5", "P6"}, pnmConfig, pnmDecode},
	{[]string{"II\x2a\x00", "MM\x00\x2a"}, tiff.DecodeConfig, tiff.Decode},
	{[]string{"RIFF????WEBP"}, webp.DecodeConfig, webp.Decode},
	{[]string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}, jpeg2000Config, jpeg2000Decode},
}

func jpegConfig(r io.Reader) (image.Config, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	w, h, err := jpeg.Size(b)
	return image.Config{Width: w, Height: h}, err
}

func jpegDecode(r io.Reader) (image.Image, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	p, err := jpeg.Decode(b)
	if err != nil {
		return nil, err
	}
	return opaque(p.Width, p.Height, p.Pix), nil
}

// opaque is an image of pixels red, green, blue.
func opaque(w, h int, pix []byte) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], []byte{pix[3*i], pix[3*i+1], pix[3*i+2], 255})
	}
	return img
}

func jpeg2000Config(r io.Reader) (image.Config, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	w, h, err := jpeg2000.Size(b)
	return image.Config{Width: w, Height: h}, err
}

func jpeg2000Decode(r io.Reader) (image.Image, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	p, err := jpeg2000.Decode(b)
	if err != nil {
		return nil, err
	}
	return opaque(p.Width, p.Height, p.Pix), nil
}

func formatOfImage(b []byte) *imageFormat {
	for i := range imageFormats {
		for _, magic := range imageFormats[i].magics {
			if beginsWith(b, magic) {
				return &imageFormats[i]
			}
		}
	}
	return nil
}

func beginsWith(b []byte, magic string) bool {
	if len(b) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != b[i] {
			return false
		}
	}
	return true
}

func runImageDecoder(m *mover) error {
	channels, err := pixelChannels(m.Node)
	if err != nil {
		return err
	}
	data := m.In[0].Data
	f := formatOfImage(data)
	if f == nil {
		return onnx.Unsupportedf("the image is none of BMP, JPEG, JPEG 2000, PNG, PNM, TIFF and WebP")
	}
	config, err := f.config(bytes.NewReader(data))
	if err != nil {
		return onnx.Invalidf("image: %w", err)
	}
	size, ok := onnx.NumElements([]int{config.Height, config.Width, channels})
	if !ok || config.Width <= 0 || config.Height <= 0 {
		return onnx.Invalidf("an image of %d x %d pixels is not possible", config.Width, config.Height)
	}
	if size > maxImage {
		return onnx.Unsupportedf("an image of %d x %d pixels is too large, the limit is %d numbers", config.Width, config.Height, maxImage)
	}
	if err := m.charge(max(size, config.Height*config.Width*3), 16); err != nil { // decoded, at most 8 bytes a pixel, and what the decoder needs
		return err
	}
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return onnx.Invalidf("image: %w", err)
	}
	bounds := img.Bounds()
	to := m.take(3)
	to[0], to[1], to[2] = bounds.Dy(), bounds.Dx(), channels
	y, err := m.bound(0, onnx.Uint8, to)
	if err == nil {
		writePixels(y.Data, img, m.Node.Str("pixel_format", "RGB"))
	}
	return err
}

// writePixels writes the pixels of img as the format says.
func writePixels(y []byte, img image.Image, format string) {
	at, bounds, i := pixelsOf(img), img.Bounds(), 0
	for row := bounds.Min.Y; row < bounds.Max.Y; row++ {
		for col := bounds.Min.X; col < bounds.Max.X; col++ {
			r, g, b := at(col, row)
			switch format {
			case "BGR":
				y[i], y[i+1], y[i+2] = b, g, r
				i += 3
			case "RGB":
				y[i], y[i+1], y[i+2] = r, g, b
				i += 3
			default:
				y[i] = byte((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 1<<15) >> 16)
				i++
			}
		}
	}
}

// pixelsOf gives the colours of img.
func pixelsOf(img image.Image) func(x, y int) (r, g, b byte) {
	switch img := img.(type) {
	case *image.NYCbCrA:
		return webpPixels(&img.YCbCr)
	case *image.YCbCr:
		return webpPixels(img)
	case *image.RGBA:
		if img.Opaque() {
			return func(x, y int) (r, g, b byte) { p := img.Pix[img.PixOffset(x, y):]; return p[0], p[1], p[2] }
		}
	case *image.NRGBA:
		return func(x, y int) (r, g, b byte) { p := img.Pix[img.PixOffset(x, y):]; return p[0], p[1], p[2] }
	}
	return func(x, y int) (r, g, b byte) {
		c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		return c.R, c.G, c.B
	}
}

// webpPixels converts a 4:2:0 image to colours as the format's own library does: chroma is interpolated from the four nearest
// samples with the weights 9, 3, 3 and 1 of 16, in its rounding, and converted with its integer constants.
func webpPixels(img *image.YCbCr) func(x, y int) (r, g, b byte) {
	origin := img.Rect.Min
	cw, ch := (img.Rect.Dx()+1)/2, (img.Rect.Dy()+1)/2
	chroma := func(plane []byte, x, y int) int32 {
		cx, nx := nearest(x, cw)
		cy, ny := nearest(y, ch)
		near, side := int32(plane[cy*img.CStride+cx]), int32(plane[cy*img.CStride+nx])
		above, across := int32(plane[ny*img.CStride+cx]), int32(plane[ny*img.CStride+nx])
		if cx == nx {
			return (3*near + above + 2) >> 2
		}
		sum := near + side + above + across + 8
		return ((sum+2*(side+above))>>3 + near) >> 1
	}
	return func(x, y int) (r, g, b byte) {
		x, y = x-origin.X, y-origin.Y
		luma := int32(img.Y[y*img.YStride+x]) * 19077 >> 8
		u, v := chroma(img.Cb, x, y), chroma(img.Cr, x, y)
		return clip14(luma + v*26149>>8 - 14234), clip14(luma - u*6419>>8 - v*13320>>8 + 8708), clip14(luma + u*33050>>8 - 17685)
	}
}

// nearest is the chroma sample that covers pixel x, and the next one on the side where x lies.
func nearest(x, n int) (at, next int) {
	at = x / 2
	next = at - 1 + 2*(x%2)
	if next < 0 || next >= n {
		next = at
	}
	return at, next
}

// clip14 makes a byte of a number with 6 bits behind the point.
func clip14(v int32) byte {
	switch {
	case v < 0:
		return 0
	case v > 16383:
		return 255
	}
	return byte(v >> 6)
}
