"""Runs the built h5score from Python tests, alone or under mpiexec, and compares score files.

The build gives the paths through the environment (cmake/H5scoreTest.cmake)."""
import contextlib
import os
import signal
import subprocess
import sys

import h5py
import numpy as np

BIN = os.environ["H5SCORE_BIN"]
MPIEXEC = os.environ["H5SCORE_MPIEXEC"]
SOURCE_DIR = os.environ["H5SCORE_SOURCE_DIR"]
# Sanitized programs run many times slower; tests that only repeat a code path may do less of it there.
SANITIZED = bool(os.environ.get("H5SCORE_SANITIZE"))


def realdata(*parts):
    """Path of third-party test data, or None with a loud note where the user has none."""
    root = os.environ.get("H5SCORE_REALDATA")
    if not root:
        print("SKIPPED LOUDLY: H5SCORE_REALDATA is not set, third-party data are not tested", file=sys.stderr)
        return None
    return os.path.join(root, *parts)


def command(args, np_=None):
    """The argument list of a run; np_=None runs without a launcher."""
    launcher = [] if np_ is None else [MPIEXEC, "-n", str(np_)]
    return launcher + [BIN] + [str(a) for a in args]


def run(args, np_=None, code=0, env=None, cwd=None, timeout=120):
    """Runs h5score and checks its exit code. Returns the completed process, with text output."""
    done = subprocess.run(command(args, np_), capture_output=True, text=True, timeout=timeout, cwd=cwd,
                          env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
    where = f"{' '.join(command(args, np_))}\nexit {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    if code is not None:
        assert done.returncode == code, where
    assert "HDF5-DIAG" not in done.stderr + done.stdout, where
    return done


@contextlib.contextmanager
def paused(process):
    """The process does nothing in the meantime: what is tried beside it cannot come too late."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def score_bytes(path):
    """Every dataset of a score file outside /h5score: name -> (shape, dtype, raw bytes)."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("h5score"):
            found[name] = (item.shape, str(item.dtype), np.asarray(item[()]).tobytes() if item.dtype.kind != "O"
                           else repr(item[()]).encode())

    with h5py.File(path, "r", locking=False) as f:
        f.visititems(visit)
    return found


def assert_same_scores(a, b):
    """Asserts that two score files hold the same bytes in every dataset outside /h5score."""
    first, second = score_bytes(a), score_bytes(b)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name] == second[name], f"{name} differs between {a} and {b}"
