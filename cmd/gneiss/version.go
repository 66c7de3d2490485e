package main

import (
	"fmt"
	"runtime/debug"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/onnx/schema"
	"github.com/spf13/cobra"
)

// version is set by release builds.
var version = "devel"

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version, CPU tier and opsets", Args: cobra.NoArgs, Example: "  gneiss version",
		RunE: func(*cobra.Command, []string) error {
			v := version
			if b, ok := debug.ReadBuildInfo(); ok && v == "devel" && b.Main.Version != "" {
				v = b.Main.Version
			}
			fmt.Fprintf(a.out, "gneiss %s, cpu tier %v\n", v, cpu.Tier())
			fmt.Fprintf(a.out, "onnx %s: ai.onnx up to opset %d, ai.onnx.ml up to %d, IR up to %d\n",
				schema.Release, schema.MaxOpset(""), schema.MaxOpset("ai.onnx.ml"), schema.IRVersion)
			return nil
		},
	}
}
