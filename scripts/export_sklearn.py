#!/usr/bin/env python3
"""Writes a fitted scikit-learn estimator, transformer or Pipeline as a model file for h5score.

    python3 export_sklearn.py MODEL.joblib OUT.h5 [--reference X.npy] [--training X.npy]

or, where the estimator is in memory anyway,

    import export_sklearn
    export_sklearn.save("photoz.h5", pipeline, reference=X_test, training=X_train)

This file and the folder h5score_export beside it are all that is needed, beside numpy, h5py and the scikit-learn (0.24 or
newer) that made the model. The format is described in docs/model-format.md. `--reference` rows (up to 256 of them) go into
the file together with what scikit-learn says of them: h5score scores them first in every run and stops if it comes to
other results. Of `--training` rows mean, standard deviation and range are kept, so that a run can say where its data are
unlike them; a StandardScaler or MinMaxScaler in front knows enough of that by itself.

A joblib or pickle file can run any code when it is loaded: load only files that you trust.
"""
import argparse
import os
import sys
import warnings

import h5py
import numpy as np
import sklearn
from sklearn.utils.validation import check_is_fitted

from h5score_export import native
from h5score_export.estimators import FINALS, Final
from h5score_export.graph import Graph, Unsupported, dense, sklearn_name
from h5score_export.rows import column_facts, counted, spread, words
from h5score_export.transformers import BRANCHES, TRANSFORMERS, append, flatten


def convert(estimator):
    """Graph of stages, the last step's Final, and the number of features of an estimator, a transformer or a Pipeline."""
    steps = flatten(estimator)
    last = (steps or [estimator])[-1]
    if sklearn_name(last) not in [*FINALS, *TRANSFORMERS, *BRANCHES]:
        raise Unsupported("%s.%s is not supported. Supported, alone or at the end of a Pipeline: %s; in front of them: %s."
                          % (type(last).__module__, type(last).__name__, ", ".join(sorted(FINALS)),
                             ", ".join([*TRANSFORMERS, *BRANCHES])))
    check_is_fitted(last)
    graph = Graph()
    node = 0
    for step in steps[:-1]:
        node = append(graph, node, step)
    if sklearn_name(last) in FINALS:
        final = FINALS[sklearn_name(last)](last)
        graph.extend(final.stages, node)
    else:  # a scaler, say, that h5score convert puts in front of a network; its values are what it transforms to
        final = Final([], {"kind": "values"}, np.dtype(np.float64))
        append(graph, node, last)
    # Steps that do not know their width (functions) keep it, so the first one that does has the model's.
    width = next((int(step.n_features_in_) for step in steps if hasattr(step, "n_features_in_")), None)
    if width is None or not graph.stages:
        raise Unsupported("%s alone does nothing, or not to a known number of features" % type(last).__name__)
    return graph, final, width


def reference_of(estimator, training, n_features):
    """What the features looked like in training: {"mean", "stddev", "minimum", "maximum"}, as far as anything tells."""
    if training is not None:
        return column_facts(training, n_features)
    first = flatten(estimator)[0]
    facts = {"StandardScaler": {"mean": "mean_", "stddev": "var_"},
             "MinMaxScaler": {"minimum": "data_min_", "maximum": "data_max_"}}.get(sklearn_name(first), {})
    facts = {name: getattr(first, attribute) for name, attribute in facts.items()}
    if facts.get("stddev") is not None:
        facts["stddev"] = np.sqrt(facts["stddev"])
    facts = {name: fact for name, fact in facts.items() if fact is not None and np.isfinite(fact).all()}
    if sklearn_name(first) in ("MinMaxScaler", "RobustScaler"):  # what they subtract is no mean: it is not known
        facts.update({name: np.full(n_features, np.nan) for name in ("mean", "stddev")})
    return facts


def names_of(estimator):
    """Names of the columns that an estimator was fitted on, or None; where it does not keep them, a part that saw them may."""
    names = getattr(estimator, "feature_names_in_", None)
    first = (flatten(estimator) or [None])[0]
    if names is None and first is not None:
        names = getattr(first, "feature_names_in_", None)
        for _, part in getattr(first, "transformer_list", ()):  # of a FeatureUnion
            if names is None and not isinstance(part, str):
                names = names_of(part)
    return names


def with_names(rows, estimator):
    """n x features, as a DataFrame where the estimator may choose columns by their names."""
    names = names_of(estimator)
    if hasattr(rows, "iloc") or names is None:
        return rows if hasattr(rows, "iloc") else rows.reshape(len(rows), -1)
    import pandas

    return pandas.DataFrame(rows.reshape(len(rows), -1), columns=names)


def golden_rows(estimator, final, reference):
    """Up to 256 rows, evenly spread over the reference, and what the estimator itself says of them."""
    rows = with_names(spread(reference), estimator).astype(final.dtype)
    count = len(rows)
    arrays = {"rows": np.asarray(rows, dtype=np.float64)}
    head = final.head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "X does not have valid feature names": the reference is a plain array
        answers = dense((estimator.predict if hasattr(estimator, "predict") else estimator.transform)(rows))
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


def save(path, estimator, reference=None, class_names=None, feature_names=None, target_names=None, training=None,
         normalize_total=None):
    """Writes a fitted estimator or Pipeline to `path`.

    reference: rows (array n x features, or a DataFrame) that h5score checks itself against in every run.
    class_names: names that replace `classes_`, in its order. feature_names: default `feature_names_in_`,
    which scikit-learn keeps of a DataFrame; without names h5score takes columns by position.
    target_names: names of a regressor's targets.
    training: the rows that the estimator was trained on; their mean, standard deviation and range are kept.
    normalize_total: h5score first multiplies each row so that all its counts, also those of columns that the model does
    not read, sum to this (scanpy's normalize_total); `reference` and `training` are rows after that.
    Raises Unsupported, a ValueError, naming what cannot be exported.
    """
    graph, final, n_features = convert(estimator)
    facts = {"golden": {} if reference is None else golden_rows(estimator, final, reference),
             "reference": reference_of(estimator, training, n_features)}
    if feature_names is None:
        feature_names = names_of(estimator)
    if feature_names is not None:
        feature_names = [str(name) for name in counted(feature_names, n_features, "feature names")]
    if class_names is not None:
        final.head["classes"] = np.array(counted(class_names, len(final.head.get("classes", ())), "class names"))
    if target_names is not None:
        targets = final.stages[-1].arrays.get("bias", final.stages[-1].arrays.get("intercept", ()))
        final.head["target_names"] = [str(name) for name in counted(target_names, len(targets), "target names")]
    attributes = {"n_features": n_features, "library": "scikit-learn", "library_version": sklearn.__version__,
                  "precision": np.dtype(final.dtype).name}
    if normalize_total is not None:
        attributes["total_count"] = float(normalize_total)
    part = "%s.tmp" % path
    try:
        native.write(part, attributes, graph, final.head, feature_names, facts)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def main():
    parser = argparse.ArgumentParser(description="Writes a fitted scikit-learn model as a model file for h5score.")
    parser.add_argument("model", help="joblib or pickle file of the estimator or Pipeline; loading it runs its code")
    parser.add_argument("out", help="HDF5 file to write")
    parser.add_argument("--reference", metavar="X.npy", help="rows (n x features) for the self-test of every run")
    parser.add_argument("--training", metavar="X.npy", help="the training rows: their mean, deviation and range are kept")
    parser.add_argument("--class-names", metavar="LIST|FILE", help="class names, in the order of the model's classes_")
    parser.add_argument("--feature-names", metavar="LIST|FILE", help="feature names, a,b,... or a file with one per line")
    parser.add_argument("--normalize-total", metavar="N", type=float, help="scale each row's counts to this sum first")
    arguments = parser.parse_args()
    import joblib

    try:
        rows = [None if path is None else np.load(path, mmap_mode="r") for path in (arguments.reference, arguments.training)]
        save(arguments.out, joblib.load(arguments.model), rows[0], words(arguments.class_names),
             words(arguments.feature_names), training=rows[1], normalize_total=arguments.normalize_total)
    except (OSError, ValueError) as error:
        sys.exit("export_sklearn: %s" % error)
    with h5py.File(arguments.out) as f:
        named = "feature_names" in f
    print("wrote " + arguments.out + ("" if named else ", without feature names: columns will be taken by position"))


if __name__ == "__main__":
    main()
