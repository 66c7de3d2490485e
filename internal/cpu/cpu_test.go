package cpu

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSupported(t *testing.T) {
	levels := Supported()
	require.Equal(t, Generic, levels[0])
	require.True(t, slices.IsSorted(levels))
	require.Contains(t, levels, Tier())
	t.Logf("tier %s of %v, features %+v", Tier(), levels, Has())
}

// TestTier_asked asserts that a supported tier asked for is the tier in use.
func TestTier_asked(t *testing.T) {
	asked := os.Getenv("GNEISS_CPU")
	for _, l := range Supported() {
		if l.String() == asked {
			require.Equal(t, l, Tier())
		}
	}
}

func TestChoose(t *testing.T) {
	all := []Level{Generic, AVX2, AVX512}
	require.Equal(t, AVX512, choose(all, ""))
	require.Equal(t, AVX512, choose(all, "neon"))
	require.Equal(t, AVX512, choose(all, "nonsense"))
	require.Equal(t, AVX2, choose(all, "avx2"))
	require.Equal(t, Generic, choose(all, "generic"))
	require.Equal(t, AVX2, choose(all[:2], "avx512"), "asking for more gives the best there is")
}

func TestFeatures_belowTheirTier(t *testing.T) {
	require.Equal(t, Features{}, features(Generic))
}
