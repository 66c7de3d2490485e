"""Forward cases of PyTorch: python -m make.forward_torch DIR [CASE...]."""

import sys
from pathlib import Path

import numpy as np
import torch

from export import torch_onnx
from gneiss_ref import case, naming, seeds
from make import torch_common
from zoo import torch_nets

SEED = 1
INTERMEDIATE_LIMIT = 4096  # elements; larger values stay out of the committed dumps

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


def feed(net, batch):
    """Returns the input array of a net."""
    if net in ("seed", "bncnn"):
        size = 28 if net == "seed" else 12
        return seeds.images(SEED, net + ".input", batch, size, size)
    if net == "mlp":
        return seeds.images(SEED, "mlp.input", batch, 28, 28).reshape(batch, 784)
    if net == "transformer":
        return seeds.labels(SEED, "transformer.input", batch * 6, 20).reshape(batch, 6)
    return seeds.uniform(SEED, net + ".input", (batch, 7, 8), 1)


def observe(model, x):
    """Runs the model; returns its output and the output of each submodule by path."""
    seen = {}

    def hook(path):
        def record(_module, _args, output):
            output = output[0] if isinstance(output, tuple) else output
            count = sum(1 for name in seen if name.split("#")[0] == path)
            seen[f"{path}#{count}" if count else path] = output.detach().numpy()
        return record

    handles = [m.register_forward_hook(hook(p)) for p, m in model.named_modules() if p]
    with torch.no_grad():
        output = model(x).numpy()
    for handle in handles:
        handle.remove()
    return output, seen


def reference(net, x):
    """Returns float32 and float64 outputs and module outputs, computed twice and equal."""
    model = torch_nets.build(net, SEED)
    output, seen = observe(model, torch.from_numpy(x))
    again, _ = observe(model, torch.from_numpy(x))
    assert np.array_equal(output, again), f"{net}: two runs differ"
    twin = torch_nets.build(net, SEED).double()
    wide = torch.from_numpy(x.astype(np.float64) if x.dtype == np.float32 else x)
    output64, seen64 = observe(twin, wide)
    return output, seen, output64, seen64


def dump(output_name, output, output64, seen, seen64, table):
    arrays = {f"value/{output_name}": output, f"value/{output_name}@f64": case.oracle(output64)}
    for name, (layer, perm) in table.items():
        if name != output_name and seen[layer].size <= INTERMEDIATE_LIMIT:
            arrays[f"value/{name}"] = np.transpose(seen[layer], perm)
            arrays[f"value/{name}@f64"] = case.oracle(np.transpose(seen64[layer], perm))
    return arrays


def make(root, name):
    net, exporter, batch, options = CASES[name]
    folder = Path(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    x = feed(net, batch)
    model = torch_nets.build(net, SEED)
    path = folder / "model.onnx"
    export = getattr(torch_onnx, exporter)
    export(model, (torch.from_numpy(x),), path, "input", "output", **options)
    output, seen, output64, seen64 = reference(net, x)
    table = naming.intermediates(path, {"input": x}, seen)
    case.save_npz(folder / "reference.npz", dump("output", output, output64, seen, seen64, table))
    case.save_test_data(folder, [("input", x)], [("output", output)])
    case.save_case(folder, {
        "kind": "forward", "net": net, "framework": "torch", "convention": "pytorch",
        "exporter": f"torch.onnx.export ({exporter})", "exporter_options": options,
        **case.model_facts(path),
        "generator": "tools/python/make/forward_torch.py", "seed": SEED, "versions": torch_common.versions(),
        "tolerance": case.TORCH_PROFILE,
        "values": [{"name": n, "source": s, "perm": p} for n, (s, p) in table.items()],
        "excluded": [],
    })
    return folder


def main(root, *names):
    torch_common.settle()
    for name in names or CASES:
        print("made", make(root, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
