"""Writes the files of one case: arrays, tensors in the standard's test layout, and case.json."""

import hashlib
import json
import platform
import re
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

TORCH_PROFILE = {
    "profile": "torch",
    "rtol": 1.3e-6,
    "atol": 1e-5,
    "reason": "torch.testing.assert_close for float32; the outputs are of order one",
}
INTERMEDIATE_LIMIT = 4096  # elements; larger values stay out of the committed dumps


def oracle(value, bits=40):
    """Rounds float64 to so many bits of mantissa: far finer than float32, and much smaller on disk.

    40 bits are 4.5e-13 relative, 32 bits 1.2e-10.
    """
    mantissa, exponent = np.frexp(np.asarray(value, np.float64))
    return np.ldexp(np.rint(mantissa * 2.0**bits), exponent - bits)


def save_npz(path, arrays):
    """Writes arrays by name in sorted order; the same arrays give the same bytes."""
    np.savez_compressed(path, **{name: np.asarray(arrays[name], order="C") for name in sorted(arrays)})


def save_test_data(folder, inputs, outputs):
    """Writes test_data_set_0 from two lists of (name, array)."""
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    for kind, pairs in (("input", inputs), ("output", outputs)):
        for index, (name, array) in enumerate(pairs):
            tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
            (data / f"{kind}_{index}.pb").write_bytes(tensor.SerializeToString(deterministic=True))


def model_facts(path):
    """Returns what case.json says about the exported file."""
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(str(path), full_check=True)
    opsets = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    return {
        "model": path.name,
        "ir_version": model.ir_version,
        "opsets": opsets,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "operators": sorted({n.op_type for n in model.graph.node}),
    }


def forward_dump(output_name, last, seen, seen64, table):
    """Returns the arrays of reference.npz: the output, and the small intermediates, in float32 and float64."""
    arrays = {f"value/{output_name}": seen[last], f"value/{output_name}@f64": oracle(seen64[last])}
    for name, (layer, perm) in table.items():
        if name != output_name and seen[layer].size <= INTERMEDIATE_LIMIT:
            arrays[f"value/{name}"] = np.transpose(seen[layer], perm)
            arrays[f"value/{name}@f64"] = oracle(np.transpose(seen64[layer], perm))
    return arrays


def value_table(table):
    return [{"name": n, "source": source, "perm": perm} for n, (source, perm) in table.items()]


def versions(*modules):
    found = {m.__name__: m.__version__ for m in modules}
    found.update(python=platform.python_version(), numpy=np.__version__, onnx=onnx.__version__)
    return found


def save_case(folder, facts):
    """Writes case.json with the SHA-256 of every other file of the case."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "case.json")
    hashes = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    text = json.dumps({"case": folder.name, **facts, "files": hashes}, indent=1)
    text = re.sub(r"\[[^][{}]*\]", lambda flat: re.sub(r"\s+", " ", flat[0]), text)  # flat lists on one line
    Path(folder, "case.json").write_text(text + "\n")
