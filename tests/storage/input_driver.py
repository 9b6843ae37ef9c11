"""Runs the decode driver and compares what it reads with what h5py reads."""
import json
import os
import pathlib
import subprocess

import h5py
import numpy

DRIVER = pathlib.Path(os.environ["H5SCORE_BUILD_DIR"]) / "tests" / "storage" / "decode_driver"

SANITIZED = bool(os.environ.get("H5SCORE_SANITIZE"))  # then a crash of the name node leaves a report, too


class Failure(Exception):
    """The driver refused: its exit code and the one line that it printed."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def call(*arguments, cpu_seconds=60):
    environment = os.environ | {"DECODE_DRIVER_CPU": str(cpu_seconds)}
    done = subprocess.run([str(DRIVER), *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env=environment)
    assert "HDF5-DIAG" not in done.stderr + done.stdout
    assert done.returncode >= 0, f"the driver itself died: signal {-done.returncode}"
    if done.returncode != 0:
        messages = [line for line in done.stderr.splitlines() if line.startswith("h5score: ") or not SANITIZED]
        assert len(messages) == 1, done.stderr
        raise Failure(done.returncode, messages[0])
    return json.loads(done.stdout)


class Rows:
    """Decoded rows (n x features float64), raw bytes of passthrough columns, and the driver's summary."""

    def __init__(self, folder, *inputs, dataset=None, bind=None, rows=None, passthrough=(), block=None, threads=None,
                 narrow=False, feature_names=None):
        out = pathlib.Path(folder) / "decoded.bin"
        arguments = ["rows", out]
        for path in inputs:
            arguments += ["--input", path]
        for name, value in [("--dataset", dataset), ("--bind", None if bind is None else json.dumps(bind)), ("--rows", rows), ("--block", block),
                            ("--threads", threads), ("--feature-names", feature_names)]:
            if value is not None:
                arguments += [name, value]
        for name in passthrough:
            arguments += ["--passthrough", name]
        if narrow:
            arguments.append("--float")
        self.summary = call(*arguments)
        self.values = numpy.fromfile(out, "f8").reshape(self.summary["rows"], self.summary["features"])
        self.passthrough = [pathlib.Path(f"{out}.p{i}").read_bytes() for i in range(len(passthrough))]


def expected(path, dataset):
    """What h5py reads, flattened to float64 rows."""
    with h5py.File(path, "r") as file:
        array = file[dataset][...]
    return array.reshape(array.shape[0], -1).astype("f8")


def check_equal(folder, path, dataset, **options):
    got = Rows(folder, path, dataset=dataset, **options)
    numpy.testing.assert_array_equal(got.values, expected(path, dataset))
    return got
