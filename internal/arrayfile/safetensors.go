// Package arrayfile reads and writes files of arrays: npy, npz and safetensors. Sizes that a file declares are charged to a
// limit before memory is taken.
package arrayfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/gneiss-ml/gneiss/onnx"
)

// maxHeader is the most bytes of a safetensors header.
const maxHeader = 100 << 20

// safeTypes pairs the words of safetensors with element types.
var safeTypes = []struct {
	word string
	elem onnx.ElemType
}{
	{"F64", onnx.Float64},
	{"F32", onnx.Float32},
	{"F16", onnx.Float16},
	{"BF16", onnx.BFloat16},
	{"F8_E4M3", onnx.Float8E4M3FN},
	{"F8_E5M2", onnx.Float8E5M2},
	{"I64", onnx.Int64},
	{"I32", onnx.Int32},
	{"I16", onnx.Int16},
	{"I8", onnx.Int8},
	{"U64", onnx.Uint64},
	{"U32", onnx.Uint32},
	{"U16", onnx.Uint16},
	{"U8", onnx.Uint8},
	{"BOOL", onnx.Bool},
}

type safeEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// WriteSafetensors writes tensors by name, in alphabetical order, and metadata, which may be nil. The same input gives the
// same bytes.
func WriteSafetensors(w io.Writer, tensors map[string]*onnx.Tensor, metadata map[string]string) error {
	names := sortedNames(tensors)
	head, err := safeHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(head))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, n := range names {
		if _, err := w.Write(tensors[n].Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(tensors map[string]*onnx.Tensor) []string {
	names := make([]string, 0, len(tensors))
	for n := range tensors {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func safeHeader(names []string, tensors map[string]*onnx.Tensor, metadata map[string]string) ([]byte, error) {
	entries := map[string]any{}
	if len(metadata) > 0 {
		entries["__metadata__"] = metadata
	}
	at := int64(0)
	for _, n := range names {
		t := tensors[n]
		word := ""
		for _, s := range safeTypes {
			if s.elem == t.Elem {
				word = s.word
			}
		}
		if word == "" || n == "__metadata__" {
			return nil, onnx.Unsupportedf("safetensors: tensor %.128q of type %v", n, t.Elem)
		}
		end := at + int64(len(t.Bytes()))
		entries[n] = safeEntry{word, append([]int{}, t.Shape...), [2]int64{at, end}}
		at = end
	}
	head, err := json.Marshal(entries) // keys in alphabetical order
	if err != nil {
		return nil, err
	}
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	return head, nil
}

// ReadSafetensors reads the tensors and the metadata of a file held in b. The tensors borrow b's bytes. Offsets must be
// contiguous: no overlap, no gap.
func ReadSafetensors(b []byte) (tensors map[string]*onnx.Tensor, metadata map[string]string, err error) {
	if len(b) < 8 {
		return nil, nil, onnx.Invalidf("safetensors: expected at least 8 bytes, received %d", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, nil, onnx.Invalidf("safetensors: header of %d bytes in a file of %d", n, len(b))
	}
	entries, metadata, err := safeEntries(b[8 : 8+n])
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	tensors, err = safeTensors(entries, b[8+n:])
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	return tensors, metadata, nil
}

type namedEntry struct {
	name string
	safeEntry
}

// safeEntries reads the header token by token, so that a name that stands twice is seen.
func safeEntries(head []byte) (entries []namedEntry, metadata map[string]string, err error) {
	d := json.NewDecoder(bytes.NewReader(head))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, onnx.Invalidf("the header is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, onnx.Invalidf("header: %w", err)
		}
		name, _ := t.(string)
		if seen[name] {
			return nil, nil, onnx.Invalidf("name %.128q stands twice", name)
		}
		seen[name] = true
		var into any = &metadata
		var e namedEntry
		if name != "__metadata__" {
			e.name, into = name, &e.safeEntry
		}
		if err := d.Decode(into); err != nil {
			return nil, nil, onnx.Invalidf("header entry %.128q: %w", name, err)
		}
		if name != "__metadata__" {
			entries = append(entries, e)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, onnx.Invalidf("header: %w", err)
	}
	slices.SortStableFunc(entries, func(a, b namedEntry) int {
		return int(min(max(a.Offsets[0]-b.Offsets[0], -1), 1))
	})
	return entries, metadata, nil
}

func safeTensors(entries []namedEntry, data []byte) (map[string]*onnx.Tensor, error) {
	tensors := map[string]*onnx.Tensor{}
	at := int64(0)
	for _, e := range entries {
		from, to := e.Offsets[0], e.Offsets[1]
		if from != at || to < from || to > int64(len(data)) {
			return nil, onnx.Invalidf("tensor %.128q: offsets %d to %d do not follow %d within %d bytes", e.name, from, to, at, len(data))
		}
		at = to
		elem := onnx.Undefined
		for _, s := range safeTypes {
			if s.word == e.DType {
				elem = s.elem
			}
		}
		if elem == onnx.Undefined {
			return nil, onnx.Unsupportedf("tensor %.128q: type %.32q", e.name, e.DType)
		}
		t, err := onnx.Borrow(elem, e.Shape, data[from:to:to])
		if err != nil {
			return nil, fmt.Errorf("tensor %.128q: %w", e.name, err)
		}
		tensors[e.name] = t
	}
	if at != int64(len(data)) {
		return nil, onnx.Invalidf("%d bytes stand behind the last tensor", int64(len(data))-at)
	}
	return tensors, nil
}
