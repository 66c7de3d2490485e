"""Compares Gneiss's codecs with those of the onnx package: python roundtrip.py [DIR].

For each model of the official suite, of the fixtures and of testdata/models (or of DIR) it has the Go program decode, encode
and print it, and checks that
  binary  what Go encoded is equal, as onnx messages are compared;
  print   onnx.parser reads what Go printed, and onnx.printer prints it as it prints the model;
  parse   Go reads what onnx.printer prints, and onnx.printer prints it alike.
Texts that onnx.printer cannot print whole ("...") or that onnx.parser cannot read back are counted apart.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
from onnx import parser, printer

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")


def models():
    from onnx.backend.test.loader import load_model_tests

    for kind in KINDS:
        for case in load_model_tests(kind=kind):
            if case.model is not None:
                yield f"{kind}-{case.name}", case.model.SerializeToString()
            elif case.model_dir and (Path(case.model_dir) / "model.onnx").exists():
                yield f"{kind}-{case.name}", (Path(case.model_dir) / "model.onnx").read_bytes()
    for path in [*ROOT.glob("onnx/testdata/*.onnx"), *ROOT.glob("testdata/models/*/*.onnx")]:
        yield "-".join(path.parts[-2:]), path.read_bytes()


def readable(text):
    try:
        return parser.parse_model(text)
    except (parser.ParseError, UnicodeDecodeError):
        return None


def theirs(model):
    """The text that onnx.printer gives, if onnx can read it back."""
    try:
        text = printer.to_text(model)
    except UnicodeDecodeError:
        return None
    again = readable(text)
    return text if again is not None and printer.to_text(again) == text else None


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("*.onnx")):
        for name, data in models():
            (folder / f"{name}.onnx").write_bytes(data)
    files = sorted(folder.glob("*.onnx"))
    texts = {}
    for f in files:
        texts[f] = theirs(onnx.load_from_string(f.read_bytes()))
        if texts[f] is not None:
            Path(f"{f}.theirs").write_text(texts[f])
    command = ["go", "test", "-count=1", "-run", "TestRoundTripFolder", "./onnx"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "GNEISS_ROUNDTRIP": str(folder)})
    wrong, compared, apart = [], 0, 0
    for f in files:
        model = onnx.load_from_string(f.read_bytes())
        if onnx.load_from_string(Path(f"{f}.again").read_bytes()) != model:
            wrong.append(f"binary {f.name}")
        if texts[f] is None:
            apart += 1
            continue
        compared += 1
        ours = readable(Path(f"{f}.txt").read_text())
        if ours is None or printer.to_text(ours) != texts[f]:
            wrong.append(f"print {f.name}")
        parsed = Path(f"{f}.parsed")
        if not parsed.exists() or printer.to_text(onnx.load_from_string(parsed.read_bytes())) != texts[f]:
            wrong.append(f"parse {f.name}")
    print(*wrong, sep="\n")
    print(f"{len(files)} models compared as messages, {compared} as texts ({apart} that onnx cannot read back itself), {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
