"""What the machine is and how busy others keep it."""

import os
import pathlib
import re
import time

TICKS = os.sysconf("SC_CLK_TCK")
FEATURES = ["avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd"]


def processor():
    """Model name and those features that kernels care about."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    flags = set((re.search(r"(?:flags|Features)\s*: (.*)", text) or [None, ""])[1].split())
    return (name[1] if name else "unknown processor"), [f for f in FEATURES if f in flags]


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def busy():
    """Seconds of CPU time that all processes and, under a hypervisor, other guests have taken since the machine started."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def used(pid):
    """Seconds of CPU time that one process has taken."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def status(pid, key):
    """A size of a process in bytes: VmRSS now, VmHWM at most."""
    return 1024 * int(re.search(rf"{key}:\s*(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def forget_peak(pid):
    """Makes VmHWM count from now on."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def wait_quiet(cpus, seconds):
    """Waits until all processes together keep fewer CPUs busy for half a second, at most so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy()
        time.sleep(0.5)
        if busy() - before < 0.5 * cpus:
            return
