"""Numbers from a seed that no framework's generator can change.

Only Generator.random is used, whose stream numpy keeps; normal and choice have changed between its releases.
"""

import zlib

import numpy as np


def generator(seed, name):
    """Returns the stream of one named array, so that adding an array shifts no other."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def uniform(seed, name, shape, limit):
    """Returns float32 numbers from [-limit, limit)."""
    return ((generator(seed, name).random(shape) * 2 - 1) * limit).astype(np.float32)


def quantised(seed, name, shape, limit, step):
    """Returns float32 multiples of step within limit, which compress well where training leaves them alone."""
    levels = int(limit / step)
    draw = np.floor(generator(seed, name).random(shape) * (2 * levels + 1)) - levels
    return (draw * step).astype(np.float32)


def lit(seed, name, height, width, active):
    """Returns which pixel positions of the images of this name ever light up."""
    return generator(seed, name + ".lit").random((height, width)) < active


def images(seed, name, count, height, width, active=1.0):
    """Returns sparse grey images (count, 1, height, width) of sixteenths.

    Only a share `active` of the pixel positions ever lights up, as in scanned digits, whose borders stay dark;
    about half of those are lit in any one image.
    """
    draw = generator(seed, name).random((count, 1, height, width))
    shade = np.floor(np.clip(draw * 2 - 1, 0, None) * 17) / 16
    return (shade * lit(seed, name, height, width, active)).astype(np.float32)


def labels(seed, name, count, classes):
    return np.floor(generator(seed, name).random(count) * classes).astype(np.int64)
