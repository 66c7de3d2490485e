package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/dataset/mnist"
	"github.com/gneiss-ml/gneiss/train/layer"
	"github.com/gneiss-ml/gneiss/train/loss"
	"github.com/gneiss-ml/gneiss/train/metric"
	"github.com/gneiss-ml/gneiss/train/optimizer"
	"github.com/spf13/cobra"
)

func (a *app) train() *cobra.Command {
	c := &cobra.Command{
		Use: "train", Short: "Train a network", Args: cobra.NoArgs, Example: "  gneiss train mnist --epochs 5 --out mnist.onnx",
		RunE: func(*cobra.Command, []string) error {
			return onnx.Invalidf("expected what to train: gneiss train mnist")
		},
	}
	c.AddCommand(a.trainMNIST())
	return c
}

// mnistFlags are the flags of train mnist.
type mnistFlags struct {
	epochs, batch, threads   int
	split, rate              float64
	optimizer                string
	seed                     uint64
	out, report, plot, state string
	resume, json             bool
}

func (a *app) trainMNIST() *cobra.Command {
	var f mnistFlags
	c := &cobra.Command{
		Use: "mnist", Short: "Train the seed CNN on MNIST and export it", Args: cobra.NoArgs,
		Example: "  gneiss train mnist --epochs 5 --out mnist.onnx --report mnist.html",
		RunE:    func(c *cobra.Command, _ []string) error { return a.runMNIST(c.Context(), f) },
	}
	p := c.Flags()
	p.IntVar(&f.epochs, "epochs", 5, "passes over the training images")
	p.IntVar(&f.batch, "batch", 64, "images in a step")
	p.Float64Var(&f.split, "validation-split", 0.1, "share of the training images that is held back for validation")
	p.StringVar(&f.optimizer, "optimizer", "adam", "adam or sgd")
	p.Float64Var(&f.rate, "lr", 0.001, "learning rate")
	p.Uint64Var(&f.seed, "seed", 1, "seed of weights, order and dropout")
	p.IntVar(&f.threads, "threads", 0, "threads; 0 is one for each CPU")
	p.StringVar(&f.out, "out", "mnist.onnx", "file to export to")
	p.StringVar(&f.report, "report", "", "HTML file for the curves")
	p.StringVar(&f.plot, "plot", "", "PNG file for the curves")
	p.StringVar(&f.state, "checkpoint", "", "folder for a checkpoint after each epoch")
	p.BoolVar(&f.resume, "resume", false, "go on from the checkpoint")
	p.BoolVar(&f.json, "json", false, "JSON lines")
	return c
}

func (f *mnistFlags) check() error {
	switch {
	case f.epochs < 1:
		return onnx.Invalidf("--epochs: expected at least 1, received %d", f.epochs)
	case f.batch < 1:
		return onnx.Invalidf("--batch: expected at least 1, received %d", f.batch)
	case f.threads < 0:
		return onnx.Invalidf("--threads: expected at least 0, received %d", f.threads)
	case !(f.rate > 0) || math.IsInf(f.rate, 0):
		return onnx.Invalidf("--lr: expected a positive number, received %v", f.rate)
	case !(f.split >= 0 && f.split < 1):
		return onnx.Invalidf("--validation-split: expected a number from 0 to below 1, received %v", f.split)
	case f.resume && f.state == "":
		return onnx.Invalidf("--resume needs --checkpoint")
	}
	if _, err := f.rule(); err != nil {
		return err
	}
	if f.out == "" {
		return onnx.Invalidf("--out: expected the name of a file")
	}
	for _, path := range []string{f.out, f.report, f.plot} {
		if path == "" {
			continue
		}
		if err := writable(path); err != nil {
			return err
		}
	}
	if s, err := os.Stat(f.state); err == nil && !s.IsDir() {
		return onnx.Invalidf("--checkpoint %.128q: expected a folder", f.state)
	}
	return nil
}

// writable finds out before a long training whether its results can be written to path.
func writable(path string) error {
	dir := filepath.Dir(path)
	if s, err := os.Stat(dir); err != nil || !s.IsDir() {
		return onnx.Invalidf("%.128q cannot be written: there is no folder %.128q", path, dir)
	}
	if s, err := os.Stat(path); err == nil && !s.Mode().IsRegular() {
		return onnx.Invalidf("%.128q cannot be written: it is not a regular file", path)
	}
	probe, err := os.CreateTemp(dir, ".gneiss-*.tmp")
	if err != nil {
		return onnx.Invalidf("%.128q cannot be written: %w", path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func (f *mnistFlags) rule() (optimizer.Optimizer, error) {
	switch f.optimizer {
	case "adam":
		return optimizer.Adam{LearningRate: f.rate}, nil
	case "sgd":
		return optimizer.SGD{LearningRate: f.rate, Momentum: 0.9}, nil
	}
	return nil, onnx.Invalidf("--optimizer: expected adam or sgd, received %.32q", f.optimizer)
}

// compiled is the seed network, ready to be trained.
func (f *mnistFlags) compiled() (*train.Model, error) {
	rule, err := f.rule()
	if err != nil {
		return nil, err
	}
	model, err := seedNetwork()
	if err != nil {
		return nil, err
	}
	return model, model.Compile(train.Config{
		Optimizer: rule, Loss: loss.CategoricalCrossEntropy{}, Metrics: []metric.Metric{metric.Accuracy{}},
		Seed: f.seed, Threads: f.threads,
	})
}

// seedNetwork is the CNN of the Keras tutorials: two convolutions, two poolings, two dense layers.
func seedNetwork() (*train.Model, error) {
	return train.Sequential(
		layer.Input{Name: "image", Shape: []int{1, 28, 28}},
		layer.Conv2D{Filters: 32, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{Size: [2]int{2, 2}},
		layer.Conv2D{Filters: 64, Kernel: [2]int{3, 3}, Activation: layer.ReLU},
		layer.MaxPool2D{Size: [2]int{2, 2}},
		layer.Flatten{},
		layer.Dense{Units: 128, Activation: layer.ReLU},
		layer.Dropout{Rate: 0.5},
		layer.Dense{Units: 10, Activation: layer.Softmax},
	)
}

// digits are the images and labels of MNIST.
type digits struct {
	train, test dataset.Dataset
}

func loadDigits() (*digits, error) {
	read := func(open func() (io.Reader, error)) (*onnx.Tensor, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return dataset.IDX(r)
	}
	pair := func(images, labels func() (io.Reader, error)) (dataset.Dataset, error) {
		x, err := read(images)
		if err != nil {
			return nil, err
		}
		y, err := read(labels)
		if err == nil {
			y, err = dataset.OneHot(y, 10)
		}
		if err != nil {
			return nil, err
		}
		return dataset.Images(x, y)
	}
	d := &digits{}
	var err error
	if d.train, err = pair(mnist.TrainImages, mnist.TrainLabels); err == nil {
		d.test, err = pair(mnist.TestImages, mnist.TestLabels)
	}
	return d, err
}

func (a *app) runMNIST(ctx context.Context, f mnistFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	data, err := loadDigits()
	if err != nil {
		return err
	}
	return a.trainOn(ctx, data, f)
}

// trainOn trains the seed network on data and writes all that f asks for.
func (a *app) trainOn(ctx context.Context, data *digits, f mnistFlags) error {
	model, err := f.compiled()
	if err != nil {
		return err
	}
	if f.resume {
		if err := model.LoadCheckpoint(f.state); err != nil {
			return err
		}
	}
	if !f.json {
		fmt.Fprint(a.out, model.Summary())
	}
	start := time.Now()
	h, err := a.fit(ctx, model, data, f)
	if err != nil {
		return err
	}
	return a.finish(ctx, model, data, h, f, time.Since(start))
}

// fit trains, with a progress bar on a terminal and a line for each epoch elsewhere.
func (a *app) fit(ctx context.Context, model *train.Model, data *digits, f mnistFlags) (*train.History, error) {
	p := newProgress(a, f)
	return model.Fit(ctx, data.train, train.FitOptions{
		Epochs: f.epochs, BatchSize: f.batch, ValidationSplit: f.split, OnBatch: p.batch,
		OnEpoch: func(m *train.Model, e train.Epoch) error {
			if err := p.epoch(e); err != nil {
				return err
			}
			if f.state != "" {
				return m.SaveCheckpoint(f.state)
			}
			return nil
		},
	})
}

// finish evaluates, exports, reads the exported file back and predicts the first images with it.
func (a *app) finish(ctx context.Context, model *train.Model, data *digits, h *train.History, f mnistFlags, took time.Duration) error {
	score, err := model.Evaluate(ctx, data.test)
	if err != nil {
		return err
	}
	exported, err := model.ONNX()
	if err != nil {
		return err
	}
	if err := exported.WriteFile(f.out); err != nil {
		return err
	}
	digits, err := firstDigits(ctx, f.out, data, 5)
	if err != nil {
		return err
	}
	if err := writeCurves(h, f.report, f.plot); err != nil {
		return err
	}
	return a.reportMNIST(model, h, score, digits, f, took)
}

// firstDigits opens an exported file in the runtime and classifies the first n test images.
func firstDigits(ctx context.Context, path string, data *digits, n int) ([]int, error) {
	s, err := runtime.Open(path, runtime.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var b dataset.Batch
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	if err := data.test.Read(&b, rows); err != nil {
		return nil, err
	}
	out, err := s.Run(ctx, map[string]*onnx.Tensor{s.Inputs()[0].Name: b.Inputs[0]})
	if err != nil {
		return nil, err
	}
	p := onnx.Data[float32](out[s.Outputs()[0].Name])
	if len(p) != n*10 {
		return nil, errors.New("the exported model gives no ten probabilities an image")
	}
	for i := range rows {
		rows[i] = largest(p[i*10 : (i+1)*10])
	}
	return rows, nil
}

func largest(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

func (a *app) reportMNIST(model *train.Model, h *train.History, score train.Score, digits []int, f mnistFlags, took time.Duration) error {
	parameters := 0
	for _, p := range model.Parameters() {
		parameters += p.Size()
	}
	rows, seconds := 0, 0.0
	for _, e := range h.Epochs {
		rows, seconds = rows+e.Rows, seconds+e.Duration.Seconds()
	}
	speed := float64(rows) / math.Max(seconds, 1e-9)
	if f.json {
		return json.NewEncoder(a.out).Encode(map[string]any{
			"event": "done", "test_loss": jsonNumber(score.Loss), "test_accuracy": score.Metrics["accuracy"], "seconds": took.Seconds(),
			"images_per_s": speed, "parameters": parameters, "out": f.out, "predictions": digits,
		})
	}
	fmt.Fprintf(a.out, "test accuracy %.4f, test loss %.4f\n", score.Metrics["accuracy"], score.Loss)
	fmt.Fprintf(a.out, "trained in %.1f s, %.0f images/s\n", took.Seconds(), speed)
	fmt.Fprintf(a.out, "wrote %s; read back, it sees %v in the first %d test images\n", f.out, digits, len(digits))
	return nil
}
