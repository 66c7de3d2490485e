"""The two ways from Keras on TensorFlow to ONNX."""

import os
import subprocess
import sys
import tempfile

import onnx


def export(model, path, opset=None):
    """Exports through model.export(format="onnx"), Keras's own copy of tf2onnx; default opset 15."""
    options = {"opset_version": opset} if opset else {}
    model.export(str(path), format="onnx", verbose=False, **options)


def tf2onnx(model, path, opset=None):
    """Exports a SavedModel and converts it by tf2onnx's command."""
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", folder, "--output", str(path)]
        if opset:
            command += ["--opset", str(opset)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"tf2onnx: {done.stderr[-2000:]}")
    forget_folders(path, folder)


def forget_folders(path, folder):
    """Cuts the name of the temporary folder out of the texts that tf2onnx writes."""
    found = onnx.load(path)
    found.graph.doc_string = found.graph.doc_string.replace(folder, "saved_model")
    found.graph.name = found.graph.name.replace(folder, "saved_model")
    path.write_bytes(found.SerializeToString())
