"""The inputs of the forward cases, channels first; both frameworks get the same numbers."""

from gneiss_ref import seeds

SEED = 1
SIZES = {"seed": 28, "mlp": 28, "bncnn": 12}


def feed(net, batch):
    """Returns the input array of a net."""
    if net in SIZES:
        pictures = seeds.images(SEED, net + ".input", batch, SIZES[net], SIZES[net])
        return pictures.reshape(batch, -1) if net == "mlp" else pictures
    if net == "transformer":
        return seeds.labels(SEED, "transformer.input", batch * 6, 20).reshape(batch, 6)
    return seeds.uniform(SEED, net + ".input", (batch, 7, 8), 1)
