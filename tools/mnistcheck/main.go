// Command mnistcheck runs a model on MNIST's 10,000 test images and writes both as npy files, for other runtimes to compare:
//
//	mnistcheck MODEL IMAGES.npy PREDICTIONS.npy
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/gneiss-ml/gneiss/train/dataset"
	"github.com/gneiss-ml/gneiss/train/dataset/mnist"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: mnistcheck MODEL IMAGES.npy PREDICTIONS.npy")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "mnistcheck:", err)
		os.Exit(2)
	}
}

func run(model, images, predictions string) error {
	x, err := testImages()
	if err != nil {
		return err
	}
	s, err := runtime.Open(model, runtime.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{s.Inputs()[0].Name: x})
	if err != nil {
		return err
	}
	if err := write(images, x); err != nil {
		return err
	}
	return write(predictions, out[s.Outputs()[0].Name])
}

func testImages() (*onnx.Tensor, error) {
	r, err := mnist.TestImages()
	if err != nil {
		return nil, err
	}
	raw, err := dataset.IDX(r)
	if err != nil {
		return nil, err
	}
	d, err := dataset.Images(raw, nil)
	if err != nil {
		return nil, err
	}
	var b dataset.Batch
	if err := d.Read(&b, dataset.Order(d.Len(), false, 0, 0)); err != nil {
		return nil, err
	}
	return b.Inputs[0], nil
}

func write(path string, t *onnx.Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error { return arrayfile.WriteNPY(w, t) })
}
