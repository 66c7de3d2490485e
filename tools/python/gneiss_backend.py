"""onnx.backend.base.Backend over the gneiss command.

Each run writes the model and its inputs to a folder, calls `gneiss run` and
reads the outputs back, so what is judged is the binary that users have. The
environment variable GNEISS names it; without, it is looked for on the path.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
from onnx import MapProto, OptionalProto, SequenceProto, TensorProto, numpy_helper
from onnx.backend.base import Backend, BackendRep

TIMEOUT = 120  # seconds for one run


def command():
    """The path of the gneiss binary."""
    path = os.environ.get("GNEISS") or shutil.which("gneiss")
    if not path:
        raise FileNotFoundError("gneiss is not on the path and GNEISS does not name it")
    return os.path.abspath(path)


def encode(value, info):
    """The message of a value, of the kind that the graph declares."""
    kind = info.type.WhichOneof("value")
    if isinstance(value, (TensorProto, SequenceProto, OptionalProto, MapProto)):
        return value
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def decode(data, info):
    """The value in an output file."""
    kind = info.type.WhichOneof("value")
    if kind == "map_type":
        return numpy_helper.to_dict(MapProto.FromString(data))
    if kind == "sequence_type":
        return numpy_helper.to_list(SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(OptionalProto.FromString(data))
    return numpy_helper.to_array(TensorProto.FromString(data))


class GneissRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, model):
        self.model = model
        given = {t.name for t in model.graph.initializer}
        given |= {t.values.name for t in model.graph.sparse_initializer}
        self.inputs = [v for v in model.graph.input if v.name not in given]

    def run(self, inputs, **kwargs):
        if len(inputs) > len(self.inputs):
            raise ValueError(f"{len(self.inputs)} inputs wanted, {len(inputs)} given")
        with tempfile.TemporaryDirectory() as name:
            return self.run_in(pathlib.Path(name), inputs)

    def run_in(self, folder, inputs):
        (folder / "model.onnx").write_bytes(self.model.SerializeToString())
        (folder / "out").mkdir()
        args = [command(), "run", "model.onnx", "--out", "out"]
        for i, (value, info) in enumerate(zip(inputs, self.inputs)):
            (folder / f"input_{i}.pb").write_bytes(encode(value, info).SerializeToString())
            args += ["--in", f"{info.name}=input_{i}.pb"]
        done = subprocess.run(args, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode != 0:
            raise RuntimeError(f"gneiss run exits {done.returncode}: {done.stderr.strip()}")
        return tuple(
            decode((folder / "out" / f"output_{i}.pb").read_bytes(), info)
            for i, info in enumerate(self.model.graph.output)
        )


class GneissBackend(Backend):
    """Runs models with the gneiss command, on the CPU."""

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        super().prepare(model, device, **kwargs)  # the standard's own checker
        return GneissRep(model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"
