"""Makes every case of one framework, each in a process of its own: python -m make.all torch|keras DIR.

The exporters number names from counters of the process, so a case made after another would get other names.
"""

import importlib
import subprocess
import sys
import time

MAKERS = {
    "torch": ["make.forward_torch", "make.steps_torch"],
    "keras": ["make.forward_keras", "make.steps_keras"],
}


def main(framework, root):
    for maker in MAKERS[framework]:
        for name in importlib.import_module(maker).CASES:
            start = time.monotonic()
            command = [sys.executable, "-W", "ignore", "-m", maker, root, name]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name}: failed\n{done.stderr[-4000:]}")
            print(f"{name}: made in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
