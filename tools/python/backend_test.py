"""Runs onnx's own backend test, unmodified, on the gneiss command and prints the score.

Run it as: GNEISS=bin/gneiss $(tools/python/env onnx) tools/python/backend_test.py [PATTERN]

PATTERN is a regular expression that chooses cases by name. A case that the
suite itself refuses to judge is counted as skipped, and each failure is named
in one line. Failures count in the score whatever their cause; the exit status
is 0 when there are no others than those of UNJUDGEABLE.
"""

import sys
import unittest
import warnings

import onnx
from gneiss_backend import GneissBackend, command
from onnx.backend.test import BackendTest


# Cases that no correct backend passes, with the reason; internal/spectest judges their results.
UNJUDGEABLE = {
    "bernoulli": "the expected numbers are drawn from a state that no file holds",
    "dft_inverse": "the expected zeros hold the noise of single precision, 2e-7, above the tolerance of 1e-7",
    "loop16_seq_none": "the runner takes len() of a tensor of rank 0 in a sequence, whatever the result is",
}


def unjudgeable(name):
    """Why the case called name cannot be judged; None when it can."""
    return next((why for start, why in UNJUDGEABLE.items() if name.startswith("test_" + start)), None)


class Score(unittest.TestResult):
    """Counts the cases of each category."""

    def __init__(self):
        super().__init__()
        self.counts = {}
        self.unjudged = 0

    def count(self, test, verdict):
        row = self.counts.setdefault(type(test).__name__, {"passed": 0, "failed": 0, "skipped": 0})
        row[verdict] += 1

    def lose(self, test, err):
        self.count(test, "failed")
        if why := unjudgeable(test._testMethodName):
            self.unjudged += 1
            print(f"CANNOT PASS {test._testMethodName}: {why}", flush=True)
            return
        lines = [line.strip() for line in str(err[1]).splitlines() if line.strip()]
        print(f"FAIL {test._testMethodName}: {err[0].__name__}: {' '.join(lines)[:300]}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.count(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.lose(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.lose(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not test._testMethodName.endswith("_cuda") and reason != "no matched include pattern":
            self.count(test, "skipped")


def main():
    warnings.simplefilter("ignore")
    print(f"onnx {onnx.__version__}, {command()}")
    suite = BackendTest(GneissBackend, __name__)
    if len(sys.argv) > 1:
        suite.include(sys.argv[1])
    score = Score()
    suite.test_suite.run(score)
    for category, row in sorted(score.counts.items()):
        total = sum(row.values())
        print(f"{category}: {row['passed']} of {total} passed, {row['failed']} failed, {row['skipped']} skipped")
    passed, total = (sum(f(r) for r in score.counts.values()) for f in (lambda r: r["passed"], lambda r: sum(r.values())))
    print(f"{passed} of {total} passed, {score.unjudged} cannot pass")
    sys.exit(passed + score.unjudged + sum(r["skipped"] for r in score.counts.values()) != total)


if __name__ == "__main__":
    main()
