#!/usr/bin/env bash
# interop.sh is the live Python side of the parity cases.
#
#	interop.sh rebuild DIR            makes every case from scratch below DIR and compares it with the committed ones
#	interop.sh check MODEL IMAGES EXPECT
#	                                  runs a model that Gneiss exported in ONNX Runtime, PyTorch and TensorFlow on
#	                                  IMAGES.npy and compares each with EXPECT.npy, Gneiss's own prediction
#	interop.sh public DIR             makes cases of public models below DIR, which packages ship, with ONNX Runtime's answers
#	interop.sh bench THREADS          prints the training throughput of PyTorch and Keras as JSON lines
#
# Exit status 0 means that everything agreed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() {
	sed -n '4,10s/^# *//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# absolute PATH prints it from the root, for commands that run in another folder.
absolute() { realpath -m -- "$1"; }

rebuild() {
	local dir torch tf
	dir=$(absolute "$1")
	mkdir -p "$dir"
	torch=$("$here/env" torch)
	tf=$("$here/env" tf)
	cd "$here"
	"$torch" -m make.all torch "$dir"
	"$tf" -m make.all keras "$dir"
	"$torch" -m check.steps_formula "$dir"
	"$torch" -m check.rebuilt ../../testdata/models "$dir"
}

check() {
	local model images expect torch onnx2tf status=0
	model=$(absolute "$1") images=$(absolute "$2") expect=$(absolute "$3")
	torch=$("$here/env" torch)
	onnx2tf=$("$here/env" onnx2tf)
	cd "$here"
	"$torch" -m check.check_export --model "$model" --images "$images" --expect "$expect" || status=1
	"$onnx2tf" -m check.check_export --model "$model" --images "$images" --expect "$expect" --consumers onnx2tf || status=1
	return $status
}

public() {
	local dir torch models
	dir=$(absolute "$1")
	torch=$("$here/env" torch)
	models=$("$("$here/env" models)" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
	cd "$here"
	"$torch" -W ignore -m check.public_models "$dir" "$models"
}

bench() {
	local torch tf
	torch=$("$here/env" torch)
	tf=$("$here/env" tf)
	cd "$here"
	"$torch" -m bench.train_torch --threads "$1"
	"$torch" -m bench.train_torch --threads "$1" --channels-last
	"$tf" -m bench.train_keras --threads "$1"
}

case "${1-}:$#" in
rebuild:2) rebuild "$2" ;;
check:4) check "$2" "$3" "$4" ;;
public:2) public "$2" ;;
bench:2) bench "$2" ;;
*) usage ;;
esac
