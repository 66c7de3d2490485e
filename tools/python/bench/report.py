"""Writes BENCHMARKS.md from the results of a run: python -m bench.report FOLDER BENCHMARKS.md FACT...

FOLDER has inference.jsonl, training.jsonl and profile/NAME.txt, each of them optional. A FACT is a line about the machine or a
version, which the caller knows.
"""

import json
import os
import pathlib
import re
import sys
import time

from bench import machine, models

QUIET = 0.05  # CPUs: rows above it are marked
SHOWN = 5  # per cent of a model's time from which on an operator is listed

# What we aim for with two threads: the other's time divided by ours, floor and aim.
GOALS = {
    "seed-1": (1.2, 2), "seed-64": (1.2, 1.6), "resnet18": (1.4, 1.8), "resnet50": (1.15, 1.35), "mobilenetv2": (1.1, 1.4),
    "efficientnetb0": (1.1, 1.5), "vgg11": (1.4, 2), "squeezenet": (1.2, 1.6), "convnext": (1, 1.2), "vit": (0.95, 1.1),
    "minilm": (0.95, 1.15), "bert": (0.95, 1.15), "lstm": (1.1, 2), "gpt2": (1, 1.4), "resnet50-int8": (0.9, 1.2),
}
# Networks of the training table: what is trained, and the goals.
NETWORKS = {
    "seed": ("the seed CNN, batch 64, Adam, dropout on", "1.5, the aim 3"),
    "resnet18": ("ResNet-18 on images of 32x32, batch 32, SGD with momentum", "1.0, the aim 1.5"),
}

HEAD = """# Benchmarks

Made by `make bench`; nothing here is written by hand. {date}.

{machine}

**How.** Gneiss and ONNX Runtime each have a process, the same model file, input and number of threads, and take turns: a turn is
some tenths of a second of runs on bound inputs and outputs, its median counts, and a pair of turns lies within one second. The
table has the medians of up to {pairs} pairs, the ratio of those medians (above 1: Gneiss is faster), and in brackets the quartiles of the
pairs' own ratios. ONNX Runtime has all its optimisations, one inter-op thread and its own spinning. Weights and inputs are random
from a seed, batch 1 unless said, 224x224 pixels for the torchvision models; the encoders and the decoder have the sizes of the
models they are named for, not their code. Before any timing the outputs are compared: the largest difference must be within 2e-5 of
the root mean square of ONNX Runtime's, 1e-4 where Winograd's transform may be used for 3x3 convolutions, and for int8 within one step
of the output with the same top class, or the run fails.

**Noise.** While a pair runs, the CPU time that other processes and guests take is counted; up to three times as many pairs are run
and the quietest are used, and a row that was disturbed may be taken again. "others" is how many CPUs those others still kept busy
in the used pairs. Rows with more than {quiet} are marked `~`: there the machine was shared, the milliseconds are too long for both,
two threads suffer more than one, and neither the ratio nor reaching a goal proves anything. "fastest" is the ratio of the fastest
single runs, which noise disturbs least.
"""


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows])


def number(x):
    return f"{x:.3f}" if x < 1 else f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:.0f}"


def noisy(r):
    return r["others_cpus"] > QUIET


def others(r):
    return ("~ " if noisy(r) else "") + f"{r['others_cpus']:.2f}"


def inference(rows):
    lines = []
    for r in rows:
        if not r["agrees"]:
            lines.append([r["title"], str(r["threads"]), "**wrong answer**", "", "", "", "", f"{r['max_abs'] / r['rms']:.1e}", ""])
            continue
        goal, bold = GOALS.get(r["model"]), "" if noisy(r) else "**"
        lines.append([
            r["title"], str(r["threads"]), number(r["ours_ms"]), number(r["reference_ms"]),
            f"{bold}{r['ratio']:.2f}{bold} [{r['quartiles'][0]:.2f}, {r['quartiles'][2]:.2f}]", f"{r['fastest_ms'][1] / r['fastest_ms'][0]:.2f}",
            f"{goal[0]:g} / {goal[1]:g}" if goal and r["threads"] == 2 else "",
            f"{r['max_abs'] / r['rms']:.1e}", others(r),
        ])
    head = ["model", "threads", "Gneiss, ms", "ONNX Runtime, ms", "ratio", "fastest", "goal: floor / aim", "difference / RMS", "others, CPUs"]
    return "## Inference\n\n" + table(head, lines)


def footprint(rows):
    lines = []
    for r in rows:
        if r["agrees"]:
            m, o, s = [b / 2**20 for b in r["memory_bytes"]], r["open_ms"], r["start_ms"]
            lines.append([r["title"], str(r["threads"]), number(o[0]), number(o[1]), number(o[0] / o[1]), number(s[0]), number(s[1]),
                          number(s[0] / s[1]), number(m[0]), number(m[1]), number(m[0] / m[1])])
    head = ["model", "threads", "Gneiss opens, ms", "ONNX Runtime opens, ms", "times theirs", "Gneiss's first answer, ms",
            "ONNX Runtime's first answer, ms", "times theirs", "Gneiss's peak, MiB", "ONNX Runtime's peak, MiB", "times theirs"]
    return ("## Opening, first answer and memory\n\nOpening a session from the file, the file being in the system's cache: medians. Gneiss "
            "leaves weights in the file until the first\nrun. The first answer is counted once from the start of the process, for ONNX "
            "Runtime with its Python, until the outputs of the first\nrun are written. Memory is the most that the process held from just "
            "before the first opening until the last timed run, less what it held\nbefore; it includes reading the model, and what Go's "
            "collector has not yet returned. The goal for all three is at most 1.0 times theirs.\n\n" + table(head, lines))


def training(rows):
    return "## Training\n\n" + "\n\n".join(trained(n, [r for r in rows if r["network"] == n]) for n in dict.fromkeys(r["network"] for r in rows))


def trained(network, rows):
    best = {}
    for r in rows:
        if r["contender"] != "Gneiss":
            best[r["threads"]] = max(best.get(r["threads"], 0), r["images_per_second"])
    lines = []
    for r in rows:
        bold = "" if noisy(r) else "**"
        ratio = f"{bold}{r['images_per_second'] / best[r['threads']]:.2f}{bold}" if r["contender"] == "Gneiss" else ""
        lines.append([r["contender"], str(r["threads"]), f"{r['images_per_second']:.0f}", ratio,
                      others(r)])
    head = ["", "threads", "images/s", "to the best of the others", "others, CPUs"]
    rounds = max(r["rounds"] for r in rows)
    what, goal = NETWORKS[network]
    return (f"{what[0].upper()}{what[1:]}, data in memory; processes one after the other, median of {rounds} "
            f"round{'s' if rounds > 1 else ''}. The goal with two threads is {goal}.\n\n" + table(head, lines))


def profiles(rows, folder):
    """The operators that take most of the time, for models below their floor and those that were too disturbed to say."""
    below = {r["model"] for r in rows if r["agrees"] and (noisy(r) or r["ratio"] < floor(r))}
    text = []
    for name in dict.fromkeys(r["model"] for r in rows if r["model"] in below):
        path = folder / f"{name}.txt"
        if path.exists():
            text += operators(models.SPECS[name].title, path.read_text())
    if not text:
        return ""
    head = ["model", "operator", "nodes", "ms", "% of time", "GFLOP/s", "% of peak"]
    return ("## Where the time goes\n\nModels below their floor, or too disturbed to say: operators that take at least "
            f"{SHOWN} % of the time\nwith one thread, from `gneiss profile`. Peak is what a large matrix product reached just before; "
            "the profile was taken once,\nwhatever others did.\n\n" + table(head, text))


def floor(r):
    """The ratio that a row must reach: with one thread 0.95 of that with two."""
    return GOALS.get(r["model"], (1, 1))[0] * (1 if r["threads"] > 1 else 0.95)


def operators(title, text):
    rows = []
    for line in text.rpartition("\noperator")[2].splitlines()[1:]:
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) == 7 and float(cells[3]) >= SHOWN:
            rows.append([title, *cells[:6]])
    return rows


def main():
    folder, target, facts = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    rows, train = read(folder / "inference.jsonl"), read(folder / "training.jsonl")
    processor, features = machine.processor()
    facts = [f"{processor}, {os.cpu_count()} CPUs, {machine.memory_gib():.0f} GiB; {' '.join(features)}"] + facts
    parts = [HEAD.format(
        date=time.strftime("%Y-%m-%d", time.gmtime()), machine="\n".join(f"- {f}" for f in facts), quiet=QUIET,
        pairs=max((r.get("pairs", 0) for r in rows), default=0),
    ).strip()]
    if rows:
        parts += [inference(rows), footprint(rows)]
    if train:
        parts.append(training(train))
    parts.append(profiles(rows, folder / "profile"))
    text = "\n\n".join(p for p in parts if p) + "\n"
    partial = target.with_name(target.name + ".partial")
    partial.write_text(text)
    os.replace(partial, target)
    print(text)


if __name__ == "__main__":
    main()
