"""Runs one entry of a case once, and reads from it what is measured."""
import contextlib
import glob
import json
import os
import subprocess
import sys
import time

from . import check
from .rounds import Others, children_seconds, wait_until_quiet
from .workplace import OPEN_MPI, PYTHON, run

LONG = 1.0  # seconds that the runs of one round last together
MOST_REPEATS = {"near": 10, "peer": 3, "hello": 5, "h5score": 5}
MOST_COPIES = 20  # of one input file
RESULT = {"linreg": "prediction", "logreg": "probability", "mlp": "probability", "svm": "decision"}
MIB = 1 << 20


def family(model):
    return model.rstrip("0123456789")


class Programs:
    """Runs entries in a workplace, after waiting up to `quiet_seconds` for a quiet machine."""

    def __init__(self, place, quiet_seconds=3.0):
        self.place, self.quiet_seconds = place, quiet_seconds

    def rows(self, entry):
        """How many rows the entry scores, and how often it reads the file for them."""
        if entry.kind == "hello":
            return self.place.rows("tiny"), 1
        available = self.place.rows(entry.data)
        wanted = entry.rows or available
        if entry.kind != "h5score":
            return min(wanted, available), 1
        copies = min(-(-wanted // available), MOST_COPIES)
        return min(wanted, copies * available), copies

    def command(self, entry):
        place, (rows, copies) = self.place, self.rows(entry)
        out = os.path.join(place.out, entry.kind + ".h5")
        if entry.kind == "hello":
            return [place.mpiexec, "-n", str(entry.processes), place.hello()]
        if entry.kind == "near":
            return [place.near_limit(), place.data, entry.data, entry.model, out, str(rows), str(entry.processes)]
        if entry.kind == "peer":
            return [PYTHON, os.path.join(place.peers, "run_peers.py"), "--data", place.peers_data(entry.float64),
                    "--layout", entry.data, "--model", entry.model.replace("64", ""), "--peer", entry.peer, "--rows", str(rows),
                    "--out", out, "--impl", entry.implementation, *(["--ort", place.ort] if place.ort else [])]
        program = [place.h5score, "score", "--model", place.model(entry.model), "--input", *[place.input(entry.data)] * copies,
                   "--dataset", "/X", "--write", RESULT[family(entry.model)], "--output", out,
                   "--report", os.path.join(place.out, "report.json"), "--progress", "none", "--threads", str(entry.threads)]
        if rows < copies * place.rows(entry.data):
            program += ["--rows", f"0:{rows}"]
        if entry.model == "svm":
            program += ["--precision", "float32"]
        program += entry.options
        if not entry.processes:
            return program
        if entry.busy:  # each rank on a core of its own
            command = [place.mpiexec]
            for rank in range(entry.processes):
                command += [*([":"] if rank else []), "-n", "1", "taskset", "-c", str(rank), *program]
            return command
        return [place.mpiexec, "-n", str(entry.processes), *program]

    def run(self, entry, first):
        """Facts of one round: medians of as many runs as last a second together. Checks the first run's output."""
        command = self.command(entry)
        self.warm(entry)
        wait_until_quiet(self.quiet_seconds)
        others, runs = Others(), []
        with busy_loops(entry.processes - 1 if entry.busy else None):
            while not runs or (sum(r["loop"] or r["whole"] for r in runs) < LONG and len(runs) < MOST_REPEATS[entry.kind]):
                runs.append(self.once(entry, command))
                if first and len(runs) == 1 and entry.kind != "hello":
                    checked = check.output(self.place, entry, self.output(entry), runs[0]["rows"])
        share = others.share()
        facts = {k: sorted(r[k] for r in runs)[len(runs) // 2] for k in runs[0]}
        facts.update(others=share, repeats=len(runs))
        facts["rows_per_second"] = facts["rows"] / (facts["loop"] or facts["whole"])
        if first and entry.kind != "hello":
            facts["check"] = checked
        return facts

    def output(self, entry):
        return os.path.join(self.place.out, entry.kind + ".h5")

    def once(self, entry, command):
        for old in glob.glob(os.path.join(self.place.out, entry.kind + ".h5*")):
            os.unlink(old)
        environment = {**os.environ, **OPEN_MPI, **dict(entry.environment)}
        start, used = time.perf_counter(), children_seconds()
        text = run(command, env=environment, stdin=subprocess.DEVNULL)
        facts = {"whole": time.perf_counter() - start, "cpu": children_seconds() - used, "rows": self.rows(entry)[0]}
        if entry.kind == "h5score":
            facts.update(self.reported(entry))
        elif entry.kind == "hello":
            facts["loop"] = 0.0
        else:
            facts["loop"] = last_json(text)["loop_s"]
            path = self.place.input(entry.data)
            facts["bytes"] = os.path.getsize(path) * facts["rows"] // self.place.rows(entry.data)
        return facts

    def reported(self, entry):
        with open(os.path.join(self.place.out, "report.json")) as f:
            report = json.load(f)
        block = -(-report["bytes_read"] // max(1, report["blocks"]))
        formed = report["rows"] * self.place.formed_bytes(entry.data)
        return {"loop": report["loop_seconds"], "rows": report["rows"], "bytes": report["bytes_read"] + formed,
                "memory": max(rank["peak_memory_bytes"] for rank in report["ranks"]),
                "memory_allowed": os.path.getsize(self.place.model(entry.model)) + 64 * MIB + 3 * block}

    def warm(self, entry):
        """Reads the input, so that it lies in the page cache."""
        if entry.kind == "hello":
            return
        with open(self.place.input(entry.data), "rb", buffering=0) as f:
            buffer = bytearray(4 * MIB)
            while f.readinto(buffer):
                pass


def last_json(text):
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError("no JSON line in the output: " + text[-400:])
    return json.loads(lines[-1])


@contextlib.contextmanager
def busy_loops(core):
    """Two programs that do nothing but take time of a core (None: of no core)."""
    loops = []
    try:
        if core is not None:
            loops = [subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]) for _ in range(2)]
            time.sleep(0.2)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()  # so that their time counts as ours
