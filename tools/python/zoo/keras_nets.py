"""The reference networks in Keras 3, NHWC, loading the same numbers as PyTorch's where both have the net."""

import keras
import numpy as np
from keras import layers

from zoo import weights


def seed_layers(filters=(32, 64), units=128, size=28):
    return [
        layers.Input((size, size, 1)),
        layers.Conv2D(filters[0], 3, activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(filters[1], 3, activation="relu", name="conv2"),
        layers.MaxPooling2D(2, name="pool2"),
        layers.Flatten(name="flatten"),
        layers.Dense(units, activation="relu", name="fc1"),
        layers.Dropout(0.5, name="drop"),
        layers.Dense(10, activation="softmax", name="fc2"),
    ]


def seed():
    return keras.Sequential(seed_layers(), name="seed")


def without_dropout(stack, name):
    """Returns the net of the step cases, whose masks would differ from framework to framework."""
    return keras.Sequential([layer for layer in stack if layer.name != "drop"], name=name)


def cnn():
    """The reduced seed network."""
    return without_dropout(seed_layers((8, 16), 14, 14), "cnn")


def steps():
    """The whole seed network without dropout."""
    return without_dropout(seed_layers(), "seed")


def mlp():
    return keras.Sequential([
        layers.Input((784,)),
        layers.Dense(16, activation="relu", name="fc1"),
        layers.Dense(10, activation="softmax", name="fc2"),
    ], name="mlp")


def bncnn():
    return keras.Sequential([
        layers.Input((12, 12, 1)),
        layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1"),
        layers.BatchNormalization(name="bn1"),
        layers.ReLU(name="relu1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv2"),
        layers.BatchNormalization(name="bn2"),
        layers.ReLU(name="relu2"),
        layers.AveragePooling2D(2, name="pool2"),
        layers.GlobalAveragePooling2D(name="mean"),
        layers.Dense(10, activation="log_softmax", name="fc"),
    ], name="bncnn")


def lstm():
    """Sequences (N, 7, 8): one LSTM, its last state classified."""
    return keras.Sequential([
        layers.Input((7, 8)),
        layers.LSTM(16, name="rnn"),
        layers.Dense(5, activation="softmax", name="fc"),
    ], name="lstm")


def gru():
    """Sequences (N, 7, 8): a bidirectional GRU, both last states classified."""
    return keras.Sequential([
        layers.Input((7, 8)),
        layers.Bidirectional(layers.GRU(12, name="rnn"), name="both"),
        layers.Dense(5, activation="softmax", name="fc"),
    ], name="gru")


class Positions(layers.Layer):
    """Adds a learnt vector per position."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], name="position")

    def call(self, x):
        return x + self.table


def tanh_gelu(x):
    """GELU by tanh: the exact form becomes TensorFlow's Erfc, for which tf2onnx has no ONNX."""
    return keras.activations.gelu(x, approximate=True)


def transformer():
    """Token ids (N, 6): embedding, positions, one encoder block of two heads, mean, softmax."""
    ids = layers.Input((6,), dtype="int32")
    x = layers.Embedding(20, 16, name="embed")(ids)
    x = Positions(name="positions")(x)
    attended = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm1")(layers.Add(name="add1")([x, attended]))
    wide = layers.Dense(32, activation=tanh_gelu, name="linear1")(x)
    wide = layers.Dense(16, name="linear2")(wide)
    x = layers.LayerNormalization(name="norm2")(layers.Add(name="add2")([x, wide]))
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(ids, layers.Dense(5, activation="softmax", name="fc")(x), name="transformer")


NETS = {
    "seed": seed, "mlp": mlp, "cnn": cnn, "bncnn": bncnn, "steps": steps,
    "lstm": lstm, "gru": gru, "transformer": transformer,
}

LEAVES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def to_keras(array, shape):
    """Lays a parameter in ONNX layout out as Keras keeps it, given the Keras shape.

    A dense kernel behind Flatten has its rows permuted as well, from (C, H, W) to (H, W, C).
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def shared(params, model):
    """Yields (variable, array) for a net that both frameworks have."""
    for name, array in params.items():
        layer_name, leaf = name.rsplit(".", 1)
        layer = model.get_layer(layer_name)
        norm = isinstance(layer, layers.BatchNormalization)
        attribute = LEAVES[leaf] if norm else {"weight": "kernel", "bias": "bias"}[leaf]
        if layer_name == "fc1" and array.ndim == 2 and "pool2" in [x.name for x in model.layers]:
            height, width, channels = model.get_layer("pool2").output.shape[1:]
            array = array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(array), -1)
        variable = getattr(layer, attribute)
        yield variable, to_keras(array, variable.shape)


def seeded(seed_number, model):
    """Yields (variable, array) for a net of Keras's own; fan in is all axes but the last."""
    for variable in model.variables:
        if "seed_generator" in variable.path:
            continue
        shape = tuple(variable.shape)
        fan_in = int(np.prod(shape[:-1])) if "attention" not in variable.path else 16
        yield variable, weights.fill(seed_number, variable.path, shape, fan_in)


def build(net, seed_number, dtype="float32", params=None):
    """Returns the net with seeded weights, or with the given ones, computing in dtype."""
    keras.backend.clear_session()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    model = NETS[net]()
    if params is None and net in weights.SHAPES:
        params = weights.named(seed_number, net)
    pairs = shared(params, model) if params else seeded(seed_number, model)
    for variable, array in pairs:
        variable.assign(array.astype(dtype))
    return model
