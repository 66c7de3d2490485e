"""Images a second of PyTorch in training: python -m bench.train_torch --threads 2 [--channels-last] [--compiled] [--resnet18].

The seed network with batch 64, Adam, dropout; or ResNet-18 on 32x32 pixels with batch 32, SGD with momentum. Random data in
memory, cross-entropy on logits; one JSON line. The first steps warm up and are not counted.
"""

import argparse
import json
import time

import torch
import torchvision
from torch import nn

from zoo import torch_nets

WARM = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resnet18", action="store_true")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compiled", action="store_true", help="forward and backward through torch.compile, which needs a C++ compiler")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if arguments.channels_last else torch.contiguous_format
    batch, shape = (32, (3, 32, 32)) if arguments.resnet18 else (64, (1, 28, 28))
    model = torchvision.models.resnet18(num_classes=10) if arguments.resnet18 else torch_nets.build("seed", 1, softmax=False)
    model = model.train().to(memory_format=layout)
    run = torch.compile(model) if arguments.compiled else model
    images = torch.rand(batch, *shape).to(memory_format=layout)
    labels = torch.randint(10, (batch,))
    sgd = arguments.resnet18
    update = torch.optim.SGD(model.parameters(), 0.01, 0.9) if sgd else torch.optim.Adam(model.parameters())
    compute = nn.CrossEntropyLoss()
    for step in range(WARM + arguments.steps):
        if step == WARM:
            start = time.perf_counter()
        update.zero_grad()
        loss = compute(run(images), labels)
        loss.backward()
        update.step()
    seconds = time.perf_counter() - start
    print(json.dumps({
        "framework": "torch", "version": torch.__version__, "layout": "nhwc" if arguments.channels_last else "nchw", "compiled": arguments.compiled,
        "threads": arguments.threads, "batch": batch, "steps": arguments.steps,
        "images_per_second": round(batch * arguments.steps / seconds, 1), "loss": round(loss.item(), 6),
    }))


if __name__ == "__main__":
    main()
