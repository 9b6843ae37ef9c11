"""The native model format between h5py and h5score, in both directions."""
import os
import re

import h5py
import numpy as np
import pytest

import scored

DOCUMENT = os.path.join(os.environ["H5SCORE_SOURCE_DIR"], "docs", "model-format.md")


def write_ten_lines(folder):
    """Runs the ten lines of docs/model-format.md in `folder`; gives their variables."""
    with open(DOCUMENT, encoding="utf-8") as f:
        code = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
    assert len(code.splitlines()) <= 10
    names, before = {}, os.getcwd()
    os.chdir(folder)
    try:
        exec(code, names)  # the document's own code
    finally:
        os.chdir(before)
    return names


def test_the_ten_lines_of_the_document(tmp_path):
    names = write_ten_lines(tmp_path)
    rows = np.random.RandomState(0).normal(size=(50, 4))
    got = scored.score(tmp_path / "iris.h5", rows, tmp_path)
    z = rows @ names["weights"] + names["bias"]
    assert scored.worst(got["decision"], z) < 1e-14
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert scored.worst(got["probability"], p) < 1e-14
    assert (got["label"].ravel() == z.argmax(axis=1)).all()
    assert "3 classes" in got.info["description"]


def test_a_written_model_as_h5py_sees_it(tmp_path):
    write_ten_lines(tmp_path)
    with h5py.File(tmp_path / "iris.h5", "r+") as f:
        f["feature_names"] = ["a", "b", "ç", "d"]
        f["golden/rows"] = np.ones((1, 4))
        f["golden/label_codes"] = [2]
    done = scored.run("copy", tmp_path / "iris.h5", tmp_path / "copy.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "iris.h5") as ours, h5py.File(tmp_path / "copy.h5") as copy:
        assert copy.attrs["format"] == "h5score-model" and copy.attrs["format_version"] == 1
        assert copy.attrs["precision"] == "float64"
        assert all_names(copy) == all_names(ours)
        for name in all_names(copy):
            if isinstance(copy[name], h5py.Dataset):
                assert (copy[name][()] == ours[name][()]).all(), name
        assert copy["feature_names"].asstr()[()].tolist() == ["a", "b", "ç", "d"]


def all_names(f):
    names = []
    f.visit(names.append)
    return names


def test_a_graph_that_h5py_wrote(tmp_path):
    """A residual connection beside two selected columns, after counts and sentinels."""
    random = np.random.RandomState(1)
    weights, bias, last = random.normal(size=(4, 4)), random.normal(size=4), random.normal(size=(6, 2))
    with h5py.File(tmp_path / "graph.h5", "w") as f:
        f.attrs.update(format="h5score-model", format_version=1, n_features=4)
        f["input_shape"] = [1, 2, 2]
        for i, (kind, inputs) in enumerate([("mark_missing", None), ("impute", None), ("affine", None), ("activation", None),
                                            ("add", [2, 4]), ("select", [0]), ("concat", [5, 6]), ("affine", None)]):
            group = f.create_group("stages/%d" % i)
            group.attrs["kind"] = kind
            if inputs is not None:
                group.attrs["inputs"] = inputs
        f["stages/0"].attrs["value"] = 99
        f["stages/1/statistics"] = [0.5, np.nan, 0.25, 0.125]
        f["stages/2/weights"], f["stages/2/bias"] = weights, bias
        f["stages/3"].attrs["function"] = "tanh"
        f["stages/5/columns"] = np.array([3, 0], dtype="u2")
        f["stages/7/weights"], f["stages/7/bias"] = last, [1, 2]
        f["reference/mean"] = np.zeros(4)
        f.create_group("head").attrs["kind"] = "values"
    rows = random.normal(size=(70, 4))
    rows[3, 2] = 99
    x = np.where(rows == 99, 0.25, rows)
    expected = np.hstack([x + np.tanh(x @ weights + bias), rows[:, [3, 0]]]) @ last + [1, 2]
    got = scored.score(tmp_path / "graph.h5", rows, tmp_path)
    assert scored.worst(got["prediction"], expected) < 1e-13
    rows[5, 1] = 99
    got = scored.score(tmp_path / "graph.h5", rows, tmp_path)
    assert (got["status"].ravel() == (np.arange(70) == 5)).all() and np.isnan(got["prediction"][5]).all()


@pytest.mark.parametrize("options", [
    {"dtype": ">f8"}, {"dtype": "f4"}, {"dtype": "f2"}, {"dtype": "i2"},
    {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"chunks": (1, 2)}, {"maxshape": (None, None)},
], ids=str)
def test_any_storage_of_parameters(tmp_path, options):
    write_ten_lines(tmp_path)
    weights = np.arange(12.0).reshape(4, 3) - 5
    with h5py.File(tmp_path / "iris.h5", "r+") as f:
        del f["stages/0/weights"]
        f.create_dataset("stages/0/weights", data=weights, **options)
    rows = np.random.RandomState(0).normal(size=(5, 4))
    got = scored.score(tmp_path / "iris.h5", rows, tmp_path)
    assert scored.worst(got["decision"], rows @ weights) < 1e-14


@pytest.mark.parametrize("labels", [
    np.array([b"a", b"bb", b"c"]), np.array([1, 2, 3], dtype="u1"), np.array([-1, 5, 2], dtype=">i8"),
    np.array([0.5, 1.5, 2.5], dtype="f4"), ["ä", "ö", "ü"],
], ids=str)
def test_class_labels_keep_their_type(tmp_path, labels):
    write_ten_lines(tmp_path)
    with h5py.File(tmp_path / "iris.h5", "r+") as f:
        del f["head/classes"]
        f["head/classes"] = labels
    done = scored.run("copy", tmp_path / "iris.h5", tmp_path / "copy.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "copy.h5") as f:
        got = f["head/classes"]
        if isinstance(labels, list) or labels.dtype.kind == "S":
            expected = [x.decode() if isinstance(x, bytes) else x for x in labels]
            assert got.asstr()[()].tolist() == expected
        else:
            assert got.dtype.kind == ("f" if labels.dtype.kind == "f" else "i") and got.dtype.itemsize == 8
            assert got[()].tolist() == labels.tolist()


def edit_virtual(f):
    layout = h5py.VirtualLayout((4, 3), dtype="f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4, 3))
    del f["stages/0/weights"]
    f.create_virtual_dataset("stages/0/weights", layout)


def edit_bomb(f):
    """64 GiB of zeros in a few kilobytes: chunks that were never written."""
    del f["stages/0/weights"]
    f.create_dataset("stages/0/weights", (1 << 31, 4), "f8", chunks=(1 << 10, 4), compression="gzip")


def edit_shared_dataset(f):
    """A thousand stages that are all the same dataset, whatever it is."""
    for i in range(1, 1000):
        f["stages/%d" % i] = f["stages/0"]


def edit_empty(f):
    del f["stages/0/bias"]
    f["stages/0/bias"] = h5py.Empty("f8")


def edit_nan(f):
    f["stages/0/bias"][0] = np.nan


def edit_complex(f):
    del f["stages/0/bias"]
    f["stages/0/bias"] = np.zeros(3, dtype="c16")


def edit_group_for_dataset(f):
    del f["stages/0/bias"]
    f.create_group("stages/0/bias")


def edit_duplicate_class(f):
    f["head/classes"][2] = "setosa"


def edit_latin1_attribute(f):
    f.attrs["library"] = np.bytes_("caf\u00e9".encode("latin-1"))


@pytest.mark.parametrize("edit, says", [
    (edit_virtual, "outside its file"), (edit_bomb, "larger than its file"), (edit_shared_dataset, ""),
    (edit_empty, "/stages/0/bias"), (edit_nan, "bias[0] is nan"), (edit_complex, "/stages/0/bias"),
    (edit_group_for_dataset, "/stages/0/bias"), (edit_duplicate_class, ""), (edit_latin1_attribute, "UTF-8"),
], ids=lambda x: getattr(x, "__name__", ""))
def test_refused(tmp_path, edit, says):
    write_ten_lines(tmp_path)
    with h5py.File(tmp_path / "iris.h5", "r+") as f:
        edit(f)
    assert says in scored.refusal(tmp_path / "iris.h5", tmp_path)
