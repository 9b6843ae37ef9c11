"""export_sklearn.py: every supported estimator scores as in scikit-learn itself; the others are refused by name."""
import os
import subprocess
import sys
import warnings

import h5py
import joblib
import numpy as np
import pandas
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler
from sklearn.svm import SVC

import export_sklearn
import exported
import scored
from h5score_export import transformers

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

    known = {name for name, _ in all_estimators()} | set(transformers.SEARCHES) | {"Pipeline"}
    assert set(export_sklearn.FINALS) <= known
    assert set(transformers.TRANSFORMERS) | set(transformers.BRANCHES) <= known


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
    yield "KNNImputer", make_pipeline(KNNImputer(), LinearRegression()).fit(x, exported.TARGET)
    yield "OneHotEncoder", make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [1])), LinearRegression()
                                         ).fit(x.round(), exported.TARGET)
    yield "transformer_weights", make_pipeline(FeatureUnion([("a", StandardScaler())], transformer_weights={"a": 2}),
                                               LinearRegression()).fit(x, exported.TARGET)
    yield "add_indicator", make_pipeline(SimpleImputer(add_indicator=True), LinearRegression()).fit(x, exported.TARGET)
    yield "precomputed", SVC(kernel="precomputed").fit(x @ x.T, y)
    yield "break_ties", SVC(break_ties=True).fit(x, y)
    yield "none", OneVsRestClassifier(LogisticRegression()).fit(x, rare)
    yield "RandomForestClassifier", OneVsRestClassifier(RandomForestClassifier(2)).fit(x, y)
    yield "FunctionTransformer alone does nothing", FunctionTransformer().fit(x)
    yield "not fitted", LinearRegression()
    yield "Pipeline is not supported", make_pipeline("passthrough")
    yield "numpy.ndarray", x


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


def stored(path, group):
    with h5py.File(path) as f:
        return {name: f[group][name][()] for name in f[group]} if group in f else {}


def test_names_that_only_a_part_has_kept(tmp_path):
    rows = pandas.DataFrame(exported.TRAIN, columns=list("abcdefghi"))
    for front in (FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]), "passthrough"):
        path = str(tmp_path / "m.h5")
        estimator = Pipeline([("front", front), ("scale", StandardScaler()), ("last", LinearRegression())])
        export_sklearn.save(path, estimator.fit(rows, exported.TARGET), reference=rows[:5])
        with h5py.File(path) as f:
            assert [name.decode() for name in f["feature_names"]] == list("abcdefghi")


def test_what_the_training_rows_looked_like(tmp_path):
    path = str(tmp_path / "model.h5")
    x, y = exported.TRAIN, exported.TARGET
    export_sklearn.save(path, LinearRegression().fit(x, y))
    assert not stored(path, "reference")
    export_sklearn.save(path, make_pipeline(StandardScaler(), LinearRegression()).fit(x, y))
    facts = stored(path, "reference")
    assert set(facts) == {"mean", "stddev"}
    np.testing.assert_allclose([facts["mean"], facts["stddev"]], [x.mean(0), x.std(0)], rtol=1e-12)
    export_sklearn.save(path, make_pipeline(MinMaxScaler(), LinearRegression()).fit(x, y))
    facts = stored(path, "reference")
    assert (facts["minimum"] == x.min(0)).all() and (facts["maximum"] == x.max(0)).all()
    for scaler in (MinMaxScaler((-1, 1)), RobustScaler()):  # what they subtract is no mean
        export_sklearn.save(path, make_pipeline(scaler, LinearRegression()).fit(x, y))
        assert np.isnan([stored(path, "reference")[name] for name in ("mean", "stddev")]).all()
    holes = np.where(x > 2, np.nan, x)
    export_sklearn.save(path, LinearRegression().fit(x, y), training=holes)
    facts = stored(path, "reference")
    for name, function in (("mean", np.nanmean), ("stddev", np.nanstd), ("minimum", np.nanmin), ("maximum", np.nanmax)):
        np.testing.assert_allclose(facts[name], function(holes, axis=0), rtol=1e-12)
    assert scored.run("copy", path, tmp_path / "copy.h5").returncode == 0
    with pytest.raises(ValueError, match="training rows have 3 columns, the model has 9"):
        export_sklearn.save(path, LinearRegression().fit(x, y), training=x[:, :3])


def test_a_scaler_alone_gives_what_it_transforms_to(tmp_path):
    for scaler in (StandardScaler(), make_pipeline(MinMaxScaler(), FunctionTransformer(np.log1p))):
        scaler.fit(exported.TRAIN)
        export_sklearn.save(str(tmp_path / "scaler.h5"), scaler, reference=exported.TEST)
        got = scored.score(tmp_path / "scaler.h5", exported.TEST, tmp_path)
        assert scored.worst(got["prediction"], scaler.transform(exported.TEST)) < 1e-12
        assert got.info["golden_rows"] == 256 and got.info["golden_passed"]


def test_columns_chosen_by_name(tmp_path):
    """A pipeline that was trained on a DataFrame keeps its names, and takes golden rows without them."""
    import pandas

    x = pandas.DataFrame(exported.TRAIN, columns=["f%d" % i for i in range(exported.FEATURES)])
    chosen = make_column_transformer((StandardScaler(), ["f7", "f1"]), ("passthrough", ["f4"]))
    estimator = make_pipeline(chosen, LogisticRegression()).fit(x, exported.CLASSES)
    path = tmp_path / "model.h5"
    export_sklearn.save(str(path), estimator, reference=exported.TEST)
    got = scored.score(path, exported.TEST, tmp_path)
    assert got.info["golden_passed"]
    theirs = estimator.predict_proba(pandas.DataFrame(exported.TEST, columns=x.columns))
    assert scored.worst(got["probability"], theirs) < 1e-12
    with h5py.File(path) as f:
        assert f["feature_names"].asstr()[()].tolist() == list(x.columns)


def test_total_count(tmp_path):
    estimator = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(abs(exported.TRAIN), exported.CLASSES)
    path = tmp_path / "model.h5"
    export_sklearn.save(str(path), estimator, reference=abs(exported.TEST), normalize_total=1e4)
    with h5py.File(path) as f:
        assert f.attrs["total_count"] == 1e4
    assert scored.run("copy", path, tmp_path / "copy.h5").returncode == 0
    with h5py.File(tmp_path / "copy.h5") as f:
        assert f.attrs["total_count"] == 1e4


def test_from_the_command_line(tmp_path):
    joblib.dump(SVC(probability=True, random_state=0).fit(exported.TRAIN, exported.NAMES), tmp_path / "m.joblib")
    joblib.dump(RandomForestClassifier(2).fit(exported.TRAIN, exported.NAMES), tmp_path / "forest.joblib")
    np.save(tmp_path / "x.npy", exported.TEST)

    def export(*arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    done = export("m.joblib", "m.h5", "--reference", "x.npy")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote m.h5, without feature names: columns will be taken by position\n"
    assert scored.score(tmp_path / "m.h5", exported.TEST, tmp_path).info["golden_passed"]
    done = export("forest.joblib", "forest.h5")
    assert done.returncode == 1 and "RandomForestClassifier is not supported" in done.stderr
    done = export("absent.joblib", "absent.h5")
    assert done.returncode == 1 and "absent.joblib" in done.stderr and "Traceback" not in done.stderr
