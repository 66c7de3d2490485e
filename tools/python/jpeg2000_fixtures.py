"""Writes small JPEG 2000 files with the checksum of their pixels as Pillow decodes them: python jpeg2000_fixtures.py [FILE].

The default FILE is internal/kernel/jpeg2000/testdata/files.json. Pillow's own encoder makes most of them; styles of code-blocks
and regions of interest, which it has no options for, are set in the OpenJPEG library that Pillow brings along.
"""

import base64
import ctypes
import io
import json
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

rng = np.random.default_rng(7)


def picture(w, h, channels=3):
    """A smooth gradient with noise and an edge."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [128 + 90 * np.sin(x / (5 + c)) * np.cos(y / (7 - c)) + rng.normal(0, 9, (h, w)) + 40 * (x > w // 2) for c in range(channels)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


cases = []


def add(name, data, exact=True):
    with Image.open(io.BytesIO(data)) as im:
        pixels = np.asarray(im.convert("RGB"))
    case = {"name": name, "width": pixels.shape[1], "height": pixels.shape[0], "file": base64.b64encode(data).decode()}
    if exact:
        case["crc32"] = zlib.crc32(pixels.tobytes())
    else:
        case["pixels"] = base64.b64encode(pixels.tobytes()).decode()
    cases.append(case)


def pillow(name, pixels, exact=True, **options):
    out = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[-1] != 1 else pixels[..., 0])
    image.save(out, format="JPEG2000", **options)
    add(name, out.getvalue(), exact)


pillow("plain", picture(33, 21))
pillow("grey", picture(16, 40, 1))
pillow("alpha", picture(9, 9, 4))
pillow("one", picture(1, 1))
pillow("line", picture(37, 1))
pillow("column", picture(1, 23))
pillow("codestream", picture(20, 20), no_jp2=True)
pillow("mixed", picture(28, 22), mct=1)
pillow("tiles", picture(35, 27), tile_size=(16, 16))
pillow("offset", picture(38, 27), tile_size=(20, 16), tile_offset=(3, 2), offset=(5, 7))
pillow("blocks", picture(40, 32), codeblock_size=(8, 4), num_resolutions=3)
pillow("no_wavelet", picture(24, 24), num_resolutions=1)
for order in ["LRCP", "RLCP", "RPCL", "PCRL", "CPRL"]:
    pillow(f"order_{order}", picture(36, 28), progression=order, precinct_size=(16, 16), codeblock_size=(8, 8), num_resolutions=3,
           quality_mode="rates", quality_layers=[20, 8, 3])
pillow("irreversible", picture(28, 22), exact=False, irreversible=True, quality_mode="rates", quality_layers=[4])
pillow("irreversible_mixed", picture(27, 23), exact=False, irreversible=True, mct=1, quality_mode="dB", quality_layers=[30, 45])
pillow("lossy_reversible", picture(28, 22), quality_mode="rates", quality_layers=[12])


class Comp(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint32) for n in ("dx", "dy", "w", "h", "x0", "y0", "prec", "bpp", "sgnd")]


def openjpeg(name, pixels, mode=0, shift=0):
    """Encodes by the library's own functions, with a style of code-blocks and a region of interest that is the first component."""
    root = Path(PIL.__file__).parent.parent / "pillow.libs"
    lib = ctypes.CDLL(str(next(root.glob("libopenjp2*"))))
    for f in ("opj_image_create", "opj_create_compress", "opj_stream_create_default_file_stream"):
        getattr(lib, f).restype = ctypes.c_void_p
    params = (ctypes.c_int32 * 8192)()
    lib.opj_set_default_encoder_parameters(ctypes.byref(params))
    at = next(i for i in range(1, len(params)) if list(params[i - 1 : i + 2]) == [6, 64, 64])  # resolutions, width and height of blocks
    params[at - 1], params[at], params[at + 1], params[at + 2] = 3, 16, 16, mode
    if shift:
        params[at + 4], params[at + 5] = 0, shift
    # One layer of rate 0, which is lossless: tcp_numlayers stands before 2 x 100 rates, cp_disto_alloc is the sixth field.
    params[at - 202], params[5] = 1, 1
    h, w, n = pixels.shape
    comps = (Comp * n)(*[Comp(1, 1, w, h, 0, 0, 8, 8, 0) for _ in range(n)])
    image = ctypes.c_void_p(lib.opj_image_create(n, comps, 1))
    head = ctypes.cast(image, ctypes.POINTER(ctypes.c_uint32))
    head[0], head[1], head[2], head[3] = 0, 0, w, h

    class Full(ctypes.Structure):
        _fields_ = [*Comp._fields_, ("resno", ctypes.c_uint32), ("factor", ctypes.c_uint32), ("data", ctypes.POINTER(ctypes.c_int32)), ("alpha", ctypes.c_uint16)]

    class Head(ctypes.Structure):
        _fields_ = [("x0", ctypes.c_uint32), ("y0", ctypes.c_uint32), ("x1", ctypes.c_uint32), ("y1", ctypes.c_uint32), ("n", ctypes.c_uint32),
                    ("space", ctypes.c_int), ("comps", ctypes.POINTER(Full))]

    full = ctypes.cast(image, ctypes.POINTER(Head)).contents
    for c in range(n):
        for i, v in enumerate(pixels[..., c].ravel()):
            full.comps[c].data[i] = int(v)
    codec = ctypes.c_void_p(lib.opj_create_compress(0))
    assert lib.opj_setup_encoder(codec, ctypes.byref(params), image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.j2k"
        stream = ctypes.c_void_p(lib.opj_stream_create_default_file_stream(str(path).encode(), 0))
        assert lib.opj_start_compress(codec, image, stream) and lib.opj_encode(codec, stream) and lib.opj_end_compress(codec, stream)
        lib.opj_stream_destroy(stream)
        add(name, path.read_bytes())


for bit, style in enumerate(["bypass", "reset", "terminate", "causal", "predictable", "symbols"]):
    openjpeg(style, picture(24, 21), 1 << bit)
openjpeg("bypass_terminate", picture(24, 21), 1 | 4)
openjpeg("all_styles", picture(24, 21), 63)
openjpeg("region", picture(24, 21), 0, 9)

path = Path(sys.argv[1] if len(sys.argv) > 1 else "internal/kernel/jpeg2000/testdata/files.json")
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps({"pillow": PIL.__version__, "openjpeg": features.version("jpg_2000"), "cases": cases}, indent=1) + "\n")
