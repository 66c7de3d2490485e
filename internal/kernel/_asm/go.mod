module github.com/gneiss-ml/gneiss/internal/kernel/_asm

go 1.26.0

require github.com/klauspost/asmfmt v1.3.2
