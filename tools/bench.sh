#!/usr/bin/env bash
# Times Gneiss beside ONNX Runtime (inference) and beside PyTorch and Keras (training), compares the outputs in the same run,
# and writes BENCHMARKS.md. Fails when outputs differ, never because of a time.
#
#	bench.sh [--quick] [--inference | --training] [MODEL...]
#
# --quick runs the smaller models with fewer and shorter turns; MODEL is a name of tools/python/bench/models.py. The models are
# made once and kept in the user's cache folder (GNEISS_BENCH_MODELS overrides). BENCH_THREADS is "1,2" by default,
# BENCH_WAIT the seconds to wait for a quiet machine before each row. Results stay in out/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
quick= what=both names=()
for argument in "$@"; do
	case $argument in
	--quick) quick=--quick ;;
	--inference | --training) what=${argument#--} ;;
	-*) sed -n '5,9s/^# *//p' "$0" >&2; exit 2 ;;
	*) names+=("$argument") ;;
	esac
done
threads=${BENCH_THREADS:-1,2}
if [ -n "$quick" ]; then
	inference=(--pairs 7 --milliseconds 100 --seconds 8 --opens 1 --repeats 1 --wait "${BENCH_WAIT:-10}")
	training=(--rounds 1 --seconds 2 --steps 100 --wait "${BENCH_WAIT:-10}")
else
	inference=(--wait "${BENCH_WAIT:-60}")
	training=(--wait "${BENCH_WAIT:-60}")
fi

out=$PWD/out/bench commit=$(git describe --always --dirty)
mkdir -p "$out/profile"
CGO_ENABLED=0 $GO build -trimpath -o bin/gneiss ./cmd/gneiss
CGO_ENABLED=0 $GO build -trimpath -o "$out/worker" ./tools/bench
torch=$(tools/python/env torch)
sum=$(cat tools/python/bench/models.py tools/python/requirements/torch.txt | sha256sum)
models=${GNEISS_BENCH_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/gneiss/bench/${sum:0:16}}

if [ "$what" != training ]; then
	: >"$out/inference.jsonl"
	rm -f "$out/profile"/*.txt
	if [ ${#names[@]} -eq 0 ]; then
		mapfile -t names < <(cd tools/python && "$torch" -m bench.models --list $quick)
	fi
	echo "== make the models that are not there yet"
	(cd tools/python && "$torch" -m bench.models "$models" "${names[@]}")
	echo "== inference"
	status=0
	(cd tools/python && "$torch" -m bench.inference --worker "$out/worker" --models "$models" --threads "$threads" \
		--out "$out/inference.jsonl" "${inference[@]}" "${names[@]}") || status=$?
	echo "== profiles"
	for name in "${names[@]}"; do # a model whose sizes are open has none
		bin/gneiss profile "$models/$name.onnx" --threads 1 >"$out/profile/$name.txt" || rm "$out/profile/$name.txt"
	done
fi

if [ "$what" != inference ]; then
	echo "== training"
	: >"$out/training.jsonl"
	CGO_ENABLED=0 $GO test -c -o "$out/train.test" ./train
	resnet18=$(cd tools/python && "$torch" -m bench.models "$models" --training | tail -n 1)
	keras=$(tools/python/env tf)
	(cd tools/python && "$torch" -m bench.training --train-test "$out/train.test" --worker "$out/worker" --resnet18 "$resnet18" \
		--keras-python "$keras" --threads "$threads" \
		--out "$out/training.jsonl" "${training[@]}")
fi

version() { grep -h "^$1==" "tools/python/requirements/$2.txt" | head -n 1 | sed -E 's/==([^ ]*).*/ \1/'; }
facts=(
	"$(bin/gneiss version | head -n 1), commit $commit, $($GO env GOVERSION), $(uname -sm)"
	"$(version onnxruntime torch), $(version torch torch), $(version torchvision torch), $(version keras tf), $(version tensorflow tf)"
)
(cd tools/python && "$torch" -m bench.report "$out" ../../BENCHMARKS.md "${facts[@]}")
exit "${status:-0}"
