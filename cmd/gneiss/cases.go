package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

// dataSet is a folder test_data_set_N of the standard.
type dataSet struct {
	name   string
	in     map[string]onnx.Object
	want   map[string]onnx.Object
	output []string // names that have an expected value, in order
}

// findCases lists the folders at and below the roots that hold a model.onnx, sorted, each once.
func findCases(roots []string) ([]string, error) {
	var dirs []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "model.onnx" && !d.IsDir() {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// dataSets reads the data sets of a case for a session's inputs and outputs.
func dataSets(dir string, s *runtime.Session) ([]dataSet, error) {
	folders, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(folders, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var sets []dataSet
	for _, folder := range folders {
		d := dataSet{name: filepath.Base(folder)}
		if d.in, _, err = readObjects(folder, "input", s.Inputs()); err != nil {
			return nil, err
		}
		if d.want, d.output, err = readObjects(folder, "output", s.Outputs()); err != nil {
			return nil, err
		}
		sets = append(sets, d)
	}
	return sets, nil
}

// readObjects reads KIND_I.pb for the I-th of infos; files may be missing.
func readObjects(folder, kind string, infos []runtime.Info) (map[string]onnx.Object, []string, error) {
	out := map[string]onnx.Object{}
	var names []string
	for i, info := range infos {
		path := filepath.Join(folder, fmt.Sprintf("%s_%d.pb", kind, i))
		b, err := readFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		o, err := onnx.DecodeObject(b, info.Type)
		if err != nil {
			return nil, nil, fmt.Errorf("%.200q: %w", path, err)
		}
		out[info.Name] = o
		names = append(names, info.Name)
	}
	return out, names, nil
}

// caseData is the data.json of a case; a tolerance there overrides the profile's.
type caseData struct {
	RTol *float64 `json:"rtol"`
	ATol *float64 `json:"atol"`
}

func readCaseData(dir string) (caseData, error) {
	var d caseData
	b, err := readFile(filepath.Join(dir, "data.json"))
	if os.IsNotExist(err) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	return d, err
}
