"""Fitted scikit-learn estimators of every supported kind, with the rows to score: pairs (name, estimator, rows)."""
import warnings

import numpy as np
from scipy import sparse
from sklearn import linear_model as lm
from sklearn import svm
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (Binarizer, FunctionTransformer, MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler,
                                   StandardScaler)

FEATURES = 9
RNG = np.random.RandomState(3)
TRAIN, TEST = (RNG.normal(size=(n, FEATURES)) * np.linspace(0.5, 3, FEATURES) + 0.3 for n in (300, 333))
TARGET = TRAIN @ RNG.normal(size=FEATURES) + 0.1 * RNG.normal(size=len(TRAIN))
TARGETS = TRAIN @ RNG.normal(size=(FEATURES, 3)) + 0.1 * RNG.normal(size=(len(TRAIN), 3))
SCORES = TRAIN @ RNG.normal(size=(FEATURES, 4)) + RNG.normal(size=(len(TRAIN), 4))
CLASSES = SCORES.argmax(axis=1)
NAMES = np.array(["dwarf", "giant", "main", "nébuleuse"])[CLASSES]
LABELS = (SCORES > 0.5).astype(int)
BINARY = np.where(SCORES[:, 0] > 0, 7, -3)


def regressors():
    for cls in (lm.LinearRegression, lm.Ridge, lm.Lasso, lm.ElasticNet, lm.BayesianRidge, lm.HuberRegressor,
                lm.SGDRegressor, lm.PassiveAggressiveRegressor, svm.LinearSVR):
        yield cls.__name__, cls().fit(TRAIN, TARGET)
    yield "LinearRegression 3 targets", lm.LinearRegression().fit(TRAIN, TARGETS)
    yield "Ridge without intercept", lm.Ridge(fit_intercept=False).fit(TRAIN, TARGETS)
    yield "MultiTaskLasso", lm.MultiTaskLasso().fit(TRAIN, TARGETS)
    yield "MLPRegressor", MLPRegressor((8, 5), activation="tanh", max_iter=30).fit(TRAIN, TARGETS)
    yield "MLPRegressor 1 target", MLPRegressor((8,), activation="identity", max_iter=30).fit(TRAIN, TARGET)
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        yield "SVR " + kernel, svm.SVR(kernel=kernel, coef0=0.25, degree=2).fit(TRAIN, TARGET)
        yield "NuSVR " + kernel, svm.NuSVR(kernel=kernel, gamma=0.07).fit(TRAIN, TARGET)


def linear_classifiers():
    yield "logistic binary", lm.LogisticRegression().fit(TRAIN, BINARY)
    yield "logistic binary of booleans", lm.LogisticRegression().fit(TRAIN, BINARY > 0)
    yield "logistic binary multinomial", lm.LogisticRegression(multi_class="multinomial").fit(TRAIN, BINARY)
    yield "logistic multinomial", lm.LogisticRegression().fit(TRAIN, NAMES)
    yield "logistic ovr", lm.LogisticRegression(multi_class="ovr").fit(TRAIN, CLASSES.astype(float))
    yield "logistic liblinear", lm.LogisticRegression(solver="liblinear").fit(TRAIN, NAMES.astype(object))
    yield "logistic sparsified", lm.LogisticRegression(penalty="l1", solver="liblinear").fit(TRAIN, CLASSES).sparsify()
    yield "LogisticRegressionCV", lm.LogisticRegressionCV(Cs=2, cv=2).fit(TRAIN, CLASSES)
    yield "RidgeClassifier", lm.RidgeClassifier().fit(TRAIN, CLASSES)
    yield "RidgeClassifier multilabel", lm.RidgeClassifier().fit(TRAIN, LABELS)
    yield "SGDClassifier", lm.SGDClassifier(random_state=0).fit(TRAIN, CLASSES)
    yield "SGDClassifier log_loss", lm.SGDClassifier(loss="log_loss", random_state=0).fit(TRAIN, CLASSES)
    yield "SGDClassifier modified_huber", lm.SGDClassifier(loss="modified_huber", random_state=0).fit(TRAIN, CLASSES)
    yield "PassiveAggressiveClassifier", lm.PassiveAggressiveClassifier(random_state=0).fit(TRAIN, BINARY)
    yield "Perceptron", lm.Perceptron(random_state=0).fit(TRAIN, NAMES)
    yield "LinearSVC", svm.LinearSVC(random_state=0).fit(TRAIN, CLASSES)
    yield "LinearSVC binary", svm.LinearSVC(random_state=0).fit(TRAIN, BINARY)
    yield "one-vs-rest logistic", OneVsRestClassifier(lm.LogisticRegression()).fit(TRAIN, NAMES)
    yield "one-vs-rest logistic binary", OneVsRestClassifier(lm.LogisticRegression()).fit(TRAIN, BINARY)
    yield "one-vs-rest logistic multilabel", OneVsRestClassifier(lm.LogisticRegression()).fit(TRAIN, LABELS)
    yield "one-vs-rest LinearSVC", OneVsRestClassifier(svm.LinearSVC(random_state=0)).fit(TRAIN, CLASSES)


def machines():
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        for shape in ("ovr", "ovo"):
            yield "SVC %s %s" % (kernel, shape), svm.SVC(kernel=kernel, decision_function_shape=shape).fit(TRAIN, NAMES)
        yield "SVC binary " + kernel, svm.SVC(kernel=kernel, gamma=0.05, coef0=0.5).fit(TRAIN, BINARY)
    yield "SVC sparse", svm.SVC().fit(sparse.csr_matrix(np.maximum(TRAIN, 0)), CLASSES)
    yield "SVC binary sparse", svm.SVC(kernel="linear").fit(sparse.csr_matrix(np.maximum(TRAIN, 0)), BINARY)
    yield "SVC Platt", svm.SVC(probability=True, random_state=0).fit(TRAIN, CLASSES)
    yield "SVC Platt binary", svm.SVC(probability=True, random_state=0).fit(TRAIN, BINARY)
    yield "NuSVC Platt", svm.NuSVC(nu=0.2, probability=True, random_state=0).fit(TRAIN, NAMES)
    yield "OneClassSVM", svm.OneClassSVM(nu=0.2).fit(TRAIN)
    yield "OneClassSVM poly", svm.OneClassSVM(kernel="poly", nu=0.4, coef0=1).fit(TRAIN)


def networks():
    for activation in ("identity", "logistic", "tanh", "relu"):
        yield "MLPClassifier " + activation, MLPClassifier((7,), activation=activation, max_iter=40).fit(TRAIN, NAMES)
    yield "MLPClassifier binary", MLPClassifier((7, 6), max_iter=40).fit(TRAIN, BINARY)
    yield "MLPClassifier multilabel", MLPClassifier((7, 6), max_iter=40).fit(TRAIN, LABELS)
    yield "MLPClassifier float32", MLPClassifier((20,), max_iter=40).fit(TRAIN.astype(np.float32), NAMES)
    yield "MLPRegressor float32", MLPRegressor((20,), max_iter=40).fit(TRAIN.astype(np.float32), TARGETS)


def pipelines():
    def chain(*steps, target=CLASSES, final=None):
        return make_pipeline(*steps, final or lm.LogisticRegression()).fit(TRAIN, target)

    yield "standard", chain(StandardScaler())
    yield "standard without mean", chain(StandardScaler(with_mean=False))
    yield "standard without std", chain(StandardScaler(with_std=False), final=svm.SVC(), target=NAMES)
    yield "min-max", chain(MinMaxScaler((-1, 2)))
    yield "min-max clipped", chain(MinMaxScaler(clip=True), final=MLPClassifier((5,), max_iter=30))
    yield "max-abs", chain(MaxAbsScaler(), final=svm.SVR(), target=TARGET)
    yield "robust", chain(RobustScaler())
    yield "robust without centering", chain(RobustScaler(with_centering=False))
    yield "robust without scaling", chain(RobustScaler(with_scaling=False))
    for norm in ("l1", "l2", "max"):
        yield "normalizer " + norm, chain(Normalizer(norm))
    yield "log1p", chain(MinMaxScaler(), FunctionTransformer(np.log1p), final=lm.Ridge(), target=TARGETS)
    yield "PCA", chain(StandardScaler(), PCA(4))
    yield "PCA whitened", chain(PCA(5, whiten=True), final=svm.SVC(), target=BINARY)
    yield "truncated SVD", chain(TruncatedSVD(4))
    yield "binarizer", chain(Binarizer(threshold=0.25))
    yield "k best", chain(StandardScaler(), SelectKBest(k=4), StandardScaler())
    yield "variance threshold", chain(VarianceThreshold(1.5), final=svm.SVC(), target=NAMES)
    yield "select from model", chain(SelectFromModel(lm.LogisticRegression()))
    yield "recursive elimination", chain(RFE(lm.LogisticRegression(), n_features_to_select=3))
    yield "nested, with passthrough", Pipeline([
        ("front", make_pipeline(FunctionTransformer(), StandardScaler())), ("none", "passthrough"),
        ("back", lm.LinearRegression())]).fit(TRAIN, TARGET)
    yield "grid search", GridSearchCV(chain(RobustScaler()), {"logisticregression__C": [0.1, 1]}, cv=2).fit(TRAIN, NAMES)


def branches():
    """Columns that go different ways and meet again."""
    def chain(*steps, target=CLASSES, final=None):
        return make_pipeline(*steps, final or lm.LogisticRegression()).fit(TRAIN, target)

    two_ways = make_column_transformer((StandardScaler(), [5, 1, 3]), (MinMaxScaler(), slice(6, 8)), ("drop", [2]),
                                       remainder="passthrough")
    yield "column transformer", chain(two_ways)
    yield "column transformer of float32", make_pipeline(clone(two_ways), MLPClassifier((8,), max_iter=30)).fit(
        TRAIN.astype(np.float32), NAMES)
    chosen = make_column_transformer((make_pipeline(RobustScaler(), PCA(2)), lambda X: list(range(X.shape[1]))),
                                     ("passthrough", [True] + [False] * 8))
    yield "column transformer by function and mask", chain(StandardScaler(), chosen, final=svm.SVR(), target=TARGET)
    yield "column transformer of one part", chain(make_column_transformer((StandardScaler(), [8, 0])))
    yield "column transformer with a part of no columns", chain(
        make_column_transformer((StandardScaler(), []), ("passthrough", [0, 4])))
    yield "union", chain(make_union(PCA(3), StandardScaler(), make_pipeline(MinMaxScaler(), SelectKBest(k=2))))
    yield "union in a column transformer", chain(make_column_transformer(
        (make_union(StandardScaler(), Normalizer()), [0, 2, 4]), remainder=Binarizer()), final=lm.Ridge(), target=TARGETS)


def imputed():
    """Pipelines for rows with missing values; column 2 was empty in training, as happens."""
    holes = np.random.RandomState(5)
    train, test = TRAIN.copy(), TEST.copy()
    train[holes.uniform(size=train.shape) < 0.1] = np.nan
    test[holes.uniform(size=test.shape) < 0.1] = np.nan
    empty = train.copy()
    empty[:, 2] = np.nan
    for strategy in ("mean", "median", "most_frequent", "constant"):
        imputer = SimpleImputer(strategy=strategy, fill_value=0.5 if strategy == "constant" else None)
        yield "imputer " + strategy, make_pipeline(imputer, lm.LogisticRegression()).fit(train, CLASSES), test
    yield "imputer of an empty column", make_pipeline(SimpleImputer(), lm.Ridge()).fit(empty, TARGET), test
    gaps = make_column_transformer((SimpleImputer(strategy="median"), [0, 1, 3]), (SimpleImputer(), [4, 5]))
    yield "imputers of some columns", make_pipeline(gaps, lm.Ridge()).fit(train, TARGET), test
    marked = np.where(np.isnan(test), -99.0, test)
    imputer = SimpleImputer(missing_values=-99.0)
    yield "imputer of -99", make_pipeline(imputer, svm.SVR()).fit(np.where(np.isnan(train), -99.0, train), TARGET), marked


def all_of_them():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for family in (regressors, linear_classifiers, machines, networks, pipelines, branches):
            for name, estimator in family():
                yield name, estimator, np.maximum(TEST, 0) if "sparse" in name else TEST
        yield from imputed()
