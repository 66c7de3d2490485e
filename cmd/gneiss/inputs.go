package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

// maxFile is the most bytes of an input file.
const maxFile = 2 << 30

// readFile reads a regular file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, onnx.Invalidf("%.128q is not a regular file", path)
	}
	if info.Size() > maxFile {
		return nil, &onnx.LimitError{Limit: "size of an input file", Value: maxFile, Asked: info.Size(), Unit: "bytes"}
	}
	return os.ReadFile(path)
}

// feeds are the inputs of a run: files, and random values of given shapes.
func feeds(infos []runtime.Info, ins, shapes []string, seed uint64) (map[string]onnx.Object, error) {
	out := map[string]onnx.Object{}
	for _, in := range ins {
		if err := addFile(out, infos, in); err != nil {
			return nil, err
		}
	}
	given, err := parseShapes(shapes)
	if err != nil {
		return nil, err
	}
	if len(ins) > 0 && len(shapes) == 0 {
		return out, nil
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for _, i := range infos {
		if out[i.Name] != nil || i.Optional {
			continue
		}
		t, err := random(i, given[i.Name], r)
		if err != nil {
			return nil, err
		}
		out[i.Name] = t
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if out[name] == nil {
			return nil, onnx.Invalidf("--shape: no input is called %.128q", name)
		}
	}
	return out, nil
}

// addFile adds the input that NAME=FILE or FILE says.
func addFile(to map[string]onnx.Object, infos []runtime.Info, arg string) error {
	name, path := "", arg
	for _, i := range infos {
		if rest, ok := strings.CutPrefix(arg, i.Name+"="); ok && len(i.Name) >= len(name) {
			name, path = i.Name, rest
		}
	}
	b, err := readFile(path)
	if os.IsNotExist(err) && name == "" && strings.Contains(arg, "=") {
		return onnx.Invalidf("--in %.128q: neither the name of an input (%s) nor of a file stands before or after the =", arg, names(infos))
	}
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, ".npz") {
		return addArrays(to, name, path, b)
	}
	if name == "" {
		if len(infos) != 1 {
			return onnx.Invalidf("--in %.128q: the model has %d inputs: expected NAME=FILE", arg, len(infos))
		}
		name = infos[0].Name
	}
	var info runtime.Info
	for _, i := range infos {
		if i.Name == name {
			info = i
		}
	}
	o, err := parseInput(path, b, info)
	if err != nil {
		return fmt.Errorf("%.128q: %w", path, err)
	}
	to[name] = o
	return nil
}

// names lists the inputs for a message.
func names(infos []runtime.Info) string {
	quoted := make([]string, len(infos))
	for i, info := range infos {
		quoted[i] = fmt.Sprintf("%.128q", info.Name)
	}
	return strings.Join(quoted[:min(len(quoted), 8)], ", ")
}

// addArrays adds the arrays of an npz file: all of them by their names, or for one input the array of its name, or the
// only one.
func addArrays(to map[string]onnx.Object, name, path string, b []byte) error {
	arrays, err := arrayfile.ReadNPZ(bytes.NewReader(b), int64(len(b)), 0)
	if err != nil {
		return fmt.Errorf("%.128q: %w", path, err)
	}
	for n, t := range arrays {
		switch {
		case name == "":
			to[n] = t
		case n == name || len(arrays) == 1:
			to[name] = t
		}
	}
	if name != "" && to[name] == nil {
		return onnx.Invalidf("%.128q: no array is called %.128q", path, name)
	}
	return nil
}

func parseInput(path string, b []byte, info runtime.Info) (onnx.Object, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		return arrayfile.ReadNPY(bytes.NewReader(b), maxFile)
	case ".pb":
		return onnx.DecodeObject(b, info.Type)
	case ".png", ".jpg", ".jpeg":
		return imageTensor(b, info)
	}
	return nil, onnx.Unsupportedf("expected a file .npy, .npz, .pb, .png or .jpg")
}

// parseShapes reads NAME=1x3x224x224.
func parseShapes(args []string) (map[string][]int, error) {
	out := map[string][]int{}
	for _, a := range args {
		i := strings.LastIndexByte(a, '=')
		if i < 0 {
			return nil, onnx.Invalidf("--shape %.128q: expected NAME=1x3x224x224", a)
		}
		shape := []int{}
		for f := range strings.SplitSeq(a[i+1:], "x") {
			if f == "" && a[i+1:] == "" {
				continue
			}
			d, err := strconv.Atoi(f)
			if err != nil || d < 0 {
				return nil, onnx.Invalidf("--shape %.128q: %.32q is no size", a, f)
			}
			shape = append(shape, d)
		}
		out[a[:i]] = shape
	}
	return out, nil
}

// maxRandom is the most bytes of a random input.
const maxRandom = 1 << 30

// random makes an input of the given shape, or of the declared one when that is fixed: floats from a normal distribution,
// integers from 0 to 9, bools.
func random(i runtime.Info, shape []int, r *rand.Rand) (*onnx.Tensor, error) {
	if !i.Type.IsTensor() {
		return nil, onnx.Invalidf("input %.128q (%v) needs a file: --in NAME=FILE", i.Name, i.Type)
	}
	if shape == nil {
		if !i.Type.IsFixed() {
			return nil, onnx.Invalidf("input %.128q (%v) has open dims: give --in or --shape", i.Name, i.Type)
		}
		for _, d := range i.Type.Shape {
			shape = append(shape, int(d.N))
		}
	}
	n, ok := onnx.NumElements(shape)
	bytes, ok2 := i.Type.Elem.NumBytes(n)
	if !ok || !ok2 || bytes > maxRandom {
		return nil, onnx.Invalidf("input %.128q: shape %v is too large", i.Name, shape)
	}
	t, err := onnx.Zeros(i.Type.Elem, shape...)
	if err != nil {
		return nil, err
	}
	return t, fillRandom(t, r)
}

func fillRandom(t *onnx.Tensor, r *rand.Rand) error {
	switch t.Elem {
	case onnx.Float32:
		fill(onnx.View[float32](t.Mutable()), func() float32 { return float32(r.NormFloat64()) })
	case onnx.Float64:
		fill(onnx.View[float64](t.Mutable()), r.NormFloat64)
	case onnx.Float16:
		fill(onnx.View[onnx.F16](t.Mutable()), func() onnx.F16 { return onnx.NewF16(float32(r.NormFloat64())) })
	case onnx.BFloat16:
		fill(onnx.View[onnx.BF16](t.Mutable()), func() onnx.BF16 { return onnx.NewBF16(float32(r.NormFloat64())) })
	case onnx.Int64:
		fill(onnx.View[int64](t.Mutable()), func() int64 { return int64(r.IntN(10)) })
	case onnx.Int32:
		fill(onnx.View[int32](t.Mutable()), func() int32 { return int32(r.IntN(10)) })
	case onnx.Uint8, onnx.Int8:
		fill(t.Mutable(), func() uint8 { return uint8(r.IntN(10)) })
	case onnx.Bool:
		fill(t.Mutable(), func() uint8 { return uint8(r.IntN(2)) })
	default:
		return onnx.Unsupportedf("random values of type %v: give --in NAME=FILE", t.Elem)
	}
	return nil
}

func fill[T any](dst []T, f func() T) {
	for i := range dst {
		dst[i] = f()
	}
}
