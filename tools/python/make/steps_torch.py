"""Step parity cases of PyTorch: python -m make.steps_torch DIR [CASE...]."""

import sys
from pathlib import Path

import numpy as np
import torch

from export import torch_onnx
from gneiss_ref import case, noise, steps
from make import torch_common
from zoo import torch_nets

CASES = {
    "steps-torch-mlp": ("mlp", "dynamo"),
    "steps-torch-cnn": ("cnn", "script"),
    "steps-torch-seed": ("seed", "dynamo"),
    "steps-torch-bncnn": ("bncnn", "unfolded"),
    "steps-torch-bncnn-bias": ("bncnn-bias", "unfolded"),
}

OPTIMIZERS = {
    "sgd": {
        "class": "torch.optim.SGD", "learning_rate": 0.05, "momentum": 0.9, "dampening": 0.0, "nesterov": False,
        "slots": ["momentum_buffer"],
    },
    "adam": {
        "class": "torch.optim.Adam", "learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8,
        "slots": ["exp_avg", "exp_avg_sq"],
    },
}


def optimizer(name, params):
    if name == "sgd":
        return torch.optim.SGD(params, lr=0.05, momentum=0.9)
    return torch.optim.Adam(params)


def network(net, dtype):
    """Returns the net as it trains: BatchNorm by the statistics of the batch, dropout off."""
    model = torch_nets.build(net, steps.SEED, steps.initial(net), softmax=False).to(dtype)
    return model.train(net.startswith("bncnn"))


def state(model):
    """Returns the parameters and the running statistics."""
    return arrays((n, t) for n, t in model.state_dict().items() if t.is_floating_point())


def export(model, exporter, x, path):
    """Exports the model in inference form, without folding a BatchNorm away."""
    model.eval()
    if exporter == "unfolded":
        torch_onnx.script(model, (x,), path, "input", "output", opset=15, fold=False)
    else:
        getattr(torch_onnx, exporter)(model, (x,), path, "input", "output")


def batch_norm(net):
    """Describes how BatchNorm trained, or returns None."""
    if not net.startswith("bncnn"):
        return None
    return {"mode": "update", "momentum": 0.1, "momentum_is": "share replaced", "running_variance": "unbiased"}


def hidden(net):
    """Lists the running means that absorb a bias whose gradient is noise."""
    if net != "bncnn-bias":
        return []
    return [{"name": f"bn{i}.running_mean", "reason": f"absorbs conv{i}.bias, which is excluded"} for i in (1, 2)]


def batch(x, y, dtype):
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y)


def arrays(named):
    return {name: np.array(tensor.detach().numpy()) for name, tensor in named}


def first(net, x, y, dtype):
    """Returns the loss, the output and the gradients of the first step."""
    model = network(net, dtype)
    x, y = batch(x, y, dtype)
    output = model(x)
    loss = torch.nn.functional.cross_entropy(output, y)
    loss.backward()
    grads = arrays((n, p.grad) for n, p in model.named_parameters())
    return loss.detach().numpy(), output.detach().numpy(), grads


def train(net, name, x, y, dtype):
    """Runs all steps; returns losses, and parameters and slots after the steps that are kept."""
    model = network(net, dtype)
    update = optimizer(name, model.parameters())
    run = {"loss": []}
    for step in range(1, steps.COUNT + 1):
        images, classes = batch(x[step - 1], y[step - 1], dtype)
        update.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), classes)
        loss.backward()
        update.step()
        run["loss"].append(loss.detach().numpy())
        if step in steps.KEPT:
            run[step] = {"param": state(model)}
            for slot in OPTIMIZERS[name]["slots"]:
                run[step][slot] = arrays((n, update.state[p][slot]) for n, p in model.named_parameters())
    return run


def make(root, name):
    net, exporter = CASES[name]
    folder = Path(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    x, y = steps.data(net)
    x = x.reshape(*x.shape[:2], -1) if net == "mlp" else x
    model = network(net, torch.float32)
    path = folder / "model.onnx"
    export(model, exporter, torch.from_numpy(x[0]), path)
    layout = steps.Layout(path, state(model))
    steps.save_batches(folder, x, y)
    run = first(net, x[0], y[0], torch.float32)
    assert steps.same(run, first(net, x[0], y[0], torch.float32)), "two first steps differ"
    permuted = [first(net, x[0][o], y[0][o], torch.float32) for o in noise.orders(steps.SEED, steps.BATCH)]
    excluded = steps.save_gradients(folder, layout, "output", run, first(net, x[0], y[0], torch.float64), permuted)
    for update in OPTIMIZERS:
        run = train(net, update, x, y, torch.float32)
        assert steps.same(run, train(net, update, x, y, torch.float32)), f"{update}: two runs differ"
        steps.save_optimizer(folder, update, layout, run, train(net, update, x, y, torch.float64))
    case.save_case(folder, {
        "kind": "steps", "net": net, "framework": "torch", "convention": "pytorch",
        "exporter": f"torch.onnx.export ({exporter})",
        **case.model_facts(path),
        "generator": "tools/python/make/steps_torch.py", "seed": steps.SEED, "versions": torch_common.versions(),
        "input": "input", "output": "output",
        "steps": steps.COUNT, "kept": list(steps.KEPT), "batch": steps.BATCH, "dropout": 0, "batch_norm": batch_norm(net),
        "loss": {"class": "torch.nn.CrossEntropyLoss", "from_logits": True, "labels": "sparse", "reduction": "mean"},
        "optimizers": OPTIMIZERS,
        "parameters": layout.table,
        "tolerance": case.TORCH_PROFILE, "limits": steps.LIMITS[net], "reduced": steps.REDUCED[net],
        "float64": f"rounded to {steps.ORACLE_BITS} bits of mantissa; slots have no float64 twin",
        "excluded": excluded + hidden(net),
    })
    return folder


def main(root, *names):
    torch_common.settle()
    for name in names or CASES:
        print("made", make(root, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
