"""Step parity cases of Keras: python -m make.steps_keras DIR [CASE...]."""

import sys
from pathlib import Path

from make import keras_common  # first: it sets the environment

import keras
import numpy as np
import onnx
import tensorflow as tf

from export import keras_onnx
from gneiss_ref import case, noise, steps
from zoo import keras_nets

CASES = {
    "steps-keras-mlp": ("mlp", "export"),
    "steps-keras-cnn": ("cnn", "export"),
    "steps-keras-seed": ("seed", "export"),
}

OPTIMIZERS = {
    "sgd": {
        "class": "keras.optimizers.SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": False,
        "slots": ["momentum"],
    },
    "adam": {
        "class": "keras.optimizers.Adam", "learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7,
        "slots": ["momentum", "velocity"],
    },
}


def optimizer(name, dtype):
    """Returns the optimizer; its scalars, which Keras keeps in float32 even beside float64 weights, follow dtype."""
    update = keras.optimizers.SGD(0.05, momentum=0.9) if name == "sgd" else keras.optimizers.Adam()
    for scalar in ("momentum", "beta_1", "beta_2"):
        if dtype == "float64" and hasattr(update, scalar):
            setattr(update, scalar, np.float64(getattr(update, scalar)))
    assert update.learning_rate.dtype == dtype, update.learning_rate.dtype
    return update


def slots(name, update):
    """Returns the optimizer's variables by slot, each list parallel to the trainable variables."""
    if name == "sgd":
        return {"momentum": update.momentums}
    return {"momentum": update._momentums, "velocity": update._velocities}


def arrays(model, tensors):
    return {v.path: np.array(tensor) for v, tensor in zip(model.trainable_variables, tensors)}


def network(net, dtype):
    return keras_nets.build("steps" if net == "seed" else net, steps.SEED, dtype, steps.initial(net))


def first(net, x, y, dtype):
    """Returns the loss, the output and the gradients of the first step."""
    model = network(net, dtype)
    compute = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def backward(images, classes):
        with tf.GradientTape() as tape:
            output = model(images, training=True)
            loss = compute(classes, output)
        return loss, output, tape.gradient(loss, [v.value for v in model.trainable_variables])

    loss, output, grads = backward(tf.constant(x.astype(dtype)), tf.constant(y))
    return np.array(loss), np.array(output), arrays(model, grads)


def train(net, name, x, y, dtype):
    """Runs all steps by train_on_batch; returns losses, and parameters and slots after the steps that are kept."""
    model = network(net, dtype)
    update = optimizer(name, dtype)
    model.compile(optimizer=update, loss=keras.losses.SparseCategoricalCrossentropy(), jit_compile=False)
    run = {"loss": []}
    for step in range(1, steps.COUNT + 1):
        model.reset_metrics()  # train_on_batch returns the mean since the last reset
        loss = model.train_on_batch(x[step - 1].astype(dtype), y[step - 1])
        run["loss"].append(np.asarray(loss, dtype))
        if step in steps.KEPT:
            run[step] = {"param": arrays(model, model.trainable_variables)}
            for slot, variables in slots(name, update).items():
                run[step][slot] = arrays(model, variables)
                assert all(a.dtype == dtype for a in run[step][slot].values())
    return run


def make(root, name):
    net, exporter = CASES[name]
    folder = Path(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    x, y = steps.data(net)
    x = x.reshape(*x.shape[:2], -1) if net == "mlp" else x.transpose(0, 1, 3, 4, 2)
    model = network(net, "float32")
    model(x[0])  # export needs a model that has been called
    path = folder / "model.onnx"
    getattr(keras_onnx, exporter)(model, path)
    graph = onnx.load(path).graph
    output = graph.output[0].name
    layout = steps.Layout(path, arrays(model, model.trainable_variables))
    steps.save_batches(folder, x, y)
    run = first(net, x[0], y[0], "float32")
    assert steps.same(run, first(net, x[0], y[0], "float32")), "two first steps differ"
    permuted = [first(net, x[0][o], y[0][o], "float32") for o in noise.orders(steps.SEED, steps.BATCH)]
    excluded = steps.save_gradients(folder, layout, output, run, first(net, x[0], y[0], "float64"), permuted)
    for update in OPTIMIZERS:
        run = train(net, update, x, y, "float32")
        assert steps.same(run, train(net, update, x, y, "float32")), f"{update}: two runs differ"
        steps.save_optimizer(folder, update, layout, run, train(net, update, x, y, "float64"))
    case.save_case(folder, {
        "kind": "steps", "net": net, "framework": "keras", "convention": "keras",
        "exporter": "keras Model.export(format='onnx')",
        **case.model_facts(path),
        "generator": "tools/python/make/steps_keras.py", "seed": steps.SEED, "versions": keras_common.versions(),
        "input": graph.input[0].name, "output": output,
        "steps": steps.COUNT, "kept": list(steps.KEPT), "batch": steps.BATCH, "dropout": 0,
        "loss": {
            "class": "keras.losses.SparseCategoricalCrossentropy", "from_logits": False, "labels": "sparse",
            "reduction": "sum_over_batch_size", "computed": "from the logits behind the softmax, without clipping",
        },
        "optimizers": OPTIMIZERS,
        "parameters": layout.table,
        "tolerance": case.TORCH_PROFILE, "limits": steps.LIMITS[net], "reduced": steps.REDUCED[net],
        "float64": f"rounded to {steps.ORACLE_BITS} bits of mantissa; slots have no float64 twin",
        "excluded": excluded,
    })
    return folder


def main(root, *names):
    keras_common.settle()
    for name in names or CASES:
        print("made", make(root, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
