"""Writes optimizer_<framework>.json: weights after some steps of PyTorch's or Keras's optimizers.

Run with the pinned environments of tools/python: `python optimizer.py torch` and `python optimizer.py keras`.
"""

import json
import sys

import numpy as np

STEPS = 6
W = np.array([1.0, -0.5, 0.25, 3.0, 1e-3], np.float64)
G = [np.array([0.3, -1e-6, 2.0, 1e-3, -0.7]) * (1 + 0.5 * np.cos(t)) for t in range(STEPS)]

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("Momentum", {"momentum": 0.9}),
    ("Momentum", {"momentum": 0.9, "nesterov": 1}),
    ("Momentum", {"momentum": 0.9, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
    ("Adam", {"amsgrad": 1}),
    ("Adam", {"weight_decay": 0.1, "decoupled": 1}),
]
TORCH_ONLY = [
    ("Momentum", {"momentum": 0.9, "dampening": 0.3}),
    ("Momentum", {"momentum": 0.9, "nesterov": 1, "weight_decay": 0.01}),
    ("Adam", {"weight_decay": 0.1}),
]


def torch_run(kind, attrs, dtype):
    import torch

    w = torch.tensor(W.astype(dtype), requires_grad=True)
    decay = attrs.get("weight_decay", 0.0)
    if kind == "Adam":
        make = torch.optim.AdamW if attrs.get("decoupled") else torch.optim.Adam
        betas = (attrs.get("beta_1", 0.9), attrs.get("beta_2", 0.999))
        o = make([w], lr=0.01, betas=betas, eps=attrs.get("epsilon", 1e-8), weight_decay=decay, amsgrad=bool(attrs.get("amsgrad")))
    else:
        o = torch.optim.SGD([w], lr=0.01, momentum=attrs.get("momentum", 0.0), dampening=attrs.get("dampening", 0.0),
                            nesterov=bool(attrs.get("nesterov")), weight_decay=decay)
    for g in G:
        w.grad = torch.tensor(g.astype(dtype))
        o.step()
    return w.detach().numpy(), torch.__version__


def keras_run(kind, attrs, dtype):
    import os

    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    w = keras.Variable(W.astype(dtype), dtype=np.dtype(dtype).name)
    decay = attrs.get("weight_decay")
    if kind == "Adam":
        o = keras.optimizers.Adam(0.01, beta_1=attrs.get("beta_1", 0.9), beta_2=attrs.get("beta_2", 0.999),
                                  epsilon=attrs.get("epsilon", 1e-7), amsgrad=bool(attrs.get("amsgrad")), weight_decay=decay)
    else:
        o = keras.optimizers.SGD(0.01, momentum=attrs.get("momentum", 0.0), nesterov=bool(attrs.get("nesterov")), weight_decay=decay)
    for g in G:
        o.apply([keras.ops.convert_to_tensor(g.astype(dtype))], [w])
    return w.numpy(), keras.__version__


def main(framework):
    run, cases = (torch_run, CASES + TORCH_ONLY) if framework == "torch" else (keras_run, CASES)
    out = []
    for kind, attrs in cases:
        if framework == "keras" and attrs.get("weight_decay"):
            attrs = {**attrs, "decoupled": 1}
        for dtype in (np.float32, np.float64):
            if framework == "keras" and dtype == np.float64:
                continue  # its learning rate stays float32
            w, version = run(kind, attrs, dtype)
            assert w.dtype == dtype
            out.append({"op": kind, "attrs": attrs, "dtype": np.dtype(dtype).name, "w": [float(x) for x in w]})
    doc = {"framework": framework, "version": version, "lr": 0.01, "start": [float(x) for x in W], "gradients": [[float(x) for x in g] for g in G], "cases": out}
    with open(f"optimizer_{framework}.json", "w") as f:
        json.dump(doc, f, indent=1)
        f.write("\n")


main(sys.argv[1])
