module github.com/gneiss-ml/gneiss/train/dataset/mnist

go 1.26
