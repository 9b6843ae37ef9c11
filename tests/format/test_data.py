"""The models of data/ and their reference labels, against numpy; the Fashion-MNIST file."""
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

import make_fashion
import scored

DATA = os.path.join(os.environ["H5SCORE_SOURCE_DIR"], "data")
pytestmark = pytest.mark.skipif(not os.path.isdir(make_fashion.SOURCE), reason="Debian's dataset-fashion-mnist is not installed")


@pytest.fixture(scope="module")
def fashion():
    images, labels = make_fashion.load()
    return images.reshape(len(images), -1), labels


def labels_of(name):
    with np.load(os.path.join(DATA, "fashion-labels.npz")) as references:
        return references[name]


@pytest.mark.parametrize("name, right", [("logistic", 0.83), ("mlp", 0.87), ("svm", 0.83)])
def test_labels_equal_scikit_learns(name, right, fashion, tmp_path):
    rows, labels = fashion
    reference = labels_of(name)
    assert (reference == labels)[60000:].mean() > right
    chosen = np.arange(0, len(rows), 10)  # whole runs over all rows are tested with the program
    got = scored.score(os.path.join(DATA, "fashion-%s.h5" % name), rows[chosen], tmp_path)
    assert (got["label"].ravel() == reference[chosen]).all()
    assert got.info["golden_rows"] == 256 and got.info["golden_passed"]
    assert got.info["precision"] == ("float32" if name == "mlp" else "float64")


def test_diabetes(tmp_path):
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    got = scored.score(os.path.join(DATA, "diabetes-ridge.h5"), data.data, tmp_path)
    assert got.info["golden_rows"] == 256 and got.info["golden_passed"]
    with h5py.File(os.path.join(DATA, "diabetes-ridge.h5")) as f:
        assert f["feature_names"].asstr()[()].tolist() == data.feature_names
    residual = data.target - got["prediction"].ravel()
    assert 1 - residual.var() / data.target.var() > 0.5


def test_the_fashion_file(fashion, tmp_path):
    rows, labels = fashion
    path = tmp_path / "fashion.h5"
    script = os.path.abspath(make_fashion.__file__)
    subprocess.run([sys.executable, script, str(path)], check=True, capture_output=True)
    with h5py.File(path) as f:
        assert f["images"].shape == (70000, 28, 28) and f["images"].dtype == np.uint8
        assert (f["images"][()].reshape(70000, -1) == rows).all()
        assert (f["labels"][()] == labels).all()
        assert len(f["class_names"]) == 10
    assert os.listdir(tmp_path) == ["fashion.h5"]


def test_data_is_small():
    assert sum(os.path.getsize(os.path.join(DATA, name)) for name in os.listdir(DATA)) < 3_000_000
