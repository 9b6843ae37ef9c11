"""Models and input files that the run tests share: small, but of every family and several layouts."""
import sys
import warnings

import h5py
import numpy as np
import pytest

sys.dont_write_bytecode = True
import export_sklearn  # noqa: E402  (scripts/ is on the path)

FEATURES = 20


def make_rows(n, seed):
    """n x FEATURES float32 rows of three overlapping clouds, and their class 0, 1, 2."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    centres = np.random.default_rng(7).normal(size=(3, FEATURES))
    return (centres[y] + rng.normal(size=(n, FEATURES))).astype(np.float32), y


def estimators():
    """One fitted estimator for each family, by a short name."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR

    x, y = make_rows(400, 1)
    x = x.astype(np.float64)
    names = np.array(["galaxy", "quasar", "star"])[y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "linear": LinearRegression().fit(x, np.c_[x[:, 0] + y, x[:, 1] - y]),
            "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x, names),
            "binary": LogisticRegression(max_iter=300).fit(x, y == 1),
            "mlp": make_pipeline(StandardScaler(), MLPClassifier((30, 17), max_iter=60, random_state=0)).fit(x, y),
            "mlpreg": MLPRegressor((16,), activation="tanh", max_iter=60, random_state=0).fit(x, x[:, 0] * y),
            "svm": SVC(probability=True, random_state=0, decision_function_shape="ovo").fit(x, y),
            "svr": SVR(kernel="poly", degree=2).fit(x, x[:, 0] + y),
        }


@pytest.fixture(scope="session")
def fitted():
    return estimators()


@pytest.fixture(scope="session")
def workplace(tmp_path_factory, fitted):
    """A folder with models (NAME.h5) and inputs: run1.h5 + run2.h5 + run10.h5 (contiguous, gzip, chunked; /x)."""
    folder = tmp_path_factory.mktemp("work")
    reference, _ = make_rows(64, 2)
    for name, estimator in fitted.items():
        export_sklearn.save(str(folder / f"{name}.h5"), estimator, reference=reference.astype(np.float64))
    x, y = make_rows(1777, 3)
    with h5py.File(folder / "run1.h5", "w") as f:
        f["x"], f["id"] = x[:1000], np.arange(1000)
    with h5py.File(folder / "run2.h5", "w") as f:
        f.create_dataset("x", data=x[1000:1600], chunks=(70, 20), compression="gzip", shuffle=True, fletcher32=True)
        f["id"] = np.arange(1000, 1600)
    with h5py.File(folder / "run10.h5", "w") as f:
        f.create_dataset("x", data=x[1600:].astype(">f4"), chunks=(50, 7))
        f["id"] = np.arange(1600, 1777)
    with h5py.File(folder / "all.h5", "w") as f:
        f["x"], f["id"] = x, np.arange(1777)
    np.save(folder / "x.npy", x)
    return folder
