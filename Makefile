# make demo      trains the seed network on MNIST, exports, reads back, compares with PyTorch and Keras
# make test      the Go tests of every module; Go alone is needed
# make check     formats, lints, every tier, race detector, other architectures, generated files
# make interop   the Python side: rebuilds the reference cases, feeds our exports to other runtimes
# make accuracy  seeds 1 to 5, five epochs each; writes ACCURACY.md
# make bench     times Gneiss beside ONNX Runtime, PyTorch and Keras; writes BENCHMARKS.md (ARGS=--quick for a part)
# make generate  assembly, schema tables, operator table
# make vuln      known vulnerabilities; needs its database

GO      ?= go
MODULES := . testdata train/dataset/mnist internal/kernel/_asm interop/onnxgo

gofumpt     := mvdan.cc/gofumpt@v0.12.0
staticcheck := honnef.co/go/tools/cmd/staticcheck@v0.8.2
errorlint   := github.com/polyfloyd/go-errorlint@v1.8.0
asmfmt      := github.com/klauspost/asmfmt/cmd/asmfmt@v1.3.2
govulncheck := golang.org/x/vuln/cmd/govulncheck@v1.9.0
export gofumpt staticcheck errorlint asmfmt GO

.PHONY: demo build test check interop accuracy bench generate asm schema operators conformance-data backend-test vuln clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/gneiss ./cmd/gneiss

demo: build
	tools/demo.sh

test:
	@for m in $(MODULES); do echo "== $$m"; (cd $$m && $(GO) test ./...) || exit 1; done

check:
	tools/check.sh

interop: build
	tools/interop.sh

accuracy: build
	tools/accuracy.sh

bench:
	tools/bench.sh $(ARGS)

generate: asm schema operators

asm:
	cd internal/kernel/_asm && $(GO) run .

schema:
	"$$(tools/python/env onnx)" tools/python/schema.py

operators:
	$(GO) run ./tools/optable

conformance-data:
	"$$(tools/python/env onnx)" tools/python/conformance.py

backend-test: build
	GNEISS=bin/gneiss "$$(tools/python/env onnx)" tools/python/backend_test.py

vuln:
	$(GO) run $(govulncheck) ./...

clean:
	rm -rf bin out
