package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/internal/kernel/gemm"
	"github.com/gneiss-ml/gneiss/internal/kernel/pool"
	"github.com/gneiss-ml/gneiss/internal/kernel/vec"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/stretchr/testify/require"
)

// sameState compares every variable of two models bit by bit.
func sameState(t *testing.T, want, got *train.Model) {
	t.Helper()
	a, err := want.State()
	require.NoError(t, err)
	b, err := got.State()
	require.NoError(t, err)
	require.Len(t, b, len(a))
	for name := range a {
		require.True(t, bytes.Equal(a[name].Bytes(), b[name].Bytes()), "%s differs", name)
	}
}

// images is n seeded images of the seed network's size with their classes.
func images(t testing.TB, n int) dataset.Dataset {
	t.Helper()
	x, err := onnx.Zeros(onnx.Uint8, n, 28, 28)
	require.NoError(t, err)
	s := uint32(1)
	for i, b := 0, x.Mutable(); i < len(b); i++ {
		s = s*1664525 + 1013904223
		b[i] = byte(s >> 24)
	}
	labels := make([]int64, n)
	for i := range labels {
		labels[i] = int64(i % 10)
	}
	y, err := dataset.OneHot(onnx.Vector(labels...), 10)
	require.NoError(t, err)
	d, err := dataset.Images(x, y)
	require.NoError(t, err)
	return d
}

// TestThreads_sameBits trains the seed network for 100 steps on 1 and on 2 threads, and a few on 3 and 7.
func TestThreads_sameBits(t *testing.T) {
	fit := func(threads, rows int) *train.Model {
		m := seedNetwork(t, train.Config{
			Optimizer: optimizer.Adam{}, Loss: loss.CategoricalCrossEntropy{}, Seed: 3, Threads: threads,
		})
		_, err := m.Fit(context.Background(), images(t, rows), train.FitOptions{BatchSize: 16})
		require.NoError(t, err)
		return m
	}
	rows := 1600
	if testing.Short() {
		rows = 160
	}
	sameState(t, fit(1, rows), fit(2, rows))
	one := fit(1, 48)
	for _, threads := range []int{3, 7} {
		sameState(t, one, fit(threads, 48))
	}
}

func TestSeed(t *testing.T) {
	fit := func(seed uint64) *train.Model {
		m := small(t, train.Config{Seed: seed})
		_, err := m.Fit(context.Background(), blobs(t, 40), train.FitOptions{Epochs: 2, BatchSize: 16})
		require.NoError(t, err)
		return m
	}
	sameState(t, fit(5), fit(5))
	a, err := fit(5).State()
	require.NoError(t, err)
	b, err := fit(6).State()
	require.NoError(t, err)
	require.NotEqual(t, a["conv2d.weight"].Bytes(), b["conv2d.weight"].Bytes())
}

// TestResume stops a training in the middle of an epoch and of an accumulation, and goes on from the checkpoint in a new
// model with another number of threads.
func TestResume(t *testing.T) {
	rules := map[string]optimizer.Optimizer{
		"sgd": optimizer.SGD{}, "momentum": optimizer.SGD{Momentum: 0.9}, "adam": optimizer.Adam{},
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			config := train.Config{Optimizer: rule, Seed: 2, Accumulate: 2, Threads: 1}
			options := train.FitOptions{Epochs: 3, BatchSize: 8}
			straight := small(t, config)
			_, err := straight.Fit(context.Background(), blobs(t, 52), options)
			require.NoError(t, err)

			dir := t.TempDir()
			stopped, batches := small(t, config), 0
			interrupt := errors.New("interrupted")
			withStop := options
			withStop.OnBatch = func(train.BatchEnd) error {
				if batches++; batches == 10 { // the third batch of the second epoch
					return interrupt
				}
				return nil
			}
			_, err = stopped.Fit(context.Background(), blobs(t, 52), withStop)
			require.ErrorIs(t, err, interrupt)
			require.NoError(t, stopped.SaveCheckpoint(dir))

			config.Threads = 3
			resumed := small(t, config)
			require.NoError(t, resumed.LoadCheckpoint(dir))
			h, err := resumed.Fit(context.Background(), blobs(t, 52), options)
			require.NoError(t, err)
			require.Len(t, h.Epochs, 2)
			sameState(t, straight, resumed)
		})
	}
}

func TestLoadCheckpoint_refuses(t *testing.T) {
	dir := t.TempDir()
	m := small(t, train.Config{Seed: 1})
	require.ErrorIs(t, m.LoadCheckpoint(dir), os.ErrNotExist)
	require.NoError(t, m.SaveCheckpoint(dir))
	require.NoError(t, m.SaveCheckpoint(dir))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 2, "state.json and one file of tensors")

	other := small(t, train.Config{Seed: 2})
	require.ErrorIs(t, other.LoadCheckpoint(dir), onnx.ErrInvalid, "another configuration")

	tensors, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	require.NoError(t, err)
	b, err := os.ReadFile(tensors[0])
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(tensors[0], b, 0o666))
	require.ErrorContains(t, m.LoadCheckpoint(dir), "SHA-256")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"format": 99}`), 0o666))
	require.ErrorContains(t, m.LoadCheckpoint(dir), "format")
}

// TestPredict_duringFit asks for predictions and exports while a training runs.
func TestPredict_duringFit(t *testing.T) {
	m := small(t, train.Config{Seed: 1, Threads: 2})
	x, err := onnx.Zeros(onnx.Float32, 3, 1, 8, 8)
	require.NoError(t, err)
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := m.Predict(context.Background(), x); err != nil {
				failed <- err
				return
			}
			if _, err := m.ONNX(); err != nil {
				failed <- err
				return
			}
		}
	}()
	_, err = m.Fit(context.Background(), blobs(t, 64), train.FitOptions{Epochs: 3, BatchSize: 8})
	close(done)
	require.NoError(t, <-failed)
	require.NoError(t, err)
}

// TestONNX exports a trained model, reads it back and expects the same predictions.
func TestONNX(t *testing.T) {
	m := small(t, train.Config{Seed: 1})
	_, err := m.Fit(context.Background(), blobs(t, 64), train.FitOptions{BatchSize: 8})
	require.NoError(t, err)
	exported, err := m.ONNX()
	require.NoError(t, err)
	require.Equal(t, []onnx.Opset{{Domain: "", Version: 13}}, exported.Graph.Opsets, "the lowest opset that has all operators")
	require.Equal(t, 7, exported.IRVersion)
	path := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, exported.WriteFile(path))
	s, err := runtime.Open(path, runtime.Options{})
	require.NoError(t, err)
	defer s.Close()
	x, err := onnx.Zeros(onnx.Float32, 2, 1, 8, 8)
	require.NoError(t, err)
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"image": x})
	require.NoError(t, err)
	want, err := m.Predict(context.Background(), x)
	require.NoError(t, err)
	require.Equal(t, onnx.Data[float32](want), onnx.Data[float32](out[s.Outputs()[0].Name]))
	b1, err := exported.Encode()
	require.NoError(t, err)
	again, err := m.ONNX()
	require.NoError(t, err)
	b2, err := again.Encode()
	require.NoError(t, err)
	require.Equal(t, b1, b2, "exporting twice gives the same bytes")
}

// TestOpen_export trains an imported model and expects only its parameters to change in the file.
func TestOpen_export(t *testing.T) {
	path := filepath.Join(models, "steps-torch-cnn", "model.onnx")
	c := loadCase(t, filepath.Dir(path))
	rule, _ := c.rule("adam")
	m := c.open(t, filepath.Dir(path), rule, 1)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	untouched, err := m.ONNX()
	require.NoError(t, err)
	b, err := untouched.Encode()
	require.NoError(t, err)
	require.Equal(t, before, b, "without a step the file comes back as it was")

	_, err = m.TrainBatch(context.Background(), batch(loadArrays(t, filepath.Join(filepath.Dir(path), "batches.npz")), 1))
	require.NoError(t, err)
	trained, err := m.ONNX()
	require.NoError(t, err)
	old, err := onnx.Decode(before)
	require.NoError(t, err)
	changed := 0
	for i, v := range trained.Graph.Initializers {
		if !bytes.Equal(v.Init.Bytes(), old.Graph.Initializers[i].Init.Bytes()) {
			changed++
		}
		v.Init = old.Graph.Initializers[i].Init
	}
	require.Equal(t, len(c.Parameters), changed)
	b, err = trained.Encode()
	require.NoError(t, err)
	require.Equal(t, before, b, "nothing but the contents of parameters has changed")
}

// TestLayers_likeImport builds the net of an imported case from layers and expects the same gradients, bit by bit.
func TestLayers_likeImport(t *testing.T) {
	dir := filepath.Join(models, "steps-torch-cnn")
	c := loadCase(t, dir)
	rule, _ := c.rule("sgd")
	imported := c.open(t, dir, rule, 1)
	built, err := train.Sequential(
		layer.Input{Name: "image", Shape: []int{1, 14, 14}},
		layer.Conv2D{Name: "conv1", Filters: 8, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{},
		layer.Conv2D{Name: "conv2", Filters: 16, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{},
		layer.Flatten{},
		layer.Dense{Name: "fc1", Units: 14, Activation: layer.ReLU},
		layer.Dense{Name: "fc2", Units: 10},
	)
	require.NoError(t, err)
	require.NoError(t, built.Compile(train.Config{
		Optimizer: rule, Loss: loss.SparseCategoricalCrossEntropy{FromLogits: true}, Convention: convention.PyTorch,
	}))
	values := map[string]*onnx.Tensor{}
	state, err := imported.State()
	require.NoError(t, err)
	for _, p := range built.Parameters() {
		values[p.Name] = state[p.Name]
	}
	require.NoError(t, built.SetParameters(values))
	b := batch(loadArrays(t, filepath.Join(dir, "batches.npz")), 1)
	l1, g1, err := imported.Gradients(context.Background(), b)
	require.NoError(t, err)
	l2, g2, err := built.Gradients(context.Background(), b)
	require.NoError(t, err)
	require.Equal(t, l1, l2)
	require.Len(t, g2, len(g1))
	for name := range g1 {
		require.Equal(t, g1[name].Bytes(), g2[name].Bytes(), name)
	}
}

// TestTiers_sameBits trains on the kernels of this CPU and on plain Go, registered as a tier by the test.
func TestTiers_sameBits(t *testing.T) {
	fit := func() *train.Model {
		m := seedNetwork(t, train.Config{Optimizer: optimizer.Adam{}, Loss: loss.CategoricalCrossEntropy{}, Seed: 4, Threads: 2})
		_, err := m.Fit(context.Background(), images(t, 48), train.FitOptions{BatchSize: 16})
		require.NoError(t, err)
		return m
	}
	best := fit()
	var entries sync.Map
	defer vec.Override(vec.For(cpu.Generic).Traced(func(entry string) { entries.Store(entry, true) }))()
	defer gemm.Override(gemm.For[float32](cpu.Generic), gemm.For[float64](cpu.Generic))()
	defer pool.Override(pool.For(cpu.Generic))()
	sameState(t, best, fit())
	_, called := entries.Load("reluGrad")
	require.True(t, called, "the registered tier must be the one in use")
}
