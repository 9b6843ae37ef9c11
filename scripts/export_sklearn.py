#!/usr/bin/env python3
"""Writes a fitted scikit-learn estimator or Pipeline as a model file for h5score.

    python3 export_sklearn.py MODEL.joblib OUT.h5 [--reference X.npy]

or, where the estimator is in memory anyway,

    import export_sklearn
    export_sklearn.save("photoz.h5", pipeline, reference=X_test)

This one file is all that is needed, beside numpy, h5py and the scikit-learn (0.24 or newer) that made the model. The
format is described in docs/model-format.md. `--reference` rows (up to 256 of them) go into the file together with what
scikit-learn says of them: h5score scores them first in every run and stops if it comes to other results.

A joblib or pickle file can run any code when it is loaded: load only files that you trust.
"""
import argparse
import copy
import os
import sys
import warnings
from collections import namedtuple

import h5py
import numpy as np
import sklearn
from sklearn.utils.validation import check_is_fitted

Stage = namedtuple("Stage", "kind attributes arrays", defaults=({}, {}))
# What the last step of a pipeline becomes; `head` holds attributes and arrays of the group /head.
Final = namedtuple("Final", "stages head dtype")

GOLDEN_ROWS = 256


class Unsupported(ValueError):
    """The estimator, or a setting of it, cannot be expressed in a model file."""


def simple_imputer(t):
    if getattr(t, "add_indicator", False):
        raise Unsupported("SimpleImputer(add_indicator=True) is not supported")
    try:
        statistics = np.asarray(t.statistics_, dtype=np.float64)
        missing = float(t.missing_values)
    except (TypeError, ValueError):
        raise Unsupported("SimpleImputer is supported for numbers only, also as missing_values") from None
    kept = np.ones(len(statistics), dtype=bool)
    if t.strategy != "constant" and not getattr(t, "keep_empty_features", False):
        kept = ~np.isnan(statistics)  # scikit-learn drops columns that had no value in training
    stages = [Stage("impute", {"missing": missing}, {"statistics": np.where(np.isnan(statistics), 0.0, statistics)})]
    return stages if kept.all() else stages + [affine(np.eye(len(kept))[:, kept], np.zeros(kept.sum()))]


def min_max_scaler(t):
    factor = np.asarray(t.scale_, dtype=np.float64)
    stages = [Stage("scale", {}, {"offset": -np.asarray(t.min_, dtype=np.float64) / factor, "factor": factor})]
    return stages + clip(t, *t.feature_range)


def clip(t, low, high):
    return [Stage("clip", {"low": float(low), "high": float(high)})] if getattr(t, "clip", False) else []


def function_transformer(t):
    if t.func is None:
        return []
    if t.func is not np.log1p or t.kw_args:
        raise Unsupported("FunctionTransformer is supported for numpy.log1p only, not for %r" % (t.func,))
    return [Stage("log1p")]


def pca(t):
    weights = np.asarray(t.components_, dtype=np.float64).T
    if t.whiten:
        deviation = np.sqrt(np.asarray(t.explained_variance_, dtype=np.float64))
        weights = weights / np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return scale(t.mean_, None, weights.shape[0]) + [affine(weights, np.zeros(weights.shape[1]))]


TRANSFORMERS = {
    "SimpleImputer": simple_imputer,
    "StandardScaler": lambda t: scale(t.mean_ if t.with_mean else None, t.scale_, t.n_features_in_),
    "MinMaxScaler": min_max_scaler,
    "MaxAbsScaler": lambda t: scale(None, t.scale_, t.n_features_in_) + clip(t, -1, 1),
    "RobustScaler": lambda t: scale(t.center_, t.scale_, t.n_features_in_),
    "Normalizer": lambda t: [Stage("normalize", {"norm": t.norm})],
    "FunctionTransformer": function_transformer,
    "PCA": pca,
}


def scale(offset, divisor, width):
    offset = np.asarray(np.zeros(width) if offset is None else offset, dtype=np.float64)
    divisor = np.asarray(np.ones(width) if divisor is None else divisor, dtype=np.float64)
    return [Stage("scale", {}, {"offset": offset, "factor": 1.0 / divisor})]


def affine(weights, bias):
    return Stage("affine", {}, {"weights": np.asarray(weights), "bias": np.asarray(bias)})


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def linear_stage(e):
    coef = np.atleast_2d(dense(e.coef_))
    bias = np.broadcast_to(np.ravel(e.intercept_), (coef.shape[0],))
    return affine(coef.T, bias)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


BINARY_LINKS = {
    "sigmoid": lambda z: np.column_stack([sigmoid(-z), sigmoid(z)]),
    "softmax": lambda z: softmax(np.column_stack([-z, z])),
}
MULTICLASS_LINKS = {
    "softmax": softmax,
    "normalized_sigmoid": lambda z: sigmoid(z) / sigmoid(z).sum(axis=1, keepdims=True),
}


def link_of(e, columns):
    """How `e` makes probabilities of decision values.

    The rules (solver, multi_class, loss) differ from one scikit-learn version to the next, so the estimator is asked: a
    copy of it whose decision values are given shows which formula its predict_proba applies.
    """
    if not hasattr(e, "predict_proba"):
        return "none"
    z = np.random.RandomState(0).normal(scale=2.0, size=(16, columns))
    z = z.ravel() if columns == 1 else z
    probe = copy.copy(e)
    probe.decision_function = lambda X: z.copy()
    got = probe.predict_proba(np.zeros((16, e.n_features_in_)))
    for name, formula in (BINARY_LINKS if columns == 1 else MULTICLASS_LINKS).items():
        if np.allclose(got, formula(z), rtol=1e-9, atol=1e-12):
            return name
    warn("%s: its probabilities follow no formula of the model format and are left out" % type(e).__name__)
    return "none"


def is_multilabel(e):
    binarizer = getattr(e, "_label_binarizer", None) or getattr(e, "label_binarizer_", None)
    return binarizer is not None and binarizer.y_type_.startswith("multilabel")


def linear_classifier(e):
    stage = linear_stage(e)
    columns = stage.arrays["weights"].shape[1]
    if is_multilabel(e):
        head = {"kind": "multilabel", "link": "none"}
    else:
        head = {"kind": "binary" if columns == 1 else "multiclass", "link": link_of(e, columns)}
    return Final([stage], dict(head, classes=e.classes_), stage.arrays["weights"].dtype)


def one_vs_rest(e):
    parts = e.estimators_
    for label, part in zip(e.classes_, parts):
        if type(part).__name__ == "_ConstantPredictor":
            raise Unsupported("OneVsRestClassifier: class %r was in all training rows or in none" % (label,))
        if FINALS.get(sklearn_name(part)) is not linear_classifier:
            raise Unsupported("OneVsRestClassifier is supported for linear classifiers, not for " + type(part).__name__)
    stages = [linear_stage(part) for part in parts]
    weights = np.hstack([s.arrays["weights"] for s in stages])
    link = link_of(parts[0], 1)
    if e.multilabel_ or len(parts) > 1:
        kind = "multilabel" if e.multilabel_ else "multiclass"
        if link == "softmax":
            warn("OneVsRestClassifier of multinomial models: their probabilities are left out")
        combined = "sigmoid" if e.multilabel_ else "normalized_sigmoid"
        link = combined if link == "sigmoid" else "none"
    else:
        kind = "binary"
    stage = affine(weights, np.hstack([s.arrays["bias"] for s in stages]))
    return Final([stage], {"kind": kind, "link": link, "classes": e.classes_}, weights.dtype)


def kernel_stage(e, coefficients):
    names = {"linear": "linear", "poly": "polynomial", "rbf": "rbf", "sigmoid": "sigmoid"}
    if callable(e.kernel) or e.kernel not in names:
        raise Unsupported("%s(kernel=%r) is not supported, only %s" % (type(e).__name__, e.kernel, ", ".join(names)))
    attributes = {"kernel": names[e.kernel]}
    if e.kernel != "linear":
        attributes["gamma"] = float(e._gamma)
    if e.kernel in ("poly", "sigmoid"):
        attributes["coef0"] = float(e.coef0)
    if e.kernel == "poly":
        attributes["degree"] = int(e.degree)
    arrays = {"support_vectors": dense(e.support_vectors_), "coefficients": coefficients, "intercept": e.intercept_}
    return Stage("kernel_expansion", attributes, arrays)


def pair_coefficients(e):
    """m x c(c-1)/2: for classes i < j, coefficients of i's vectors stand in row j-1 of dual_coef_, of j's in row i."""
    dual = dense(e.dual_coef_)
    bounds = np.concatenate([[0], np.cumsum(e.n_support_)])
    columns = []
    for i in range(len(e.classes_)):
        for j in range(i + 1, len(e.classes_)):
            column = np.zeros(dual.shape[1])
            of_i, of_j = slice(bounds[i], bounds[i + 1]), slice(bounds[j], bounds[j + 1])
            column[of_i], column[of_j] = dual[j - 1, of_i], dual[i, of_j]
            columns.append(column)
    return np.column_stack(columns)


def svm_classifier(e):
    head, binary = {"classes": e.classes_}, len(e.classes_) == 2
    if binary:
        # scikit-learn's own sign: positive decision values mean classes_[1], the opposite of LIBSVM's.
        head["kind"], coefficients = "binary", dense(e.dual_coef_).T
    else:
        head["kind"], coefficients = "one_vs_one", pair_coefficients(e)
        head["decision_ovr"] = e.decision_function_shape == "ovr"
        if e.break_ties:
            raise Unsupported("%s(break_ties=True) is not supported" % type(e).__name__)
    if e.probability:
        head.update(link="platt", prob_a=e.probA_, prob_b=-e.probB_ if binary else e.probB_)
    return Final([kernel_stage(e, coefficients)], head, np.dtype(np.float64))


def svm_of_one_column(e):
    one_class = type(e).__name__ == "OneClassSVM"
    head = {"kind": "one_class", "classes": np.array([-1, 1])} if one_class else {"kind": "values"}
    return Final([kernel_stage(e, dense(e.dual_coef_).T)], head, np.dtype(np.float64))


FUNCTIONS = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "exp": "exponential"}
ACTIVATIONS = {name: [Stage("activation", {"function": function})] for name, function in FUNCTIONS.items()}
ACTIVATIONS.update(identity=[], softmax=[Stage("softmax")])


def mlp(e):
    stages = []
    last = len(e.coefs_) - 1
    for i, (weights, bias) in enumerate(zip(e.coefs_, e.intercepts_)):
        stages.append(affine(weights, bias))
        stages += ACTIVATIONS[e.out_activation_ if i == last else e.activation]
    head = {"kind": "values"}
    if hasattr(e, "classes_"):
        kind = "multilabel" if is_multilabel(e) else "binary" if e.n_outputs_ == 1 else "multiclass"
        head = {"kind": kind, "link": "identity", "classes": e.classes_}
    return Final(stages, head, e.coefs_[0].dtype)


LINEAR_REGRESSORS = """LinearRegression Ridge RidgeCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC Lars LarsCV
    ElasticNet ElasticNetCV MultiTaskLasso MultiTaskLassoCV MultiTaskElasticNet MultiTaskElasticNetCV BayesianRidge
    ARDRegression OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV HuberRegressor TheilSenRegressor
    QuantileRegressor SGDRegressor PassiveAggressiveRegressor LinearSVR"""
LINEAR_CLASSIFIERS = """LogisticRegression LogisticRegressionCV RidgeClassifier RidgeClassifierCV SGDClassifier
    PassiveAggressiveClassifier Perceptron LinearSVC"""
FINALS = {name: lambda e: Final([linear_stage(e)], {"kind": "values"}, np.asarray(e.coef_).dtype)
          for name in LINEAR_REGRESSORS.split()}
FINALS.update((name, linear_classifier) for name in LINEAR_CLASSIFIERS.split())
FINALS.update(OneVsRestClassifier=one_vs_rest, SVC=svm_classifier, NuSVC=svm_classifier, SVR=svm_of_one_column,
              NuSVR=svm_of_one_column, OneClassSVM=svm_of_one_column, MLPClassifier=mlp, MLPRegressor=mlp)
SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")


def warn(text):
    print("export_sklearn: note: " + text, file=sys.stderr)


def sklearn_name(e):
    """The class name, if the class is scikit-learn's own: a subclass may compute something else."""
    return type(e).__name__ if type(e).__module__.split(".")[0] == "sklearn" else None


def flatten(e):
    """All steps of nested pipelines and searches, in order."""
    if e is None or isinstance(e, str):  # "passthrough"
        return []
    if sklearn_name(e) == "Pipeline":
        return [part for _, step in e.steps for part in flatten(step)]
    if sklearn_name(e) in SEARCHES:
        return flatten(e.best_estimator_)
    return [e]


def refuse(e):
    raise Unsupported("%s.%s is not supported. Supported, alone or at the end of a Pipeline: %s; in front of them: %s."
                      % (type(e).__module__, type(e).__name__, ", ".join(sorted(FINALS)), ", ".join(TRANSFORMERS)))


def convert(estimator):
    """Stages, head, number of features and dtype of an estimator or a Pipeline."""
    steps = flatten(estimator)
    for step, known in [(step, TRANSFORMERS) for step in steps[:-1]] + [((steps or [estimator])[-1], FINALS)]:
        if sklearn_name(step) not in known:
            refuse(step)
    check_is_fitted(steps[-1])
    stages = [stage for step in steps[:-1] for stage in TRANSFORMERS[sklearn_name(step)](step)]
    final = FINALS[sklearn_name(steps[-1])](steps[-1])
    # Steps that do not know their width (functions) keep it, so the first one that does has the model's.
    n_features = next(int(step.n_features_in_) for step in steps if hasattr(step, "n_features_in_"))
    return final._replace(stages=stages + final.stages), n_features


def golden_rows(estimator, final, reference):
    """Up to 256 rows, evenly spread over the reference, and what the estimator itself says of them."""
    count = min(GOLDEN_ROWS, len(reference))
    chosen = np.linspace(0, len(reference) - 1, count).astype(np.int64)
    table = hasattr(reference, "iloc")  # a DataFrame keeps its column names
    rows = reference.iloc[chosen] if table else np.asarray(reference)[chosen].reshape(count, -1)
    rows = rows.astype(final.dtype)
    arrays = {"rows": np.asarray(rows, dtype=np.float64)}
    head = final.head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "X does not have valid feature names": the reference is a plain array
        answers = dense(estimator.predict(rows))
        if head["kind"] == "values":
            arrays["prediction"] = answers.reshape(count, -1)
            return arrays
        if head["kind"] == "multilabel":
            arrays["label_codes"] = answers.astype(np.int64)
        else:
            code_of = {label: code for code, label in enumerate(head["classes"].tolist())}
            arrays["label_codes"] = np.array([code_of[label] for label in answers.tolist()], dtype=np.int64)
        link = head.get("link", "none")
        if link != "identity":
            arrays["decision"] = np.asarray(estimator.decision_function(rows)).reshape(count, -1)
        if link != "none":
            arrays["probability"] = np.asarray(estimator.predict_proba(rows))
    return arrays


def class_labels(classes):
    """Class labels as HDF5 keeps them: int64, float64 or text."""
    classes = np.asarray(classes)
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    values = [c.decode() if isinstance(c, bytes) else c for c in classes.tolist()]
    if not all(isinstance(v, str) for v in values):
        raise Unsupported("class labels of mixed or other types are not supported: %r" % (values[:5],))
    return values


def compact(array):
    """The smallest of uint8, float32 and float64 that holds every value exactly."""
    array = np.asarray(array)
    for dtype in (np.uint8, np.float32):
        if array.dtype.kind != "f" or array.dtype.itemsize <= np.dtype(dtype).itemsize:
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            small = array.astype(dtype)
        if np.array_equal(small.astype(array.dtype), array) and not (dtype is np.uint8 and np.signbit(array).any()):
            return small
    return array


def put(group, name, value):
    if isinstance(value, list):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        return
    value = compact(value)
    filters = dict(compression="gzip", shuffle=True) if value.nbytes > 1 << 16 else {}
    group.create_dataset(name, data=value, **filters)


def write(path, final, n_features, names, golden):
    with h5py.File(path, "w") as f:
        f.attrs.update(format="h5score-model", format_version=1, n_features=n_features, library="scikit-learn",
                       library_version=sklearn.__version__, precision=np.dtype(final.dtype).name)
        f.create_group("stages")
        for number, stage in enumerate(final.stages):
            group = f.create_group("stages/%d" % number)
            group.attrs["kind"] = stage.kind
            group.attrs.update(stage.attributes)
            for name, array in stage.arrays.items():
                put(group, name, array)
        head = f.create_group("head")
        for name, value in final.head.items():
            if isinstance(value, (str, bool)):
                head.attrs[name] = value
            else:
                put(head, name, class_labels(value) if name == "classes" else value)
        if names is not None:
            put(f, "feature_names", names)
        for name, array in golden.items():
            put(f.require_group("golden"), name, array)


def name_list(names, count, what):
    if len(names) != count:
        raise ValueError("%d %s given, the model has %d" % (len(names), what, count))
    return [str(name) for name in names]


def save(path, estimator, reference=None, class_names=None, feature_names=None, target_names=None):
    """Writes a fitted estimator or Pipeline to `path`.

    reference: rows (array n x features, or a DataFrame) that h5score checks itself against in every run.
    class_names: names that replace `classes_`, in its order. feature_names: default `feature_names_in_`.
    target_names: names of a regressor's targets.
    Raises Unsupported, a ValueError, naming what cannot be exported.
    """
    final, n_features = convert(estimator)
    golden = {} if reference is None else golden_rows(estimator, final, reference)
    if feature_names is None:
        feature_names = getattr(estimator, "feature_names_in_", None)
    if feature_names is not None:
        feature_names = name_list(feature_names, n_features, "feature names")
    if class_names is not None:
        final.head["classes"] = np.array(name_list(class_names, len(final.head.get("classes", ())), "class names"))
    if target_names is not None:
        targets = final.stages[-1].arrays.get("bias", final.stages[-1].arrays.get("intercept", ()))
        final.head["target_names"] = name_list(target_names, len(targets), "target names")
    part = "%s.tmp" % path
    try:
        write(part, final, n_features, feature_names, golden)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def main():
    parser = argparse.ArgumentParser(description="Writes a fitted scikit-learn model as a model file for h5score.")
    parser.add_argument("model", help="joblib or pickle file of the estimator or Pipeline; loading it runs its code")
    parser.add_argument("out", help="HDF5 file to write")
    parser.add_argument("--reference", metavar="X.npy", help="rows (n x features) for the self-test of every run")
    parser.add_argument("--class-names", metavar="A,B,...", help="class names, in the order of the model's classes_")
    arguments = parser.parse_args()
    import joblib

    try:
        reference = None if arguments.reference is None else np.load(arguments.reference, mmap_mode="r")
        names = None if arguments.class_names is None else arguments.class_names.split(",")
        save(arguments.out, joblib.load(arguments.model), reference, class_names=names)
    except (OSError, ValueError) as error:
        sys.exit("export_sklearn: %s" % error)
    print("wrote " + arguments.out)


if __name__ == "__main__":
    main()
