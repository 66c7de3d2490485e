package main

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/stretchr/testify/require"
)

func TestTrainMNIST_flags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o666))
	for _, c := range []struct {
		args string
		says string
	}{
		{"--epochs 0", "--epochs"},
		{"--epochs -1", "--epochs"},
		{"--epochs many", "--epochs"},
		{"--batch 0", "--batch"},
		{"--threads -1", "--threads"},
		{"--lr 0", "--lr"},
		{"--lr NaN", "--lr"},
		{"--lr Inf", "--lr"},
		{"--validation-split 1", "--validation-split"},
		{"--validation-split -0.1", "--validation-split"},
		{"--optimizer lion", "lion"},
		{"--seed -1", "--seed"},
		{"--resume", "--checkpoint"},
		{"--checkpoint " + file, "folder"},
		{"--out " + dir, "regular file"},
		{"--out " + filepath.Join(dir, "none", "m.onnx"), "no folder"},
		{"--out " + filepath.Join(file, "m.onnx"), "no folder"},
		{"--report " + filepath.Join(dir, "none", "m.html"), "no folder"},
		{"--plot " + dir, "regular file"},
		{"--resume --checkpoint " + filepath.Join(dir, "none"), "none"},
		{"extra", "extra"},
	} {
		args := []string{"train", "mnist"}
		if !strings.Contains(c.args, "--out") {
			args = append(args, "--out", filepath.Join(dir, "m.onnx"))
		}
		refuses(t, append(args, strings.Fields(c.args)...), c.says)
	}
	refuses(t, []string{"train", "mnist", "--out", ""}, "--out")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left behind")
}

// A folder that takes no files is found out before the training, not after it.
func TestWritable(t *testing.T) {
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("no /proc here")
	}
	require.ErrorContains(t, writable("/proc/m.onnx"), "cannot be written")
	require.NoError(t, writable(filepath.Join(t.TempDir(), "m.onnx")))
	require.ErrorContains(t, writable("/dev/null"), "regular file")
}

func TestSeedNetwork(t *testing.T) {
	m, err := seedNetwork()
	require.NoError(t, err)
	text := m.Summary()
	for _, n := range []string{"320", "18,496", "204,928", "1,290", "225,034"} {
		require.Contains(t, text, n)
	}
}

// history is two epochs, the second without a number.
func history() *train.History {
	h := &train.History{Epochs: []train.Epoch{
		{
			Epoch: 0, Rows: 100, Loss: 0.5, Metrics: map[string]float64{"accuracy": 0.8}, Validated: true, ValLoss: 0.25,
			ValMetrics: map[string]float64{"accuracy": 0.9}, Duration: 2 * time.Second, RowsPerSecond: 50,
		},
		{Epoch: 1, Rows: 100, Loss: math.NaN(), Metrics: map[string]float64{"accuracy": 0.1}, Duration: time.Second, RowsPerSecond: 100},
	}}
	return h
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	a := &app{out: &b}
	p := newProgress(a, mnistFlags{epochs: 2})
	require.NoError(t, p.batch(train.BatchEnd{}))
	require.Empty(t, b.String(), "a bar belongs on a terminal only")
	require.NoError(t, p.epoch(history().Epochs[0]))
	require.Equal(t, "Epoch 1/2  2.0s  50 images/s - loss: 0.5000 - accuracy: 0.8000 - val_loss: 0.2500 - val_accuracy: 0.9000\n", b.String())
	b.Reset()
	require.NoError(t, p.epoch(history().Epochs[1]))
	require.Equal(t, "Epoch 2/2  1.0s  100 images/s - loss: NaN - accuracy: 0.1000\n", b.String())

	b.Reset()
	p = newProgress(a, mnistFlags{epochs: 2, json: true})
	for _, e := range history().Epochs {
		require.NoError(t, p.epoch(e))
	}
	rows := lines(t, b.String())
	require.Equal(t, map[string]any{
		"event": "epoch", "epoch": 0.0, "loss": 0.5, "accuracy": 0.8, "val_loss": 0.25, "val_accuracy": 0.9, "images_per_s": 50.0, "seconds": 2.0,
	}, rows[0])
	require.Equal(t, "NaN", rows[1]["loss"])
	require.NotContains(t, rows[1], "val_loss")
}

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	page, picture := filepath.Join(dir, "m.html"), filepath.Join(dir, "m.png")
	require.NoError(t, writeCurves(history(), page, picture))
	b, err := os.ReadFile(page)
	require.NoError(t, err)
	text := string(b)
	require.Equal(t, 2, strings.Count(text, "<svg"))
	require.Equal(t, 2, strings.Count(text, "</svg>"))
	require.NotContains(t, text, "<?xml")
	for _, part := range []string{"<!DOCTYPE html>", "val_accuracy", "0.2500", "Loss", "Accuracy"} {
		require.Contains(t, text, part)
	}
	for _, outside := range []string{"<script", "<link", "src=", "url("} {
		require.NotContains(t, text, outside, "the page must stand alone")
	}
	f, err := os.Open(picture)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	require.Greater(t, img.Bounds().Dx(), img.Bounds().Dy())
	require.NoError(t, writeCurves(&train.History{}, page, picture), "a training of no epochs draws empty charts")

	before, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Error(t, writeCurves(history(), filepath.Join(page, "deep"), ""))
	require.Error(t, writeCurves(history(), "", dir))
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// fewDigits is the first images only, so that a test can train on them.
func fewDigits(t *testing.T) *digits {
	t.Helper()
	d, err := loadDigits()
	require.NoError(t, err)
	return &digits{train: dataset.Slice(d.train, 0, 320), test: dataset.Slice(d.test, 0, 100)}
}

// trained trains on few images with the flags of f and gives what was printed.
func trained(t *testing.T, data *digits, f mnistFlags) string {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs}
	f.batch, f.split, f.rate, f.optimizer, f.seed, f.threads = 32, 0.1, 0.002, "adam", 1, 2
	require.NoError(t, f.check())
	require.Equal(t, yes, a.status(a.trainOn(context.Background(), data, f)), errs.String())
	return out.String()
}

func TestTrainOn(t *testing.T) {
	data, dir := fewDigits(t), t.TempDir()
	f := mnistFlags{
		epochs: 2, out: filepath.Join(dir, "m.onnx"), report: filepath.Join(dir, "m.html"), plot: filepath.Join(dir, "m.png"),
		state: filepath.Join(dir, "checkpoint"), json: true,
	}
	rows := lines(t, trained(t, data, f))
	require.Len(t, rows, 3)
	for i, r := range rows[:2] {
		require.Equal(t, "epoch", r["event"])
		require.Equal(t, float64(i), r["epoch"])
		for _, name := range []string{"loss", "accuracy", "val_loss", "val_accuracy", "images_per_s", "seconds"} {
			require.Contains(t, r, name)
		}
	}
	done := rows[2]
	require.Equal(t, "done", done["event"])
	require.Equal(t, 225034.0, done["parameters"])
	require.Equal(t, f.out, done["out"])
	require.Len(t, done["predictions"], 5)
	for _, name := range []string{"test_loss", "test_accuracy", "seconds", "images_per_s"} {
		require.Contains(t, done, name)
	}
	answers(t, yes, "check", f.out)
	for _, path := range []string{f.report, f.plot} {
		require.FileExists(t, path)
	}
	straight, err := os.ReadFile(f.out)
	require.NoError(t, err)

	// One epoch, then another from the checkpoint, gives the same file.
	f.state, f.report, f.plot, f.json = filepath.Join(dir, "other"), "", "", false
	f.epochs = 1
	text := trained(t, data, f)
	require.Contains(t, text, "225,034")
	require.Contains(t, text, "Epoch 1/1")
	require.Contains(t, text, "wrote "+f.out+"; read back, it sees [")
	f.epochs, f.resume = 2, true
	require.NotContains(t, trained(t, data, f), "Epoch 1/2")
	resumed, err := os.ReadFile(f.out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(straight, resumed), "a resumed training ends with the same bytes")
}

// An interrupted training leaves the file that was there.
func TestTrainOn_interrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o666))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var errs bytes.Buffer
	a := &app{out: io.Discard, err: &errs}
	f := mnistFlags{epochs: 1, batch: 32, rate: 0.001, optimizer: "sgd", out: path}
	require.Equal(t, unanswered, a.status(a.trainOn(ctx, fewDigits(t), f)))
	oneMessage(t, errs.String())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
}

func TestDigits(t *testing.T) {
	d, err := loadDigits()
	require.NoError(t, err)
	require.Equal(t, 60000, d.train.Len())
	require.Equal(t, 10000, d.test.Len())
}
