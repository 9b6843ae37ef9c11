"""Files that are small and want much: streams that inflate without end, groups below groups, lists and configurations that are
devices, binary or damaged. Each ends with a message and a code of a user's mistake, in bounded memory and time."""
import functools
import io
import os
import subprocess
import tempfile
import time
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from program import SANITIZED, command
from small_job import write_model

USAGE, DATA_ERROR, NO_INPUT = 64, 65, 66
MOST_MEMORY = 600 << 20  # bytes of one process, the name node among them; a program that does nothing has 30 MB
GIB = 1 << 30


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    write_model(folder / "m.model")
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = np.zeros((100, 4), "f4")
    return folder


def refuse(arguments, codes, name):
    """One message that names the file; one of the codes; little memory; no output left."""
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(command(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        print(f"{name}: {used.ru_maxrss >> 10} MiB, {time.monotonic() - start:.1f} s")
        errors.seek(0)
        text = errors.read().decode()
    assert process.returncode in codes, f"{name}: exit {process.returncode}: {text}"
    said = [line for line in text.splitlines() if line.startswith("h5score: ")]
    assert len(said) == 1 and name in said[0] and "HDF5-DIAG" not in text, text
    assert all(character.isprintable() for character in said[0])
    assert SANITIZED or used.ru_maxrss << 10 < MOST_MEMORY
    return said[0]


def score(job, **changed):
    words = {"model": job / "m.model", "input": job / "in.h5", "output": job / "s.h5", **changed}
    return ["score", *(str(word) for name, value in words.items() if value is not None
                       for word in (f"--{name.replace('_', '-')}", value))]


# ---- inflating

@functools.cache
def deflated_zeros(size):
    packer = zlib.compressobj(1)
    piece = bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(size >> 20)), packer.flush()])


@pytest.mark.parametrize("io_mode", ["scatter", "direct"])
@pytest.mark.parametrize("size", [1 << 20, GIB], ids=["MiB", "GiB"])
def test_a_chunk_that_inflates_to_more_than_a_chunk(job, tmp_path, size, io_mode):
    path = tmp_path / "in.h5"
    with h5py.File(path, "w") as f:
        dataset = f.create_dataset("x", (100_000, 4), "f4", chunks=(50_000, 4), compression="gzip")
        dataset[:] = 0
        dataset.id.write_direct_chunk((50_000, 0), deflated_zeros(size))
    refuse([*score(job, input=path), "--io", io_mode], [DATA_ERROR], path.name)
    assert not (job / "s.h5").exists()
    os.remove(job / "s.h5.part")  # a chunk is looked at when its block is read


@pytest.mark.parametrize("member", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_keras_archive_that_inflates_without_end(tmp_path, job, member):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as f:
        for name in {"config.json", "metadata.json", "model.weights.h5"} - {member}:
            f.writestr(name, "{}")
        with f.open(member, "w", force_zip64=True) as out:
            for _ in range(1024):
                out.write(bytes(1 << 20))
    refuse(score(job, model=path), [DATA_ERROR], path.name)


def test_an_archive_of_arrays_that_inflates_without_end(tmp_path, job):
    path = tmp_path / "r.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 27,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as f, f.open("W0.npy", "w", force_zip64=True) as out:
        out.write(header.getvalue())
        for _ in range(1024):
            out.write(bytes(1 << 20))
    refuse(["convert", job / "m.model", "-o", tmp_path / "m.h5", "--reference", path], [USAGE, DATA_ERROR], path.name)


# ---- deep and wide

def test_groups_below_groups(tmp_path, job):
    path = tmp_path / "deep.h5"
    with h5py.File(path, "w", libver="latest") as f:
        group = f.id
        for _ in range(5_000):
            group = h5py.h5g.create(group, b"g")
    refuse(score(job, input=path), [USAGE, DATA_ERROR], path.name)


def test_groups_in_a_circle(tmp_path, job):
    path = tmp_path / "circle.h5"
    with h5py.File(path, "w") as f:
        group = f.create_group("a")
        for name in "bcdefgh":
            group[name] = group
            group[name + "2"] = f["/"]
    refuse(score(job, input=path), [USAGE, DATA_ERROR], path.name)


def test_many_groups(tmp_path, job):
    path = tmp_path / "wide.h5"
    with h5py.File(path, "w", libver="latest") as f:
        for i in range(100_000):
            h5py.h5g.create(f.id, f"g{i}".encode())
    refuse(score(job, input=path), [USAGE, DATA_ERROR], path.name)


# ---- options in files

CONFIGS = {"binary": np.random.default_rng(3).bytes(4096), "zeros": bytes(4096), "no text": b"\xff\xfe=\x80\n", "sections": b"[score]\nthreads = 2\n",
           "other keys": b"kernel = rbf\n", "no value": b"threads\n", "long": b"threads = " + b"1" * (1 << 20) + b"\n",
           "escapes": b"\x1b[2J\x1b]0;title\x07 = 1\n", "twice": b"threads = 1\nthreads = 2\n",
           "bad values": b"block-rows = -5\n", "itself": b"config = c.ini\n"}


@pytest.mark.parametrize("kind", CONFIGS)
def test_configurations_that_are_none(tmp_path, job, kind):
    path = tmp_path / "c.ini"
    path.write_bytes(CONFIGS[kind])
    said = refuse(score(job, config=path), [USAGE, DATA_ERROR], "h5score: ")
    assert "c.ini" in said or kind in ("bad values", "twice", "long"), said


LISTS = {"binary": b"\x00\x01\x02", "names of nothing": b"absent.h5\n", "one name": b"x" * (1 << 20), "a list": b"list.txt\n"}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_inputs_that_are_none(tmp_path, job, kind):
    path = tmp_path / "list.txt"
    path.write_bytes(LISTS[kind])
    refuse(score(job, input=None, input_list=path), [USAGE, DATA_ERROR, NO_INPUT], "h5score: ")


@pytest.mark.parametrize("option", ["model", "input", "config", "input_list", "feature_names", "reference"])
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null", "/"])
def test_devices_and_folders_in_place_of_files(job, option, device):
    arguments = score(job, **{option: device})
    if option == "reference":
        arguments = ["convert", job / "m.model", "-o", job / "m.h5", "--reference", device]
    if device == "/dev/null" and option == "config":
        return  # no options: nothing is wrong with it
    refuse(arguments, [USAGE, DATA_ERROR, NO_INPUT], device)
