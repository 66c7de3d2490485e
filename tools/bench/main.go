// Command bench times one model on request, so that a driver can time it in turn with another runtime:
//
//	bench MODEL THREADS IN.npz OUT.npz
//	bench grow MODEL THREADS TOKENS
//	bench train MODEL THREADS STEPS BATCH,CHANNELS,HEIGHT,WIDTH CLASSES
//
// It says that it is ready and waits for a line, so that its memory can be read before. Then it opens the model, runs it once
// on the arrays of IN, writes the outputs to OUT, and answers each line of standard input with a line of JSON: "time MS" runs
// for at least MS milliseconds and three runs, "open" opens the model once more.
//
// The second form decodes with keys and values that grow, the third trains a classifier; each prints one line of JSON.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func command(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "grow":
		n, err := numbers(strings.Join(args[2:], ","))
		if err != nil {
			return err
		}
		return grow(args[1], n[0], n[1], os.Stdout)
	case len(args) == 4:
		return serve(args[0], args[1], args[2], args[3], os.Stdin, os.Stdout)
	case len(args) == 6 && args[0] == "train":
		n, err := numbers(strings.Join(args[2:], ","))
		if err != nil {
			return err
		}
		return trainFile(args[1], n[0], n[1], n[2:len(n)-1], n[len(n)-1], os.Stdout)
	}
	return onnx.Invalidf("usage: bench MODEL THREADS IN.npz OUT.npz, bench grow MODEL THREADS TOKENS, or bench train MODEL THREADS STEPS SHAPE CLASSES")
}

// numbers reads numbers from 1 on, between commas.
func numbers(s string) (list []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, onnx.Invalidf("expected a number from 1 on, received %.32q", part)
		}
		list = append(list, n)
	}
	return list, nil
}

// opened is the first answer.
type opened struct {
	Open  float64 `json:"open_ms"`
	First float64 `json:"first_ms"`
}

// timed answers "time".
type timed struct {
	Times []float64 `json:"times_ms"`
}

func serve(model, threads, in, out string, requests io.Reader, answers io.Writer) error {
	n, err := strconv.Atoi(threads)
	if err != nil || n < 1 {
		return onnx.Invalidf("expected a number of threads, received %.32q", threads)
	}
	answer, lines := json.NewEncoder(answers), bufio.NewScanner(requests)
	if err := answer.Encode(struct{}{}); err != nil || !lines.Scan() {
		return err
	}
	start := time.Now()
	s, err := runtime.Open(model, runtime.Options{Threads: n})
	if err != nil {
		return err
	}
	defer s.Close()
	first := opened{Open: ms(time.Since(start))}
	b, took, err := bind(s, in, out)
	if err != nil {
		return err
	}
	defer b.Close()
	first.First = took
	if err := answer.Encode(first); err != nil {
		return err
	}
	for lines.Scan() {
		got, err := handle(lines.Text(), b, model, n)
		if err != nil {
			return err
		}
		if err := answer.Encode(got); err != nil {
			return err
		}
	}
	return lines.Err()
}

func handle(request string, b *runtime.Binding, model string, threads int) (any, error) {
	if request == "open" {
		start := time.Now()
		s, err := runtime.Open(model, runtime.Options{Threads: threads})
		if err != nil {
			return nil, err
		}
		return opened{Open: ms(time.Since(start))}, s.Close()
	}
	rest, ok := strings.CutPrefix(request, "time ")
	d, err := strconv.Atoi(rest)
	if !ok || err != nil {
		return nil, onnx.Invalidf("expected open or time MS, received %.32q", request)
	}
	times, err := measure(b, time.Duration(d)*time.Millisecond)
	return timed{Times: times}, err
}

// measure times runs of b for at least d and three runs, after one that is not counted.
func measure(b *runtime.Binding, d time.Duration) ([]float64, error) {
	ctx := context.Background()
	if err := b.Run(ctx); err != nil {
		return nil, err
	}
	times := make([]float64, 0, 1<<12)
	for end := time.Now().Add(d); len(times) < 3 || time.Now().Before(end); {
		start := time.Now()
		if err := b.Run(ctx); err != nil {
			return nil, err
		}
		times = append(times, ms(time.Since(start)))
	}
	slices.Sort(times)
	return times, nil
}

// bind runs s on the arrays of in, writes the outputs to out, and ties the session to both. It gives the milliseconds of the
// first run too.
func bind(s *runtime.Session, in, out string) (*runtime.Binding, float64, error) {
	raw, err := os.ReadFile(in)
	if err != nil {
		return nil, 0, err
	}
	feeds, err := arrayfile.ReadNPZ(bytes.NewReader(raw), int64(len(raw)), 0)
	if err != nil {
		return nil, 0, err
	}
	start := time.Now()
	results, err := s.Run(context.Background(), feeds)
	if err != nil {
		return nil, 0, err
	}
	took := ms(time.Since(start))
	if err := atomicfile.Write(out, func(w io.Writer) error { return arrayfile.WriteNPZ(w, results) }); err != nil {
		return nil, 0, err
	}
	b, err := s.Bind(feeds, results)
	return b, took, err
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
