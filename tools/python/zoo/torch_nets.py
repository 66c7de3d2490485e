"""The reference networks in PyTorch, NCHW."""

import torch
from torch import nn
from torch.nn import functional as F

from zoo import weights


class SeedCNN(nn.Module):
    """The seed network of the project: two convolutions, two dense layers, softmax."""

    def __init__(self, filters=(32, 64), units=128, flat=1600, softmax=True):
        super().__init__()
        self.conv1 = nn.Conv2d(1, filters[0], 3)
        self.conv2 = nn.Conv2d(filters[0], filters[1], 3)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(flat, units)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(units, 10)
        self.softmax = softmax

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.drop(F.relu(self.fc1(torch.flatten(x, 1))))
        x = self.fc2(x)
        return F.softmax(x, 1) if self.softmax else x


class MLP(nn.Module):
    """784-16-10 on flattened images."""

    def __init__(self, softmax=True):
        super().__init__()
        self.fc1 = nn.Linear(784, 16)
        self.fc2 = nn.Linear(16, 10)
        self.softmax = softmax

    def forward(self, x):
        x = self.fc2(F.relu(self.fc1(x)))
        return F.softmax(x, 1) if self.softmax else x


class BatchNormCNN(nn.Module):
    """Conv, BatchNorm, ReLU, pool, twice; the convolutions carry a bias only to test that its gradient is noise."""

    def __init__(self, bias=False, softmax=True):
        super().__init__()
        self.softmax = softmax
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(12)
        self.pool1 = nn.MaxPool2d(2)
        self.pool2 = nn.AvgPool2d(2)
        self.fc = nn.Linear(12, 10)

    def forward(self, x):
        x = self.pool1(F.relu(self.bn1(self.conv1(x))))
        x = self.pool2(F.relu(self.bn2(self.conv2(x))))
        x = self.fc(x.mean((2, 3)))
        return F.log_softmax(x, 1) if self.softmax else x


class LSTMClassifier(nn.Module):
    """Sequences (N, 7, 8): one LSTM, its last step classified."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(8, 16, batch_first=True)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        steps, _ = self.rnn(x)
        return F.softmax(self.fc(steps[:, -1]), 1)


class GRUClassifier(nn.Module):
    """Sequences (N, 7, 8): a bidirectional GRU, both last states classified."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(8, 12, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        _, last = self.rnn(x)
        return F.softmax(self.fc(torch.cat([last[0], last[1]], 1)), 1)


class TransformerClassifier(nn.Module):
    """Token ids (N, 6): embedding, positions, one encoder layer of two heads, mean, softmax."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.position = nn.Parameter(torch.zeros(6, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
        self.fc = nn.Linear(16, 5)

    def forward(self, ids):
        x = self.encoder(self.embed(ids) + self.position)
        return F.softmax(self.fc(x.mean(1)), 1)


NETS = {
    "seed": SeedCNN,
    "mlp": MLP,
    "cnn": lambda softmax=True: SeedCNN((8, 16), 14, 64, softmax),
    "bncnn": BatchNormCNN,
    "bncnn-bias": lambda softmax=True: BatchNormCNN(True, softmax),
    "lstm": LSTMClassifier,
    "gru": GRUClassifier,
    "transformer": TransformerClassifier,
}


def build(net, seed, params=None, **options):
    """Returns the net in evaluation mode with seeded weights, or with the given ones."""
    model = NETS[net](**options).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            array = params[name] if params else weights.fill(seed, f"{net}.{name}", tuple(tensor.shape))
            tensor.copy_(torch.from_numpy(array))
    return model
