package main

import (
	"encoding/json"
	"fmt"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/check"
	"github.com/spf13/cobra"
)

func (a *app) check() *cobra.Command {
	var f common
	var asJSON bool
	c := &cobra.Command{
		Use: "check MODEL...", Short: "Is a model valid?", Args: cobra.MinimumNArgs(1), Example: "  gneiss check model.onnx",
		RunE: func(_ *cobra.Command, args []string) error { return a.checkModels(args, asJSON) },
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "JSON lines")
	return c
}

func (a *app) checkModels(paths []string, asJSON bool) error {
	valid := true
	for _, path := range paths {
		faults, err := faultsOf(path)
		if err != nil {
			return err
		}
		valid = valid && len(faults) == 0
		if err := a.printFaults(path, faults, asJSON); err != nil {
			return err
		}
	}
	if !valid {
		return errNo
	}
	return nil
}

// faultsOf checks a model as it stands in its file, then, where nothing is wrong, with its external data.
func faultsOf(path string) ([]check.Fault, error) {
	m, err := readModel(path, onnx.ReadOptions{SkipExternal: true})
	if err != nil {
		return nil, err
	}
	faults := check.Model(m, check.Options{})
	if len(faults) > 0 || !external(m) {
		return faults, nil
	}
	if m, err = readModel(path, onnx.ReadOptions{}); err != nil {
		return nil, err
	}
	return check.Model(m, check.Options{}), nil
}

// external reports whether m has tensors outside its file.
func external(m *onnx.Model) bool { return len(externalFiles(m)) > 0 }

func (a *app) printFaults(path string, faults []check.Fault, asJSON bool) error {
	if asJSON {
		texts := make([]string, len(faults))
		for i, f := range faults {
			texts[i] = f.String()
		}
		return json.NewEncoder(a.out).Encode(map[string]any{"model": path, "valid": len(faults) == 0, "faults": texts})
	}
	if len(faults) == 0 {
		_, err := fmt.Fprintf(a.out, "%s: valid\n", path)
		return err
	}
	for _, f := range faults {
		fmt.Fprintf(a.out, "%s: %v\n", path, f)
	}
	_, err := fmt.Fprintf(a.out, "%s: %d faults\n", path, len(faults))
	return err
}
