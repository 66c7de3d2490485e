package train

import (
	"encoding/json"
	"math"
	"time"
)

// Epoch is what one epoch of training gave. Losses and metrics of the training rows are taken before each update, with
// dropout on and weights moving, as Keras reports them; those of the validation rows after the epoch, in inference mode.
type Epoch struct {
	Epoch      int     // from 0, as in Keras
	Loss       float64 // mean over the rows
	Metrics    map[string]float64
	Validated  bool // whether ValLoss and ValMetrics were computed
	ValLoss    float64
	ValMetrics map[string]float64

	LearningRate  float64 // at the end of the epoch
	Rows          int
	Duration      time.Duration // training alone
	RowsPerSecond float64
}

// History is the epochs of a training.
type History struct {
	Epochs []Epoch
}

// Series is one number per epoch: "loss", "val_loss", "learning_rate", or the name of a metric, with val_ before it for the
// validation rows. Epochs that lack it have NaN; ok is false when all do.
func (h *History) Series(name string) (v []float64, ok bool) {
	for _, e := range h.Epochs {
		x, has := e.value(name)
		if !has {
			x = math.NaN()
		}
		ok = ok || has
		v = append(v, x)
	}
	return v, ok
}

func (e *Epoch) value(name string) (float64, bool) {
	switch name {
	case "loss":
		return e.Loss, true
	case "val_loss":
		return e.ValLoss, e.Validated
	case "learning_rate":
		return e.LearningRate, true
	}
	if v, ok := e.Metrics[name]; ok {
		return v, true
	}
	if len(name) > 4 && name[:4] == "val_" {
		v, ok := e.ValMetrics[name[4:]]
		return v, ok
	}
	return 0, false
}

// MarshalJSON writes the epochs as objects with the names that Series knows; what is not finite is a word: NaN, Infinity,
// -Infinity.
func (h *History) MarshalJSON() ([]byte, error) {
	out := make([]map[string]any, len(h.Epochs))
	for i, e := range h.Epochs {
		row := map[string]any{
			"epoch": e.Epoch, "loss": number(e.Loss), "learning_rate": e.LearningRate, "rows_per_s": e.RowsPerSecond,
			"seconds": e.Duration.Seconds(),
		}
		for k, v := range e.Metrics {
			row[k] = number(v)
		}
		if e.Validated {
			row["val_loss"] = number(e.ValLoss)
			for k, v := range e.ValMetrics {
				row["val_"+k] = number(v)
			}
		}
		out[i] = row
	}
	return json.Marshal(out)
}

// number is v, or a word where JSON has no number.
func number(v float64) any {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return v
}

// Score is what Evaluate gave.
type Score struct {
	Loss    float64
	Metrics map[string]float64
	Rows    int
}
