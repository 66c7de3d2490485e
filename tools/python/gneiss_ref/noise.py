"""The noise floor of a gradient: how far float32 strays from float64 when only the order of summation changes."""

import numpy as np

from gneiss_ref import seeds

FACTOR = 10  # signal below FACTOR times noise: the gradient is excluded


def orders(seed, count):
    """Returns four permutations of the rows of a batch."""
    return [np.argsort(seeds.generator(seed, f"order.{i}").random(count)) for i in range(4)]


def floor(grads64, runs32):
    """Returns {name: largest |g32 - g64| over the runs}."""
    return {n: max(np.abs(run[n].astype(np.float64) - g).max() for run in runs32) for n, g in grads64.items()}


def excluded(grads64, noise):
    """Lists the gradients below the floor, each with its signal and noise."""
    rows = []
    for name, grad in grads64.items():
        signal = float(np.sqrt(np.mean(grad**2)))
        if signal < FACTOR * noise[name]:
            rows.append({"name": name, "signal": signal, "noise": float(noise[name])})
    return rows
