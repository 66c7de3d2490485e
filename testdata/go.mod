module github.com/gneiss-ml/gneiss/testdata

go 1.26.0
