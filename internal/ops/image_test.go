package ops_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/stretchr/testify/require"
)

func decodeImage(t *testing.T, file, format string) (*onnx.Tensor, error) {
	t.Helper()
	return tryEval(t, "ImageDecoder", tensors{onnx.Vector([]byte(file)...)}, onnx.Str("pixel_format", format))
}

// TestImageDecoder_pnm holds the six kinds of PNM, comments and samples that are not 8 bits wide.
func TestImageDecoder_pnm(t *testing.T) {
	for file, want := range map[string][]byte{
		"P1\n# a comment\n3 1\n1 0\n1":              {0, 255, 0},
		"P1 3 1 101":                                {0, 255, 0},
		"P4\n10 1\n\x40\x80":                        {255, 0, 255, 255, 255, 255, 255, 255, 0, 255},
		"P2 2 1 15 0 15":                            {0, 255},
		"P5 2 1 255\n\x07\xf0":                      {7, 240},
		"P5 1 1 65535\n\x80\x00":                    {128},
		"P3 1 1 255 10 20 30":                       {18},
		"P6 2 1 255\n\x0a\x14\x1e\xff\xff\xff":      {18, 255},
		"P6\n1 1 # the size\n255\n\x00\xff\x00more": {150},
	} {
		y, err := decodeImage(t, file, "Grayscale")
		require.NoError(t, err, "%q", file)
		require.Equal(t, []int{1, len(want), 1}, y.Shape)
		require.Equal(t, want, y.Bytes(), "%q", file)
	}
	y, err := decodeImage(t, "P6 1 1 255\n\x0a\x14\x1e", "BGR")
	require.NoError(t, err)
	require.Equal(t, []byte{30, 20, 10}, y.Bytes())
}

// TestImageDecoder_png holds that transparency is left out and that palettes and grey images have three channels.
func TestImageDecoder_png(t *testing.T) {
	alpha := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	alpha.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 7})
	grey := image.NewGray16(image.Rect(0, 0, 1, 1))
	grey.SetGray16(0, 0, color.Gray16{Y: 0x12ff})
	palette := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.RGBA{1, 2, 3, 255}})
	for _, c := range []struct {
		img  image.Image
		want []byte
	}{{alpha, []byte{200, 100, 50}}, {grey, []byte{0x12, 0x12, 0x12}}, {palette, []byte{1, 2, 3}}} {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, c.img))
		y, err := decodeImage(t, b.String(), "RGB")
		require.NoError(t, err)
		require.Equal(t, []int{1, 1, 3}, y.Shape)
		require.Equal(t, c.want, y.Bytes())
	}
}

func TestImageDecoder_errors(t *testing.T) {
	for file, want := range map[string]string{
		"":                     "the image is none of",
		"\x00\x00\x00\x0cjP  ": "the file ends early",
		"GIF89a":               "the image is none of",
		"P6 2 2 255\n\x01":     "the file is damaged",
		"P5 0 1 255\n":         "is not possible",
		"\xff\xd8\xff":         "the file is damaged",
		"P5 20000 20000 255 ":  "is too large",
		"BM":                   "image: ",
	} {
		_, err := decodeImage(t, file, "RGB")
		require.ErrorContains(t, err, want, "%q", file)
	}
}
