"""docs/inputs.md: every layout that it lists is read value by value, everything that it lists as refused is refused."""
import h5py
import numpy as np
import pytest
import page_tables
from layouts import CASES, NAMES, REFUSED
from program import run
from sklearn.preprocessing import StandardScaler

import export_sklearn

PAGE = "docs/inputs.md"


def identity(path, width, names=None):
    """A model that gives its features."""
    scaler = StandardScaler(with_mean=False, with_std=False).fit(np.zeros((2, width)))
    export_sklearn.save(str(path), scaler, feature_names=names)
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layout)
def test_layout(case, tmp_path):
    expected = case.write(tmp_path / "data.h5")
    has_names = case.names != "none"
    model = identity(tmp_path / "model.h5", expected.shape[1], NAMES[::-1] if has_names else None)
    run(["score", "--model", model, "--input", tmp_path / "data.h5", "--dataset", case.dataset, "--output", tmp_path / "s.h5"])
    with h5py.File(tmp_path / "s.h5") as f:
        got = f["prediction"][:].reshape(len(expected), -1)
        assert not f["status"][:].any()
    np.testing.assert_array_equal(got, expected[:, ::-1] if has_names else expected)
    if case.layout.startswith("external link"):  # `inspect` stays in the file that it is given
        return
    shown = run(["inspect", tmp_path / "data.h5"]).stdout
    assert f"  {case.dataset}" in shown and "None of them can be scored" not in shown


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_refused(case, tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as f:
        case.write(f)
    model = identity(tmp_path / "model.h5", 2)
    done = run(["score", "--model", model, "--input", tmp_path / "data.h5", "--dataset", "/x", "--output",
                tmp_path / "s.h5"], code=65)
    assert case.says in done.stderr and "data.h5" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_layouts_are_listed():
    rows = [(case.layout, case.writer, f"`{case.dataset}`", case.names) for case in CASES]
    page_tables.check(PAGE, "layouts", page_tables.table(("layout", "written in the test by", "`--dataset`", "names from"), rows))


def test_refusals_are_listed():
    rows = [(case.what, case.says) for case in REFUSED]
    page_tables.check(PAGE, "refused", page_tables.table(("what", "word in the message"), rows))
