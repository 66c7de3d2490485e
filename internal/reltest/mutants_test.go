package reltest

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/check"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

var only = flag.String("rel.only", "", "the one mutant to run, as CASE#NUMBER")

const (
	mutantBytes = 8 << 10                  // seeds up to this size
	mutantTime  = slower * 2 * time.Second // after which a run is cancelled
	mutantStop  = slower * 3 * time.Second // and has ended by now, were the machine idle
)

// TestMutants decodes, checks and runs damaged models of the suite. Any error will do, but not an internal one, and none
// may take long.
func TestMutants(t *testing.T) {
	seeds, err := suite()
	require.NoError(t, err)
	each := 50 * *scale
	var s score
	defer s.report(t)
	kinds := map[string]int{}
	for i, seed := range seeds {
		if len(seed.model) > mutantBytes || testing.Short() && i%20 != 0 {
			continue
		}
		for n := range each {
			name := fmt.Sprintf("%s#%d", seed.id, n)
			if *only != "" && *only != name {
				continue
			}
			h := fnv.New64a()
			h.Write([]byte(seed.id))
			mutant := mutate(seed.model, rand.New(rand.NewPCG(h.Sum64(), uint64(n))))
			if *only != "" {
				t.Log("\n" + hex.Dump(mutant))
			}
			start := time.Now()
			kind, err := tryMutant(seed, mutant, n%4 == 3)
			took := time.Since(start)
			kinds[kind]++
			switch {
			case kind == "internal" || kind == "panic" || kind == "untyped":
				s.fail("%s: %s: %.1500v", name, kind, err)
			case took > mutantStop && slowAgain(seed, mutant, n%4 == 3):
				s.fail("%s: %s took %v: %.300v", name, kind, took, err)
			default:
				s.pass()
			}
		}
	}
	t.Logf("%v", kinds)
}

// slowAgain tries once more, since a busy machine is slow by itself.
func slowAgain(s *seed, mutant []byte, plain bool) bool {
	start := time.Now()
	_, _ = tryMutant(s, mutant, plain)
	return time.Since(start) > mutantStop
}

// tryMutant goes through everything that a program may do with a file.
func tryMutant(s *seed, mutant []byte, plain bool) (kind string, err error) {
	defer func() {
		if x := recover(); x != nil {
			kind, err = "panic", fmt.Errorf("%v\n%s", x, debug.Stack()) //nolint:errorlint // x is no error
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), mutantTime)
	defer cancel()
	m, err := onnx.Decode(mutant)
	if err != nil {
		return kindOf(err), err
	}
	_ = check.Model(m, check.Options{})
	if _, err := onnx.ParseText(m.Text()); errors.Is(err, onnx.ErrInternal) {
		return "internal", err
	}
	if _, err := m.Encode(); errors.Is(err, onnx.ErrInternal) {
		return "internal", err
	}
	o := runtime.Options{Threads: 1, Limits: runtime.Limits{Memory: 64 << 20, Nodes: 100_000}}
	if plain {
		o.Engine = runtime.Plain
	}
	session, err := runtime.New(m, o)
	if err != nil {
		return kindOf(err), err
	}
	defer session.Close()
	_, err = session.RunObjects(ctx, s.feeds(m))
	if errors.Is(err, context.DeadlineExceeded) {
		return "stopped", err
	}
	return kindOf(err), err
}

// TestTakeApart shows that the mutations start from the models themselves.
func TestTakeApart(t *testing.T) {
	seeds, err := suite()
	require.NoError(t, err)
	for _, s := range seeds {
		if len(s.model) > mutantBytes {
			continue
		}
		fields, ok := takeApart(s.model, 0)
		require.True(t, ok, s.id)
		require.Equal(t, s.model, putTogether(nil, fields), s.id)
		require.False(t, strings.HasPrefix(s.id, "/"))
	}
}
