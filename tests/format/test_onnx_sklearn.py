"""ai.onnx.ml models as skl2onnx writes them, against the scikit-learn models they stand for."""
import numpy as np
import pytest
from onnx import helper, numpy_helper
from sklearn import svm
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import Binarizer, Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from onnx_models import build, native, node, refusal, score
from scored import worst

R = np.random.RandomState(5)
X = (R.normal(size=(400, 6)) * 1.5 + 0.2).astype(np.float32)
SCORES = X @ R.normal(size=(6, 4)) + R.normal(size=(400, 4))
CODES = SCORES.argmax(axis=1) * 10 - 5
NAMES = np.array(["a", "b", "née", "d"])[SCORES.argmax(axis=1)]
TWO = np.where(SCORES[:, 0] > 0, 4, 2)
LABELS = (SCORES[:, :3] > 0.3).astype(int)
TARGETS = X @ R.normal(size=(6, 3))


def class_attributes(classes):
    if classes.dtype.kind in "US":
        return {"classlabels_strings": list(classes)}
    return {"classlabels_ints": [int(c) for c in classes]}


def classes_of(model, folder):
    with native(model, folder) as f:
        stored = f["head/classes"]
        return np.array(stored.asstr()[()] if stored.dtype == object else stored[()])


def check_labels(model, result, theirs, folder):
    assert (classes_of(model, folder)[result["label"].ravel().astype(int)] == theirs).all()


def linear(fitted, transform, normalise=False, zip_map=True):
    """LinearClassifier with a map of probabilities, both classes written out where there are two."""
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        coefficients, intercepts = np.vstack([-coefficients, coefficients]), np.append(-intercepts, intercepts)
    attributes = class_attributes(fitted.classes_)
    nodes = [node("LinearClassifier", "x", "label raw", ml=True, coefficients=coefficients.ravel().tolist(),
                  intercepts=intercepts.tolist(), multi_class=1, post_transform=transform, **attributes),
             node("Normalizer", "raw", "p", ml=True, norm="L1") if normalise else node("Identity", "raw", "p")]
    if zip_map:
        key = "classlabels_strings" if "classlabels_strings" in attributes else "classlabels_int64s"
        nodes += [node("Cast", "label", "c", to=7 if key.endswith("int64s") else 8), node("Identity", "c", "output_label"),
                  node("ZipMap", "p", "output_probability", ml=True, **{key: list(attributes.values())[0]})]
    return build(nodes, [None, 6], outputs="output_label output_probability" if zip_map else "label p")


@pytest.mark.parametrize("y", [CODES, NAMES, TWO], ids=["codes", "names", "two"])
@pytest.mark.parametrize("kind", ["multinomial", "ovr"])
@pytest.mark.parametrize("zip_map", [True, False])
def test_logistic_regression(y, kind, zip_map, tmp_path):
    fitted = LogisticRegression(multi_class=kind).fit(X, y)
    model = linear(fitted, "SOFTMAX" if kind == "multinomial" else "LOGISTIC", kind == "ovr" and y is not TWO, zip_map)
    result = score(model, X, tmp_path)
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-5
    assert worst(result["decision"], fitted.decision_function(X)) < 1e-5
    check_labels(model, result, fitted.predict(X), tmp_path)


@pytest.mark.parametrize("y", [NAMES, TWO], ids=["names", "two"])
def test_softmax_that_is_normalised_again(y, tmp_path):
    fitted = LogisticRegression(multi_class="multinomial").fit(X, y)
    result = score(linear(fitted, "SOFTMAX", True), X, tmp_path)
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-5
    assert worst(result["decision"], fitted.decision_function(X)) < 1e-5


@pytest.mark.parametrize("y", [CODES, TWO], ids=["codes", "two"])
@pytest.mark.parametrize("opset", [12, 13])
def test_double_logistic_regression_is_spelled_out(y, opset, tmp_path):
    """ai.onnx.ml computes in floats, so skl2onnx writes MatMul, Add, ArgMax, Sigmoid and a division by the sum."""
    fitted = LogisticRegression(multi_class="ovr").fit(X.astype(np.float64), y)
    w, b = fitted.coef_, fitted.intercept_
    if len(w) == 1:
        w, b = np.vstack([-w, w]), np.append(-b, b)
    axes = {"axes": [1]} if opset < 13 else {}
    nodes = [node("MatMul", "x w", "m"), node("Add", "m b", "raw"), node("ArgMax", "raw", "index", axis=1),
             node("ArrayFeatureExtractor", "classes index", "label", ml=True), node("Sigmoid", "raw", "s"),
             node("Abs", "s", "a"), node("ReduceSum", "a" if axes else "a one", "n", keepdims=1, **axes), node("Div", "s n", "p")]
    model = build(nodes, [None, 6], {"w": w.T, "b": b.reshape(1, -1), "classes": fitted.classes_, "one": np.array([1])},
                  outputs="label p", opset=opset, dtype=np.float64)
    result = score(model, X, tmp_path)
    assert result.info["precision"] == "float64"
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-12
    assert worst(result["decision"], fitted.decision_function(X)) < 1e-12
    check_labels(model, result, fitted.predict(X), tmp_path)


def test_probabilities_as_columns(tmp_path):
    fitted = LogisticRegression().fit(X, CODES)
    model = linear(fitted, "SOFTMAX", zip_map=False)
    columns = "p0 p1 p2 p3"
    for i, name in enumerate(columns.split()):
        model.graph.node.append(node("ArrayFeatureExtractor", "p i%d" % i, name, ml=True))
        model.graph.initializer.append(numpy_helper.from_array(np.array([i]), "i%d" % i))
    del model.graph.output[1:]
    model.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in columns.split())
    result = score(model, X, tmp_path)
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-5


@pytest.mark.parametrize("y", [NAMES, TWO], ids=["names", "two"])
def test_one_vs_rest(y, tmp_path):
    fitted = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    nodes, parts = [], []
    for i, one in enumerate(fitted.estimators_):
        nodes += [node("LinearClassifier", "x", "l%d q%d" % (i, i), ml=True, post_transform="LOGISTIC", classlabels_ints=[0, 1],
                       coefficients=np.vstack([-one.coef_, one.coef_]).ravel().tolist(),
                       intercepts=[-one.intercept_[0], one.intercept_[0]]),
                  node("Slice", "q%d one two one" % i, "p%d" % i)]
        parts.append("p%d" % i)
    nodes.append(node("Concat", " ".join(parts), "c", axis=1))
    if len(parts) == 1:
        nodes += [node("Sub", "unit c", "d"), node("Concat", "d c", "all", axis=1)]
    else:
        nodes.append(node("Identity", "c", "all"))
    nodes += [node("LpNormalization", "all", "p", axis=1, p=1), node("ArgMax", "all", "index", axis=1),
              node("ArrayFeatureExtractor", "classes index", "label", ml=True)]
    classes = helper.make_tensor("classes", 8, [len(fitted.classes_)], [c.encode() for c in fitted.classes_]) \
        if y is NAMES else fitted.classes_
    model = build(nodes, [None, 6], {"one": np.array([1]), "two": np.array([2]), "unit": np.float32(1), "classes": classes},
                  outputs="label p")
    result = score(model, X, tmp_path)
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-5
    check_labels(model, result, fitted.predict(X), tmp_path)


def test_multilabel_ridge(tmp_path):
    fitted = RidgeClassifier().fit(X, LABELS)
    nodes = [node("LinearRegressor", "x", "z", ml=True, coefficients=fitted.coef_.ravel().tolist(), targets=3,
                  intercepts=fitted.intercept_.tolist()), node("Binarizer", "z", "bits", ml=True), node("Cast", "bits", "label", to=7)]
    result = score(build(nodes, [None, 6], outputs="label z"), X, tmp_path)
    assert worst(result["decision"], fitted.decision_function(X)) < 1e-5
    assert (result["label"] == fitted.predict(X)).all()


def test_one_row_of_coefficients_speaks_for_the_second_class(tmp_path):
    fitted = LogisticRegression().fit(X, TWO)
    model = build([node("LinearClassifier", "x", "label p", ml=True, coefficients=fitted.coef_.ravel().tolist(),
                        intercepts=fitted.intercept_.tolist(), post_transform="LOGISTIC", classlabels_ints=[2, 4])],
                  [None, 6], outputs="label p")
    result = score(model, X, tmp_path)
    assert worst(result["probability"], fitted.predict_proba(X)) < 1e-5
    check_labels(model, result, fitted.predict(X), tmp_path)


@pytest.mark.parametrize("y", [NAMES, TWO], ids=["names", "two"])
def test_linear_svc_has_no_probabilities(y, tmp_path):
    fitted = LinearSVC(dual=False).fit(X, y)
    model = linear(fitted, "NONE", zip_map=False)
    if y is TWO:  # skl2onnx gives the score of the second class alone
        model.graph.node.append(node("ArrayFeatureExtractor", "p second", "score", ml=True))
        model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "second"))
        model.graph.output[1].name = "score"
    result = score(model, X, tmp_path)
    assert "probability" not in result
    assert worst(result["decision"], fitted.decision_function(X)) < 1e-5
    check_labels(model, result, fitted.predict(X), tmp_path)


def test_pipeline_of_transformers(tmp_path):
    holes = X.copy()
    holes[R.uniform(size=X.shape) < 0.1] = np.nan
    imputer, scaler = SimpleImputer(), StandardScaler()
    rows = scaler.fit_transform(imputer.fit_transform(holes))
    fitted = LinearRegression().fit(Normalizer("l2").transform(rows), TARGETS)
    nodes = [node("Imputer", "x", "i", ml=True, imputed_value_floats=imputer.statistics_.tolist(),
                  replaced_value_float=float("nan")),
             node("Scaler", "i", "s", ml=True, offset=scaler.mean_.tolist(), scale=(1 / scaler.scale_).tolist()),
             node("Normalizer", "s", "n", ml=True, norm="L2"),
             node("LinearRegressor", "n", "y", ml=True, coefficients=fitted.coef_.ravel().tolist(),
                  intercepts=fitted.intercept_.tolist(), targets=3)]
    result = score(build(nodes, [None, None]), holes, tmp_path)
    assert worst(result["prediction"], fitted.predict(Normalizer("l2").transform(rows))) < 1e-5
    assert (result["status"] == 0).all(), "imputed values are not missing"


def test_binarizer_and_selection(tmp_path):
    nodes = [node("ArrayFeatureExtractor", "x columns", "c", ml=True), node("Binarizer", "c", "b", ml=True, threshold=0.5),
             node("FeatureVectorizer", "b c", "y", ml=True, inputdimensions=[2, 2])]
    result = score(build(nodes, [None, 6], {"columns": np.array([4, 1])}), X, tmp_path)
    expected = np.hstack([Binarizer(threshold=0.5).transform(X[:, [4, 1]]), X[:, [4, 1]]])
    assert worst(result["prediction"], expected) < 1e-6


def test_one_input_per_column_gives_feature_names(tmp_path):
    names = ["mag_u", "mag_g", "mag_r"]
    nodes = [node("Concat", " ".join(names), "all", axis=1), node("Scaler", "all", "y", ml=True, offset=[1.0, 2, 3], scale=[2.0])]
    model = build(nodes, None, inputs={name: [None, 1] for name in names})
    assert worst(score(model, X[:, :3], tmp_path)["prediction"], (X[:, :3] - [1, 2, 3]) * 2) < 1e-6
    with native(model, tmp_path) as f:
        assert list(f["feature_names"].asstr()) == names


def svc(fitted, y, probability):
    """SVMClassifier as skl2onnx writes it: LIBSVM's own signs, which scikit-learn turns for two classes."""
    sign = -1 if len(fitted.classes_) == 2 else 1
    platt = {"prob_a": fitted.probA_.tolist(), "prob_b": fitted.probB_.tolist()} if probability else {}
    nodes = [node("SVMClassifier", "x", "label scores", ml=True, kernel_type=fitted.kernel.upper(),
                  kernel_params=[float(fitted._gamma), float(fitted.coef0), float(fitted.degree)],
                  support_vectors=fitted.support_vectors_.ravel().tolist(), rho=(sign * fitted.intercept_).tolist(),
                  coefficients=(sign * fitted.dual_coef_).ravel().tolist(), vectors_per_class=fitted.n_support_.tolist(),
                  post_transform="NONE", **platt, **class_attributes(fitted.classes_)),
             # What skl2onnx adds for decision_function_shape='ovr' reads scores that only the head has.
             node("Identity" if probability else "Less", "scores" if probability else "scores zero", "p")]
    return build(nodes, [None, 6], {"zero": np.float32(0)}, outputs="label p")


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("y", [NAMES, TWO], ids=["names", "two"])
@pytest.mark.parametrize("probability", [True, False])
def test_svc(kernel, y, probability, tmp_path):
    fitted = svm.SVC(kernel=kernel, gamma=0.05, coef0=0.25, degree=2, probability=probability, random_state=0,
                     decision_function_shape="ovo").fit(X.astype(np.float64), y)
    model = svc(fitted, y, probability)
    result = score(model, X, tmp_path)
    assert worst(result["decision"], fitted.decision_function(X)) < 2e-4
    assert ("probability" in result) == probability
    if probability:
        assert worst(result["probability"], fitted.predict_proba(X)) < 2e-4
    sure = np.abs(fitted.decision_function(X)).reshape(len(X), -1).min(axis=1) > 1e-3
    same = classes_of(model, tmp_path)[result["label"].ravel().astype(int)] == fitted.predict(X)
    assert sure.sum() > 300 and same[sure].all()


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
def test_svr_and_one_class(kernel, tmp_path):
    for fitted in (svm.SVR(kernel=kernel, gamma=0.05, degree=2).fit(X, TARGETS[:, 0]),
                   svm.OneClassSVM(kernel=kernel, gamma=0.05, degree=2).fit(X)):
        one_class = isinstance(fitted, svm.OneClassSVM)
        nodes = [node("SVMRegressor", "x", "z" if one_class else "y", ml=True, kernel_type=kernel.upper(),
                      kernel_params=[float(fitted._gamma), float(fitted.coef0), float(fitted.degree)],
                      support_vectors=fitted.support_vectors_.ravel().tolist(), rho=fitted.intercept_.tolist(),
                      coefficients=fitted.dual_coef_.ravel().tolist(), n_supports=len(fitted.support_))]
        if one_class:
            nodes += [node("Sign", "z", "s"), node("Cast", "s", "y", to=7)]
        result = score(build(nodes, [None, 6]), X, tmp_path)
        if one_class:
            decision = fitted.decision_function(X)
            scale = max(1, np.abs(decision).max())
            assert np.abs(result["decision"].ravel() - decision).max() < 1e-4 * scale
            sure = np.abs(decision) > 1e-3 * scale
            assert (np.array([-1, 1])[result["label"].ravel().astype(int)] == fitted.predict(X))[sure].all()
        else:
            assert worst(result["prediction"], fitted.predict(X)) < 2e-4


def mlp(fitted):
    """MLPClassifier: layers, then probabilities of both classes, ArgMax and a list of classes, or thresholds."""
    nodes, constants, last = [node("Cast", "x", "h0", to=1)], {}, len(fitted.coefs_)
    for i, (w, b) in enumerate(zip(fitted.coefs_, fitted.intercepts_)):
        constants.update({"w%d" % i: w, "b%d" % i: b.reshape(1, -1)})
        op = "Relu" if i + 1 < last else {"logistic": "Sigmoid", "softmax": "Softmax"}[fitted.out_activation_]
        nodes += [node("MatMul", "h%d w%d" % (i, i), "m%d" % i), node("Add", "m%d b%d" % (i, i), "a%d" % i),
                  node(op, "a%d" % i, "h%d" % (i + 1))]
    out, classes = "h%d" % last, fitted.classes_
    if fitted._label_binarizer.y_type_ == "multilabel-indicator":
        nodes += [node("Identity", out, "p"), node("Binarizer", out, "bits", ml=True, threshold=0.5),
                  node("Cast", "bits", "label", to=7)]
        return build(nodes, [None, 6], constants, outputs="label p")
    if len(classes) == 2:
        nodes += [node("Sub", "unity " + out, "q"), node("Concat", "q " + out, "p", axis=1)]
        constants["unity"] = np.float32(1)
    else:
        nodes.append(node("Identity", out, "p"))
    text = classes.dtype.kind in "US"
    constants["classes"] = helper.make_tensor("classes", 8, [len(classes)], [c.encode() for c in classes]) if text \
        else numpy_helper.from_array(classes.astype(np.int32))
    constants["shape"] = np.array([-1])
    nodes += [node("ArgMax", "p", "index", axis=1), node("ArrayFeatureExtractor", "classes index", "picked", ml=True),
              node("Reshape", "picked shape", "flat"), node("Identity" if text else "Cast", "flat", "label", **({} if text else {"to": 7}))]
    return build(nodes, [None, 6], constants, outputs="label p")


@pytest.mark.parametrize("y", [NAMES, CODES, TWO, LABELS], ids=["names", "codes", "two", "multilabel"])
def test_mlp_classifier(y, tmp_path):
    fitted = MLPClassifier((7,), max_iter=60, random_state=0).fit(X, y)
    model = mlp(fitted)
    result = score(model, X, tmp_path)
    theirs = fitted.predict_proba(X)
    assert worst(result["probability"], theirs) < 1e-5
    if y is LABELS:
        assert (result["label"] == fitted.predict(X)).all()
    else:
        check_labels(model, result, fitted.predict(X), tmp_path)


def test_mlp_regressor(tmp_path):
    fitted = MLPRegressor((7,), max_iter=60, random_state=0).fit(X, TARGETS[:, 0])
    (w0, w1), (b0, b1) = fitted.coefs_, fitted.intercepts_
    nodes = [node("MatMul", "x w0", "a"), node("Add", "a b0", "b"), node("Relu", "b", "c"), node("MatMul", "c w1", "d"),
             node("Add", "d b1", "e"), node("Reshape", "e to", "y")]
    constants = {"w0": w0, "w1": w1, "b0": b0.reshape(1, -1), "b1": b1.reshape(1, -1), "to": np.array([-1, 1])}
    assert worst(score(build(nodes, [None, 6], constants), X, tmp_path)["prediction"], fitted.predict(X)) < 1e-5


def test_labels_are_renamed(tmp_path):
    fitted = LogisticRegression().fit(X, CODES)
    model = linear(fitted, "SOFTMAX", zip_map=False)
    model.graph.node.append(node("LabelEncoder", "label", "named", ml=True, keys_int64s=[15, 25, -5, 5],
                                 values_strings=["p", "q", "r", "s"]))
    model.graph.output[0].name = "named"
    assert list(classes_of(model, tmp_path)) == ["r", "s", "p", "q"]
    del model.graph.node[-1].attribute[:]
    model.graph.node[-1].attribute.extend(node("L", "x", "y", keys_int64s=[1, 2], values_strings=["p", "q"]).attribute)
    assert "no entry for label -5" in refusal(model, tmp_path)


def test_features_are_not_encoded(tmp_path):
    text = refusal(build([node("LabelEncoder", "x", "y", ml=True, keys_int64s=[1], values_int64s=[2])], [None, 1]), tmp_path)
    assert "operator LabelEncoder cannot be scored" in text and "encodes features" in text


def test_linear_svm_classifier_is_one_row_per_class(tmp_path):
    w, rho = R.normal(size=(3, 6)), 0.25
    model = build([node("SVMClassifier", "x", "label scores", ml=True, kernel_type="LINEAR", kernel_params=[1.0, 0, 3],
                        coefficients=w.ravel().tolist(), rho=[rho], classlabels_ints=[3, 1, 2])], [None, 6],
                  outputs="scores label")
    result = score(model, X, tmp_path)
    assert worst(result["decision"], X @ w.T + rho) < 1e-5
    check_labels(model, result, np.array([3, 1, 2])[(X @ w.T).argmax(axis=1)], tmp_path)
