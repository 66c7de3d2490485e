"""Forward cases of PyTorch: python -m make.forward_torch DIR [CASE...]."""

import sys
from pathlib import Path

import numpy as np
import torch

from export import torch_onnx
from gneiss_ref import case, naming
from gneiss_ref.feeds import SEED, feed
from make import torch_common
from zoo import torch_nets

# case name: (net, exporter, batch, options of the exporter)
CASES = {
    "torch-dynamo-seed": ("seed", "dynamo", 3, {}),
    "torch-script-seed": ("seed", "script", 3, {"opset": 17}),
    "torch-dynamo-mlp": ("mlp", "dynamo", 3, {"external": True}),
    "torch-script-mlp": ("mlp", "script", 3, {"opset": 9, "dynamic": False}),
    "torch-dynamo-bncnn": ("bncnn", "dynamo", 3, {}),
    "torch-script-bncnn": ("bncnn", "script", 3, {"opset": 13}),
    "torch-script-bncnn-unfolded": ("bncnn", "script", 3, {"opset": 11, "fold": False}),
    "torch-dynamo-lstm": ("lstm", "dynamo", 3, {}),
    "torch-script-lstm": ("lstm", "script", 3, {"opset": 17}),
    "torch-dynamo-gru": ("gru", "dynamo", 3, {}),
    "torch-script-gru": ("gru", "script", 3, {"opset": 11}),
    "torch-dynamo-transformer": ("transformer", "dynamo", 3, {}),
    "torch-script-transformer": ("transformer", "script", 3, {"opset": 14}),
}


def observe(model, x):
    """Runs the model; returns the output of each submodule by path, and the model's as "output"."""
    seen = {}

    def hook(path):
        def record(_module, _args, output):
            output = output[0] if isinstance(output, tuple) else output
            count = sum(1 for name in seen if name.split("#")[0] == path)
            seen[f"{path}#{count}" if count else path] = output.detach().numpy()
        return record

    handles = [m.register_forward_hook(hook(p)) for p, m in model.named_modules() if p]
    with torch.no_grad():
        seen["output"] = model(x).numpy()
    for handle in handles:
        handle.remove()
    return seen


def reference(net, x):
    """Returns the float32 and float64 outputs of every module, computed twice and equal."""
    model = torch_nets.build(net, SEED)
    seen, again = observe(model, torch.from_numpy(x)), observe(model, torch.from_numpy(x))
    assert all(np.array_equal(seen[name], again[name]) for name in seen), f"{net}: two runs differ"
    wide = torch.from_numpy(x.astype(np.float64) if x.dtype == np.float32 else x)
    return seen, observe(torch_nets.build(net, SEED).double(), wide)


def make(root, name):
    net, exporter, batch, options = CASES[name]
    folder = Path(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    x = feed(net, batch)
    model = torch_nets.build(net, SEED)
    path = folder / "model.onnx"
    export = getattr(torch_onnx, exporter)
    export(model, (torch.from_numpy(x),), path, "input", "output", **options)
    seen, seen64 = reference(net, x)
    table = naming.intermediates(path, {"input": x}, seen)
    case.save_npz(folder / "reference.npz", case.forward_dump("output", "output", seen, seen64, table))
    case.save_test_data(folder, [("input", x)], [("output", seen["output"])])
    case.save_case(folder, {
        "kind": "forward", "net": net, "framework": "torch", "convention": "pytorch",
        "exporter": f"torch.onnx.export ({exporter})", "exporter_options": options,
        **case.model_facts(path),
        "generator": "tools/python/make/forward_torch.py", "seed": SEED, "versions": torch_common.versions(),
        "tolerance": case.TORCH_PROFILE,
        "values": case.value_table(table),
        "excluded": [],
    })
    return folder


def main(root, *names):
    torch_common.settle()
    for name in names or CASES:
        print("made", make(root, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
