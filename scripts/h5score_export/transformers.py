"""scikit-learn transformers as stages: what stands in front of the estimator in a Pipeline."""
import numpy as np

from h5score_export.graph import Stage, Unsupported, affine, scale, select, sklearn_name, warn


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
    return stages if kept.all() else stages + [select(np.flatnonzero(kept))]


def min_max_scaler(t):
    factor = np.asarray(t.scale_, dtype=np.float64)
    # To 0 and 1, the offset is exactly what was smallest in training, so that nobody takes it for a mean.
    offset = t.data_min_ if t.feature_range[0] == 0 else -np.asarray(t.min_, dtype=np.float64) / factor
    stages = [Stage("scale", {}, {"offset": np.asarray(offset, dtype=np.float64), "factor": factor})]
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


def truncated_svd(t):
    weights = np.asarray(t.components_, dtype=np.float64).T
    return [affine(weights, np.zeros(weights.shape[1]))]


def selection(t):
    return [select(t.get_support(indices=True))]


SELECTIONS = """SelectKBest SelectPercentile SelectFpr SelectFdr SelectFwe GenericUnivariateSelect SelectFromModel RFE RFECV
    SequentialFeatureSelector VarianceThreshold"""
TRANSFORMERS = {
    "SimpleImputer": simple_imputer,
    "StandardScaler": lambda t: scale(t.mean_ if t.with_mean else None, t.scale_, t.n_features_in_),
    "MinMaxScaler": min_max_scaler,
    "MaxAbsScaler": lambda t: scale(None, t.scale_, t.n_features_in_) + clip(t, -1, 1),
    "RobustScaler": lambda t: scale(t.center_, t.scale_, t.n_features_in_),
    "Normalizer": lambda t: [Stage("normalize", {"norm": t.norm})],
    "Binarizer": lambda t: [Stage("binarize", {"threshold": float(t.threshold)})],
    "FunctionTransformer": function_transformer,
    "PCA": pca,
    "TruncatedSVD": truncated_svd,
}
TRANSFORMERS.update((name, selection) for name in SELECTIONS.split())


def column_transformer(graph, node, t):
    """Each part reads its columns; the parts stand side by side, the remainder last, as in scikit-learn."""
    columns = getattr(t, "_transformer_to_input_indices", None)
    if columns is None:
        raise Unsupported("ColumnTransformer needs scikit-learn 1.0 or newer")
    parts = []
    for name, part, _ in t.transformers_:
        if isinstance(part, str) and part == "drop" or not len(columns[name]):
            continue
        chosen = graph.add(select(columns[name]), node)
        parts.append(weighted(graph, append(graph, chosen, part), name, t))
    return side_by_side(graph, parts, t)


def feature_union(graph, node, t):
    parts = [weighted(graph, append(graph, node, part), name, t)
             for name, part in t.transformer_list if not (isinstance(part, str) and part == "drop")]
    return side_by_side(graph, parts, t)


def weighted(graph, node, name, t):
    if name in (t.transformer_weights or {}):
        raise Unsupported("%s(transformer_weights=...) is not supported" % type(t).__name__)
    return node


def side_by_side(graph, parts, t):
    if not parts:
        raise Unsupported("%s without any column is not supported" % type(t).__name__)
    return parts[0] if len(parts) == 1 else graph.add(Stage("concat"), *parts)


SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
BRANCHES = {"ColumnTransformer": column_transformer, "FeatureUnion": feature_union}


def flatten(e):
    """All steps of nested pipelines and searches, in order."""
    if e is None or isinstance(e, str):  # "passthrough"
        return []
    if sklearn_name(e) == "Pipeline":
        return [part for _, step in e.steps for part in flatten(step)]
    if sklearn_name(e) in SEARCHES:
        return flatten(e.best_estimator_)
    return [e]


def append(graph, node, transformer):
    """Appends what a fitted transformer, or a Pipeline of them, computes from `node`; gives its node."""
    for step in flatten(transformer):
        name = sklearn_name(step)
        if name in BRANCHES:
            node = BRANCHES[name](graph, node, step)
        elif name in TRANSFORMERS:
            node = graph.extend(TRANSFORMERS[name](step), node)
        else:
            raise Unsupported("%s.%s is not supported in front of an estimator. Supported: %s."
                              % (type(step).__module__, type(step).__name__, ", ".join([*TRANSFORMERS, *BRANCHES])))
    return node
