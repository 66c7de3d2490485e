"""Runs an exported model elsewhere and compares: python -m check.check_export --model M --images X.npy --expect Y.npy.

Consumers: checker (onnx, full check), onnxruntime, onnx2torch in the torch environment; onnx2tf in the onnx2tf
environment. One line each; exit status 1 where one fails or differs. expect holds what Gneiss itself predicted.
Default tolerance: torch's profile for float32.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import traceback

import numpy as np
import onnx

RTOL, ATOL = 1.3e-6, 1e-5
BATCH = 1000


def batches(images, run):
    """Applies run to the images, a thousand at a time, and joins what it gives."""
    return np.concatenate([np.asarray(run(images[i:i + BATCH])) for i in range(0, len(images), BATCH)])


def checker(path, _images):
    onnx.checker.check_model(path, full_check=True)


def onnxruntime(path, images):
    import onnxruntime as ort

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return batches(images, lambda x: session.run(None, {name: x})[0])


def onnx2torch(path, images):
    import torch
    from onnx2torch import convert

    model = convert(path).eval()
    with torch.no_grad():
        return batches(images, lambda x: model(torch.from_numpy(x)).numpy())


def onnx2tf(path, images):
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import onnx2tf as converter
    import tensorflow as tf

    name = onnx.load(path).graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # it lists every tensor of the SavedModel
            converter.convert(
                input_onnx_file_path=path, output_folder_path=folder, keep_ncw_or_nchw_or_ncdhw_input_names=[name],
                copy_onnx_input_output_names_to_tflite=True, non_verbose=True, output_signaturedefs=True,
            )
        run = tf.saved_model.load(folder).signatures["serving_default"]
        key = next(iter(run.structured_input_signature[1]))
        return batches(images, lambda x: next(iter(run(**{key: tf.constant(x)}).values())).numpy())


CONSUMERS = {"checker": checker, "onnxruntime": onnxruntime, "onnx2torch": onnx2torch, "onnx2tf": onnx2tf}


def judge(got, expect, rtol, atol):
    """Returns whether the arrays agree, and one line that says how well."""
    if got.shape != expect.shape:
        return False, f"FAIL, shape {got.shape}, expected {expect.shape}"
    difference = np.abs(got.astype(np.float64) - expect)
    good = bool(np.all(difference <= atol + rtol * np.abs(expect)))
    classes = int((got.argmax(-1) != expect.argmax(-1)).sum())
    worst = float(difference.max())
    return good, f"{'ok' if good else 'FAIL'}, {len(got)} rows, max abs {worst:.2g}, other class in {classes}"


def consume(name, arguments, images, expect):
    try:
        got = CONSUMERS[name](arguments.model, images)
    except Exception as fault:  # whatever a consumer raises is its answer
        if arguments.trace:
            traceback.print_exc()
        text = str(fault).strip().splitlines()
        print(f"{name}: FAIL, {type(fault).__name__}: {text[0] if text else ''}", flush=True)
        return False
    if got is None:
        print(f"{name}: ok", flush=True)
        return True
    good, line = judge(got, expect, arguments.rtol, arguments.atol)
    print(f"{name}: {line}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--images", required=True, help="float32 inputs, .npy")
    parser.add_argument("--expect", required=True, help="Gneiss's outputs, .npy")
    parser.add_argument("--consumers", default="checker,onnxruntime,onnx2torch")
    parser.add_argument("--rtol", type=float, default=RTOL)
    parser.add_argument("--atol", type=float, default=ATOL)
    parser.add_argument("--trace", action="store_true", help="print a consumer's stack trace")
    arguments = parser.parse_args()
    images, expect = np.load(arguments.images), np.load(arguments.expect)
    names = arguments.consumers.split(",")
    good = [consume(name, arguments, images, expect) for name in names]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
