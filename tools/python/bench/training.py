"""Training throughput of Gneiss, PyTorch and Keras, in turn: python -m bench.training --train-test T --worker W --resnet18 M.

T is the test program of package train (go test -c), whose benchmark is one training step of the seed network; W the program
that tools/bench builds to, and M the ResNet-18 that both it and PyTorch train. Every contender runs in a process of its own, one
after the other, some rounds long. One JSON line for each contender and number of threads, with the median of the rounds, is
appended to --out.
"""

import argparse
import json
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

from bench import machine

HERE = pathlib.Path(__file__).parent.parent


def gneiss(arguments, threads):
    out = subprocess.run(
        [arguments.train_test, "-test.run", "^$", "-test.bench", f"^BenchmarkTrain$/^threads={threads}$", "-test.benchtime",
         f"{arguments.seconds}s"], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d.]+) images/s", out)[1])


def framework(python, module, *flags, share=1):
    """Runs a script that prints one line of JSON, for one in so many steps."""
    def run(arguments, threads):
        out = subprocess.run(
            [python(arguments), "-m", module, "--threads", str(threads), "--steps", str(arguments.steps // share), *flags],
            check=True, capture_output=True, text=True, cwd=HERE).stdout
        return json.loads(out.strip().splitlines()[-1])["images_per_second"]
    return run


def gneiss_resnet18(arguments, threads):
    out = subprocess.run(
        [arguments.worker, "train", arguments.resnet18, str(threads), str(arguments.steps // 5), "32,3,32,32", "10"],
        check=True, capture_output=True, text=True).stdout
    return json.loads(out)["images_per_second"]


def own(_):
    return sys.executable


RESNET18 = {
    "Gneiss": gneiss_resnet18,
    "PyTorch": framework(own, "bench.train_torch", "--resnet18", share=5),
    "PyTorch, channels last": framework(own, "bench.train_torch", "--resnet18", "--channels-last", share=5),
}
CONTENDERS = {
    "Gneiss": gneiss,
    "PyTorch": framework(own, "bench.train_torch"),
    "PyTorch, channels last": framework(own, "bench.train_torch", "--channels-last"),
    "PyTorch, compiled": framework(own, "bench.train_torch", "--compiled"),
    "Keras (TensorFlow)": framework(lambda a: a.keras_python, "bench.train_keras"),
}


def measured(contender, arguments, threads):
    """Images a second, and how many CPUs other processes kept busy meanwhile, start of the process included."""
    machine.wait_quiet(arguments.quiet, arguments.wait)
    start, busy, used = time.perf_counter(), machine.busy(), children()
    speed = contender(arguments, threads)
    others = machine.busy() - busy - (children() - used)
    return speed, max(others, 0) / (time.perf_counter() - start)


def children():
    """CPU seconds of this program's children that have ended."""
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-test", required=True)
    parser.add_argument("--keras-python", required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--resnet18", required=True)
    parser.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of Gneiss's turn")
    parser.add_argument("--steps", type=int, default=200, help="of a framework's turn")
    parser.add_argument("--quiet", type=float, default=0.05)
    parser.add_argument("--wait", type=float, default=60)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.train_test = str(pathlib.Path(arguments.train_test).resolve())
    contenders = dict(CONTENDERS)
    if not shutil.which("g++"):
        print("PyTorch, compiled: left out, g++ is missing", flush=True)
        del contenders["PyTorch, compiled"]
    for network, group in {"seed": contenders, "resnet18": RESNET18}.items():
        for threads in arguments.threads:
            compete(network, group, threads, arguments)


def compete(network, contenders, threads, arguments):
    """Rounds of all contenders, and a line for each."""
    results = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, contender in contenders.items():
            results[name].append(measured(contender, arguments, threads))
    for name, got in results.items():
        speed, others = statistics.median(g[0] for g in got), statistics.mean(g[1] for g in got)
        line = {"network": network, "contender": name, "threads": threads, "images_per_second": speed, "rounds": len(got), "others_cpus": others}
        with arguments.out.open("a") as f:
            f.write(json.dumps(line) + "\n")
        print(f"{network}, {name}, {threads} threads: {speed:.0f} images/s, others kept {others:.2f} CPUs busy", flush=True)


if __name__ == "__main__":
    main()
