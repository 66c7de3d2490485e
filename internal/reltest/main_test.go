package reltest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/onnx"
)

var scale = flag.Int("rel.scale", 1, "how many times as many cases")

// childVariable names the bomb that this process is to run; the answer is printed as JSON.
const childVariable = "GNEISS_RELTEST_BOMB"

func TestMain(m *testing.M) {
	flag.Parse()
	if name := os.Getenv(childVariable); name != "" {
		a := explode(name)
		if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// kindOf sorts an error; what is of no kind is as bad as an internal error.
func kindOf(err error) string {
	var limit *onnx.LimitError
	switch {
	case err == nil:
		return "result"
	case errors.Is(err, onnx.ErrInternal):
		return "internal"
	case errors.As(err, &limit):
		return "limit"
	case errors.Is(err, onnx.ErrInvalid):
		return "invalid"
	case errors.Is(err, errors.ErrUnsupported):
		return "unsupported"
	}
	return "untyped"
}

// score counts and names the first failures.
type score struct {
	passed, failed int
	first          []string
}

func (s *score) pass() { s.passed++ }

func (s *score) fail(format string, args ...any) {
	if s.failed++; len(s.first) < 20 {
		s.first = append(s.first, fmt.Sprintf(format, args...))
	}
}

// report prints the score and fails t unless all passed.
func (s *score) report(t *testing.T) {
	t.Helper()
	fmt.Printf("%s: %d passed, %d failed\n", t.Name(), s.passed, s.failed)
	if s.failed > 0 || s.passed == 0 {
		t.Errorf("%d passed, %d failed\n%s", s.passed, s.failed, strings.Join(s.first, "\n"))
	}
}
