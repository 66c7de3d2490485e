package convention_test

import (
	"fmt"

	"github.com/gneiss-ml/gneiss/train/convention"
)

// A literal that inherits takes the model's rules; a model that inherits takes Keras's.
func ExampleConvention() {
	model := convention.PyTorch
	layer := convention.Inherit
	fmt.Println(layer.Or(model), convention.Inherit.Or(convention.Inherit))
	fmt.Println(convention.Pick(layer.Or(model), 1e-7, 1e-8))
	// Output:
	// pytorch keras
	// 1e-08
}
