#!/usr/bin/python3
"""Writes sklearn_reference.hpp: small models and what scikit-learn (with its copy of LIBSVM) says of a few rows.

Run by hand when cases are added:  /usr/bin/python3 make_reference.py > sklearn_reference.hpp
"""
import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM

ROWS = 6
CLASSES = 4
FEATURES = 3
random = numpy.random.RandomState(4)
X = numpy.round(random.uniform(-2, 2, (40, FEATURES)), 3)
CENTRES = random.uniform(-1, 1, (CLASSES, FEATURES))
y = ((X[:, None, :] - CENTRES) ** 2).sum(2).argmin(1)
y[::7] = random.randint(0, CLASSES, y[::7].shape)
T = X[:ROWS] + 0.125


def numbers(values):
    return "{" + ", ".join(repr(float(v)) for v in numpy.asarray(values).ravel()) + "}"


def matrix(values):
    values = numpy.atleast_2d(values)
    return "{%d, %d, %s}" % (*values.shape, numbers(values))


def expansion(svm, coefficients, intercept):
    kinds = {"linear": "linear", "poly": "polynomial", "rbf": "rbf", "sigmoid": "sigmoid"}
    return "KernelExpansion{%s, {KernelKind::%s, %r, %r, %d}, %s, %s}" % (
        matrix(svm.support_vectors_), kinds[svm.kernel], float(svm._gamma), float(svm.coef0), svm.degree,
        matrix(coefficients), numbers(intercept))


def pair_coefficients(svm):
    """LIBSVM keeps, for a support vector of class i, its coefficients against the c - 1 other classes."""
    n = svm.n_support_
    start = numpy.concatenate([[0], numpy.cumsum(n)])
    columns = []
    for i in range(len(n)):
        for j in range(i + 1, len(n)):
            column = numpy.zeros(n.sum())
            column[start[i]:start[i + 1]] = svm._dual_coef_[j - 1, start[i]:start[i + 1]]
            column[start[j]:start[j + 1]] = svm._dual_coef_[i, start[j]:start[j + 1]]
            columns.append(column)
    return numpy.array(columns).T


def head(kind, link, classes, more=""):
    codes = "std::vector<base::i64>{%s}" % ", ".join(str(c) for c in range(classes)) if classes else ""
    return "Head{HeadKind::%s, Link::%s, ClassLabels(%s), {}, %s}" % (kind, link, codes, more or "{}, {}")


def case(name, stages, text, prediction=None, label=None, probability=None, decision=None):
    print('  {"%s", {%s},\n   %s,\n   %s,\n   %s,\n   %s,\n   %s},' % (
        name, ", ".join(stages), text, *(numbers([] if v is None else v) for v in (prediction, label, probability, decision))))


def svms():
    for kernel, shapes in (("linear", ["ovr"]), ("poly", ["ovo"]), ("rbf", ["ovo", "ovr"]), ("sigmoid", ["ovo"])):
        for shape in shapes:
            svm = SVC(kernel=kernel, C=3, gamma=0.4, coef0=0.3, probability=True, random_state=0,
                      decision_function_shape=shape).fit(X, y)
            more = "%s, %s, %s" % (numbers(svm.probA_), numbers(svm.probB_), "true" if shape == "ovr" else "false")
            case("SVC %s %s" % (kernel, shape), [expansion(svm, pair_coefficients(svm), svm._intercept_)],
                 head("one_vs_one", "platt", CLASSES, more), label=svm.predict(T), probability=svm.predict_proba(T),
                 decision=svm.decision_function(T))
    svm = NuSVC(nu=0.3, gamma=0.4, probability=True, random_state=0).fit(X, y > 1)
    more = "%s, %s" % (numbers(svm.probA_), numbers(-svm.probB_))
    case("NuSVC binary", [expansion(svm, svm.dual_coef_.T, svm.intercept_)], head("binary", "platt", 2, more),
         label=svm.predict(T), probability=svm.predict_proba(T), decision=svm.decision_function(T))
    svm = SVR(gamma=0.4, C=2).fit(X, X.sum(1))
    case("SVR", [expansion(svm, svm.dual_coef_.T, svm.intercept_)], head("values", "none", 0), prediction=svm.predict(T))
    svm = OneClassSVM(gamma=0.4, nu=0.4).fit(X)
    case("OneClassSVM", [expansion(svm, svm.dual_coef_.T, svm.intercept_)], head("one_class", "none", 2),
         label=svm.predict(T) > 0, decision=svm.decision_function(T))


def linear():
    def affine(weights, bias):
        return "Affine{%s, %s}" % (matrix(weights), numbers(bias))

    for name, target, arguments, kind, link in (
            ("binary", y > 1, {}, "binary", "sigmoid"),
            ("binary multinomial", y > 1, {"multi_class": "multinomial"}, "binary", "softmax"),
            ("multinomial", y, {"multi_class": "multinomial"}, "multiclass", "softmax"),
            ("one-vs-rest", y, {"multi_class": "ovr"}, "multiclass", "normalized_sigmoid")):
        model = LogisticRegression(**arguments).fit(X, target)
        case("LogisticRegression " + name, [affine(model.coef_.T, model.intercept_)],
             head(kind, link, len(model.classes_)), label=model.predict(T), probability=model.predict_proba(T),
             decision=model.decision_function(T))
    model = OneVsRestClassifier(LogisticRegression()).fit(X, numpy.stack([X[:, 0] > 0, y == 2, y > 0], 1))
    weights = numpy.concatenate([e.coef_ for e in model.estimators_])
    case("multi-label", [affine(weights.T, numpy.concatenate([e.intercept_ for e in model.estimators_]))],
         head("multilabel", "sigmoid", 3), label=model.predict(T), probability=model.predict_proba(T),
         decision=model.decision_function(T))
    model = MLPClassifier((5,), "tanh", max_iter=30, random_state=0).fit(X, y)
    layers = [affine(w, b) for w, b in zip(model.coefs_, model.intercepts_)]
    case("MLPClassifier", [layers[0], "Activation{ActivationKind::tanh, 0}", layers[1], "Softmax{}"],
         head("multiclass", "identity", CLASSES), label=model.predict(T), probability=model.predict_proba(T))
    for norm in ("l1", "l2", "max"):
        case("Normalizer " + norm, ["Normalize{Norm::%s}" % norm], head("values", "none", 0),
             prediction=Normalizer(norm).fit_transform(T))


print("// Written by make_reference.py from scikit-learn %s; do not edit.\n// clang-format off" % sklearn.__version__)
print('#pragma once\n\n#include <string>\n#include <vector>\n\n#include "h5score/model/model.hpp"\n')
print("namespace h5score::model::testing {\n")
print("/// What the library says of kReferenceRows; empty where the model has no such output.")
print("struct Reference {\n  std::string name;\n  std::vector<Stage> stages;\n  Head head;\n"
      "  std::vector<double> prediction, label, probability, decision;\n};\n")
print("inline const Matrix kReferenceRows = %s;\n" % matrix(T))
print("inline const std::vector<Reference> kReferences = {")
svms()
linear()
print("};\n\n}  // namespace h5score::model::testing")
