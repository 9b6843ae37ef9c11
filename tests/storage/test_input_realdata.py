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


def flattened(array):
    """Records as float64 columns in the order of their fields: nested ones and arrays one after the other; no texts."""
    if array.dtype.names is None:
        rows = array.reshape(array.shape[0], -1)
        if rows.dtype.kind == "c":
            rows = rows.view(rows.real.dtype)
        return [rows.astype("f8")] if rows.dtype.kind in "iufb" else []
    columns = []
    for name in array.dtype.names:
        field = array[name]
        if field.dtype.names is not None and field.ndim > 1:  # an array of records: each in turn
            for i in range(int(numpy.prod(field.shape[1:]))):
                columns += flattened(field.reshape(field.shape[0], -1)[:, i])
        else:
            columns += flattened(field)
    return columns


def oracle(path, name):
    """h5py's values as float64 rows; None where h5py itself cannot read them as numbers."""
    try:
        with h5py.File(path, "r") as file:
            return numpy.hstack(flattened(file[name][...]))
    except Exception:
        return None


@pytest.mark.parametrize("path", GOOD, ids=lambda p: str(p.relative_to(ROOT)))
def test_reads_as_h5py_or_refuses(path, tmp_path):
    try:
        listed = call("inspect", path)["datasets"]
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


def column_of(file, group, name):
    """A column's values; vaex keeps it in a group of its own."""
    member = file[group][name]
    return (member if isinstance(member, h5py.Dataset) else member["data"])[...].astype("f8")


@pytest.mark.parametrize("path", GOOD, ids=lambda p: str(p.relative_to(ROOT)))
def test_groups_of_columns_read_as_h5py(path, tmp_path):
    try:
        groups = [t for t in call("inspect", path)["tables"] if t["kind"] == 1 and not t["name"].startswith("/#refs#")]
    except Failure:
        return  # that it is refused rightly is another test's matter; MATLAB's #refs# hold objects of several names
    for group in groups[::1 + len(groups) // 20]:
        got = Rows(tmp_path, path, dataset=group["name"], block=1000)
        assert got.summary["names"] == group["names"] and got.summary["rows"] == group["rows"]
        with h5py.File(path, "r") as file:
            for i, name in list(enumerate(group["names"]))[:50]:
                numpy.testing.assert_array_equal(got.values[:, i], column_of(file, group["name"], name))


def outcome(path, folder):
    """What happens when a file is given without --dataset: what is read, or why it is not."""
    try:
        got = Rows(folder, path, rows="0:1").summary
        kind = ["array", "group of columns", "compound table", "sparse matrix"][got["kind"]]
        return f"{kind} {got['files'][0]['dataset']}: {got['features']} columns"
    except Failure as failure:
        assert failure.code in (64, 65)
        return failure.message.split(": ", 2)[-1]


def test_table_of_files(tmp_path):
    """Every file has an outcome; run with -s to see them."""
    outcomes = {str(path.relative_to(ROOT)): outcome(path, tmp_path) for path in GOOD}
    for name, text in outcomes.items():
        print(f"{name:60} {text[:110]}")
    assert outcomes["h5-vaex/iris.hdf5"] == "group of columns /table/columns: 5 columns"
    assert outcomes["h5-pytables/ex-noattr.h5"].startswith("compound table ")
    assert outcomes["h5-rhdf5/h5ex_t_cmpd.h5"] == "compound table /DS1: 3 columns"
    assert "no dataset fits" in outcomes["h5-h5py/vlen_string_dset.h5"]


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
    listed = {d["name"]: d for d in call("inspect", path)["datasets"]}
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
