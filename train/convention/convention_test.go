package convention_test

import (
	"testing"

	"github.com/gneiss-ml/gneiss/train/convention"
	"github.com/stretchr/testify/require"
)

func TestOr(t *testing.T) {
	const inherit, keras, torch = convention.Inherit, convention.Keras, convention.PyTorch
	require.Equal(t, keras, inherit.Or(inherit))
	require.Equal(t, torch, inherit.Or(torch))
	require.Equal(t, keras, keras.Or(torch))
	require.Equal(t, torch, torch.Or(keras))
	require.Equal(t, torch, torch.Or(inherit))
}

func TestPick(t *testing.T) {
	require.Equal(t, 1, convention.Pick(convention.Keras, 1, 2))
	require.Equal(t, 2, convention.Pick(convention.PyTorch, 1, 2))
	require.Equal(t, 1, convention.Pick(convention.Inherit, 1, 2))
}

func TestString(t *testing.T) {
	require.Equal(t, "keras", convention.Keras.String())
	require.Equal(t, "pytorch", convention.PyTorch.String())
	require.Equal(t, "inherit", convention.Inherit.String())
	require.Equal(t, "inherit", convention.Convention(9).String())
}
