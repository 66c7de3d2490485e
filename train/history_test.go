package train_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gneiss-ml/gneiss/train"
	"github.com/stretchr/testify/require"
)

func TestHistory(t *testing.T) {
	h := &train.History{Epochs: []train.Epoch{
		{Loss: 2, Metrics: map[string]float64{"accuracy": 0.5}},
		{Epoch: 1, Loss: math.NaN(), Validated: true, ValLoss: 1, ValMetrics: map[string]float64{"accuracy": 0.75}},
	}}
	v, ok := h.Series("val_accuracy")
	require.True(t, ok)
	require.True(t, math.IsNaN(v[0]))
	require.InDelta(t, 0.75, v[1], 0)
	_, ok = h.Series("auc")
	require.False(t, ok)
	b, err := json.Marshal(h)
	require.NoError(t, err)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(b, &rows))
	require.Equal(t, "NaN", rows[1]["loss"])
	require.InDelta(t, 0.75, rows[1]["val_accuracy"], 0)
	require.NotContains(t, rows[0], "val_loss")
}
