"""Compares rebuilt cases with the committed ones: python -m check.rebuilt COMMITTED REBUILT.

Graphs must have the same structure: operators, attributes, wiring, shapes and initializers, whatever their names.
Float32 arrays must agree within the case's tolerance, float64 ones within 1e-9, integers exactly; noise is a
measurement and may differ tenfold. One line a case; exit status 1 where one differs or is missing.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

ORACLE = {"rtol": 1e-9, "atol": 1e-9}
NOISE_FACTOR = 10


class Graph:
    """A graph with its value names replaced by positions, for exporters that name by counters and addresses."""

    def __init__(self, model):
        self.ids = {"": ""}
        self.arrays = []
        self.lines = [f"opset {o.domain}:{o.version}" for o in model.opset_import]
        self.names = {}
        for function in model.functions:
            self.lines.append(f"function {function.domain}:{function.name} {len(function.node)}")
        self.body(model.graph)

    def id(self, name):
        if name not in self.ids:
            self.ids[name] = f"v{len(self.ids)}"
            self.names[self.ids[name]] = name
        return self.ids[name]

    def shape(self, value):
        tensor = value.type.tensor_type
        return [tensor.elem_type] + [d.dim_value if d.HasField("dim_value") else "?" for d in tensor.shape.dim]

    def body(self, graph):
        held = {t.name: t for t in graph.initializer}
        self.lines += [f"in {self.id(v.name)} {self.shape(v)}" for v in graph.input]
        for node in graph.node:
            for name in node.input:
                if name in held:
                    self.keep(name, held.pop(name))
            inputs, outputs = [self.id(n) for n in node.input], [self.id(n) for n in node.output]
            self.lines.append(f"{node.domain}:{node.op_type} {inputs} {outputs}")
            for attribute in sorted(node.attribute, key=lambda a: a.name):
                self.attribute(attribute)
        self.lines += [f"out {self.id(v.name)} {self.shape(v)}" for v in graph.output]

    def keep(self, name, tensor):
        array = numpy_helper.to_array(tensor)
        self.lines.append(f"initializer {self.id(name)} {array.dtype} {array.shape}")
        self.arrays.append(array)

    def attribute(self, attribute):
        if attribute.type == onnx.AttributeProto.GRAPH:
            self.lines.append(f" {attribute.name}: graph")
            self.body(attribute.g)
        elif attribute.type == onnx.AttributeProto.TENSOR:
            self.lines.append(f" {attribute.name}: tensor")
            self.arrays.append(numpy_helper.to_array(attribute.t))
        else:
            self.lines.append(f" {attribute.name}: {onnx.helper.get_attribute_value(attribute)}")


class Comparison:
    """Collects what differs, and the largest difference of float32 numbers."""

    def __init__(self, tolerance):
        self.tolerance = {k: tolerance[k] for k in ("rtol", "atol")}
        self.worst = 0.0
        self.faults = []

    def array(self, label, want, got):
        if want.shape != got.shape or want.dtype != got.dtype:
            self.faults.append(f"{label}: {got.dtype}{got.shape}, committed {want.dtype}{want.shape}")
        elif label.startswith("noise/"):
            if not want / NOISE_FACTOR <= got <= want * NOISE_FACTOR:
                self.faults.append(f"{label}: {got:.3g}, committed {want:.3g}")
        elif want.dtype.kind != "f":
            if not np.array_equal(want, got):
                self.faults.append(f"{label}: not equal")
        else:
            self.numbers(label, want, got)

    def numbers(self, label, want, got):
        difference = float(np.abs(want - got).max()) if want.size else 0.0
        wide = want.dtype == np.float64
        if not wide:
            self.worst = max(self.worst, difference)
        if not np.allclose(got, want, **(ORACLE if wide else self.tolerance)):
            self.faults.append(f"{label}: differs by {difference:.3g}")

    def models(self, committed, rebuilt):
        """Compares two graphs; returns the committed name of each rebuilt value."""
        a, b = Graph(onnx.load(committed)), Graph(onnx.load(rebuilt))
        if a.lines != b.lines:
            at = next((i for i, (x, y) in enumerate(zip(a.lines, b.lines)) if x != y), min(len(a.lines), len(b.lines)))
            self.faults.append(f"graph differs at {(a.lines + ['end'])[at]!r}, rebuilt {(b.lines + ['end'])[at]!r}")
            return {}
        for i, (x, y) in enumerate(zip(a.arrays, b.arrays)):
            self.array(f"constant {i}", x, y)
        return {b.names[i]: name for i, name in a.names.items()}

    def dumps(self, label, committed, rebuilt, names):
        want, got = np.load(committed), np.load(rebuilt)
        got = {rename(key, names): got[key] for key in got.files}
        if set(want.files) != set(got):
            self.faults.append(f"{label}: other entries: {sorted(set(want.files) ^ set(got))[:4]}")
            return
        for key in want.files:
            self.array(key, want[key], got[key])


def rename(key, names):
    """Replaces the rebuilt value name at the end of a dump's key by the committed one."""
    plain, wide = (key[:-4], "@f64") if key.endswith("@f64") else (key, "")
    parts = plain.split("/")
    for cut in range(1, len(parts)):
        name = "/".join(parts[cut:])
        if name in names:
            return "/".join(parts[:cut]) + "/" + names[name] + wide
    return key


def proto(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def compare(committed, rebuilt):
    facts = json.loads((committed / "case.json").read_text())
    found = Comparison(facts["tolerance"])
    names = found.models(committed / "model.onnx", rebuilt / "model.onnx")
    for file in sorted(facts["files"]):
        if not (rebuilt / file).is_file():
            found.faults.append(f"{file}: missing")
        elif file.endswith(".npz"):
            found.dumps(file, committed / file, rebuilt / file, names)
        elif file.endswith(".pb"):
            found.array(file, proto(committed / file), proto(rebuilt / file))
    return found


def main(committed, rebuilt):
    failed = False
    cases = sorted(p.parent for p in Path(committed).glob("*/case.json"))
    for case in cases:
        other = Path(rebuilt, case.name)
        if not other.is_dir():
            print(f"{case.name}: not rebuilt")
            failed = True
            continue
        found = compare(case, other)
        failed = failed or bool(found.faults)
        verdict = "; ".join(found.faults[:3]) if found.faults else f"same graph, arrays within tolerance, worst {found.worst:.2g}"
        print(f"{case.name}: {verdict}")
    extra = sorted({p.parent.name for p in Path(rebuilt).glob("*/case.json")} - {c.name for c in cases})
    for name in extra:
        print(f"{name}: rebuilt, but not committed")
    sys.exit(1 if failed or extra else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
