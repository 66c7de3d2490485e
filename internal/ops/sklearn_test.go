package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSklearn runs models that skl2onnx makes of scikit-learn's estimators: testdata/sklearn.json.gz, which
// tools/python/sklearn_fixtures.py makes with both and with ONNX Runtime.
func TestSklearn(t *testing.T) {
	var file struct{ Cases []mlCase }
	readGzip(t, "testdata/sklearn.json.gz", &file)
	require.NotEmpty(t, file.Cases)
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) { checkML(t, &c, 1e-5, 1e-5) })
	}
}
