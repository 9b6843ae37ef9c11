"""Score files as users see them: read by h5py and h5dump, killed at any moment, resumed, refused.

The driver (score_file_driver.cpp) writes the example file; here its contents are computed anew from the row numbers."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib

import h5py
import numpy as np
import program
import pytest

DRIVER = os.path.join(os.environ["H5SCORE_BUILD_DIR"], "tests", "storage", "score_file_driver")
SLOW = 10 if os.environ.get("H5SCORE_SANITIZE") else 1
COLUMNS = [("z/prediction", "<f8", (2,)), ("id", ">i8", ()), ("probability", "<f4", (3,)), ("decision", "<f4", (3,)),
           ("label", "<i4", ()), ("name", "S5", ()), ("status", "u1", ())]


def driver(out, rows, block, *flags, sync=30, delay=0, code=0, **kwargs):
    args = [DRIVER, str(out), str(rows), str(block), str(sync), str(delay), *flags]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60 * SLOW, stdin=subprocess.DEVNULL, **kwargs)
    assert done.returncode == code, (args, done)
    assert "HDF5-DIAG" not in done.stderr
    return done


def expected(rows):
    """Every column's values: the bytes are 'A' + (row * 7 + column * 5 + place in the row) % 26."""
    result = {}
    for c, (name, dtype, shape) in enumerate(COLUMNS):
        width = np.dtype((dtype, shape)).itemsize
        row, place = np.arange(rows)[:, None], np.arange(width)[None, :]
        data = (65 + (row * 7 + c * 5 + place) % 26).astype("u1")
        result[name] = data.view(dtype).reshape((rows, *shape))
    return result


def check(path, rows):
    with h5py.File(path, "r") as f:
        for name, values in expected(rows).items():
            assert f[name].dtype == values.dtype and f[name].shape == values.shape, name
            assert f[name][:].tobytes() == values.tobytes(), name


@pytest.fixture
def out(tmp_path):
    return tmp_path / "scores.h5"


def test_h5py_reads_all(out):
    driver(out, 1000, 300)
    check(out, 1000)
    with h5py.File(out, "r") as f:
        assert list(f["classes"].asstr()[:]) == ["galaxy", "étoile", "qso"]
        assert list(f["z/targets"].asstr()[:]) == ["z", "sigma"]
        assert f["label"].attrs["missing_value"] == -1 and f["label"].attrs["missing_value"].dtype == "<i4"
        assert f["status"].attrs["flag_meanings"] == "missing nonfinite"
        assert list(f["status"].attrs["flag_masks"]) == [1, 2] and f["status"].attrs["flag_masks"].dtype == "u1"
        table = f["inputs"][:]
        assert [p.decode() for p in table["path"]] == ["/data/a b.h5", "/data/ü.h5"]
        assert list(table["first_row"]) == [0, 500] and list(table["rows"]) == [500, 500]
        assert table["size"][0] == 123456 and table["mtime_ns"][0] == 1700000000123456789
        for name, _, _ in COLUMNS:
            assert f[name].chunks is None and f[name].id.get_offset() % 4096 == 0
        run = f["h5score/runs"][0]
        assert run["host"] == b"node17" and run["blocks"] == 4 and run["end_ns"] >= run["start_ns"] > 0
        assert b'"hash":"abc"' in f["h5score/identity"][:].tobytes()
        assert list(f["h5score/boundaries"][:]) == [0, 300, 600, 900, 1000]


def test_ledger_holds_the_crc32_that_zlib_gives(out):
    driver(out, 20_000, 7_001)
    with h5py.File(out, "r") as f:
        bounds = f["h5score/boundaries"][:]
        paths = [path.decode() for path in f["h5score/columns"][:]]
        for block, entry in enumerate(f["h5score/ledger"][:]):
            crc = 0
            for path in paths:
                crc = zlib.crc32(f[path][bounds[block]:bounds[block + 1]].tobytes(), crc)
            assert entry == 2**32 + crc, block


def test_axes_are_named(out):
    driver(out, 20, 7)
    with h5py.File(out, "r") as f:
        def axes(name):
            return [[scale.name for scale in dim.values()] for dim in f[name].dims]
        assert axes("probability") == [["/row"], ["/classes"]]
        assert axes("decision") == [["/row"], ["/pair"]]
        assert axes("z/prediction") == [["/row"], ["/z/targets"]]
        assert axes("label") == axes("status") == [["/row"]]
        assert axes("inputs") == [["/input"]]
        assert [dim.label for dim in f["probability"].dims] == ["row", "classes"]
        assert f["row"].shape == (20,) and f["row"].id.get_storage_size() == 0
        for scale in ("row", "classes", "pair", "z/targets", "input"):
            assert h5py.h5ds.is_scale(f[scale].id), scale
        assert h5py.h5ds.is_attached(f["probability"].id, f["classes"].id, 1)


def test_h5dump_reads_all(out):
    driver(out, 20, 7)
    header = subprocess.run(["h5dump", "-H", out], capture_output=True, text=True, check=True)
    for name in ("classes", "inputs", "label", "probability", "status", "prediction", "h5score", "ledger"):
        assert f'"{name}"' in header.stdout
    values = subprocess.run(["h5dump", "-y", "-w", "0", "-d", "/status", out], capture_output=True, text=True, check=True)
    assert ", ".join(map(str, expected(20)["status"])) in values.stdout
    assert header.stderr == values.stderr == ""


def kill_at_random_times(out, rows, block, sync, seed):
    """Runs and resumes, each time killed a little later, until the file is complete. Returns the number of kills: at
    least two, because the pauses between the blocks alone take longer than the first two runs may."""
    chance = random.Random(seed)
    part = out.with_name(out.name + ".part")
    kills = 0
    while not out.exists():
        # What was killed before it had made the part file is started anew, whatever it left.
        flags = ["resume"] if part.exists() else []
        args = [DRIVER, str(out), str(rows), str(block), str(sync), str(2000 * SLOW), *flags]
        process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            output, error = process.communicate(timeout=chance.uniform(0.001, 0.05 + 0.01 * kills) * SLOW)
            assert process.returncode == 0, error
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, error = process.communicate()
            kills += process.returncode == -signal.SIGKILL
        assert "rejected" not in output or "rejected 0" in output, "the ledger claimed a block with wrong results"
        if part.exists():  # readable at any time
            with h5py.File(part, "r") as f:
                assert f["label"].shape == (rows,)
    return kills


@pytest.mark.parametrize("sync", [0, 0.01, 0.05])
def test_killed_runs_end_in_the_same_bytes(out, sync):
    kills = sum(kill_at_random_times(out.with_name(f"{seed}.h5"), 4000, 50, sync, seed) for seed in range(4))
    assert kills >= 8
    for seed in range(4):
        check(out.with_name(f"{seed}.h5"), 4000)


def test_ledger_never_runs_ahead(out):
    """While a run writes, every block that the ledger claims has its final results in the file."""
    process = subprocess.Popen([DRIVER, str(out), "4000", "20", "0", "1000"], stdout=subprocess.PIPE)
    process.stdout.readline()
    truth, claims = expected(4000), 0
    while process.poll() is None:
        try:
            with h5py.File(str(out) + ".part", "r") as f:
                ledger, bounds = f["h5score/ledger"][:], f["h5score/boundaries"][:]
                for b in np.flatnonzero(ledger >> 32 == 1):
                    rows = slice(bounds[b], bounds[b + 1])
                    claims += 1
                    for name, values in truth.items():
                        assert f[name][rows].tobytes() == values[rows].tobytes()
        except FileNotFoundError:
            break
        time.sleep(0.05)
    assert process.wait() == 0 and claims > 0
    check(out, 4000)


def test_suspended_and_resumed(out):
    assert driver(out, 1000, 100, "suspend").stdout == "todo 10 rejected 0\n"
    assert driver(out, 1000, 100, "resume").stdout == "todo 5 rejected 0\n"
    check(out, 1000)


def test_existing_output_is_refused(out):
    out.write_text("precious")
    assert "--overwrite" in driver(out, 10, 5, code=73).stderr
    assert out.read_text() == "precious"
    driver(out, 10, 5, "overwrite")
    check(out, 10)


def test_two_writers(out):
    first = subprocess.Popen([DRIVER, str(out), "1000", "10", "1", "20000"], stdout=subprocess.PIPE)
    first.stdout.readline()
    with program.paused(first):
        for flags in ((), ("overwrite",), ("resume",)):
            error = driver(out, 1000, 10, *flags, code=73).stderr
            assert f"process {first.pid}" in error and "host node17" in error and "job 777" in error, error
    first.kill()
    first.wait()
    driver(out, 1000, 10, "resume")
    check(out, 1000)


def test_starting_together_leaves_one_winner(out):
    started = [subprocess.Popen([DRIVER, str(out), "500", "10", "1", "2000"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for _ in range(6)]
    results = [(p.communicate()[1], p.returncode) for p in started]
    assert sorted(code for _, code in results) == [0] + [73] * 5, results
    assert sorted(os.listdir(out.parent)) == ["scores.h5"]
    check(out, 500)


def test_killed_start_is_cleared(out):
    tmp = out.with_name("scores.h5.part.tmp")
    tmp.write_bytes(b"\x89HDF half a header")
    driver(out, 10, 5)
    check(out, 10)
    assert not tmp.exists()


@pytest.fixture
def small_disk(request):
    """A file system of 1 MiB; needs the right to mount."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
        if mounted.returncode != 0:
            print(f"SKIPPED LOUDLY: {request.node.name} needs the right to mount: {mounted.stderr}", file=sys.stderr)
            pytest.skip("cannot mount a file system: " + mounted.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)


def test_full_disk_is_said_before_the_run(small_disk):
    path = os.path.join(small_disk, "scores.h5")
    error = driver(path, 1_000_000, 10_000, code=73).stderr
    assert "No space left on device" in error and "needed" in error and "free some space" in error
    assert os.listdir(small_disk) == []
    with open(os.path.join(small_disk, "filler"), "wb") as filler:  # not even the metadata fits
        filler.write(bytes(1 << 20))
    assert "scores.h5" in driver(path, 10, 5, code=73).stderr
    assert os.listdir(small_disk) == ["filler"]


def test_read_only_disk(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "Read-only file system" in driver(os.path.join(small_disk, "scores.h5"), 10, 5, code=73).stderr


def test_netcdf_tools_read_the_axes(out):
    netcdf = pytest.importorskip("netCDF4", reason="SKIPPED LOUDLY: python3-netcdf4 is not installed")
    driver(out, 20, 7)
    with netcdf.Dataset(out) as f:
        assert f["probability"].dimensions == ("row", "classes")
        assert f["label"].dimensions == ("row",)
        assert list(f["classes"][:]) == ["galaxy", "étoile", "qso"]
        assert not [name for name in f.dimensions if "phony" in name]
