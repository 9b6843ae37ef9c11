"""scikit-learn estimators as stages and a head: the last step of a Pipeline."""
import copy
from collections import namedtuple

import numpy as np

from h5score_export.graph import Stage, Unsupported, affine, dense, sklearn_name, warn

# `stages` is a chain; `head` holds attributes and arrays of the group /head.
Final = namedtuple("Final", "stages head dtype")


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
