"""Times one model in ONNX Runtime on request: ort_worker.py MODEL THREADS IN.npz OUT.npz.

Speaks as the Go command tools/bench does: one line of JSON after the first run, then an answer to each line of standard
input, "time MS" or "open". All optimisations, sequential execution, inputs and outputs bound.
"""

import json
import sys
import time

import numpy as np
import onnxruntime as ort


def open_session(model, threads):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    start = time.perf_counter()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session, 1e3 * (time.perf_counter() - start)


def measure(run, milliseconds):
    run()
    times, end = [], time.perf_counter() + milliseconds / 1e3
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return sorted(times)


def main():
    model, threads, inputs, outputs = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    feeds = dict(np.load(inputs))
    print(json.dumps({"version": ort.__version__}), flush=True)
    sys.stdin.readline()
    session, opened = open_session(model, threads)
    binding, names = session.io_binding(), [v.name for v in session.get_outputs()]
    for name, array in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    start = time.perf_counter()
    results = session.run(names, feeds)
    first = 1e3 * (time.perf_counter() - start)
    for name, array in zip(names, results):
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(np.empty_like(array)))
    np.savez(outputs, **dict(zip(names, results)))
    print(json.dumps({"open_ms": opened, "first_ms": first}), flush=True)
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "open":
            answer = {"open_ms": open_session(model, threads)[1]}
        else:
            answer = {"times_ms": measure(lambda: session.run_with_iobinding(binding), int(rest[0]))}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
