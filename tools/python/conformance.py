"""Packs the official backend suite of the pinned onnx release.

Run it as: $(tools/python/env onnx) tools/python/conformance.py [FOLDER]

FOLDER is where the archive and its companions go, by default
testdata/conformance of this checkout. The same environment gives the same
bytes on every run, on processors with AVX2 and FMA. Every packed value is read
back and compared with what the suite's loader gave.
"""

import os

# numpy and its BLAS choose their loops by processor and so move the last bit
# of expected outputs. These must be set before numpy is imported.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gzip
import hashlib
import importlib.metadata
import io
import json
import pathlib
import sys
import tarfile

import ml_dtypes
import numpy as np
import onnx
from onnx import MapProto, OptionalProto, SequenceProto, TensorProto, numpy_helper
from onnx.backend.test import loader

RELEASE = "1.23.2"
ARCHIVE = "suite.tar.gz"
COUNTS = {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "light": 9}
RTOL, ATOL = 1e-3, 1e-7

README = """# The official backend suite

`{archive}` holds the backend test suite of onnx {onnx}: {total} cases, made by `tools/python/conformance.py`.

| kind | cases | from |
|---|---|---|
{rows}

- Each case is `KIND/CASE/model.onnx` with `KIND/CASE/test_data_set_N/input_I.pb` and `output_I.pb`: a TensorProto,
  SequenceProto, OptionalProto or MapProto, as the graph declares the value. I counts the graph's inputs that no
  initializer gives.
- `KIND/CASE/data.json` stands where the tolerances are not rtol 1e-3 and atol 1e-7.
- A light case has no inputs: each input is the ramp i/n over its n elements, dims that are not fixed being 1.
- The node cases were computed with numpy {numpy} and ml_dtypes {ml_dtypes}, kept to AVX2 and FMA whatever the
  processor has. Another numpy or other vector instructions may move the last bit of expected outputs.
- The same environment gives the same bytes on every run. SHA-256 of the archive, also in `SHA256SUMS`:
  `{sha256}`

The suite is the work of the ONNX project contributors, under the Apache License 2.0: see `LICENSE` and `NOTICE`, copied
from the package. The files of the kinds other than node are unchanged; the node cases are what the package's own loader
builds, serialised.
"""


def encode(value, declared, name):
    """The message of a value, of the kind that the graph declares, as the suite's own tool writes it."""
    kind = declared.WhichOneof("value")
    if isinstance(value, (TensorProto, SequenceProto, OptionalProto, MapProto)):
        return value
    if kind == "map_type":
        return numpy_helper.from_dict(value, name)
    if kind == "sequence_type":
        return numpy_helper.from_list(value, name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, name)
    if kind != "tensor_type":
        raise ValueError(f"value {name}: type {kind} is not packed")
    return numpy_helper.from_array(np.asarray(value), name)


def decode(data, declared):
    """The value in a packed file."""
    kind = declared.WhichOneof("value")
    if kind == "map_type":
        return numpy_helper.to_dict(MapProto.FromString(data))
    if kind == "sequence_type":
        return numpy_helper.to_list(SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(OptionalProto.FromString(data))
    tensor = TensorProto.FromString(data)
    if tensor.data_type != declared.tensor_type.elem_type:
        raise ValueError(f"{tensor.name}: element type {tensor.data_type}, declared {declared.tensor_type.elem_type}")
    return numpy_helper.to_array(tensor)


def plain(value):
    """A value as nested tuples in which equal means equal in every bit."""
    if value is None:
        return None
    if isinstance(value, TensorProto):
        return plain(numpy_helper.to_array(value))
    if isinstance(value, OptionalProto):
        return plain(numpy_helper.to_optional(value))
    if isinstance(value, SequenceProto):
        return plain(numpy_helper.to_list(value))
    if isinstance(value, (list, tuple)):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, plain(v)) for k, v in value.items())
    a = np.asarray(value)
    if a.dtype.kind in "OUST":
        text = [v.decode() if isinstance(v, bytes) else str(v) for v in a.ravel().tolist()]
        return "string", a.shape, tuple(text)
    return a.dtype.name, a.shape, np.ascontiguousarray(a).tobytes()


def tolerances(case):
    if (case.rtol, case.atol) == (RTOL, ATOL):
        return {}
    return {"data.json": json.dumps({"atol": case.atol, "rtol": case.rtol}, sort_keys=True).encode() + b"\n"}


def built(case):
    """The files of a case that the loader builds."""
    files = {"model.onnx": case.model.SerializeToString(deterministic=True)} | tolerances(case)
    graph = case.model.graph
    for n, (inputs, outputs) in enumerate(case.data_sets):
        for word, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            if len(values) != len(infos):
                raise ValueError(f"{case.name}: {len(values)} {word}s, declared {len(infos)}")
            for i, (value, info) in enumerate(zip(values, infos)):
                data = encode(value, info.type, info.name).SerializeToString(deterministic=True)
                if plain(decode(data, info.type)) != plain(value):
                    raise ValueError(f"{case.name}: {word} {i} changed on its way through the file")
                files[f"test_data_set_{n}/{word}_{i}.pb"] = data
    return files


def stored(case):
    """The files of a case that lies in the package, unchanged but for data.json."""
    root = pathlib.Path(case.model_dir)
    paths = [root / "model.onnx", *root.glob("test_data_set_*/*.pb")]
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in paths}
    check_stored(case, files)
    return files | tolerances(case)


def check_stored(case, files):
    model = onnx.ModelProto.FromString(files["model.onnx"])
    initializers = {t.name for t in model.graph.initializer}
    infos = {"input": [v for v in model.graph.input if v.name not in initializers], "output": model.graph.output}
    for path, data in files.items():
        if path.endswith(".pb"):
            word, index = pathlib.PurePath(path).stem.rsplit("_", 1)
            decode(data, infos[word][int(index)].type)


def light(case):
    """The files of a light case: the model that a real case points at and its output."""
    data = pathlib.Path(loader.DATA_DIR) / "light"
    stem = pathlib.PurePath(case.url).stem
    output = (data / f"{stem}_output_0.pb").read_bytes()
    TensorProto.FromString(output)
    files = {"model.onnx": (data / f"{stem}.onnx").read_bytes(), "test_data_set_0/output_0.pb": output}
    return stem, files | tolerances(case)


def suite():
    """Every file of the suite by its path in the archive."""
    files = {}

    def add(kind, name, case_files):
        for path, data in case_files.items():
            full = f"{kind}/{name}/{path}"
            if full in files:
                raise ValueError(f"{full} exists twice")
            files[full] = data

    for case in loader.load_model_tests(kind="node"):
        add("node", case.name, built(case))
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for case in loader.load_model_tests(kind=kind):
            add(kind, case.name, stored(case))
    for case in loader.load_model_tests(kind="real"):
        add("light", *light(case))
    return files


def count(files):
    found = {kind: 0 for kind in COUNTS}
    for path in files:
        if path.endswith("/model.onnx"):
            found[path.split("/")[0]] += 1
    if found != COUNTS:
        sys.exit(f"conformance.py: {COUNTS} cases wanted, {found} found")


def pack(files):
    """A gzip of a tar that depends on the files alone."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            info = tarfile.TarInfo(path)
            info.size = len(files[path])
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(files[path]))
    out = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=9, mtime=0) as z:
        z.write(tar_bytes.getvalue())
    return out.getvalue()


def read_back(archive, files):
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar}
    if found != files:
        sys.exit("conformance.py: the archive does not hold what was packed")


def readme(sha256):
    sources = {"node": "the loader", "light": "files, with the tolerances of the cases that point at them"}
    rows = "\n".join(f"| {k} | {n:,} | {sources.get(k, 'files')} |" for k, n in COUNTS.items())
    return README.format(
        archive=ARCHIVE,
        onnx=RELEASE,
        numpy=np.__version__,
        ml_dtypes=ml_dtypes.__version__,
        total=f"{sum(COUNTS.values()):,}",
        rows=rows,
        sha256=sha256,
    )


def licences():
    for f in importlib.metadata.files("onnx"):
        if f.name in ("LICENSE", "NOTICE") and "licenses" in f.parts:
            yield f.name, f.read_binary()


def main():
    if onnx.__version__ != RELEASE:
        sys.exit(f"conformance.py: onnx {RELEASE} wanted, {onnx.__version__} found")
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "testdata" / "conformance"
    files = suite()
    count(files)
    archive = pack(files)
    read_back(archive, files)
    sha256 = hashlib.sha256(archive).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(archive)
    (folder / "SHA256SUMS").write_text(f"{sha256}  {ARCHIVE}\n")
    (folder / "README.md").write_text(readme(sha256))
    for name, data in licences():
        (folder / name).write_bytes(data)
    print(f"{len(files):,} files, {sum(map(len, files.values())):,} bytes, {len(archive):,} packed, {sha256}")


if __name__ == "__main__":
    main()
