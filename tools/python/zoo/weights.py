"""Seeded weights in ONNX layouts: convolutions OIHW, dense layers (out, in), BatchNorm statistics random too."""

import math

import numpy as np

from gneiss_ref import seeds

# Parameters by PyTorch state name. Keras loads the same numbers, permuted.
SHAPES = {
    "seed": {
        "conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,),
        "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
        "fc1.weight": (128, 1600), "fc1.bias": (128,),
        "fc2.weight": (10, 128), "fc2.bias": (10,),
    },
    "mlp": {
        "fc1.weight": (16, 784), "fc1.bias": (16,),
        "fc2.weight": (10, 16), "fc2.bias": (10,),
    },
    "cnn": {
        "conv1.weight": (8, 1, 3, 3), "conv1.bias": (8,),
        "conv2.weight": (16, 8, 3, 3), "conv2.bias": (16,),
        "fc1.weight": (14, 64), "fc1.bias": (14,),
        "fc2.weight": (10, 14), "fc2.bias": (10,),
    },
    "bncnn": {
        "conv1.weight": (8, 1, 3, 3),
        "bn1.weight": (8,), "bn1.bias": (8,), "bn1.running_mean": (8,), "bn1.running_var": (8,),
        "conv2.weight": (12, 8, 3, 3),
        "bn2.weight": (12,), "bn2.bias": (12,), "bn2.running_mean": (12,), "bn2.running_var": (12,),
        "fc.weight": (10, 12), "fc.bias": (10,),
    },
}
SHAPES["bncnn-bias"] = {"conv1.bias": (8,), "conv2.bias": (12,), **SHAPES["bncnn"]}


def fill(seed, name, shape, fan_in=None):
    """Returns one parameter: He uniform for weights, around one for scales and variances, small for the rest."""
    leaf = name.rsplit(".", 1)[-1].rsplit("/", 1)[-1]
    if leaf in ("running_var", "moving_variance", "gamma") or (leaf == "weight" and len(shape) == 1):
        return 1 + seeds.uniform(seed, name, shape, 0.5)
    if len(shape) == 1:
        return seeds.uniform(seed, name, shape, 0.2)
    fan_in = fan_in or math.prod(shape[1:])
    return seeds.uniform(seed, name, shape, math.sqrt(6 / fan_in))


def named(seed, net):
    """Returns the parameters of a net by PyTorch state name."""
    return {name: fill(seed, f"{net}.{name}", shape) for name, shape in SHAPES[net].items()}


def coarse(seed, net, dead):
    """Returns the parameters of a step case, the columns of fc1.weight that read dead pixels coarsely quantised.

    Those columns never change, so that every dump of them compresses. dead may be None.
    """
    params = named(seed, net)
    if dead is None:
        return params
    weight = params["fc1.weight"]
    still = seeds.quantised(seed, f"{net}.dead", weight.shape, 1 / 16, 1 / 16)
    params["fc1.weight"] = np.where(dead[None, :], still, weight)
    return params
