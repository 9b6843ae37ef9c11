"""What the figures were measured on: processor, memory, versions, and the limits that scripts/bench/limits finds."""
import json
import os
import platform
import subprocess
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))),
                      "tests", "bench", "limits.cpp")


def first_line(*command):
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    except OSError:
        return ""
    return text.splitlines()[0].strip() if text.strip() else ""


def last_word(text):
    return text.split()[-1] if text else ""


def processor():
    text = subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}, check=False).stdout
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = {"model": "Model name", "family": "CPU family", "L1d": "L1d cache", "L2": "L2 cache", "L3": "L3 cache"}
    found = {ours: facts[theirs].strip() for ours, theirs in names.items() if theirs in facts}
    widest = [w for w in ("avx512f", "avx2", "sse4_2") if w in facts.get("Flags", "").split()]
    return {**found, "cores": os.cpu_count(), "instructions": widest[0] if widest else platform.machine()}


def has_avx512():
    with open("/proc/cpuinfo") as f:
        return " avx512f " in f.read()


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def versions(place):
    found = {"kernel": platform.release(), "python": platform.python_version(),
             "h5score": last_word(first_line(place.h5score, "--version")),
             "MPI": last_word(first_line(place.mpiexec, "--version"))}
    for module in ("numpy", "h5py", "sklearn", "torch", "dask"):
        found[module] = first_line("/usr/bin/python3", "-W", "ignore", "-c", f"import {module}; print({module}.__version__)")
    return found


def limits(file="", folder="/dev/shm"):
    """Builds and runs tests/bench/limits.cpp: {"1": {name: rate}, "2": ...} by number of processes.

    `file`: what is read from the page cache (a file of its own where empty); `folder`: where new pages are written."""
    with tempfile.TemporaryDirectory() as built:
        program = os.path.join(built, "limits")
        subprocess.run(["c++", "-std=c++20", "-O3", "-march=native", SOURCE, "-o", program, "-ldeflate", "-pthread"], check=True)
        text = subprocess.run([program, folder, *([file] if file else [])], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)


def describe(place):
    return {"processor": processor(), "memory_bytes": memory_bytes(), "versions": versions(place)}
