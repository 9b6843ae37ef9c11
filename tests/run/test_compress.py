"""`--compress`: the finished file has gzip-compressed columns with the same values, attributes and axes; until it is complete and
checked the part file stays, and --resume goes on from whatever a kill left."""
import contextlib
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from program import assert_same_scores, run, score_bytes

ROWS = 150_000  # several chunks of 1 MiB in the wide columns
CANT_CREATE, IO, STOPPED = 73, 74, 75


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """(arguments without --output, an undisturbed output without compression)"""
    folder = tmp_path_factory.mktemp("compress")
    rng = np.random.default_rng(8)
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = rng.normal(size=(ROWS, 3)).astype("f4")
        f["id"] = np.arange(ROWS, dtype=">i4")
        f["id"].attrs["units"] = "1"
        f["name"] = np.array([b"row %d" % (i % 7) for i in range(ROWS)])
        f["image"] = rng.integers(0, 9, (ROWS, 2, 4)).astype("u2")
    (folder / "m.model").write_text("svm_type c_svc\nkernel_type linear\nnr_class 2\ntotal_sv 2\nrho 0.1\nlabel 1 2\nprobA -1.5\n"
                                    "probB 0.1\nnr_sv 1 1\nSV\n1 1:0.5 2:-1 3:2\n-1 1:-0.5 2:1 3:1\n")
    arguments = ["score", "--model", f"a={folder}/m.model", "--input", folder / "in.h5", "--dataset", "/x", "--passthrough", "/id",
                 "/name", "/image", "--progress", "none"]
    run([*arguments, "--output", folder / "right.h5"])
    return arguments, folder / "right.h5"


def columns(path):
    with h5py.File(path) as f:
        return [name.decode() for name in f["h5score/columns"][()]]


def assert_compressed(path, right, level):
    """The same values; the columns, and only they, compressed; the same attributes and axes."""
    assert_same_scores(right, path)
    names, result_columns = score_bytes(right), columns(right)
    with h5py.File(path) as f, h5py.File(right) as r:
        for name in result_columns:
            assert (f[name].compression, f[name].compression_opts) == ("gzip", level)
            assert f[name].shuffle == (f[name].dtype.kind != "S" and f[name].dtype.itemsize > 1)
            assert f[name].chunks[1:] == f[name].shape[1:] and f[name].chunks[0] <= ROWS
            assert f[name].nbytes // f[name].id.get_num_chunks() <= 1 << 20
        for name in names:
            assert f[name].dtype == r[name].dtype
            assert [[s.name for s in axis.values()] for axis in f[name].dims] == \
                [[s.name for s in axis.values()] for axis in r[name].dims]
            for key, value in r[name].attrs.items():
                if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    assert np.array_equal(f[name].attrs[key], value), (name, key)
        assert np.all(f["h5score/ledger"][()] >> 32 == 1)
        assert f["h5score/runs"][0]["end_ns"] > 0
    assert not [name for name in os.listdir(os.path.dirname(path)) if ".part" in name]


@pytest.mark.parametrize("np_, level, more", [
    (None, 1, ["--threads", "3"]), (2, 4, []), (3, 9, ["--io", "scatter", "--block-rows", "1000", "--memory-per-rank", "2M"])])
def test_values_attributes_and_axes_are_the_same(job, tmp_path, np_, level, more):
    arguments, right = job
    out = tmp_path / "s.h5"
    done = run([*arguments, "--output", out, "--compress", f"gzip:{level}", *more], np_=np_)
    assert re.search(rf"^compressed: .* to .* \(gzip {level}\) in ", done.stdout, re.M)
    assert_compressed(out, right, level)
    assert out.stat().st_size < right.stat().st_size
    assert "all bytes equal" in run(["verify", out, "--all"], np_=np_).stdout
    assert "nothing to do" in run([*arguments, "--output", out, "--resume"]).stdout
    assert "row 149,999" in run(["inspect", out, "--row", "149999"]).stdout


def test_a_single_row(job, tmp_path):
    arguments, _ = job
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["x"], f["id"], f["name"], f["image"] = np.ones((1, 3)), np.ones(1), np.array([b"one"]), np.zeros((1, 2, 4))
    arguments = [tmp_path / "in.h5" if str(a).endswith("in.h5") else a for a in arguments]
    run([*arguments, "--output", tmp_path / "a.h5", "--compress", "gzip:4"], np_=2)
    run([*arguments, "--output", tmp_path / "b.h5"])
    assert_same_scores(tmp_path / "a.h5", tmp_path / "b.h5")
    run(["verify", tmp_path / "a.h5"])


def test_a_complete_part_file_is_compressed_by_resume(job, tmp_path):
    """As after a kill between the last block and the end of the copy, of which a piece is left."""
    arguments, right = job
    out = tmp_path / "s.h5"
    for np_ in (None, 2):
        shutil.copy(right, f"{out}.part")
        (tmp_path / "s.h5.part.copy").write_bytes(b"half a copy")
        done = run([*arguments, "--output", out, "--resume", "--compress", "gzip:2"], np_=np_)
        assert "taken over" in done.stdout
        assert_compressed(out, right, 2)
        out.unlink()


def test_a_piece_of_a_copy_is_removed_by_every_run(job, tmp_path):
    arguments, right = job
    out = tmp_path / "s.h5"
    for more in (["--resume"], ["--overwrite"]):
        shutil.copy(right, f"{out}.part")
        (tmp_path / "s.h5.part.copy").write_bytes(b"half a copy")
        run([*arguments, "--output", out, *more])
        assert os.listdir(tmp_path) == ["s.h5"]
        assert_same_scores(right, out)
        out.unlink()


def test_a_kill_between_the_rename_and_the_end_leaves_both_complete(job, tmp_path):
    arguments, right = job
    out = tmp_path / "s.h5"
    shutil.copy(right, f"{out}.part")
    shutil.copy(right, f"{out}.kept")
    run([*arguments, "--output", out, "--resume", "--compress", "gzip:2"])
    shutil.copy(f"{out}.kept", f"{out}.part")
    compressed = out.read_bytes()
    assert "complete already" in run([*arguments, "--output", out, "--resume", "--compress", "gzip:2"]).stdout
    assert out.read_bytes() == compressed
    assert not os.path.exists(f"{out}.part")
    # An unfinished part file beside a complete output is no such leftover: it is not touched.
    shutil.copy(f"{out}.kept", f"{out}.part")
    with h5py.File(f"{out}.part", "r+") as f:
        f["h5score/ledger"][0] = 0
    assert "exists already" in run([*arguments, "--output", out, "--resume"], code=CANT_CREATE).stderr
    assert os.path.exists(f"{out}.part") and out.read_bytes() == compressed
    run([*arguments, "--output", out, "--resume", "--overwrite", "--compress", "gzip:3"])
    os.unlink(f"{out}.kept")
    assert_compressed(out, right, 3)


def test_a_run_can_be_stopped_while_it_compresses(job, tmp_path):
    arguments, right = job
    out = tmp_path / "s.h5"
    shutil.copy(right, f"{out}.part")
    limited = [*arguments, "--output", out, "--resume", "--compress", "gzip:9"]
    done = run([*limited, "--time-limit", "0.001s"], code=STOPPED)  # over before the first chunk
    assert "resume with: " in done.stderr
    assert os.listdir(tmp_path) == ["s.h5.part"]
    run(limited)
    assert_compressed(out, right, 9)


@contextlib.contextmanager
def small_disk(folder, size):
    """A disk of this many bytes; gives a function that makes it larger."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False).returncode != 0:
        print("SKIPPED LOUDLY: this user may not mount a small disk", file=sys.stderr)
        pytest.skip("mounting is not permitted")
    try:
        yield lambda larger: subprocess.run(["mount", "-o", f"remount,size={larger}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def messages(done):
    return [line for line in done.stderr.splitlines() if line.startswith("h5score: ")]


def test_without_space_the_complete_part_file_stays(job, tmp_path):
    arguments, right = job
    size = right.stat().st_size + (1 << 20)
    with small_disk(tmp_path / "disk", size) as grow:
        out = tmp_path / "disk" / "s.h5"
        done = run([*arguments, "--output", out, "--compress", "gzip:4"], code=CANT_CREATE, np_=2)
        assert len(messages(done)) == 1, done.stderr
        assert "no space for the compressed copy (about " in messages(done)[0] and "--resume" in messages(done)[0]
        assert os.listdir(out.parent) == ["s.h5.part"]
        run(["verify", f"{out}.part"])
        grow(3 * size)
        run([*arguments, "--output", out, "--compress", "gzip:4", "--resume"])
        assert_compressed(out, right, 4)


@pytest.mark.parametrize("np_", [None, 2])
def test_a_disk_that_fills_while_the_copy_is_written_costs_nothing(job, tmp_path, np_):
    """The chunks from which the size is estimated are empty, the others cannot be compressed."""
    chunks, rows = 32, 1024
    image = np.random.default_rng(1).integers(0, 256, (chunks * rows, 1024)).astype("u1")
    for i in range(16):
        at = i * (chunks + 4) // 16 - 4  # before them: probability, decision, label, status
        if at >= 0:
            image[at * rows:(at + 1) * rows] = 0
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["x"], f["image"] = np.ones((len(image), 3), "f4"), image
    arguments = [*job[0][:3], "--input", tmp_path / "in.h5", "--dataset", "/x", "--passthrough", "/image", "--progress", "none"]
    right = tmp_path / "right.h5"
    run([*arguments, "--output", right])
    size = right.stat().st_size + (10 << 20)
    with small_disk(tmp_path / "disk", size) as grow:
        out = tmp_path / "disk" / "s.h5"
        done = run([*arguments, "--output", out, "--compress", "gzip:1"], code=IO, np_=np_)
        assert len(messages(done)) == 1, done.stderr
        assert "No space left on device" in messages(done)[0] and "--resume" in messages(done)[0]
        assert os.listdir(out.parent) == ["s.h5.part"]
        grow(3 * size)
        run([*arguments, "--output", out, "--compress", "gzip:1", "--resume"], np_=np_)
        assert_same_scores(right, out)
        assert os.listdir(out.parent) == ["s.h5"]
