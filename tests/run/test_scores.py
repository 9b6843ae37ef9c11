"""The central tests: scores agree with scikit-learn, and their bytes depend on nothing but the row and the model."""
import os
import shutil

import export_sklearn
import h5py
import numpy as np
import pytest
from program import SANITIZED, assert_same_scores, run, score_bytes

NAMES = ["linear", "logistic", "binary", "mlp", "mlpreg", "svm", "svr"]


def model_arguments(workplace, names=NAMES):
    return ["--model", *[f"{n}={workplace / n}.h5" for n in names]]


def score(workplace, out, *extra, np_=None, inputs=None):
    inputs = inputs or [workplace / "run*.h5"]
    return run(["score", *model_arguments(workplace), "--input", *inputs, "--dataset", "/x", "--output", out,
                "--progress", "none", *extra], np_=np_)


@pytest.fixture(scope="module")
def alone(workplace):
    """The scores of one process without a launcher: what every other run must equal."""
    out = workplace / "alone.h5"
    score(workplace, out)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_scikit_learn(workplace, alone, fitted, name):
    x = np.load(workplace / "x.npy").astype(np.float64)
    with h5py.File(alone) as f:
        group = f[name]
        estimator = fitted[name]
        if "prediction" in group:
            expected = estimator.predict(x)
            np.testing.assert_allclose(group["prediction"][()], expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
            return
        labels = group["classes"][()][group["label"][()]]
        if labels.dtype.kind in "OS":
            labels = np.array([s.decode() for s in labels])
        np.testing.assert_array_equal(labels, estimator.predict(x))
        if hasattr(estimator, "decision_function"):
            expected = estimator.decision_function(x)
            assert group["decision"].shape == expected.shape
            np.testing.assert_allclose(group["decision"][()], expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_allclose(group["probability"][()], estimator.predict_proba(x), rtol=1e-9, atol=1e-12)
        assert (group["status"][()] == 0).all()


def test_float32_stays_close_to_float64(workplace, alone, tmp_path):
    score(workplace, tmp_path / "s.h5", "--precision", "float32")
    with h5py.File(alone) as f64, h5py.File(tmp_path / "s.h5") as f32:
        for name in NAMES:
            for kind in ("prediction", "decision"):
                if kind in f64[name]:
                    expected = f64[name][kind][()]
                    assert f32[name][kind].dtype == np.float32
                    np.testing.assert_allclose(f32[name][kind][()], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("np_", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("schedule", ["static", "dynamic", "guided"])
def test_bytes_do_not_depend_on_ranks_schedule_threads_blocks(workplace, alone, tmp_path, schedule, np_):
    variants = [(1, 0), (3, 1000), (2, 37)] if not SANITIZED else [(2, 100)]
    for threads, block_rows in variants:
        out = tmp_path / f"s{threads}-{block_rows}.h5"
        extra = ["--block-rows", block_rows] if block_rows else []
        score(workplace, out, "--schedule", schedule, "--threads", threads, *extra, np_=np_)
        assert_same_scores(alone, out)


@pytest.mark.parametrize("threads,block_rows", [(1, 1), (2, 5), (4, 64), (1, 1777)])
def test_bytes_do_not_depend_on_threads_and_blocks_without_a_launcher(workplace, alone, tmp_path, threads, block_rows):
    score(workplace, tmp_path / "s.h5", "--threads", threads, "--block-rows", block_rows)
    assert_same_scores(alone, tmp_path / "s.h5")


def test_bytes_do_not_depend_on_the_layout_of_the_input(workplace, alone, tmp_path):
    score(workplace, tmp_path / "s.h5", inputs=[workplace / "all.h5"])
    a, b = score_bytes(alone), score_bytes(tmp_path / "s.h5")
    for name in a:
        if name not in ("inputs", "input"):  # the table of files and its dimension scale
            assert a[name] == b[name], name


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_permuted_rows_give_permuted_bytes(workplace, tmp_path, precision):
    x = np.load(workplace / "x.npy")
    order = np.random.default_rng(5).permutation(len(x))
    for name, rows in (("straight", x), ("permuted", x[order])):
        with h5py.File(tmp_path / f"{name}-in.h5", "w") as f:
            f["x"] = rows
        score(workplace, tmp_path / f"{name}.h5", "--precision", precision, inputs=[tmp_path / f"{name}-in.h5"])
    with h5py.File(tmp_path / "straight.h5") as a, h5py.File(tmp_path / "permuted.h5") as b:
        for model in NAMES:
            for kind in a[model]:
                if a[model][kind].shape[:1] == (len(x),):
                    assert a[model][kind][()][order].tobytes() == b[model][kind][()].tobytes(), (model, kind)


def test_files_are_one_row_space_in_natural_order(workplace, alone):
    with h5py.File(alone) as f:
        table = f["inputs"][()]
        paths = [p.decode() if isinstance(p, bytes) else p for p in table["path"]]
        assert [p.rsplit("/", 1)[-1] for p in paths] == ["run1.h5", "run2.h5", "run10.h5"]
        assert table["first_row"].tolist() == [0, 1000, 1600]
        assert table["rows"].tolist() == [1000, 600, 177]


def test_rows_and_passthrough(workplace, alone, tmp_path):
    score(workplace, tmp_path / "s.h5", "--rows", "990:1650", "--passthrough", "/id", np_=2)
    with h5py.File(alone) as a, h5py.File(tmp_path / "s.h5") as b:
        np.testing.assert_array_equal(b["id"][()], np.arange(990, 1650))
        assert a["mlp/probability"][990:1650].tobytes() == b["mlp/probability"][()].tobytes()


def test_a_row_with_nan_is_marked_and_disturbs_no_other(workplace, alone, tmp_path):
    x = np.load(workplace / "x.npy")
    x[5, 3] = np.nan
    x[1700, 0] = np.inf
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["x"] = x
    done = score(workplace, tmp_path / "s.h5", inputs=[tmp_path / "in.h5"])
    assert "missing" in done.stdout
    good = np.setdiff1d(np.arange(len(x)), [5, 1700])
    with h5py.File(alone) as a, h5py.File(tmp_path / "s.h5") as b:
        for model in NAMES:
            assert b[model]["status"][5] == 1 and b[model]["status"][1700] == 2
            for kind in b[model]:
                if b[model][kind].shape[:1] == (len(x),):
                    assert a[model][kind][()][good].tobytes() == b[model][kind][()][good].tobytes()
            if "label" in b[model]:
                assert b[model]["label"][5] == -1
                assert np.isnan(b[model]["probability"][5]).all()


def test_more_ranks_than_rows(workplace, alone, tmp_path):
    for rows in (1, 2):
        for schedule in ("static", "dynamic", "guided"):
            out = tmp_path / f"s{rows}{schedule}.h5"
            score(workplace, out, "--rows", f"0:{rows}", "--schedule", schedule, np_=4)
            with h5py.File(alone) as a, h5py.File(out) as b:
                assert a["svm/label"][:rows].tobytes() == b["svm/label"][()].tobytes()


def test_an_empty_dataset_is_refused(workplace, tmp_path):
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["x"] = np.zeros((0, 20))
    done = run(["score", *model_arguments(workplace), "--input", tmp_path / "in.h5", "--dataset", "/x",
                "--output", tmp_path / "s.h5"], code=65)
    assert "in.h5" in done.stderr and "0 rows" in done.stderr
    assert not (tmp_path / "s.h5").exists() and not (tmp_path / "s.h5.part").exists()


def test_names_that_are_not_utf8(workplace, alone, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.h5"
    shutil.copy(workplace / "run1.h5", name)
    score(workplace, tmp_path / "s.h5", inputs=[os.fsdecode(name)])
    with h5py.File(alone) as a, h5py.File(tmp_path / "s.h5") as b:
        assert a["svm/decision"][:1000].tobytes() == b["svm/decision"][()].tobytes()


def test_dry_run_of_a_multilabel_model_shows_which_labels_hold(workplace, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    x = np.load(workplace / "x.npy")
    y = np.c_[x[:, 0] > 0, x[:, 1] > 0].astype(int)
    model = OneVsRestClassifier(LogisticRegression()).fit(x, y)
    export_sklearn.save(str(tmp_path / "m.h5"), model, class_names=["red", "blue"])
    done = run(["score", "--model", tmp_path / "m.h5", "--input", workplace / "all.h5", "--dataset", "/x", "--output",
                tmp_path / "s.h5", "--dry-run"])
    table = done.stdout.split("\n  label\n")[1].splitlines()
    assert table[0].split() == ["row", "red", "blue"]
    expected = model.predict(x[:5])
    assert [line.split()[1:] for line in table[1:6]] == expected.astype(str).tolist()
