"""Checks the float64 entries of the MLP step cases against the formulas in plain numpy: python -m check.steps_formula DIR.

Nothing of a framework runs here: initial weights from model.onnx, batches from batches.npz, the forward and backward
pass of two dense layers with softmax cross-entropy, and each optimizer as its documentation writes it.
"""

import json
import sys
from pathlib import Path

import numpy as np

from gneiss_ref import naming

RTOL, ATOL = 1e-9, 1e-11  # the entries are rounded to 1.2e-10 relative


def gradients(weights, x, y):
    """Returns the loss and the gradients of x·W1+b1, relu, ·W2+b2, mean cross-entropy of the softmax."""
    w1, b1, w2, b2 = weights
    before = x @ w1 + b1
    hidden = np.maximum(before, 0)
    logits = hidden @ w2 + b2
    logits = logits - logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    rows = np.arange(len(y))
    loss = -log_p[rows, y].mean()
    delta = np.exp(log_p)
    delta[rows, y] -= 1
    delta /= len(y)
    back = (delta @ w2.T) * (before > 0)
    return loss, [x.T @ back, back.sum(0), hidden.T @ delta, delta.sum(0)]


def torch_sgd(w, g, state, t, o):
    state["b"] = g if t == 1 else o["momentum"] * state["b"] + g
    return w - o["learning_rate"] * state["b"]


def keras_sgd(w, g, state, t, o):
    state["m"] = o["momentum"] * state.get("m", 0) - o["learning_rate"] * g
    return w + state["m"]


def moments(g, state, o):
    state["m"] = o["beta_1"] * state.get("m", 0) + (1 - o["beta_1"]) * g
    state["v"] = o["beta_2"] * state.get("v", 0) + (1 - o["beta_2"]) * g * g
    return state["m"], state["v"]


def torch_adam(w, g, state, t, o):
    m, v = moments(g, state, o)
    root = np.sqrt(v / (1 - o["beta_2"] ** t)) + o["epsilon"]
    return w - o["learning_rate"] * m / (1 - o["beta_1"] ** t) / root


def keras_adam(w, g, state, t, o):
    m, v = moments(g, state, o)
    rate = o["learning_rate"] * np.sqrt(1 - o["beta_2"] ** t) / (1 - o["beta_1"] ** t)
    return w - rate * m / (np.sqrt(v) + o["epsilon"])


UPDATES = {
    ("torch", "sgd"): torch_sgd, ("keras", "sgd"): keras_sgd,
    ("torch", "adam"): torch_adam, ("keras", "adam"): keras_adam,
}


def worst(want, got):
    """Returns the largest difference as a multiple of the tolerance."""
    return float((np.abs(got - want) / (ATOL + RTOL * np.abs(want))).max())


def load(folder, facts):
    """Returns the names and the initial weights [W1, b1, W2, b2] with W (in, out), and which are stored (out, in)."""
    have = naming.initializers(folder / "model.onnx")
    order = {source: i for i, source in enumerate(("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"))}
    order.update({"mlp/fc1/kernel": 0, "mlp/fc1/bias": 1, "mlp/fc2/kernel": 2, "mlp/fc2/bias": 3})
    rows = sorted(facts["parameters"], key=lambda row: order[row["source"]])
    names = [row["name"] for row in rows]
    arrays = [have[name].astype(np.float64) for name in names]
    turned = facts["framework"] == "torch"
    return names, [a.T if turned else a for a in arrays], turned


def check(folder):
    facts = json.loads((folder / "case.json").read_text())
    batches = np.load(folder / "batches.npz")
    figure = 0.0
    for name, options in facts["optimizers"].items():
        names, weights, turned = load(folder, facts)
        want = np.load(folder / f"{name}.npz")
        states = [{} for _ in weights]
        for t in range(1, facts["steps"] + 1):
            loss, grads = gradients(weights, batches[f"x/{t}"].astype(np.float64), batches[f"y/{t}"])
            figure = max(figure, worst(want[f"loss/{t}@f64"], loss))
            if t == 1:
                first = np.load(folder / "gradients.npz")
                for n, g in zip(names, grads):
                    figure = max(figure, worst(first[f"grad/{n}@f64"], g.T if turned else g))
            update = UPDATES[facts["framework"], name]
            weights = [update(w, g, s, t, options) for w, g, s in zip(weights, grads, states)]
        for n, w in zip(names, weights):
            figure = max(figure, worst(want[f"param/{t}/{n}@f64"], w.T if turned else w))
    print(f"{facts['case']}: worst {figure:.3f} of tolerance {RTOL:g} relative, {ATOL:g} absolute")
    return figure <= 1


def main(root):
    results = [check(Path(root, name)) for name in ("steps-torch-mlp", "steps-keras-mlp")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
