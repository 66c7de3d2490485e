"""Compares rebuilt cases with the committed ones: python -m check.rebuilt COMMITTED REBUILT.

Graphs must have the same structure: operators, attributes, wiring, shapes and initializers, whatever their names.
Float32 arrays must agree within the case's tolerance, float64 ones within 1e-9, integers exactly; noise is a
measurement and may differ tenfold. One line a case; exit status 1 where one differs or is missing.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

ORACLE = {"rtol": 1e-9, "atol": 1e-9}
NOISE_FACTOR = 10


class Scope:
    """What one graph defines, and the graph around it."""

    def __init__(self, graph, outer=None):
        self.outer = outer
        self.held = {t.name: t for t in graph.initializer}
        self.made = {name: node for node in graph.node for name in node.output if name}
        self.names = self.held.keys() | self.made.keys() | {v.name for v in graph.input}

    def find(self, name):
        """Returns the scope that defines the name."""
        if name in self.names or self.outer is None:
            return self
        return self.outer.find(name)


class Graph:
    """A graph as lines in the order in which its outputs ask for their inputs.

    So neither the names, which exporters take from counters and addresses, nor the order of independent nodes, which
    they take from sets, matter, nor Identity nodes, which tf2onnx removes or not as that order has it.
    """

    def __init__(self, model):
        self.arrays = []
        self.ids = {}
        self.names = {}
        self.scopes = []  # kept, since ids go by their address
        self.lines = sorted(f"opset {o.domain}:{o.version}" for o in model.opset_import)
        self.lines += sorted(f"function {f.domain}:{f.name} {len(f.node)}" for f in model.functions)
        self.body(model.graph, None)

    def body(self, graph, outer):
        scope = Scope(graph, outer)
        self.scopes.append(scope)
        for value in graph.input:
            self.lines.append(f"in {self.name(scope, value.name)} {shape(value)}")
        for value in graph.output:
            self.lines.append(f"out {self.visit(scope, value.name)} {shape(value)}")
        self.lines.append(f"nodes {sum(node.op_type != 'Identity' for node in graph.node)}")

    def name(self, scope, name):
        """Gives a value the next id."""
        number = f"v{len(self.ids)}"
        self.ids[id(scope), name] = number
        self.names[number] = name
        return number

    def visit(self, scope, name):
        """Returns the id of a value, after writing what it is made of."""
        if not name:
            return "none"
        scope = scope.find(name)
        if (id(scope), name) not in self.ids:
            if name in scope.held:
                self.hold(scope, name)
            elif name in scope.made:
                self.node(scope, scope.made[name])
            else:
                self.name(scope, name)
        return self.ids[id(scope), name]

    def hold(self, scope, name):
        array = numpy_helper.to_array(scope.held[name])
        self.lines.append(f"initializer {self.name(scope, name)} {array.dtype} {array.shape}")
        self.arrays.append(array)

    def node(self, scope, node):
        inputs = [self.visit(scope, name) for name in node.input]
        if node.op_type == "Identity":
            self.ids[id(scope), node.output[0]] = inputs[0]
            return
        for attribute in sorted(node.attribute, key=lambda a: a.name):
            self.attribute(scope, attribute)
        outputs = [self.name(scope, name) if name else "none" for name in node.output]
        self.lines.append(f"{node.domain}:{node.op_type} {inputs} {outputs}")

    def attribute(self, scope, attribute):
        if attribute.type == onnx.AttributeProto.GRAPH:
            self.lines.append(f" {attribute.name}: graph")
            self.body(attribute.g, scope)
        elif attribute.type == onnx.AttributeProto.TENSOR:
            self.lines.append(f" {attribute.name}: tensor")
            self.arrays.append(numpy_helper.to_array(attribute.t))
        else:
            self.lines.append(f" {attribute.name}: {onnx.helper.get_attribute_value(attribute)}")


def shape(value):
    tensor = value.type.tensor_type
    return [tensor.elem_type] + [d.dim_value if d.HasField("dim_value") else "?" for d in tensor.shape.dim]


class Comparison:
    """Collects what differs, and the largest difference of float32 numbers."""

    def __init__(self, facts):
        self.tolerance = {k: facts["tolerance"][k] for k in ("rtol", "atol")}
        self.excluded = {row["name"] for row in facts["excluded"]}
        self.worst = 0.0
        self.faults = []

    def array(self, label, want, got):
        if want.shape != got.shape or want.dtype != got.dtype:
            self.faults.append(f"{label}: {got.dtype}{got.shape}, committed {want.dtype}{want.shape}")
        elif label.startswith("noise/"):
            if not want / NOISE_FACTOR <= got <= want * NOISE_FACTOR:
                self.faults.append(f"{label}: {got:.3g}, committed {want:.3g}")
        elif label.rsplit("/", 1)[-1].removesuffix("@f64") in self.excluded:
            return  # rounding noise, which Adam makes as large as a step
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
    found = Comparison(facts)
    names = found.models(committed / "model.onnx", rebuilt / "model.onnx")
    for file, digest in sorted(facts["files"].items()):
        if hashlib.sha256((committed / file).read_bytes()).hexdigest() != digest:
            found.faults.append(f"{file}: the committed file has another SHA-256 than case.json says")
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
        print(f"{name}: made here only, nothing committed to compare with")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
