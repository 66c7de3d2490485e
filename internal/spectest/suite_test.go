package spectest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/onnx"
)

// archive holds KIND/CASE/model.onnx with KIND/CASE/test_data_set_N/input_I.pb and output_I.pb.
const archive = "../../testdata/conformance/suite.tar.gz"

// suiteCase is one case of the suite.
type suiteCase struct {
	kind, name string
	files      map[string][]byte // by path inside the case
}

func (c *suiteCase) id() string { return c.kind + "/" + c.name }

// suite reads the archive once.
var suite = sync.OnceValues(func() ([]*suiteCase, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	byID, cases := map[string]*suiteCase{}, []*suiteCase(nil)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		parts := strings.SplitN(path.Clean(h.Name), "/", 3)
		if len(parts) < 3 || h.Typeflag != tar.TypeReg {
			continue
		}
		id := parts[0] + "/" + parts[1]
		c := byID[id]
		if c == nil {
			c = &suiteCase{kind: parts[0], name: parts[1], files: map[string][]byte{}}
			byID[id], cases = c, append(cases, c)
		}
		if c.files[parts[2]], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(cases, func(a, b *suiteCase) int { return strings.Compare(a.id(), b.id()) })
	return cases, nil
})

// dataSet is inputs and expected outputs.
type dataSet struct{ in, out []onnx.Object }

// fed lists the inputs that a data set has values for: those without initializer.
func fed(g *onnx.Graph) []*onnx.Value {
	initialized := map[string]bool{}
	for _, v := range g.Initializers {
		initialized[v.Name] = true
	}
	var vs []*onnx.Value
	for _, v := range g.Inputs {
		if !initialized[v.Name] {
			vs = append(vs, v)
		}
	}
	return vs
}

// dataSets decodes all data sets of a case.
func (c *suiteCase) dataSets(m *onnx.Model) ([]dataSet, error) {
	if c.kind == "light" {
		d, err := c.light(m)
		return []dataSet{d}, err
	}
	var sets []dataSet
	for n := 0; ; n++ {
		prefix := fmt.Sprintf("test_data_set_%d/", n)
		in, err := c.objects(prefix+"input_", fed(m.Graph))
		if err != nil {
			return nil, err
		}
		out, err := c.objects(prefix+"output_", m.Graph.Outputs)
		if err != nil {
			return nil, err
		}
		if len(out) == 0 {
			break
		}
		if len(out) != len(m.Graph.Outputs) {
			return nil, fmt.Errorf("%d expected outputs for %d", len(out), len(m.Graph.Outputs))
		}
		sets = append(sets, dataSet{in, out})
	}
	if len(sets) == 0 {
		return nil, errors.New("no data set")
	}
	return sets, nil
}

// objects decodes the files prefix0.pb, prefix1.pb ... as values of the declared types.
func (c *suiteCase) objects(prefix string, vs []*onnx.Value) ([]onnx.Object, error) {
	var list []onnx.Object
	for i, v := range vs {
		b, ok := c.files[fmt.Sprintf("%s%d.pb", prefix, i)]
		if !ok {
			break
		}
		o, err := onnx.DecodeObject(b, v.Type)
		if err != nil {
			return nil, fmt.Errorf("%s%d: %w", prefix, i, err)
		}
		list = append(list, o)
	}
	return list, nil
}

// tolerance is the one of data.json, where a case has that file, else the official one.
func (c *suiteCase) tolerance() (compare.Profile, error) {
	b, ok := c.files["data.json"]
	if !ok {
		return compare.ONNX, nil
	}
	var t struct{ RTol, ATol *float64 }
	if err := json.Unmarshal(b, &t); err != nil {
		return compare.Profile{}, fmt.Errorf("data.json: %w", err)
	}
	tol := compare.ONNX.Float32
	if t.RTol != nil {
		tol.Rel = *t.RTol
	}
	if t.ATol != nil {
		tol.Abs = *t.ATol
	}
	return compare.ONNX.With(tol), nil
}

// light is the data set of a light model: the ramp i/n of each input's shape, unknown sizes 1.
func (c *suiteCase) light(m *onnx.Model) (dataSet, error) {
	var d dataSet
	for _, v := range fed(m.Graph) {
		var shape []int
		n := 1
		for _, s := range v.Type.Shape {
			shape = append(shape, int(max(s.N, 1)))
			n *= shape[len(shape)-1]
		}
		ramp := make([]float32, n)
		for i := range ramp {
			ramp[i] = float32(i) / float32(n)
		}
		t, err := onnx.NewTensor(ramp, shape...)
		if err != nil {
			return d, err
		}
		d.in = append(d.in, t)
	}
	var err error
	if d.out, err = c.objects("test_data_set_0/output_", m.Graph.Outputs); err != nil {
		return d, err
	}
	if len(d.out) != len(m.Graph.Outputs) {
		return d, errors.New("an expected output is missing")
	}
	return d, nil
}
