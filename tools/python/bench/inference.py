"""Times inference of Gneiss and of ONNX Runtime in turn: python -m bench.inference --worker W --models DIR NAME...

For each model and number of threads both have a process of their own. First their outputs on the same input are compared;
a difference above the tolerance ends the program with status 1. Then they take turns of some tenths of a second, so that a
pair of turns lies within one second. While a pair runs, the CPU time that other processes take is counted, and the
quietest pairs are used; rows that others disturbed are taken again at the end, and the quietest is kept. All are chosen by
that count, never by their own times. --out gets one JSON line for each row.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from bench import machine, models

TOLERANCE = 2e-5  # of the reference's root mean square
WINOGRAD = 1e-4  # the same where 3x3 convolutions are transformed
PAUSE = 0.02  # seconds in which the spinning threads of the other runtime go to sleep


class Worker:
    """A process that times one model on request."""

    def __init__(self, command, outputs):
        self.outputs = outputs
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.answer()
        self.start_ms = 1e3 * (time.perf_counter() - start)  # from the start of the process to the first answer
        self.base = machine.status(self.process.pid, "VmRSS")
        machine.forget_peak(self.process.pid)
        start = time.perf_counter()
        self.first = self.ask("go")
        self.start_ms += 1e3 * (time.perf_counter() - start)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self.answer()

    def turn(self, milliseconds):
        """The median and the fastest run of a turn."""
        time.sleep(PAUSE)
        times = self.ask(f"time {milliseconds}")["times_ms"]
        return statistics.median(times), min(times)

    def open(self):
        time.sleep(PAUSE)
        return self.ask("open")["open_ms"]

    def memory(self):
        """The most memory since just before the model was opened, less what the process held then."""
        return machine.status(self.process.pid, "VmHWM") - self.base

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def difference(ours, reference):
    """The largest absolute difference and the reference's root mean square, of the output where their ratio is worst."""
    ours, reference = dict(np.load(ours)), dict(np.load(reference))
    if sorted(ours) != sorted(reference):
        raise SystemExit(f"outputs {sorted(ours)}, expected {sorted(reference)}")
    worst, scale = 0.0, 0.0
    for name, want in reference.items():
        got = ours[name]
        if got.shape != want.shape or got.dtype != want.dtype:
            raise SystemExit(f"{name}: {got.dtype} {got.shape}, expected {want.dtype} {want.shape}")
        off = float(np.max(np.abs(got.astype(np.float64) - want)))
        rms = float(np.sqrt(np.mean(np.square(want, dtype=np.float64))))
        if not rms > 0:
            raise SystemExit(f"{name}: the reference is {rms} everywhere, which proves nothing")
        if scale == 0 or not off * scale <= worst * rms:
            worst, scale = off, rms
    return worst, scale


def tolerance(name):
    return WINOGRAD if models.SPECS[name].winograd else TOLERANCE


def agrees(name, worst, scale, out):
    """Whether the outputs are near enough; int8 may differ by one step of the result, with the same top class."""
    if not models.SPECS[name].quantized:
        return worst <= tolerance(name) * scale
    ours, reference = (np.load(path)["y"] for path in out)
    steps = np.diff(np.unique(reference))
    return bool(worst <= 1.01 * steps.min() and (ours.argmax(-1) == reference.argmax(-1)).all())


def pair(ours, theirs, milliseconds, swapped):
    """One turn each; the last item is how many CPUs other processes kept busy meanwhile."""
    pids = [ours.process.pid, theirs.process.pid, os.getpid()]
    start, busy, used = time.perf_counter(), machine.busy(), sum(map(machine.used, pids))
    if swapped:
        b, a = theirs.turn(milliseconds), ours.turn(milliseconds)
    else:
        a, b = ours.turn(milliseconds), theirs.turn(milliseconds)
    others = machine.busy() - busy - (sum(map(machine.used, pids)) - used)
    return a, b, max(others, 0) / (time.perf_counter() - start)


def pairs(ours, theirs, arguments):
    """The quietest pairs of up to three times as many as are wanted, or of those that the time allows, at least three."""
    got, end = [], time.monotonic() + arguments.seconds
    while len(got) < 3 * arguments.pairs and sum(p[2] < arguments.quiet for p in got) < arguments.pairs:
        if len(got) >= 3 and time.monotonic() > end:
            break
        got.append(pair(ours, theirs, arguments.milliseconds, len(got) % 2 == 1))
    return sorted(got, key=lambda p: p[2])[:arguments.pairs]


def row(name, threads, arguments, folder):
    model, feeds = arguments.models / f"{name}.onnx", arguments.models / f"{name}.npz"
    model.read_bytes()  # so that both find it in memory
    out = [folder / "ours.npz", folder / "reference.npz"]
    here = pathlib.Path(__file__).parent
    theirs = Worker([sys.executable, here / "ort_worker.py", model, str(threads), feeds, out[1]], out[1])
    ours = Worker([arguments.worker, model, str(threads), feeds, out[0]], out[0])
    worst, scale = difference(*out)
    result = {
        "model": name, "title": models.SPECS[name].title, "threads": threads, "max_abs": worst, "rms": scale,
        "agrees": agrees(name, worst, scale, out), "tolerance": tolerance(name), "reference": f"ONNX Runtime {theirs.ready['version']}",
    }
    if result["agrees"]:
        machine.wait_quiet(arguments.quiet, arguments.wait)
        result |= times(ours, theirs, arguments)
    ours.close()
    theirs.close()
    return result


def times(ours, theirs, arguments):
    turns, their_turns, others = zip(*pairs(ours, theirs, arguments))
    (a, best), (b, their_best) = zip(*turns), zip(*their_turns)
    ratios = sorted(y / x for x, y in zip(a, b))
    memory = [ours.memory(), theirs.memory()]
    starts = [ours.start_ms, theirs.start_ms]
    opened = [[ours.first["open_ms"]], [theirs.first["open_ms"]]]
    for _ in range(arguments.opens):
        opened[0].append(ours.open())
        opened[1].append(theirs.open())
    quarter = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return {
        "ours_ms": statistics.median(a), "reference_ms": statistics.median(b),
        "ratio": statistics.median(b) / statistics.median(a), "quartiles": quarter, "pairs": len(a),
        "fastest_ms": [min(best), min(their_best)],
        "others_cpus": statistics.mean(others), "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "memory_bytes": memory, "open_ms": [statistics.median(v) for v in opened], "start_ms": starts,
    }


def report(r):
    """One line for a person."""
    head = f"{r['title']}, {r['threads']} threads: max difference {r['max_abs']:.2e} = {r['max_abs'] / r['rms']:.2e} x RMS"
    if not r["agrees"]:
        return f"{head}: ABOVE {r['tolerance']:g} x RMS, WRONG"
    return (f"{head}; {r['ours_ms']:.3f} ms against {r['reference_ms']:.3f} ms, ratio {r['ratio']:.2f} "
            f"[{r['quartiles'][0]:.2f}, {r['quartiles'][2]:.2f}], fastest runs {r['fastest_ms'][1] / r['fastest_ms'][0]:.2f}, others kept {r['others_cpus']:.2f} CPUs busy")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", required=True, help="the program that tools/bench builds to")
    parser.add_argument("--models", required=True, type=pathlib.Path)
    parser.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], default=[1, 2])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--milliseconds", type=int, default=300, help="of a turn")
    parser.add_argument("--seconds", type=float, default=60, help="after which a row gets no more pairs")
    parser.add_argument("--opens", type=int, default=3, help="times that each opens the model again")
    parser.add_argument("--quiet", type=float, default=0.05, help="CPUs that others may keep busy in a quiet pair")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for others to be quiet before a row")
    parser.add_argument("--repeats", type=int, default=2, help="times that rows disturbed by others are taken again")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    results = {(name, threads): None for name in arguments.names for threads in arguments.threads}
    for _ in range(1 + arguments.repeats):
        for name, threads in [k for k, r in results.items() if disturbed(r, arguments.quiet)]:
            with tempfile.TemporaryDirectory() as folder:
                r = row(name, threads, arguments, pathlib.Path(folder))
            print(report(r), flush=True)
            results[name, threads] = better(results[name, threads], r)
            arguments.out.write_text("".join(json.dumps(r) + "\n" for r in results.values() if r))
    sys.exit(any(not r["agrees"] for r in results.values()))


def disturbed(r, quiet):
    """Whether a row is still to be taken, or to be taken again."""
    return r is None or r["agrees"] and r["others_cpus"] > quiet


def better(old, new):
    """The row to keep: a wrong answer always, else the one that others disturbed less."""
    if old is None or not new["agrees"]:
        return new
    return min(old, new, key=lambda r: r["others_cpus"])


if __name__ == "__main__":
    main()
