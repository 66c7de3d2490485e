"""Finds which value or initializer of an exported graph a framework's array is.

Exporters rename, transpose and fold, so the tie is made by the numbers: an array belongs to the graph's array that
holds the same numbers after some permutation of the axes. The seeds make every parameter distinct.
"""

import itertools

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def permutations(rank):
    """Yields the identity first, then the other orders of the axes."""
    return itertools.permutations(range(rank))


def match(array, candidates, same):
    """Returns (name, perm) of the first candidate equal to array transposed by perm, or None."""
    for perm in permutations(array.ndim):
        turned = np.transpose(array, perm)
        for name, candidate in candidates.items():
            if candidate.shape == turned.shape and same(candidate, turned):
                return name, list(perm)
    return None


def initializers(path):
    """Returns the floating-point initializers and Constant nodes of the model by name."""
    model = onnx.load(path)
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return {name: a for name, a in found.items() if a.dtype == np.float32 and a.ndim > 0}


def parameters(path, sources):
    """Ties each parameter of the framework to its initializer.

    sources maps a name to an array. Returns a list of {name, source, perm, shape}: name is the initializer, and it
    equals the source transposed by perm. A parameter that the exporter folded away is an error.
    """
    have = initializers(path)
    table = []
    for source, array in sources.items():
        found = match(array, have, np.array_equal)
        if found is None:
            raise ValueError(f"{path}: no initializer holds parameter {source!r} {array.shape}; have {shapes(have)}")
        name, perm = found
        table.append({"name": name, "source": source, "perm": perm, "shape": list(have.pop(name).shape)})
    return table


def shapes(arrays):
    return {name: array.shape for name, array in arrays.items()}


def graph_values(path, feeds):
    """Runs the graph in ONNX Runtime, unoptimised, and returns every float32 value of the main graph by name."""
    model = onnx.load(path)
    known = {o.name for o in model.graph.output}
    names = [o for n in model.graph.node for o in n.output if o]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    arrays = session.run(outputs, feeds)
    return {n: a for n, a in zip(outputs, arrays) if isinstance(a, np.ndarray) and a.dtype == np.float32}


def intermediates(path, feeds, observed):
    """Ties what the framework's layers gave to values of the graph.

    ONNX Runtime only finds the names; the numbers written are the framework's. A layer without a counterpart (fused,
    or laid out otherwise than by a permutation) is left out. Returns {value name: (layer, perm)}.
    """
    have = graph_values(path, feeds)
    table = {}
    for layer, array in observed.items():
        if array.ndim == 0 or array.ndim > 5 or array.dtype != np.float32:
            continue
        found = match(array, have, close)
        if found is not None:
            have.pop(found[0])
            table[found[0]] = (layer, found[1])
    return table


def close(a, b):
    return np.allclose(a, b, rtol=1e-4, atol=1e-5)
