"""The main job on real data: all 70,000 Fashion-MNIST images under mpirun, labels equal to scikit-learn's on every row."""
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from program import SANITIZED, SOURCE_DIR, run

MODELS = ["logistic", "mlp", "svm"]
ROWS = 3000 if SANITIZED else 70000


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("fashion") / "fashion.h5"
    subprocess.run([sys.executable, os.path.join(SOURCE_DIR, "scripts", "make_fashion.py"), path], check=True)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_labels_equal_scikit_learn_on_every_row(images, tmp_path, name):
    model = os.path.join(SOURCE_DIR, "data", f"fashion-{name}.h5")
    done = run(["score", "--model", model, "--input", images, "--dataset", "/images", "--rows", f"0:{ROWS}",
                "--output", tmp_path / "scores.h5"], np_=2)
    assert "self-test: 256 rows" in done.stdout and "against scikit-learn" in done.stdout
    expected = np.load(os.path.join(SOURCE_DIR, "data", "fashion-labels.npz"))[name]
    with h5py.File(tmp_path / "scores.h5") as f:
        np.testing.assert_array_equal(f["classes"][()][f["label"][()]], expected[:ROWS])
        assert (f["status"][()] == 0).all()
