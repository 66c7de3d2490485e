package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gneiss-ml/gneiss/compare"
	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/stretchr/testify/require"
)

const models = "../testdata/models"

// stepsCase is the case.json of a folder steps-*: a framework's training, step by step.
type stepsCase struct {
	Convention string
	Steps      int
	Kept       []int
	Optimizers map[string]struct {
		LearningRate float64 `json:"learning_rate"`
		Momentum     float64
		Slots        []string
	}
	Parameters []struct{ Name string }
	Limits     struct {
		ATol, RTol float64
		Rule       string
	}
	Excluded  []struct{ Name string }
	BatchNorm struct{ Mode string } `json:"batch_norm"`
}

// excluded reports whether the reference maker found a tensor below the noise floor.
func (c stepsCase) excluded(name string) bool {
	return slices.ContainsFunc(c.Excluded, func(e struct{ Name string }) bool { return e.Name == name })
}

// running reports whether a parameter of the framework's is a running statistic, which has no gradient.
func running(name string) bool {
	return strings.HasSuffix(name, "running_mean") || strings.HasSuffix(name, "running_var") || strings.Contains(name, "moving_")
}

func loadCase(t *testing.T, dir string) (c stepsCase) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &c))
	require.NotEmpty(t, c.Parameters)
	return c
}

func loadArrays(t *testing.T, path string) map[string]*onnx.Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	a, err := arrayfile.ReadNPZ(bytes.NewReader(b), int64(len(b)), 0)
	require.NoError(t, err)
	return a
}

func (c stepsCase) convention() convention.Convention {
	if c.Convention == "pytorch" {
		return convention.PyTorch
	}
	return convention.Keras
}

// rule is our optimizer for one of the case's, and our names for its slots.
func (c stepsCase) rule(name string) (optimizer.Optimizer, []string) {
	o := c.Optimizers[name]
	if name == "sgd" {
		return optimizer.SGD{LearningRate: o.LearningRate, Momentum: o.Momentum}, []string{"momentum"}
	}
	return optimizer.Adam{LearningRate: o.LearningRate}, []string{"m", "v"}
}

func (c stepsCase) open(t *testing.T, dir string, rule optimizer.Optimizer, threads int) *train.Model {
	t.Helper()
	m, err := train.Open(filepath.Join(dir, "model.onnx"))
	require.NoError(t, err)
	trainable := map[string]bool{}
	for _, p := range m.Parameters() {
		trainable[p.Name] = p.Trainable
	}
	for _, p := range c.Parameters {
		require.Equal(t, !running(p.Name), trainable[p.Name], "%s of the framework", p.Name)
	}
	l := loss.SparseCategoricalCrossEntropy{FromLogits: c.convention() == convention.PyTorch}
	config := train.Config{Optimizer: rule, Loss: l, Convention: c.convention(), Threads: threads}
	if c.BatchNorm.Mode == "update" {
		config.BatchNorm = train.UpdateStatistics
	}
	require.NoError(t, m.Compile(config))
	return m
}

func batch(arrays map[string]*onnx.Tensor, step int) *dataset.Batch {
	return &dataset.Batch{
		Inputs: []*onnx.Tensor{arrays[fmt.Sprintf("x/%d", step)]}, Targets: []*onnx.Tensor{arrays[fmt.Sprintf("y/%d", step)]},
	}
}

// TestParity trains the models that PyTorch and Keras exported on the same batches and holds losses, gradients, parameters
// and slots against the framework's own.
func TestParity(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(models, "steps-*"))
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		c := loadCase(t, dir)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Run("gradients", func(t *testing.T) { gradientParity(t, dir, c) })
			for name := range c.Optimizers {
				t.Run(name, func(t *testing.T) { stepParity(t, dir, c, name) })
			}
		})
	}
}

func gradientParity(t *testing.T, dir string, c stepsCase) {
	rule, _ := c.rule("sgd")
	m := c.open(t, dir, rule, 2)
	ref := loadArrays(t, filepath.Join(dir, "gradients.npz"))
	l, grads, err := m.Gradients(context.Background(), batch(loadArrays(t, filepath.Join(dir, "batches.npz")), 1))
	require.NoError(t, err)
	requireLoss(t, "loss/1", l, ref)
	worst := 0.0
	for _, p := range c.Parameters {
		if running(p.Name) {
			continue
		}
		key := "grad/" + p.Name
		want, exact := ref[key], ref[key+"@f64"]
		require.NotNil(t, want, key)
		got := grads[p.Name]
		require.NotNil(t, got, key)
		if noise := onnx.Data[float64](ref["noise/"+p.Name])[0]; rms(t, exact) < 10*noise {
			t.Logf("%s: excluded: gradient below noise floor (signal %.2g, noise %.2g)", key, rms(t, exact), noise)
			continue
		}
		require.True(t, compare.Tensors(got, want, compare.Torch).Verdict.OK(), "%s: %v", key, compare.Tensors(got, want, compare.Torch))
		k := oracle(t, key, got, want, exact)
		worst = math.Max(worst, k)
	}
	t.Logf("largest error against float64, as a multiple of the framework's own: %.2f", worst)
}

func floats(t *testing.T, x *onnx.Tensor) []float64 {
	t.Helper()
	v, err := compare.Floats(x)
	require.NoError(t, err)
	return v
}

func rms(t *testing.T, x *onnx.Tensor) float64 {
	t.Helper()
	sum, v := 0.0, floats(t, x)
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(v)))
}

// oracle asks how far both float32 results are from the float64 one: ours may be twice as far as the framework's in the mean
// and four times at most, plus one unit in the last place. It returns the ratio of the means.
func oracle(t *testing.T, name string, got, want, exact *onnx.Tensor) float64 {
	t.Helper()
	g, w, e := floats(t, got), floats(t, want), floats(t, exact)
	var our, ref, ourMax, refMax float64
	for i := range e {
		a, b := g[i]-e[i], w[i]-e[i]
		our, ref = our+a*a, ref+b*b
		ourMax, refMax = math.Max(ourMax, math.Abs(a)), math.Max(refMax, math.Abs(b))
	}
	our, ref = math.Sqrt(our/float64(len(e))), math.Sqrt(ref/float64(len(e)))
	scale := float32(rms(t, exact))
	u := float64(math.Nextafter32(scale, math.MaxFloat32) - scale)
	require.LessOrEqual(t, our, 2*ref+u, "%s: RMS error against float64", name)
	require.LessOrEqual(t, ourMax, 4*refMax+4*u, "%s: largest error against float64", name)
	return our / math.Max(ref, u)
}

func requireLoss(t *testing.T, key string, got float64, ref map[string]*onnx.Tensor) {
	t.Helper()
	want := floats(t, ref[key])[0]
	require.InDelta(t, want, got, 1e-5+1.3e-6*math.Abs(want), key)
}

func stepParity(t *testing.T, dir string, c stepsCase, name string) {
	rule, slots := c.rule(name)
	m := c.open(t, dir, rule, 2)
	batches, ref := loadArrays(t, filepath.Join(dir, "batches.npz")), loadArrays(t, filepath.Join(dir, name+".npz"))
	worst := 0.0
	for step := 1; step <= c.Steps; step++ {
		l, err := m.TrainBatch(context.Background(), batch(batches, step))
		require.NoError(t, err)
		requireLoss(t, fmt.Sprintf("loss/%d", step), l, ref)
		state, err := m.State()
		require.NoError(t, err)
		for _, p := range c.Parameters {
			if c.excluded(p.Name) {
				continue
			}
			worst = math.Max(worst, c.near(t, state[p.Name], ref[fmt.Sprintf("param/%d/%s", step, p.Name)]))
			for i, slot := range slots {
				theirs := ref[fmt.Sprintf("slot/%d/%s/%s", step, c.Optimizers[name].Slots[i], p.Name)]
				if theirs == nil {
					continue
				}
				c.near(t, state["optimizer."+slot+"."+p.Name], theirs)
			}
		}
	}
	t.Logf("largest difference of a parameter over %d steps: %.2g", c.Steps, worst)
}

// near holds one tensor of the state within the case's limits; steps that the reference does not keep are passed over.
func (c stepsCase) near(t *testing.T, got, want *onnx.Tensor) float64 {
	t.Helper()
	if want == nil {
		return 0
	}
	require.NotNil(t, got)
	g, w := floats(t, got), floats(t, want)
	require.Len(t, g, len(w))
	worst := 0.0
	for i := range w {
		d := math.Abs(g[i] - w[i])
		worst = math.Max(worst, d)
		ok := d <= c.Limits.ATol || strings.HasPrefix(c.Limits.Rule, "either") && d <= c.Limits.RTol*math.Abs(w[i])
		require.True(t, ok, "element %d: got %v, want %v", i, g[i], w[i])
	}
	return worst
}
