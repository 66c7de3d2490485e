"""Step parity: the batches of a case, and the files that hold what a framework's training did with them.

A framework's maker runs the training and returns plain arrays by its own parameter names; this module lays them out
as the initializers of the exported model and names them.
"""

import numpy as np

from gneiss_ref import case, naming, noise, seeds
from zoo import weights

SEED = 1
BATCH = 16
COUNT = 10
KEPT = (1, 3, 10)
ORACLE_BITS = 32
ACTIVE = {"mlp": 56 / 784, "cnn": 1.0, "seed": 0.5, "bncnn": 1.0, "bncnn-bias": 1.0}  # share of pixel positions that ever light up
SIZES = {"mlp": 28, "cnn": 14, "seed": 28, "bncnn": 12, "bncnn-bias": 12}
LIMITS = {
    "mlp": {"atol": 1e-6, "rtol": 1e-5, "rule": "either", "reason": "correct float32 trainings differ by 3e-7 at most"},
    "cnn": {"atol": 1e-5, "rtol": 0, "rule": "at step 10", "reason": "correct float32 trainings differ by 4e-6 at most"},
    "seed": {
        "rule": "oracle",
        "reason": "Adam divides a gradient near the rounding noise by its own size: among 225,034 parameters the worst of"
                  " torch's own float32 run is 3.6e-5 off its float64 twin at step 10",
    },
}
LIMITS["bncnn"] = LIMITS["bncnn-bias"] = LIMITS["cnn"]
REDUCED = {
    "mlp": "784-16-10 in full; only about 56 of 784 pixel positions light up, and the weights that read the others are"
           " multiples of 1/16, so that the unchanged parts of the dumps compress",
    "cnn": "input 14x14 and 14 hidden units instead of 28x28 and 32, to keep the case below 256 KB",
    "seed": "not reduced; too large to commit, so that a rebuild alone makes it",
    "bncnn": "not reduced",
    "bncnn-bias": "not reduced",
}


def data(net):
    """Returns the images (COUNT, BATCH, 1, size, size) and the labels (COUNT, BATCH)."""
    size = SIZES[net]
    pictures = seeds.images(SEED, f"steps.{net}", COUNT * BATCH, size, size, ACTIVE[net])
    classes = seeds.labels(SEED, f"steps.{net}.label", COUNT * BATCH, 10)
    return pictures.reshape(COUNT, BATCH, 1, size, size), classes.reshape(COUNT, BATCH)


def initial(net):
    """Returns the initial parameters by PyTorch state name, in ONNX layouts."""
    if net != "mlp":
        return weights.named(SEED, net)
    size = SIZES[net]
    return weights.coarse(SEED, net, ~seeds.lit(SEED, f"steps.{net}", size, size, ACTIVE[net]).reshape(-1))


class Layout:
    """Renames and transposes a framework's arrays into the initializers of the exported model."""

    def __init__(self, path, sources):
        self.table = naming.parameters(path, sources)

    def __call__(self, arrays):
        known = [row for row in self.table if row["source"] in arrays]
        return {row["name"]: np.transpose(arrays[row["source"]], row["perm"]) for row in known}


def add(arrays, prefix, values, values64=None):
    """Adds prefix/<name>, and prefix/<name>@f64 where the twin is given."""
    for name, value in values.items():
        arrays[f"{prefix}/{name}"] = value
        if values64 is not None:
            arrays[f"{prefix}/{name}@f64"] = case.oracle(values64[name], ORACLE_BITS)


def save_batches(folder, x, y):
    arrays = {f"x/{i + 1}": x[i] for i in range(COUNT)}
    arrays.update({f"y/{i + 1}": y[i] for i in range(COUNT)})
    case.save_npz(folder / "batches.npz", arrays)


def save_gradients(folder, layout, output_name, run32, run64, permuted):
    """Writes gradients.npz from two runs of the first step and four with the rows permuted; returns the exclusions.

    A run is (loss, output, {source: gradient}).
    """
    wide = layout(run64[2])
    floor = noise.floor(wide, [layout(run[2]) for run in permuted])
    arrays = {}
    add(arrays, "loss", {"1": run32[0]}, {"1": run64[0]})
    add(arrays, "value", {output_name: run32[1]}, {output_name: run64[1]})
    add(arrays, "grad", layout(run32[2]), wide)
    add(arrays, "noise", {name: np.float64(value) for name, value in floor.items()})
    case.save_npz(folder / "gradients.npz", arrays)
    return noise.excluded(wide, floor)


def save_optimizer(folder, name, layout, run32, run64):
    """Writes <optimizer>.npz; a run is {"loss": [...], step: {"param": {...}, slot: {...}}}."""
    arrays = {}
    for step in range(1, COUNT + 1):
        add(arrays, "loss", {str(step): run32["loss"][step - 1]}, {str(step): run64["loss"][step - 1]})
    for step in KEPT:
        for kind, values in run32[step].items():
            prefix = f"param/{step}" if kind == "param" else f"slot/{step}/{kind}"
            twin = kind == "param" and step == KEPT[-1]  # a twin of every slot would not fit the size of a case
            wide = layout(run64[step][kind]) if twin else None
            add(arrays, prefix, layout(values), wide)
    case.save_npz(folder / f"{name}.npz", arrays)


def same(a, b):
    """Says whether two runs are bit-equal."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return np.array_equal(a, b)
