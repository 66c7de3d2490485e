package arrayfile

import (
	"archive/zip"
	"fmt"
	"io"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
)

// MaxNPZ is the most bytes of elements that ReadNPZ takes when not told otherwise.
const MaxNPZ = 1 << 30

// bf16Suffix marks a bfloat16 array, which numpy lacks: it is stored as uint16.
const bf16Suffix = "::bf16"

// ReadNPZ reads the arrays of a zip of npy files, by name without the ending, of at most limit bytes together (0: MaxNPZ).
// Sizes in the zip's directory are not believed: what is really inflated counts.
func ReadNPZ(r io.ReaderAt, size, limit int64) (map[string]*onnx.Tensor, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, onnx.Invalidf("npz: %w", err)
	}
	if limit <= 0 {
		limit = MaxNPZ
	}
	out := map[string]*onnx.Tensor{}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if _, twice := out[name]; twice {
			return nil, onnx.Invalidf("npz: %.128q stands twice", name)
		}
		t, err := readEntry(f, limit)
		if err != nil {
			return nil, fmt.Errorf("npz: %.128q: %w", name, err)
		}
		if limit -= int64(len(t.Bytes())); limit <= 0 {
			limit = 1 // the next array of more than a byte is refused
		}
		if base, ok := strings.CutSuffix(name, bf16Suffix); ok && t.Elem == onnx.Uint16 {
			name, t.Elem = base, onnx.BFloat16
		}
		out[name] = t
	}
	return out, nil
}

func readEntry(f *zip.File, limit int64) (*onnx.Tensor, error) {
	r, err := f.Open()
	if err != nil {
		return nil, onnx.Invalidf("%w", err)
	}
	defer r.Close()
	return ReadNPY(r, limit)
}

// WriteNPZ writes arrays as a compressed zip of npy files, in alphabetical order, without times, so that the same arrays
// give the same bytes.
func WriteNPZ(w io.Writer, tensors map[string]*onnx.Tensor) error {
	z := zip.NewWriter(w)
	for _, name := range sortedNames(tensors) {
		t := tensors[name]
		if t.Elem == onnx.BFloat16 {
			c := *t
			c.Elem = onnx.Uint16
			name, t = name+bf16Suffix, &c
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
		if err == nil {
			err = WriteNPY(f, t)
		}
		if err != nil {
			return fmt.Errorf("npz: %.128q: %w", name, err)
		}
	}
	return z.Close()
}
