package main

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gneiss-ml/gneiss/train"
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

func TestDigits(t *testing.T) {
	d, err := loadDigits()
	require.NoError(t, err)
	require.Equal(t, 60000, d.train.Len())
	require.Equal(t, 10000, d.test.Len())
}
