#!/usr/bin/env bash
# The main job: train on MNIST, export, read back, and compare the committed exports of PyTorch and Keras with the frameworks'
# own outputs. DEMO_EPOCHS sets the epochs (default 5).
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p out
bin/gneiss train mnist --epochs "${DEMO_EPOCHS:-5}" --out out/mnist.onnx --report out/mnist.html --plot out/mnist.png
bin/gneiss check out/mnist.onnx
echo
echo "Models that PyTorch and Keras exported, against what the frameworks computed:"
bin/gneiss test testdata/models --profile torch --run '*-seed'
bin/gneiss test testdata/models --profile torch --run '*-mlp'
bin/gneiss test testdata/models --profile torch --run '*-bncnn*'
