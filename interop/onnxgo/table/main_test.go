package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const models = "../../../testdata/models"

// A cell is a process of its own: this one, called with a case.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "case" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The table of README.md is what is measured here.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every model three times, in 75 processes")
	}
	var b bytes.Buffer
	require.NoError(t, write(&b, models))
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.True(t, strings.Contains(string(readme), b.String()), "README.md lacks the measured table:\n%s", b.String())
}

func TestWrite_empty(t *testing.T) {
	require.ErrorContains(t, write(&bytes.Buffer{}, t.TempDir()), "no cases")
}

func TestCell(t *testing.T) {
	require.Equal(t, `a \| b`, cell("a\n | b\n"))
	require.Len(t, []rune(cell(strings.Repeat("é", 200))), 120)
	require.ErrorContains(t, runCase("nothing", models+"/torch-script-mlp"), "no way")
}
