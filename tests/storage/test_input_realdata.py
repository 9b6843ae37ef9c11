"""HDF5 files that others wrote: each numeric dataset reads as h5py reads it or is refused clearly; hostile ones end the
name node at worst. Needs H5SCORE_REALDATA (see its README)."""
import os
import pathlib

import h5py
import numpy
import pytest
from input_driver import Failure, Rows, call

ROOT = pathlib.Path(os.environ.get("H5SCORE_REALDATA") or "/nonexistent")
if not ROOT.is_dir():
    pytest.skip("H5SCORE_REALDATA is not set: no third-party files to read", allow_module_level=True)

HOSTILE = sorted(p for p in (ROOT / "h5-cve" / "cvefiles").iterdir() if p.is_file())
GOOD = sorted(p for folder in ROOT.glob("h5-*") if folder.name != "h5-cve" for p in folder.rglob("*")
              if p.is_file() and p.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n" or p.suffix == ".mat")


def test_there_is_data():
    assert len(HOSTILE) > 50 and len(GOOD) > 60


def oracle(path, name):
    """h5py's values as float64 rows; None where h5py itself cannot read them as numbers."""
    try:
        with h5py.File(path, "r") as file:
            array = file[name][...]
        return array.reshape(array.shape[0], -1).astype("f8")
    except Exception:
        return None


@pytest.mark.parametrize("path", GOOD, ids=lambda p: str(p.relative_to(ROOT)))
def test_reads_as_h5py_or_refuses(path, tmp_path):
    try:
        listed = call("inspect", path)
    except Failure as failure:
        with pytest.raises(Exception):
            with h5py.File(path, "r") as file:
                file.visit(lambda name: None)
        assert failure.code == 65
        return
    for dataset in listed[::1 + len(listed) // 50]:
        name = dataset["name"]
        if dataset["refusal"]:
            assert not dataset["candidate"] or "filter" in dataset["refusal"]
            with pytest.raises(Failure) as failure:
                Rows(tmp_path, path, dataset=name)
            assert failure.value.code == 65 and name in failure.value.message
            continue
        assert dataset["reading"]
        if numpy.prod(dataset["shape"], dtype="f8") > 2e7:
            rows = f"0:{min(10, dataset['shape'][0])}"
            assert Rows(tmp_path, path, dataset=name, rows=rows).summary["rows"] == min(10, dataset["shape"][0])
            continue
        expected = oracle(path, name)
        assert expected is not None, f"{name}: h5py cannot read what we would"
        numpy.testing.assert_array_equal(Rows(tmp_path, path, dataset=name, block=100).values, expected)


def numeric_names(path):
    names = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and item.shape and item.size and item.dtype.kind in "iufb":
            names.append("/" + name)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return names


@pytest.mark.parametrize("path", GOOD, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_numeric_dataset_is_overlooked(path):
    try:
        names = numeric_names(path)
    except Exception as error:
        with pytest.raises(Failure):
            call("inspect", path)
        print("h5py refuses, too:", error)
        return
    listed = {d["name"]: d for d in call("inspect", path)}
    for name in names:
        assert not listed[name]["refusal"] or "filter" in listed[name]["refusal"], listed[name]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda p: p.name)
def test_hostile_files_end_in_one_message(path, tmp_path):
    for arguments in [["inspect", path], ["rows", tmp_path / "out", "--input", path]]:
        try:
            call(*arguments, cpu_seconds=1)
        except Failure as failure:
            assert failure.code in (64, 65), failure.message
            assert path.name in failure.message
            if "HDF5 library" in failure.message:
                return
