"""Forward cases of Keras: python -m make.forward_keras DIR [CASE...]."""

import sys
from pathlib import Path

from make import keras_common  # first: it sets the environment

import keras
import numpy as np
import onnx

from export import keras_onnx
from gneiss_ref import case, naming
from gneiss_ref.feeds import SEED, feed
from zoo import keras_nets

BATCH = 3

# case name: (net, exporter, options of the exporter)
CASES = {
    "keras-export-seed": ("seed", "export", {}),
    "keras-tf2onnx-seed": ("seed", "tf2onnx", {"opset": 17}),
    "keras-export-mlp": ("mlp", "export", {}),
    "keras-tf2onnx-mlp": ("mlp", "tf2onnx", {"opset": 13}),
    "keras-export-bncnn": ("bncnn", "export", {}),
    "keras-tf2onnx-bncnn": ("bncnn", "tf2onnx", {}),
    "keras-export-lstm": ("lstm", "export", {}),
    "keras-tf2onnx-lstm": ("lstm", "tf2onnx", {}),
    "keras-export-gru": ("gru", "export", {}),
    "keras-tf2onnx-gru": ("gru", "tf2onnx", {"opset": 14}),
    "keras-export-transformer": ("transformer", "export", {}),
    "keras-tf2onnx-transformer": ("transformer", "tf2onnx", {"opset": 18}),
}


def channels_last(x):
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def observe(model, x):
    """Returns the output of each layer by name; the last one is the model's."""
    inner = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    whole = keras.Model(model.inputs, [layer.output for layer in inner])
    outputs = whole(x, training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return {layer.name: np.asarray(value) for layer, value in zip(inner, outputs)}


def reference(net, x):
    """Returns the float32 and float64 outputs of every layer, computed twice and equal."""
    model = keras_nets.build(net, SEED)
    seen = observe(model, x)
    output = np.asarray(model(x, training=False))
    last = list(seen)[-1]
    assert np.array_equal(output, seen[last]) and np.array_equal(output, np.asarray(model(x, training=False)))
    wide = keras_nets.build(net, SEED, "float64")
    seen64 = observe(wide, x.astype(np.float64) if x.dtype == np.float32 else x)
    assert seen64[last].dtype == np.float64
    return seen, seen64, last


def make(root, name):
    net, exporter, options = CASES[name]
    folder = Path(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    x = channels_last(feed(net, BATCH))
    x = x.astype(np.int32) if x.dtype == np.int64 else x
    seen, seen64, last = reference(net, x)
    model = keras_nets.build(net, SEED)
    model(x)  # export needs a model that has been called
    path = folder / "model.onnx"
    getattr(keras_onnx, exporter)(model, path, **options)
    graph = onnx.load(path).graph
    input_name, output_name = graph.input[0].name, graph.output[0].name
    table = naming.intermediates(path, {input_name: x}, seen)
    case.save_npz(folder / "reference.npz", case.forward_dump(output_name, last, seen, seen64, table))
    case.save_test_data(folder, [(input_name, x)], [(output_name, seen[last])])
    case.save_case(folder, {
        "kind": "forward", "net": net, "framework": "keras", "convention": "keras",
        "exporter": "keras Model.export(format='onnx')" if exporter == "export" else "tf2onnx --saved-model",
        "exporter_options": options,
        **case.model_facts(path),
        "generator": "tools/python/make/forward_keras.py", "seed": SEED, "versions": keras_common.versions(),
        "tolerance": case.TORCH_PROFILE,
        "values": case.value_table(table),
        "excluded": [],
    })
    return folder


def main(root, *names):
    keras_common.settle()
    for name in names or CASES:
        print("made", make(root, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
