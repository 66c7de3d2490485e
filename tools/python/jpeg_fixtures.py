"""Writes small JPEG files with the checksum of their pixels as Pillow decodes them: python jpeg_fixtures.py [FILE].

The default FILE is internal/kernel/jpeg/testdata/files.json.
"""

import base64
import io
import json
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

rng = np.random.default_rng(3)
cases = []


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(x / (3 + i) + i) * np.cos(y / (5 - i)) for i in range(3)]
    noise = rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8))


def case(name, width, height, mode="RGB", **options):
    data = io.BytesIO()
    picture(width, height).convert(mode).save(data, "JPEG", **options)
    pixels = np.array(Image.open(io.BytesIO(data.getvalue())).convert("RGB"))
    cases.append({"name": name, "width": width, "height": height, "file": base64.b64encode(data.getvalue()).decode(), "crc32": zlib.crc32(pixels.tobytes())})


for sampling in ["4:4:4", "4:2:2", "4:2:0"]:
    for progressive in [False, True]:
        kind = "progressive" if progressive else "baseline"
        case(f"{kind} {sampling}", 37, 29, subsampling=sampling, quality=85, progressive=progressive)
case("grey", 21, 17, mode="L")
case("grey progressive", 21, 17, mode="L", progressive=True, quality=95)
case("restarts", 50, 33, restart_marker_blocks=2)
case("restarts progressive", 50, 33, restart_marker_blocks=3, progressive=True)
case("low quality", 40, 40, quality=3)
case("high quality", 40, 40, quality=100)
case("optimised", 33, 40, optimize=True)
case("one pixel", 1, 1)
case("narrow", 2, 9)
case("four wide", 4, 3)
case("low", 9, 1)
case("colours without transform", 19, 23, keep_rgb=True)

path = Path(sys.argv[1] if len(sys.argv) > 1 else "internal/kernel/jpeg/testdata/files.json")
path.write_text(json.dumps({"pillow": PIL.__version__, "libjpeg_turbo": features.version("libjpeg_turbo"), "cases": cases}, indent=1) + "\n")
