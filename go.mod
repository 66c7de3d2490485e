module github.com/gneiss-ml/gneiss

go 1.26.0

require (
	github.com/gneiss-ml/gneiss/train/dataset/mnist v0.0.0
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/gneiss-ml/gneiss/train/dataset/mnist => ./train/dataset/mnist
