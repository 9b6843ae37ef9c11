"""docs/models.md: its tables are what the program and the export scripts support."""
import page_tables

from h5score_export.estimators import FINALS, LINEAR_CLASSIFIERS, LINEAR_REGRESSORS
from h5score_export.transformers import BRANCHES, SELECTIONS, TRANSFORMERS

PAGE = "docs/models.md"
# What the tables say beside the name; every other name in the code's tables must be here or in a family of its own.
ESTIMATORS = {
    "OneVsRestClassifier": "of linear classifiers, also multi-label",
    "SVC": "linear, polynomial, RBF and sigmoid kernels; probabilities",
    "NuSVC": "the same",
    "SVR": "the four kernels",
    "NuSVR": "the same",
    "OneClassSVM": "the four kernels",
    "MLPClassifier": "two or more classes, multi-label; float32 stays float32",
    "MLPRegressor": "one or more targets",
}
TRANSFORMERS_SAY = {
    "SimpleImputer": "of numbers; `missing_values` NaN or a number; not `add_indicator`",
    "StandardScaler": "", "MinMaxScaler": "also with `clip`", "MaxAbsScaler": "", "RobustScaler": "",
    "Normalizer": "l1, l2, max", "Binarizer": "",
    "FunctionTransformer": "`numpy.log1p`, or no function",
    "PCA": "also whitened", "TruncatedSVD": "",
    "ColumnTransformer": "of these, by name, number, mask or function; no weights",
    "FeatureUnion": "of these; no weights",
}


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def test_estimators():
    linear, classifiers = sorted(LINEAR_REGRESSORS.split()), sorted(LINEAR_CLASSIFIERS.split())
    rows = [("linear regression, one or several targets", code(linear), ""), ("linear classification", code(classifiers), "")]
    rows += [("", f"`{name}`", says) for name, says in ESTIMATORS.items()]
    assert set(linear) | set(classifiers) | set(ESTIMATORS) == set(FINALS)
    page_tables.check(PAGE, "estimators", page_tables.table(("family", "estimators", "what of it"), rows))


def test_transformers():
    rows = [(f"`{name}`", says) for name, says in TRANSFORMERS_SAY.items()]
    rows.append((code(SELECTIONS.split()), "the columns that they chose"))
    assert set(TRANSFORMERS_SAY) | set(SELECTIONS.split()) == set(TRANSFORMERS) | set(BRANCHES)
    page_tables.check(PAGE, "transformers", page_tables.table(("transformer", "what of it"), rows))


def test_onnx_operators():
    rows = [(f"`{name}`" if domain == "ai.onnx" else f"`{domain}.{name}`", since, notes)
            for domain, name, since, notes in page_tables.supported("onnx")]
    page_tables.check(PAGE, "onnx", page_tables.table(("operator", "since opset", "what of it"), rows))


def test_keras_layers():
    page_tables.check(PAGE, "keras-layers", [code(sorted(name for name, in page_tables.supported("keras layer")))])
    page_tables.check(PAGE, "keras-activations", [code(sorted(name for name, in page_tables.supported("keras activation")))])
