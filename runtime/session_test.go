package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/stretchr/testify/require"
)

func TestRun_enginesAndBatches(t *testing.T) {
	b := mlp(t)
	plain := session(t, b, runtime.Options{Engine: runtime.Plain})
	for _, level := range []runtime.Level{runtime.Full, runtime.Exact, runtime.None} {
		same := map[int][]byte{}
		for _, threads := range []int{0, 1, 2, 5} {
			fast := session(t, b, runtime.Options{Threads: threads, Level: level})
			for _, n := range []int{1, 5, 0, 5} {
				in := tensors{"x": tensor(t, n, 6)}
				p, f := run(t, plain, in)["y"], run(t, fast, in)["y"]
				require.Equal(t, []int{n, 3}, f.Shape)
				require.InDeltaSlice(t, data(p), data(f), 1e-4)
				if same[n] == nil {
					same[n] = f.Bytes()
				}
				require.Equal(t, same[n], f.Bytes(), "the same bits for %d threads", threads)
			}
		}
	}
}

func TestNew_leavesTheModelAlone(t *testing.T) {
	b := mlp(t)
	nodes, outputs := len(b.Graph.Nodes), len(b.Graph.Outputs)
	s := session(t, b, runtime.Options{})
	run(t, s, tensors{"x": tensor(t, 1, 6)}, "h")
	require.Len(t, b.Graph.Nodes, nodes)
	require.Len(t, b.Graph.Outputs, outputs)
}

func TestRun_innerValues(t *testing.T) {
	for _, engine := range []runtime.Engine{runtime.Fast, runtime.Plain} {
		s := session(t, mlp(t), runtime.Options{Engine: engine})
		out := run(t, s, tensors{"x": tensor(t, 2, 6)}, "h", "y", "h")
		require.Len(t, out, 2)
		require.Equal(t, []int{2, 8}, out["h"].Shape)
		require.Equal(t, data(run(t, s, tensors{"x": tensor(t, 2, 6)})["y"]), data(out["y"]))
		require.Equal(t, data(tensor(t, 2, 6)), data(run(t, s, tensors{"x": tensor(t, 2, 6)}, "x")["x"]))
		_, err := s.Run(t.Context(), tensors{"x": tensor(t, 2, 6)}, "z")
		require.EqualError(t, err, `runtime: no value is called "z"; the outputs are "y"`)
	}
}

func TestRun_inputErrors(t *testing.T) {
	s := session(t, mlp(t), runtime.Options{})
	fails := func(in tensors, text string) {
		t.Helper()
		_, err := s.Run(t.Context(), in)
		require.ErrorIs(t, err, onnx.ErrInvalid)
		require.EqualError(t, err, text)
	}
	fails(tensors{"x": tensor(t, 1, 6), "k": tensor(t, 1), "z": nil}, `runtime: no input is called "k"; the inputs are "x"`)
	fails(nil, `runtime: input "x" (float[N,6]) is missing`)
	fails(tensors{"x": nil}, `runtime: input "x" (float[N,6]) is missing`)
	fails(tensors{"x": tensor(t, 6)}, `runtime: input "x": expected rank 2 (float[N,6]), received rank 1 [6]`)
	fails(tensors{"x": tensor(t, 1, 5)}, `runtime: input "x": expected float[N,6], received shape [1 5]: axis 1 is 5, not 6`)
	fails(tensors{"x": onnx.Vector[int64](1)}, `runtime: input "x": expected float[N,6], received int64[1]`)
	_, err := s.Bind(tensors{"x": tensor(t, 1, 6)}, tensors{"y": tensor(t, 1, 4)})
	require.EqualError(t, err, `runtime: output "y": the result is float[1,3], the buffer given is float[1,4]`)
}

func TestRun_namedDims(t *testing.T) {
	b := shape.NewBuilder("dims")
	x, y := b.Graph.Input("x", f32("N", 2)), b.Graph.Input("y", f32("N", 2))
	output(b, "z", b.Op("Add", vs{x, y}))
	s := session(t, b, runtime.Options{})
	_, err := s.Run(t.Context(), tensors{"x": tensor(t, 2, 2), "y": tensor(t, 1, 2)})
	require.EqualError(t, err, `runtime: input "y": axis 0 ("N") is 1, but it is 2 at axis 0 of input "x"`)
	s = session(t, b, runtime.Options{Dims: map[string]int{"N": 3}})
	require.Equal(t, "float[3,2]", s.Inputs()[0].Type.String())
	_, err = s.Run(t.Context(), tensors{"x": tensor(t, 2, 2), "y": tensor(t, 2, 2)})
	require.ErrorContains(t, err, "axis 0 is 2, not 3")
	require.Equal(t, []int{3, 2}, run(t, s, tensors{"x": tensor(t, 3, 2), "y": tensor(t, 3, 2)})["z"].Shape)
}

func TestSession_describes(t *testing.T) {
	b := mlp(t)
	m := model(t, b)
	m.Producer, m.Doc, m.ModelVersion = "tests", "a perceptron", 7
	m.Metadata = []onnx.Entry{{Key: "author", Value: "nobody"}}
	s, err := runtime.New(m, runtime.Options{})
	require.NoError(t, err)
	require.Equal(t, []runtime.Info{{Name: "x", Type: f32("N", 6)}}, s.Inputs())
	require.Equal(t, []runtime.Info{{Name: "y", Type: f32("N", 3)}}, s.Outputs())
	md := s.Metadata()
	require.Equal(t, "tests", md.Producer)
	require.Equal(t, int64(7), md.Version)
	require.Equal(t, "mlp", md.Graph)
	require.Equal(t, m.Metadata, md.Properties)
	require.GreaterOrEqual(t, s.MemoryUse().Weights, int64(4*(48+8+24)))
	run(t, s, tensors{"x": tensor(t, 1, 6)})
	require.Positive(t, s.MemoryUse().Runs)
}

func TestRun_overriddenInitializer(t *testing.T) {
	b := shape.NewBuilder("defaults")
	x := b.Graph.Input("x", f32(2))
	w := b.Graph.Initializer("w", f32(2), onnx.Vector[float32](10, 20))
	b.Graph.Inputs = append(b.Graph.Inputs, w)
	output(b, "y", b.Op("Add", vs{x, w}))
	for _, ir := range []int{3, 4, 10} {
		m := model(t, b)
		m.IRVersion = ir
		s, err := runtime.New(m, runtime.Options{})
		require.NoError(t, err)
		in := tensors{"x": onnx.Vector[float32](1, 2)}
		require.Equal(t, []float32{11, 22}, data(run(t, s, in)["y"]))
		require.Equal(t, []float32{6, 7}, data(run(t, s, tensors{"x": in["x"], "w": onnx.Vector[float32](5, 5)})["y"]))
		require.Equal(t, []float32{11, 22}, data(run(t, s, in)["y"]))
		require.Equal(t, ir >= 4, len(s.Inputs()) == 2)
		require.Equal(t, ir >= 4, s.Inputs()[len(s.Inputs())-1].Optional)
	}
}

func TestRun_objects(t *testing.T) {
	b := shape.NewBuilder("objects")
	x, text := b.Graph.Input("x", f32("N")), b.Graph.Input("text", onnx.TensorOf(onnx.String, onnx.Named("N")))
	seq := b.Graph.Input("seq", onnx.SequenceOf(onnx.Unranked(onnx.Float32)))
	opt := b.Graph.Input("opt", onnx.OptionalOf(f32("N")))
	for name, v := range map[string]*onnx.Value{"x2": x, "text2": text, "seq2": seq, "opt2": opt} {
		output(b, name, b.Op("Identity", vs{v}))
	}
	s := session(t, b, runtime.Options{})
	words, err := onnx.Strings([]string{"a", "b"}, 2)
	require.NoError(t, err)
	item := onnx.Vector[float32](7)
	in := map[string]onnx.Object{"x": onnx.Vector[float32](1, 2), "text": words, "seq": &onnx.Sequence{Items: []onnx.Object{item}}}
	for _, given := range []onnx.Object{nil, &onnx.Optional{Item: item}, item} {
		if delete(in, "opt"); given != nil {
			in["opt"] = given
		}
		out, err := s.RunObjects(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, out["text2"].(*onnx.Tensor).StringData())
		got := out["seq2"].(*onnx.Sequence).Items[0].(*onnx.Tensor)
		require.Equal(t, []float32{7}, data(got))
		onnx.View[float32](got.Mutable())[0] = 8 // the caller's own
		require.Equal(t, []float32{7}, data(item))
		require.Equal(t, given == nil, out["opt2"].(*onnx.Optional).Item == nil)
	}
	in["seq"] = &onnx.Sequence{Items: []onnx.Object{nil}}
	_, err = s.RunObjects(t.Context(), in)
	require.EqualError(t, err, `runtime: input "seq": item 0: a value is missing`)
	in["seq"] = onnx.Vector[float32](1)
	_, err = s.RunObjects(t.Context(), in)
	require.EqualError(t, err, `runtime: input "seq": expected seq(float), received float[1]`)
	_, err = s.Run(t.Context(), tensors{"x": onnx.Vector[float32](1)})
	require.ErrorContains(t, err, "is missing")
}

func TestRun_growingLoop(t *testing.T) {
	s := session(t, growing(), runtime.Options{})
	for _, n := range []int64{0, 1, 40, 3} {
		out := run(t, s, tensors{"x": onnx.Vector[float32](1, 2), "n": onnx.Scalar(n)})
		require.Equal(t, []int{int(2 * (n + 1))}, out["y"].Shape)
		require.Equal(t, float32(2), data(out["y"])[2*n+1])
	}
}

func TestRun_limits(t *testing.T) {
	in := tensors{"x": onnx.Vector[float32](1, 2), "n": onnx.Scalar[int64](1 << 40)}
	for _, l := range []runtime.Limits{{Memory: 10_000}, {Nodes: 1000}} {
		var limit *onnx.LimitError
		_, err := session(t, growing(), runtime.Options{Limits: l}).Run(t.Context(), in)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorAs(t, err, &limit)
	}
	in["n"] = onnx.Scalar[int64](20)
	run(t, session(t, growing(), runtime.Options{Limits: runtime.Limits{Memory: -1, Nodes: -1, Load: -1}}), in)
}

func TestRun_cancel(t *testing.T) {
	s := session(t, loop(), runtime.Options{Limits: runtime.Limits{Nodes: -1}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Run(ctx, tensors{"x": tensor(t, 4), "n": onnx.Scalar[int64](1 << 60)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), time.Second)
	require.Equal(t, float32(-9), data(run(t, s, tensors{"x": tensor(t, 4), "n": onnx.Scalar[int64](2)})["y"])[0])
}

func TestSession_concurrent(t *testing.T) {
	s := session(t, mlp(t), runtime.Options{Threads: 2})
	want := map[int][]float32{}
	for n := 1; n < 4; n++ {
		want[n] = data(run(t, s, tensors{"x": tensor(t, n, 6)})["y"])
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				if k%3 == 2 {
					cancel()
				}
				n := 1 + (i+k)%3
				out, err := s.Run(ctx, tensors{"x": tensor(t, n, 6)})
				switch {
				case k%3 == 2:
					if !errors.Is(err, context.Canceled) {
						errs <- errors.New("a cancelled run went on")
					}
				case err != nil:
					errs <- err
				case !bytes.Equal(onnx.BytesOf(want[n]), out["y"].Bytes()):
					errs <- errors.New("another result")
				}
				cancel()
			}
		})
	}
	wg.Wait()
	close(errs)
	require.NoError(t, <-errs)
}

func TestSession_closeDuringRun(t *testing.T) {
	s := session(t, loop(), runtime.Options{})
	started := make(chan struct{})
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	in := tensors{"x": tensor(t, 4), "n": onnx.Scalar[int64](1 << 60)}
	b, err := s.Bind(tensors{"x": tensor(t, 4), "n": onnx.Scalar[int64](1)}, nil)
	require.NoError(t, err)
	go func() {
		close(started)
		_, err := s.Run(ctx, in)
		done <- err
	}()
	<-started
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	err = <-done
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, runtime.ErrClosed), err)
	_, err = s.Run(t.Context(), in)
	require.ErrorIs(t, err, runtime.ErrClosed)
	require.ErrorIs(t, b.Run(t.Context()), runtime.ErrClosed)
	_, err = s.Bind(in, nil)
	require.ErrorIs(t, err, runtime.ErrClosed)
}

func TestOpen(t *testing.T) {
	const path = "../testdata/models/torch-dynamo-mlp/model.onnx"
	if _, err := os.Stat(path); err != nil {
		t.Skip("the models for tests are a module of their own, not there")
	}
	a, err := runtime.Open(path, runtime.Options{})
	require.NoError(t, err)
	bytes, err := os.ReadFile(path)
	require.NoError(t, err)
	weights, err := os.ReadFile(path + ".data")
	require.NoError(t, err)
	files := fstest.MapFS{"m/model.onnx": {Data: bytes}, "m/model.onnx.data": {Data: weights}}
	b, err := runtime.OpenFS(files, "m/model.onnx", runtime.Options{})
	require.NoError(t, err)
	require.Equal(t, a.Inputs(), b.Inputs())
	for _, s := range []*runtime.Session{a, b} {
		x, want := example(t, filepath.Dir(path), "input_0"), example(t, filepath.Dir(path), "output_0")
		got := run(t, s, tensors{s.Inputs()[0].Name: x})[s.Outputs()[0].Name]
		require.Equal(t, want.Shape, got.Shape)
		require.InDeltaSlice(t, data(want), data(got), 1e-5, "PyTorch's own result")
	}
	_, err = runtime.Open(filepath.Join(t.TempDir(), "none.onnx"), runtime.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = runtime.New(nil, runtime.Options{})
	require.ErrorIs(t, err, onnx.ErrInvalid)
}

// example is an input or output that was stored beside a model.
func example(t *testing.T, dir, name string) *onnx.Tensor {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", name+".pb"))
	require.NoError(t, err)
	x, err := onnx.DecodeTensor(b)
	require.NoError(t, err)
	return x
}
