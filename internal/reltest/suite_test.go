package reltest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/gneiss-ml/gneiss/onnx"
)

// seed is a model of the official suite with the inputs of its first data set.
type seed struct {
	id     string
	model  []byte
	inputs map[int][]byte
}

// suite reads the archive once, in its order.
var suite = sync.OnceValues(func() ([]*seed, error) {
	f, err := os.Open("../../testdata/conformance/suite.tar.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var seeds []*seed
	byID := map[string]*seed{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return seeds, nil
		}
		if err != nil {
			return nil, err
		}
		parts := strings.SplitN(h.Name, "/", 3)
		if len(parts) < 3 || h.Typeflag != tar.TypeReg {
			continue
		}
		id := parts[0] + "/" + parts[1]
		if byID[id] == nil {
			byID[id] = &seed{id: id, inputs: map[int][]byte{}}
			seeds = append(seeds, byID[id])
		}
		if err := byID[id].add(parts[2], r); err != nil {
			return nil, err
		}
	}
})

func (s *seed) add(name string, r io.Reader) (err error) {
	i := 0
	if name == "model.onnx" {
		s.model, err = io.ReadAll(r)
	} else if n, _ := fmt.Sscanf(name, "test_data_set_0/input_%d.pb", &i); n == 1 {
		s.inputs[i], err = io.ReadAll(r)
	}
	return err
}

// feeds decodes the inputs as m, which may be damaged, declares them; what does not decode is left out.
func (s *seed) feeds(m *onnx.Model) map[string]onnx.Object {
	in, i := map[string]onnx.Object{}, 0
	initialized := map[string]bool{}
	for _, v := range m.Graph.Initializers {
		initialized[v.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		if initialized[v.Name] {
			continue
		}
		if b, ok := s.inputs[i]; ok {
			if o, err := onnx.DecodeObject(b, v.Type); err == nil {
				in[v.Name] = o
			} else if t, err := onnx.DecodeTensor(b); err == nil {
				in[v.Name] = t
			}
		}
		i++
	}
	return in
}
