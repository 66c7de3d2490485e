package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/gneiss-ml/gneiss/train"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress tells how a training goes on: a bar on a terminal, a line an epoch elsewhere, JSON lines when asked.
type progress struct {
	a      *app
	json   bool
	epochs int
	bar    *progressbar.ProgressBar
	onBar  bool
}

func newProgress(a *app, f mnistFlags) *progress {
	p := &progress{a: a, json: f.json, epochs: f.epochs}
	if out, ok := a.out.(*os.File); ok && !f.json {
		p.onBar = term.IsTerminal(int(out.Fd()))
	}
	return p
}

func (p *progress) batch(b train.BatchEnd) error {
	if !p.onBar {
		return nil
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(b.Batches,
			progressbar.OptionSetWriter(p.a.out), progressbar.OptionSetWidth(24), progressbar.OptionThrottle(50_000_000),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	speed := float64(b.Rows) / b.Elapsed.Seconds()
	p.bar.Describe(fmt.Sprintf("Epoch %d/%d  loss %.4f  accuracy %.4f  %.0f images/s", b.Epoch+1, p.epochs, b.Loss, b.Metrics["accuracy"], speed))
	return p.bar.Add(1)
}

func (p *progress) epoch(e train.Epoch) error {
	if p.bar != nil {
		if err := p.bar.Finish(); err != nil {
			return err
		}
		p.bar = nil
	}
	if p.json {
		return json.NewEncoder(p.a.out).Encode(epochLine(e))
	}
	line := fmt.Sprintf("Epoch %d/%d  %.1fs  %.0f images/s - loss: %.4f - accuracy: %.4f", e.Epoch+1, p.epochs, e.Duration.Seconds(), e.RowsPerSecond, e.Loss, e.Metrics["accuracy"])
	if e.Validated {
		line += fmt.Sprintf(" - val_loss: %.4f - val_accuracy: %.4f", e.ValLoss, e.ValMetrics["accuracy"])
	}
	_, err := fmt.Fprintln(p.a.out, line)
	return err
}

func epochLine(e train.Epoch) map[string]any {
	row := map[string]any{
		"event": "epoch", "epoch": e.Epoch, "loss": jsonNumber(e.Loss), "accuracy": e.Metrics["accuracy"], "images_per_s": e.RowsPerSecond,
		"seconds": e.Duration.Seconds(),
	}
	if e.Validated {
		row["val_loss"], row["val_accuracy"] = jsonNumber(e.ValLoss), e.ValMetrics["accuracy"]
	}
	return row
}
