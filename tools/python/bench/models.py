"""The models that inference is timed on: python -m bench.models DIR NAME...

Architectures of torchvision, and encoders written here with the sizes of published ones, because transformers is not among
the pinned packages. Weights are random from a fixed seed; BatchNorm statistics are those of random images, disturbed. A
model is made once: DIR keeps NAME.onnx, and NAME.npz with its inputs. --list prints the names.
"""

import argparse
import dataclasses
import os
import pathlib
import typing
import warnings

import numpy as np
import torch
from onnxruntime import quantization
import torchvision
from torch import nn
from torch.nn import functional as F

from zoo import torch_nets

SEED = 1
IMAGE = (1, 3, 224, 224)


class Encoder(nn.Module):
    """Token embeddings and a stack of post-norm encoder layers with GELU: BERT's form, without mask or segments."""

    def __init__(self, layers, width, heads, inner, words=30522, length=128):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Parameter(torch.randn(length, width) * 0.02)
        self.norm = nn.LayerNorm(width, 1e-12)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, inner) for _ in range(layers))

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places)
        for layer in self.layers:
            x = layer(x)
        return x


class EncoderLayer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.merge = (nn.Linear(width, width) for _ in range(4))
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5), -1)
        x = self.norm1(x + self.merge((scores @ v).transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.narrow(F.gelu(self.widen(x))))


class Decoder(nn.Module):
    """One step of GPT-2's form: pre-norm layers, tanh GELU, keys and values of the words before as inputs and outputs."""

    def __init__(self, layers, width, heads, words=50257, length=1024):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids, *past):
        first = past[0].shape[2]
        x = self.words(ids) + self.places(torch.arange(first, first + ids.shape[1]).unsqueeze(0))
        present = []
        for i, layer in enumerate(self.layers):
            x, k, v = layer(x, past[2 * i], past[2 * i + 1])
            present += [k, v]
        return (self.norm(x) @ self.words.weight.t(), *present)


class DecoderLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, keys, values):
        q, k, v = (t.view(t.shape[0], t.shape[1], self.heads, -1).transpose(1, 2) for t in self.project(self.norm1(x)).chunk(3, -1))
        k, v = torch.cat((keys, k), 2), torch.cat((values, v), 2)
        scores = torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5), -1)
        x = x + self.merge((scores @ v).transpose(1, 2).reshape(x.shape))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x)), approximate="tanh")), k, v


class Recurrent(nn.Module):
    """Two LSTM layers of 256 over sequences of 256 numbers; gives every step."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(256, 256, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]


@dataclasses.dataclass
class Spec:
    """One row: how the network is made and what it reads."""

    title: str
    make: typing.Callable
    shape: tuple = IMAGE
    ids: int = 0  # the input is integers below this
    quick: bool = True
    winograd: bool = False  # 3x3 convolutions may be transformed, which is less exact
    past: tuple = ()  # number and shape of further inputs
    quantized: bool = False  # to int8, by ONNX Runtime's tool


def vision(name):
    return lambda: getattr(torchvision.models, name)(weights=None)


def seed_cnn():
    return torch_nets.build("seed", SEED)


SPECS = {
    "seed-1": Spec("seed CNN, batch 1", seed_cnn, (1, 1, 28, 28), winograd=True),
    "seed-64": Spec("seed CNN, batch 64", seed_cnn, (64, 1, 28, 28), winograd=True),
    "resnet18": Spec("ResNet-18", vision("resnet18"), winograd=True),
    "resnet50": Spec("ResNet-50", vision("resnet50"), winograd=True),
    "mobilenetv2": Spec("MobileNetV2", vision("mobilenet_v2")),
    "efficientnetb0": Spec("EfficientNet-B0", vision("efficientnet_b0")),
    "squeezenet": Spec("SqueezeNet 1.1", vision("squeezenet1_1"), winograd=True),
    "vgg11": Spec("VGG-11", vision("vgg11"), quick=False, winograd=True),
    "convnext": Spec("ConvNeXt-T", vision("convnext_tiny"), quick=False),
    "vit": Spec("ViT-B/16", vision("vit_b_16"), quick=False),
    "minilm": Spec("MiniLM-L6 sizes, 128 tokens", lambda: Encoder(6, 384, 12, 1536), (1, 128), 30522),
    "bert": Spec("BERT-base sizes, 128 tokens", lambda: Encoder(12, 768, 12, 3072), (1, 128), 30522, quick=False),
    "gpt2": Spec("GPT-2 small sizes, one token, 128 cached", lambda: Decoder(12, 768, 12), (1, 1), 50257, quick=False, past=(24, (1, 12, 128, 64))),
    "resnet50-int8": Spec("ResNet-50 int8 (QDQ)", vision("resnet50"), quick=False, quantized=True),
    "lstm": Spec("2-layer LSTM 256, sequence 100", Recurrent, (1, 100, 256)),
}


def names(quick=False):
    return [name for name, spec in SPECS.items() if spec.quick or not quick]


def build(name):
    """The network and its inputs."""
    spec = SPECS[name]
    torch.manual_seed(SEED)
    model = spec.make().eval()
    x = torch.randint(spec.ids, spec.shape) if spec.ids else torch.randn(spec.shape)
    with torch.no_grad():
        fill_zeros(model)
        disturb(model, spec)
    return model, (x, *(torch.randn(spec.past[1]) for _ in range(spec.past[0] if spec.past else 0)))


def fill_zeros(model):
    """Gives random values to weights that start as zeros, such as the head of a ViT, lest the answer be zero."""
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            parameter.normal_(0, 0.02)


def disturb(model, spec):
    """Gives every BatchNorm random weights and statistics, such that its output is near 1 in size on random images.

    The variance is the second moment of what arrives. The true variance would be tiny in deep layers, where random weights
    make all images look alike, and dividing by it would turn rounding errors into answers.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    def prepare(norm, inputs):
        square = inputs[0].square().mean((0, 2, 3))
        norm.running_var.copy_(square * torch.empty_like(square).uniform_(0.8, 1.25))
        norm.running_mean.copy_(0.1 * square.sqrt() * torch.randn_like(square))
        norm.weight.uniform_(0.8, 1.25)
        norm.bias.normal_(0, 0.1)

    hooks = [norm.register_forward_pre_hook(prepare) for norm in norms]
    if hooks:
        model(torch.randn(4, *spec.shape[1:]))
    for hook in hooks:
        hook.remove()


def save(name, folder):
    """Writes NAME.npz and then NAME.onnx, which says that both are there; does nothing when it is."""
    path = folder / f"{name}.onnx"
    if path.exists():
        return path
    model, inputs = build(name)
    names = ["x"] + [f"past{i}" for i in range(len(inputs) - 1)]
    np.savez(folder / f"{name}.npz", **{n: x.numpy() for n, x in zip(names, inputs)})
    partial = folder / f"{name}.partial"
    export(model, inputs, partial, names, dynamic_axes={n: {2: "past"} for n in names[1:]})
    if SPECS[name].quantized:
        quantize(partial)
    os.replace(partial, path)
    return path


def export(model, inputs, path, names, **options):
    torch.backends.mha.set_fastpath_enabled(False)
    outputs = ["y"] + [n.replace("past", "present") for n in names[1:]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, inputs, str(path), dynamo=False, input_names=names, output_names=outputs, opset_version=17, **options)


class Images(quantization.CalibrationDataReader):
    """Random images, from which the ranges of activations are taken."""

    def __init__(self, count=4):
        generator = np.random.default_rng(SEED)
        self.images = iter([generator.standard_normal(IMAGE, dtype=np.float32) for _ in range(count)])

    def get_next(self):
        x = next(self.images, None)
        return None if x is None else {"x": x}


def quantize(path):
    """Replaces the model by one with unsigned 8-bit activations and signed 8-bit weights by channel, as Q/DQ pairs."""
    plain = path.with_name(path.name + ".plain")
    os.replace(path, plain)
    quantization.quantize_static(
        str(plain), str(path), Images(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)
    plain.unlink()


def save_training(folder):
    """Writes resnet18-train.onnx: a ResNet-18 for ten classes and images of 32x32, BatchNormalization as it is."""
    path = folder / "resnet18-train.onnx"
    if not path.exists():
        torch.manual_seed(SEED)
        model, partial = torchvision.models.resnet18(num_classes=10), folder / "resnet18-train.partial"
        export(model, (torch.randn(32, 3, 32, 32),), partial, ["x"], training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        os.replace(partial, path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--training", action="store_true", help="the model for training, and no other")
    arguments = parser.parse_args()
    chosen = arguments.names or names(arguments.quick)
    if arguments.list:
        print("\n".join(chosen))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.training:
        print(save_training(arguments.folder))
        return
    for name in chosen:
        print(save(name, arguments.folder), flush=True)


if __name__ == "__main__":
    main()
