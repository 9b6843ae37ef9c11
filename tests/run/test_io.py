"""Who reads and writes does not matter: the scores are the same bytes with --io direct and scatter, on any number of
ranks and threads, for every layout, also where a run is resumed in another mode than it was begun in."""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from program import BIN, MPIEXEC, SANITIZED, assert_same_scores, command, run

ROWS, FEATURES = 6_000, 20
DATA, NO_INPUT, CANT_CREATE, STOPPED = 65, 66, 73, 75
MODELS = ["linear", "logistic", "mlp"]
LAYOUTS = ["contiguous", "gzip", "columns", "sparse", "virtual"]


def rows_of_test():
    x = np.random.default_rng(11).normal(size=(ROWS, FEATURES)).astype(np.float32)
    x[np.random.default_rng(12).random(x.shape) < 0.5] = 0
    return x


def write_csr(group, x):
    filled = x != 0
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": x.shape})
    group["data"], group["indices"] = x[filled], np.nonzero(filled)[1].astype(np.int32)
    group["indptr"] = np.r_[0, np.cumsum(filled.sum(1))].astype(np.int64)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Layout -> (folder, arguments); /id is passed through where it lies beside the rows."""
    folder = tmp_path_factory.mktemp("io")
    x = rows_of_test()
    with h5py.File(folder / "contiguous.h5", "w") as f:
        f["x"], f["id"] = x, np.arange(ROWS)
    with h5py.File(folder / "gzip.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(700, FEATURES), compression="gzip", shuffle=True)
        f.create_dataset("id", data=np.arange(ROWS), chunks=(999,), compression="gzip")
    with h5py.File(folder / "columns.h5", "w") as f:
        for j in range(FEATURES):
            f[f"x/c{j:02}"] = x[:, j]
    with h5py.File(folder / "sparse.h5", "w") as f:
        write_csr(f.create_group("x"), x)
    with h5py.File(folder / "virtual.h5", "w") as f:
        layout = h5py.VirtualLayout(shape=x.shape, dtype=np.float32)
        layout[:] = h5py.VirtualSource(folder / "contiguous.h5", "x", shape=x.shape)
        f.create_virtual_dataset("x", layout)
        f["id"] = np.arange(ROWS)
    passed = {"contiguous", "gzip", "virtual"}
    return {name: [folder / f"{name}.h5", "--dataset", "/x", *(["--passthrough", "/id"] if name in passed else [])]
            for name in LAYOUTS}


def arguments(workplace, layout, *extra, models=MODELS):
    return ["score", "--model", *[f"{n}={workplace / n}.h5" for n in models], "--input", *layout, "--progress", "none",
            *extra]


def score(workplace, layout, out, *extra, np_=None, code=0, env=None):
    report = f"{out}.json"
    done = run([*arguments(workplace, layout, *extra), "--output", out, "--report", report], np_=np_, code=code, env=env)
    with contextlib.suppress(FileNotFoundError), open(report, encoding="utf-8") as f:
        done.report = json.load(f)
    return done


def features_of(report):
    return [model["features"] for model in report["models"]]


@pytest.fixture(scope="module")
def alone(workplace, inputs, tmp_path_factory):
    """Layout -> (scores, report) of one process with one thread and many blocks."""
    folder = tmp_path_factory.mktemp("alone")
    made = {}
    for name in LAYOUTS:
        done = score(workplace, inputs[name], folder / f"{name}.h5", "--threads", "1", "--block-rows", "512")
        assert done.report["io"] == "direct" and done.report["io_reason"] == "one process"
        made[name] = folder / f"{name}.h5", done.report
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("io, map_files", [("direct", "on"), ("scatter", "on"), ("direct", "off"), ("scatter", "off")])
def test_scores_and_statistics_are_the_same_bytes(workplace, inputs, alone, tmp_path, io, map_files, layout):
    scores, report = alone[layout]
    runs = itertools.product(["static", "dynamic", "guided"], [1, 2, 3, 4] if map_files == "on" else [2, 3])
    for i, (schedule, np_) in enumerate(runs if not SANITIZED else [("dynamic", 3)]):
        out = tmp_path / f"{schedule}{np_}.h5"
        threads = str(1 + i % 3)
        done = score(workplace, inputs[layout], out, "--io", io, "--schedule", schedule, "--threads", threads,
                     "--block-rows", "512", np_=np_, env={"H5SCORE_MAP": map_files})
        assert done.report["io"] == ("direct" if np_ == 1 else io)
        assert_same_scores(scores, out)
        assert features_of(done.report) == features_of(report), (schedule, np_, threads)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_that_share_a_block_give_the_same_bytes(workplace, inputs, alone, tmp_path, threads):
    for layout in LAYOUTS:  # one block: all threads are in one lane
        done = score(workplace, inputs[layout], tmp_path / f"{layout}.h5", "--threads", threads)
        assert done.report["blocks"] == 1
        assert_same_scores(alone[layout][0], tmp_path / f"{layout}.h5")


def test_the_report_tells_who_read(workplace, inputs, tmp_path):
    size = ROWS * FEATURES * 4
    layout = inputs["contiguous"][:3]
    direct = score(workplace, layout, tmp_path / "d.h5", "--block-rows", "256", np_=2).report
    assert (direct["io"], direct["io_reason"]) == ("direct", "every host sees the files")
    assert sum(rank["payload_bytes"] for rank in direct["ranks"]) == size
    assert direct["bytes_written"] == result_bytes(tmp_path / "d.h5")
    scatter = score(workplace, layout, tmp_path / "s.h5", "--block-rows", "256", "--io", "scatter", np_=2).report
    assert (scatter["io"], scatter["io_reason"]) == ("scatter", "as asked; on one host the page cache is what it sends")
    assert sum(rank["payload_bytes"] for rank in scatter["ranks"]) == scatter["bytes_read"] == size
    sent = score(workplace, layout, tmp_path / "t.h5", "--block-rows", "256", "--io", "scatter", np_=2,
                 env={"H5SCORE_MAP": "off"}).report
    assert (sent["io"], sent["io_reason"]) == ("scatter", "as asked")
    dry = run([*arguments(workplace, layout), "--output", tmp_path / "n.h5", "--dry-run"], np_=2)
    assert "direct I/O (every host sees the files)" in " ".join(dry.stdout.split())


def result_bytes(path):
    with h5py.File(path) as f:
        return sum(d.nbytes for model in MODELS for d in f[model].values() if d.shape[:1] == (ROWS,))


# ---- missing values

def test_missing_values_are_counted_or_end_the_run(workplace, tmp_path):
    x = rows_of_test()
    x[[17, 4000, 4001], 3] = np.nan
    x[5000, 0] = np.inf
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["x"] = x
    layout = [tmp_path / "in.h5", "--block-rows", "300"]
    marked = {}
    for io in ("direct", "scatter"):
        done = score(workplace, layout, tmp_path / f"{io}.h5", "--io", io, np_=3)
        marked[io] = {k: done.report[k] for k in ("rows_flagged", "rows_missing", "rows_nonfinite")}
        assert marked[io] == {"rows_flagged": 4, "rows_missing": 3, "rows_nonfinite": 1}
        out = tmp_path / f"error-{io}.h5"
        failed = score(workplace, layout, out, "--io", io, "--missing", "error", np_=3, code=None)
        assert failed.returncode == DATA and "row 17: a value is missing" in failed.stderr
        assert not out.exists()
    assert_same_scores(tmp_path / "direct.h5", tmp_path / "scatter.h5")


@pytest.mark.parametrize("np_, threads", [(None, 1), (None, 3), (2, 1), (3, 2)])
def test_a_damaged_chunk_is_named(workplace, inputs, tmp_path, np_, threads):
    damaged = tmp_path / "damaged.h5"
    shutil.copy(inputs["gzip"][0], damaged)
    with h5py.File(damaged) as f:
        chunk = f["x"].id.get_chunk_info(5)
    with open(damaged, "r+b") as f:
        f.seek(chunk.byte_offset + chunk.size // 2)
        f.write(bytes(64))
    done = score(workplace, [damaged, "--dataset", "/x"], tmp_path / "s.h5", "--threads", threads, "--block-rows", "350",
                 "--io", "direct", np_=np_, code=None)
    assert done.returncode == DATA, done.stderr
    assert "damaged.h5" in done.stderr and re.search("rows 3(500:3850|850:4200)", done.stderr), done.stderr
    assert not (tmp_path / "s.h5").exists()


# ---- kills and signals

@pytest.fixture(scope="module")
def long_job(tmp_path_factory):
    """A run of some seconds in 80 blocks."""
    folder = tmp_path_factory.mktemp("long")
    rows, features, vectors = (4_000 if SANITIZED else 40_000), 16, 20_000
    rng = np.random.default_rng(3)
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = rng.normal(size=(rows, features)).astype(np.float32)
    lines = "\n".join("0.5 " + " ".join(f"{j + 1}:{v:.3f}" for j, v in enumerate(row))
                      for row in rng.normal(size=(vectors, features)))
    (folder / "m.model").write_text("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\n"
                                    f"total_sv {vectors}\nrho 0.25\nSV\n{lines}\n")
    words = ["score", "--model", folder / "m.model", "--input", folder / "in.h5", "--threads", "1", "--block-rows",
             str(rows // 80), "--sync-interval", "0", "--progress", "none"]
    run([*words, "--output", folder / "undisturbed.h5"])
    return words, folder / "undisturbed.h5"


@contextlib.contextmanager
def begun(words, out, np_):
    """A run whose ledger claims a block already."""
    with subprocess.Popen(command([*words, "--output", out], np_), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, stdin=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not claims_a_block(out):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        try:
            yield process
        finally:
            process.kill()


def claims_a_block(out):
    with contextlib.suppress(OSError, KeyError), h5py.File(f"{out}.part", "r", locking=False) as f:
        return f["h5score/ledger"][()].any()
    return False


def worker_of(out):
    """The process of rank 1 that writes `out`."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            with open(f"/proc/{entry}/environ", "rb") as f:
                ranks = {b"OMPI_COMM_WORLD_RANK=1", b"PMI_RANK=1"} & set(f.read().split(b"\0"))
            if words[0] == BIN.encode() and str(out).encode() in words and ranks:
                return int(entry)
    raise AssertionError("no rank 1")


@pytest.mark.parametrize("begun_as, resumed_as", [
    (("direct", 3, "dynamic"), ("scatter", 2, "static")), (("scatter", 2, "guided"), ("direct", 3, "static")),
    (("direct", 2, "static"), ("direct", None, "dynamic"))])
def test_a_killed_worker_ends_the_run_and_another_mode_resumes_it(long_job, tmp_path, begun_as, resumed_as):
    words, undisturbed = long_job
    out = tmp_path / "s.h5"
    io, np_, schedule = begun_as
    with begun([*words, "--io", io, "--schedule", schedule], out, np_) as process:
        os.kill(worker_of(out), signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode != 0
    assert not out.exists()
    io, np_, schedule = resumed_as
    done = run([*words, "--io", io, "--schedule", schedule, "--output", out, "--resume"], np_=np_)
    assert "taken over" in done.stdout
    assert_same_scores(undisturbed, out)


def test_a_stop_signal_leaves_all_that_was_scored(long_job, tmp_path):
    words, undisturbed = long_job
    out = tmp_path / "s.h5"
    report = tmp_path / "r.json"
    with begun([*words, "--io", "direct", "--report", report], out, 2) as process:
        os.kill(process.pid, signal.SIGUSR1)
        _, text = process.communicate(timeout=60)
    stopped = json.loads(report.read_text())
    assert stopped["status"] == "stopped" and 0 < stopped["rows"] < stopped["rows_total"], text
    with h5py.File(f"{out}.part", "r", locking=False) as f:
        assert (f["h5score/ledger"][()] != 0).sum() == stopped["blocks"]
    run([*words, "--output", out, "--resume"])
    assert_same_scores(undisturbed, out)


# ---- hosts that do not see the same

def other_host(commands):
    """The words that run shell commands and then h5score as on another machine: its own mounts and name."""
    return ["unshare", "--mount", "--uts", "sh", "-c", f'hostname other && {commands} && exec "$@"', "sh"]


@pytest.fixture(scope="module")
def can_unshare():
    if subprocess.run([*other_host("true"), "true"], check=False, capture_output=True).returncode != 0:
        print("SKIPPED LOUDLY: this user may not unshare mounts and names", file=sys.stderr)
        pytest.skip("unshare is not permitted")


def on_two_hosts(words, commands):
    """Rank 0 here, rank 1 as on another machine."""
    program = [BIN, *map(str, words)]
    done = subprocess.run([MPIEXEC, "-n", "1", *program, ":", "-n", "1", *other_host(commands), *program],
                          capture_output=True, text=True, timeout=120, check=False)
    return done


@pytest.mark.parametrize("commands, why, code", [
    ("mount -t tmpfs none {folder}/in", "No such file", NO_INPUT),
    ("mount --bind {folder}/other.h5 {folder}/in/in.h5", "this is another file", DATA)])
def test_a_file_that_a_host_sees_otherwise(workplace, tmp_path, can_unshare, commands, why, code):
    (tmp_path / "in").mkdir()
    x = rows_of_test()
    for path, rows in (("in/in.h5", x), ("other.h5", x[::-1])):
        with h5py.File(tmp_path / path, "w") as f:
            f["x"] = rows
    words = arguments(workplace, [tmp_path / "in/in.h5"], "--block-rows", "300")
    hide = commands.format(folder=tmp_path)
    run([*words, "--output", tmp_path / "here.h5"])
    done = on_two_hosts([*words, "--output", tmp_path / "auto.h5"], hide)
    assert done.returncode == 0, done.stderr
    assert "rank 0 reads and writes for all ranks" in done.stdout and why in done.stdout and "other" in done.stdout
    assert_same_scores(tmp_path / "here.h5", tmp_path / "auto.h5")
    done = on_two_hosts([*words, "--output", tmp_path / "direct.h5", "--io", "direct"], hide)
    assert done.returncode == code, done.stderr
    assert "in/in.h5" in done.stderr and why in done.stderr and "other" in done.stderr
    assert not (tmp_path / "direct.h5").exists() and not (tmp_path / "direct.h5.part").exists()


def test_hosts_that_share_the_output_write_whole_pages_of_it(workplace, inputs, alone, tmp_path, can_unshare):
    scores, _ = alone["contiguous"]
    words = arguments(workplace, inputs["contiguous"], "--block-rows", "512", "--report", tmp_path / "r.json")
    done = on_two_hosts([*words, "--output", tmp_path / "s.h5"], "true")
    assert done.returncode == 0, done.stderr
    assert_same_scores(scores, tmp_path / "s.h5")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["io"] == "direct" and len({rank["host"] for rank in report["ranks"]}) == 2


def test_an_output_that_a_host_does_not_see_goes_through_rank_0(workplace, inputs, alone, tmp_path, can_unshare):
    (tmp_path / "out").mkdir()
    scores, _ = alone["contiguous"]
    words = arguments(workplace, inputs["contiguous"], "--block-rows", "512")
    done = on_two_hosts([*words, "--output", tmp_path / "out/s.h5"], f"mount -t tmpfs none {tmp_path}/out")
    assert done.returncode == 0, done.stderr
    assert_same_scores(scores, tmp_path / "out/s.h5")
