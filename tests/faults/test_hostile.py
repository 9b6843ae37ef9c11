"""Hostile files: cut off, damaged at random, and published ones that crash the HDF5 library.

The fuzz programs (tests/fuzz) do what a run does before and while it reads, thousands of times in one process: a rank that
died would be that process. Whole runs are tried with files that are cut off."""
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from hostile_files import DATA, write_data, write_models
from matrix import FULL, count, record
from program import SANITIZED, SOURCE_DIR, command, realdata
from small_job import make_job, write_model

sys.path.append(os.path.join(SOURCE_DIR, "tests", "storage"))
from input_driver import Failure, Rows, call  # noqa: E402  (its folder is not on the path of these tests)

FUZZ = pathlib.Path(os.environ["H5SCORE_BUILD_DIR"]) / "tests" / "fuzz"
CORPUS = pathlib.Path(SOURCE_DIR) / "tests" / "fuzz" / "corpus"
DATA_ERROR = 65


def fuzz(target, mutations, folder, *paths):
    """Runs a fuzz program; it fails at the first crash, unclear message or excess. Returns what it counted."""
    kept = folder / f"{target}.fault"
    done = subprocess.run([str(FUZZ / f"fuzz_{target}"), "--mutations", str(mutations), "--seed", "7", "--keep", str(kept),
                           *map(str, paths)], capture_output=True, text=True, timeout=7000)
    assert done.returncode == 0, f"{target}: exit {done.returncode}: {done.stderr[-3000:]}\nthe input is kept: {kept}"
    counted = json.loads(done.stdout.splitlines()[-1])
    print(target, counted)
    assert counted["inputs"] >= mutations and counted["used"] > 0 and counted["refused"] > 0
    return counted


def recorded(row, counts):
    """Notes the sums of several programs."""
    total = {key: sum(c[key] for c in counts) for key in ("inputs", "refused", "name_node_deaths")}
    slowest = max(c["slowest_cpu_s"] for c in counts)
    record(row, total["inputs"], f"{total['refused']:,} refused, the rest used; {total['name_node_deaths']} name nodes died; "
                                 f"slowest {slowest:.2f} s")


# ---- damaged at random

def test_damaged_inputs_kill_no_rank(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_data(data, versions=("earliest", "latest"))
    recorded("fuzz-input", [fuzz("hdf5_input", count(60 if SANITIZED else 150, 10_000), tmp_path, data)])


def test_damaged_models_of_every_format_kill_no_rank(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    write_models(models)
    counts = [fuzz("hdf5_model", count(60 if SANITIZED else 150, 20_000), tmp_path, models),
              fuzz("native_sections", count(100, 20_000), tmp_path)]
    for target, times in [("libsvm", 25_000), ("onnx", 25_000), ("keras_json", 15_000), ("arrays", 10_000)]:
        if (FUZZ / f"fuzz_{target}").exists():
            counts.append(fuzz(target, count(300, times), tmp_path, CORPUS / target))
    recorded("fuzz-models", counts)


def test_damaged_part_files_are_never_written_outside_their_results(tmp_path):
    fuzz("part_file", count(60 if SANITIZED else 150, 5_000), tmp_path)


@pytest.mark.parametrize("column", ["label", "status", "h5score/ledger", "h5score/runs"])
@pytest.mark.parametrize("onto", ["inputs", "h5score/identity", "h5score/boundaries", "h5score/columns", "header of label"])
def test_a_part_file_that_leads_results_onto_its_own_records_is_not_written(tmp_path, column, onto):
    job = make_job(str(tmp_path))
    part = pathlib.Path(f"{job.out}.part")
    whole = pathlib.Path(job.undisturbed).read_bytes()
    with h5py.File(job.undisturbed) as f:
        begin, size = f[column].id.get_offset(), f[column].id.get_storage_size()
        target = h5py.h5o.get_info(f["label"].id).addr if onto.startswith("header") else f[onto].id.get_offset()
    layout = [place.to_bytes(8, "little") + size.to_bytes(8, "little") for place in (begin, target)]
    assert whole.count(layout[0]) == 1
    part.write_bytes(whole.replace(*layout))
    before = part.read_bytes()
    done = subprocess.run(command(job.score("--resume")), capture_output=True, text=True, timeout=120)
    assert done.returncode == DATA_ERROR and part.name in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert part.read_bytes() == before


# ---- cut off

@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.model"
    write_model(path)
    return path


def refuse(arguments, out, name, np_=None, code=DATA_ERROR):
    """A run that ends with 65 (`code`) and one message that names the file, before it makes any output."""
    done = subprocess.run(command([*arguments, "--output", out, "--progress", "none"], np_), capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    said = [line for line in done.stderr.splitlines() if line.startswith("h5score: ")]
    assert done.returncode == code, f"{name}: exit {done.returncode}: {done.stderr}"
    assert len(said) == 1 and name in said[0], done.stderr
    assert "HDF5-DIAG" not in done.stderr
    assert not out.exists() and not pathlib.Path(f"{out}.part").exists()


def lengths(size, wanted):
    """So many different lengths shorter than `size`: the first and the last bytes, and evenly between."""
    ends = {0, 1, 8, 9, 95, 96, size // 2, size - 1, size - 2, size - 8}
    even = {size * i // wanted for i in range(wanted)}
    chosen = sorted(n for n in ends | even if 0 <= n < size)
    return chosen if wanted > 20 else chosen[::max(1, len(chosen) // wanted)]


def test_inputs_that_are_cut_off_are_refused_before_scoring(tmp_path, model):
    tried = 0
    for layout, path in write_data(tmp_path, versions=("earliest",)).items():
        whole = pathlib.Path(path).read_bytes()
        cut = tmp_path / f"cut-{layout}.h5"
        for i, length in enumerate(lengths(len(whole), count(5, 90))):
            cut.write_bytes(whole[:length])
            refuse(["score", "--model", model, "--input", cut], tmp_path / "s.h5", cut.name, 2 if i % 20 == 2 else None)
            tried += 1
    assert tried >= count(25, 400)
    record("truncated-input", tried, f"{len(DATA)} layouts: 65 each time, no output begun")


# ---- made to harm

def virtual(f, source):
    layout = h5py.VirtualLayout((100, 4), "f4")
    layout[:] = h5py.VirtualSource(source, "x", shape=(100, 4))
    f.create_virtual_dataset("x", layout)


def external(f, source):
    f.create_dataset("x", (100, 4), "f4", external=[(str(source), 0, 1600)])


def link(f, source):
    f["x"] = h5py.ExternalLink(str(source), "/x")


@pytest.mark.parametrize("way", [virtual, external, link])
@pytest.mark.parametrize("source", ["pipe", "/dev/zero"])
def test_values_in_pipes_and_devices_are_not_waited_for(tmp_path, model, way, source):
    path = tmp_path / "in.h5"
    if source == "pipe":
        source = tmp_path / "pipe"
        os.mkfifo(source)
    with h5py.File(path, "w") as f:
        way(f, source)
    refuse(["score", "--model", model, "--input", path, "--dataset", "/x"], tmp_path / "s.h5", path.name)


def test_a_virtual_dataset_of_itself_is_refused_before_scoring(tmp_path, model):
    path = tmp_path / "in.h5"
    with h5py.File(path, "w") as f:
        virtual(f, ".")
    refuse(["score", "--model", model, "--input", path], tmp_path / "s.h5", path.name)


def test_external_values_that_are_missing_are_told_before_scoring(tmp_path, model):
    path = tmp_path / "in.h5"
    with h5py.File(path, "w") as f:
        external(f, tmp_path / "absent")
    refuse(["score", "--model", model, "--input", path], tmp_path / "s.h5", path.name, code=66)


def unwritten(path, shape, dtype="f4", chunks=None):
    """A dataset of any size that takes no space."""
    with h5py.File(path, "w") as f:
        if chunks is None:
            space, plist = h5py.h5s.create_simple(shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            h5py.h5d.create(f.id, b"x", h5py.h5t.py_create(np.dtype(dtype)), space, plist)
        else:
            f.create_dataset("x", shape, dtype, chunks=chunks)


@pytest.mark.parametrize("shape, dtype, chunks", [
    ((10**18, 4), "f4", None), ((10**18, 4), "f4", (1000, 4)), ((2**61, 8), "f4", (2**20, 8)), ((2**59, 8), "u1", None),
    ((8, 2**60), "u1", (1, 2**20)), ((2**62, 4, 4, 4), "f4", (16, 4, 4, 4)), ((0, 4), "f4", None), ((), "f4", None),
    ((10, 0), "f4", None), ((10, 4), "S3", None)], ids=str)
def test_absurd_shapes(tmp_path, model, shape, dtype, chunks):
    path = tmp_path / "in.h5"
    unwritten(path, shape, dtype, chunks)
    refuse(["score", "--model", model, "--input", path, "--dataset", "/x"], tmp_path / "s.h5", path.name)


@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("values", [np.ones((100, 4), "<i4"), np.ones(100, [("a", "<f8", (4,)), ("b", "<i4")])], ids=["array", "field"])
def test_a_type_of_more_bits_than_bytes(tmp_path, model, values, size):
    path = tmp_path / "in.h5"
    with h5py.File(path, "w", libver="earliest") as f:  # whose object headers have no checksum
        f["x"] = values
    message = bytes.fromhex("10 08 00 00 04 00 00 00 00 00 20 00")  # 32 bits in 4 bytes
    whole = path.read_bytes()
    assert whole.count(message) == 1
    path.write_bytes(whole.replace(message, message.replace(b"\x04", bytes([size]))))
    refuse(["score", "--model", model, "--input", path, "--dataset", "/x"], tmp_path / "s.h5", path.name)


# ---- published

def in_child(work, cpu_seconds=5, memory=2 << 30):
    """The bytes that work() returns, in a process of its own with limits; None where it raises, dies or spins."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(60)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(writer, "wb") as f:
                f.write(work())
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as f:
        found = f.read()
    return found if os.waitpid(child, 0)[1] == 0 else None


def h5py_values(path, name):
    """A dataset of numbers as h5py reads it, flattened to float64."""
    def work():
        with h5py.File(path, "r") as f:
            values = f[name][...]
        fields = [values] if values.dtype.names is None else [values[n] for n in values.dtype.names
                                                              if values.dtype[n].base.kind in "iufb"]
        return np.hstack([field.reshape(len(values), -1).astype("f8") for field in fields]).tobytes()
    return in_child(work)


def check_published(path, folder):
    """'refused', 'died' (the name node; refused, too) or 'read' as h5py reads it."""
    outcomes = set()
    try:
        listed = call("inspect", path, cpu_seconds=1)["datasets"]
    except Failure as failure:
        assert failure.code == DATA_ERROR and path.name in failure.message
        return "died" if "HDF5 library" in failure.message else "refused"
    for dataset in [d for d in listed if not d["refusal"]][:12]:
        if np.prod([float(n) for n in dataset["shape"]]) > 1e7:
            continue
        try:
            got = Rows(folder, path, dataset=dataset["name"])
        except Failure as failure:
            assert failure.code == DATA_ERROR and path.name in failure.message
            outcomes.add("died" if "HDF5 library" in failure.message else "refused")
            continue
        theirs = h5py_values(path, dataset["name"])
        assert theirs is not None, f"{path.name}: {dataset['name']}: h5py cannot read what we read"
        assert np.array_equal(np.frombuffer(theirs, "f8").reshape(got.values.shape), got.values, equal_nan=True), dataset["name"]
        outcomes.add("read")
    return next((word for word in ("died", "read") if word in outcomes), "refused")


def test_published_files_that_crash_the_library(tmp_path, model):
    folder = realdata("h5-cve", "cvefiles")
    if folder is None:
        pytest.skip("H5SCORE_REALDATA is not set")
    files = sorted(p for p in pathlib.Path(folder).iterdir() if p.is_file())
    assert len(files) > 50
    tried = files if FULL else files[::8]
    outcomes = [check_published(path, tmp_path) for path in tried]
    for path, outcome in list(zip(tried, outcomes))[::1 if FULL else 5]:
        begin = time.monotonic()
        done = subprocess.run(command(["score", "--model", model, "--input", path, "--output", tmp_path / "s.h5"],
                                      2 if FULL else None), capture_output=True, text=True, timeout=120)
        sound = outcome == "read" and done.returncode == 0  # a LIBSVM model scores rows of any width
        assert sound or done.returncode in (64, DATA_ERROR), f"{path.name}: exit {done.returncode}: {done.stderr}"
        (tmp_path / "s.h5").unlink(missing_ok=True)
        print(path.name, done.returncode, f"{time.monotonic() - begin:.1f} s", done.stderr.strip()[-150:])
    seen = {word: outcomes.count(word) for word in ("read", "refused", "died")}
    record("cve-files", len(outcomes), f"{seen['refused']} refused; {seen['died']} killed the name node, 65; "
                                       f"{seen['read']} read as h5py reads them; no rank died")
