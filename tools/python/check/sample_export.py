"""Writes a model like the ones Gneiss exports, to try check_export on: python -m check.sample_export DIR.

The seed network by hand at opset 13, batch N, its weights seeded; images.npy; expect.npy from a plain numpy forward
pass in float64. wrong.npy is expect.npy with one number changed.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gneiss_ref.feeds import SEED, feed
from zoo import weights


def model(params):
    layers = [
        ("Conv", ["image", "conv1.weight", "conv1.bias"], "c1", {"kernel_shape": [3, 3], "strides": [1, 1]}),
        ("Relu", ["c1"], "r1", {}),
        ("MaxPool", ["r1"], "p1", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["p1", "conv2.weight", "conv2.bias"], "c2", {"kernel_shape": [3, 3], "strides": [1, 1]}),
        ("Relu", ["c2"], "r2", {}),
        ("MaxPool", ["r2"], "p2", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", ["p2"], "f", {"axis": 1}),
        ("Gemm", ["f", "fc1.weight", "fc1.bias"], "g1", {"transB": 1}),
        ("Relu", ["g1"], "r3", {}),
        ("Gemm", ["r3", "fc2.weight", "fc2.bias"], "g2", {"transB": 1}),
        ("Softmax", ["g2"], "probabilities", {"axis": 1}),
    ]
    nodes = [helper.make_node(op, inputs, [out], name=out + "_node", **at) for op, inputs, out, at in layers]
    graph = helper.make_graph(
        nodes, "mnist",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in params.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def convolve(x, weight, bias):
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True) + bias[:, None, None]


def pool(x):
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    x = x[:, :, :height, :width]
    return x.reshape(*x.shape[:2], height // 2, 2, width // 2, 2).max((3, 5))


def forward(p, x):
    x = pool(np.maximum(convolve(x, p["conv1.weight"], p["conv1.bias"]), 0))
    x = pool(np.maximum(convolve(x, p["conv2.weight"], p["conv2.bias"]), 0)).reshape(len(x), -1)
    x = np.maximum(x @ p["fc1.weight"].T + p["fc1.bias"], 0)
    x = x @ p["fc2.weight"].T + p["fc2.bias"]
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def main(root):
    folder = Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    params = weights.named(SEED, "seed")
    x = feed("seed", 20)
    expect = forward({n: a.astype(np.float64) for n, a in params.items()}, x.astype(np.float64)).astype(np.float32)
    onnx.save(model(params), folder / "model.onnx")
    np.save(folder / "images.npy", x)
    np.save(folder / "expect.npy", expect)
    expect[3, 4] += 1e-3
    np.save(folder / "wrong.npy", expect)


if __name__ == "__main__":
    main(*sys.argv[1:])
