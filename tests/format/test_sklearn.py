"""export_sklearn.py: every supported estimator scores as in scikit-learn itself; the others are refused by name."""
import os
import subprocess
import sys
import warnings

import h5py
import joblib
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import SVC

import export_sklearn
import exported
import scored

SCRIPT = os.path.abspath(export_sklearn.__file__)
CASES = list(exported.all_of_them())
# scikit-learn iterates its coupling of pairwise probabilities to a tolerance of 0.005 / classes, from the same start as we.
PLATT_TOLERANCE = 1e-10


def expected(estimator, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "predict", estimator.predict(rows)
        for method in ("decision_function", "predict_proba"):
            if hasattr(estimator, method):
                yield method, getattr(estimator, method)(rows)


@pytest.mark.parametrize("name, estimator, rows", CASES, ids=[case[0] for case in CASES])
def test_scores_equal(name, estimator, rows, tmp_path):
    path = tmp_path / "model.h5"
    export_sklearn.save(str(path), estimator, reference=rows)
    got = scored.score(path, rows, tmp_path)
    single = "float32" in name
    assert got.info["precision"] == ("float32" if single else "float64")
    tolerance = 1e-5 if single else 1e-12
    theirs = dict(expected(estimator, rows.astype(np.float32) if single else rows))
    with h5py.File(path) as f:
        kind, link = f["head"].attrs["kind"], f["head"].attrs.get("link", "none")
        classes = f["head/classes"] if "classes" in f["head"] else None
        labels = None if classes is None else np.array(classes.asstr()[()] if classes.dtype == object else classes[()])
    if kind == "values":
        assert set(got) == {"prediction", "status"}
        assert scored.worst(got["prediction"], theirs["predict"]) < tolerance
    elif kind == "multilabel":
        assert (got["label"] == theirs["predict"]).all()
    else:
        assert (labels[got["label"].ravel().astype(int)] == theirs["predict"]).all()
    assert ("decision" in got) == ("decision_function" in theirs)
    if "decision" in got:
        assert scored.worst(got["decision"], theirs["decision_function"]) < tolerance
    assert ("probability" in got) == ("predict_proba" in theirs and link != "none")
    if "probability" in got:
        assert scored.worst(got["probability"], theirs["predict_proba"]) < (PLATT_TOLERANCE if link == "platt" else tolerance)
    assert not got["status"].any()
    assert got.info["golden_rows"] == 256 and got.info["golden_passed"]
    assert got.info["golden_max_difference"] < (1e-4 if single else 1e-9)


def test_all_linear_estimators_exist_in_some_release():
    """A misspelt name in the table would never be noticed otherwise."""
    from sklearn.utils import all_estimators

    known = {name for name, _ in all_estimators()} | set(export_sklearn.SEARCHES) | {"Pipeline"}
    assert set(export_sklearn.FINALS) <= known
    assert set(export_sklearn.TRANSFORMERS) <= known


class OwnRegression(LinearRegression):
    def predict(self, X):
        return super().predict(X) ** 2


def refused():
    x, y = exported.TRAIN, exported.CLASSES
    rare = (y[:, None] == np.arange(5)).astype(int)
    yield "RandomForestClassifier", RandomForestClassifier(2).fit(x, y)
    yield "TransformedTargetRegressor", TransformedTargetRegressor(LinearRegression()).fit(x, exported.TARGET)
    yield "OneHotEncoder", make_pipeline(OneHotEncoder(), LinearRegression()).fit(x.round(), exported.TARGET)
    yield "OwnRegression", OwnRegression().fit(x, exported.TARGET)
    yield "sqrt", make_pipeline(FunctionTransformer(np.sqrt), LinearRegression()).fit(abs(x), exported.TARGET)
    yield "add_indicator", make_pipeline(SimpleImputer(add_indicator=True), LinearRegression()).fit(x, exported.TARGET)
    yield "precomputed", SVC(kernel="precomputed").fit(x @ x.T, y)
    yield "break_ties", SVC(break_ties=True).fit(x, y)
    yield "none", OneVsRestClassifier(LogisticRegression()).fit(x, rare)
    yield "RandomForestClassifier", OneVsRestClassifier(RandomForestClassifier(2)).fit(x, y)
    yield "StandardScaler", make_pipeline(export_sklearn_scaler().fit(x))
    yield "not fitted", LinearRegression()
    yield "Pipeline is not supported", make_pipeline("passthrough")
    yield "numpy.ndarray", x


def export_sklearn_scaler():
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


REFUSED = []
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    REFUSED += refused()


@pytest.mark.parametrize("says, estimator", REFUSED, ids=[says for says, _ in REFUSED])
def test_refused_by_name(says, estimator, tmp_path):
    with pytest.raises(ValueError, match=says):
        export_sklearn.save(str(tmp_path / "model.h5"), estimator)
    assert not list(tmp_path.iterdir())


def test_names_and_origin(tmp_path):
    import sklearn

    estimator = LogisticRegression().fit(exported.TRAIN, exported.CLASSES)
    estimator.feature_names_in_ = np.array(["f%d" % i for i in range(exported.FEATURES)], dtype=object)
    path = str(tmp_path / "model.h5")
    export_sklearn.save(path, estimator, reference=exported.TEST[:5], class_names=["a", "b", "c", "d"])
    with h5py.File(path) as f:
        assert f["feature_names"].asstr()[()].tolist() == estimator.feature_names_in_.tolist()
        assert f["head/classes"].asstr()[()].tolist() == ["a", "b", "c", "d"]
        assert (f.attrs["library"], f.attrs["library_version"]) == ("scikit-learn", sklearn.__version__)
        assert f["golden/rows"].shape == (5, exported.FEATURES)
    assert scored.score(path, exported.TEST, tmp_path).info["golden_passed"]
    for wrong in ({"class_names": ["a"]}, {"feature_names": ["a"]}):
        with pytest.raises(ValueError, match="1 (class|feature) names given"):
            export_sklearn.save(path, estimator, **wrong)
    regression = LinearRegression().fit(exported.TRAIN, exported.TARGETS)
    export_sklearn.save(path, regression, target_names=["u", "v", "w"])
    with h5py.File(path) as f:
        assert f["head/target_names"].asstr()[()].tolist() == ["u", "v", "w"]
    assert scored.run("copy", path, tmp_path / "copy.h5").returncode == 0


def test_from_the_command_line(tmp_path):
    joblib.dump(SVC(probability=True, random_state=0).fit(exported.TRAIN, exported.NAMES), tmp_path / "m.joblib")
    joblib.dump(RandomForestClassifier(2).fit(exported.TRAIN, exported.NAMES), tmp_path / "forest.joblib")
    np.save(tmp_path / "x.npy", exported.TEST)

    def export(*arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    done = export("m.joblib", "m.h5", "--reference", "x.npy")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote m.h5\n"
    assert scored.score(tmp_path / "m.h5", exported.TEST, tmp_path).info["golden_passed"]
    done = export("forest.joblib", "forest.h5")
    assert done.returncode == 1 and "RandomForestClassifier is not supported" in done.stderr
    done = export("absent.joblib", "absent.h5")
    assert done.returncode == 1 and "absent.joblib" in done.stderr and "Traceback" not in done.stderr
