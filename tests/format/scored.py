"""Runs the test tool format_score_rows: model files in, results out."""
import os
import subprocess

import h5py
import numpy as np

TOOL = os.path.join(os.environ["H5SCORE_BUILD_DIR"], "tests", "format", "format_score_rows")


class Results(dict):
    """Result datasets by name; attributes of the self-test in `info`."""

    info = {}


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


def score(model, rows, folder):
    """The results of `rows` (n x features) for a model file; a failure of the tool fails the test with its message."""
    rows_path, out_path = os.path.join(folder, "rows.h5"), os.path.join(folder, "out.h5")
    with h5py.File(rows_path, "w") as f:
        f["rows"] = np.asarray(rows, dtype=np.float64)
    done = run("score", model, rows_path, out_path)
    assert done.returncode == 0, done.stderr
    results = Results()
    with h5py.File(out_path) as f:
        results.update((name, f[name][()]) for name in f)
        results.info = dict(f.attrs)
    return results


def refusal(model, folder):
    """The message with which a model file is refused (exit code 65)."""
    done = run("copy", model, os.path.join(folder, "copy.h5"))
    assert done.returncode == 65, (done.returncode, done.stderr)
    assert str(model) in done.stderr and "HDF5-DIAG" not in done.stderr
    assert not os.path.exists(os.path.join(folder, "copy.h5"))
    return done.stderr


def worst(ours, theirs):
    """Largest difference relative to max(1, |theirs|)."""
    theirs = np.asarray(theirs, dtype=np.float64).reshape(ours.shape)
    return (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max()
