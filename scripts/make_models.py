#!/usr/bin/env python3
"""Trains the models of data/ with scikit-learn and writes them (data/README.md says what they are).

    python3 make_models.py OUT_FOLDER [--joblib] [--only NAME...]

Beside the models it writes fashion-labels.npz: the class that scikit-learn itself gives each of the 70,000 images, by
model, as the reference for tests. `--joblib` keeps the estimators too. Takes a few minutes.
The seeds are fixed; another BLAS or processor may still change the last digits of a trained model.
"""
import argparse
import os
import sys
import time
import warnings

import joblib
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import export_sklearn  # noqa: E402
import make_fashion  # noqa: E402

TRAINING_ROWS = 60000


def pixel_scaler(dtype):
    """0..255 to 0..1, whatever values the training rows happen to have."""
    return MinMaxScaler().fit(np.outer([0, 255], np.ones(784)).astype(dtype))


def fitted_pipeline(scaler, estimator, rows, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is chosen for size and time
        estimator.fit(scaler.transform(rows), labels)
    return make_pipeline(scaler, estimator)


def logistic(rows, labels):
    rows, labels = rows[:20000].astype(np.float64), labels[:20000]
    return fitted_pipeline(pixel_scaler(np.float64), LogisticRegression(C=0.1, max_iter=60), rows, labels)


def mlp(rows, labels):
    """In float32: a network trained on float32 rows stays float32."""
    rows, labels = rows[:TRAINING_ROWS].astype(np.float32), labels[:TRAINING_ROWS]
    network = MLPClassifier((128,), batch_size=256, max_iter=15, random_state=1)
    return fitted_pipeline(pixel_scaler(np.float32), network, rows, labels)


def svm(rows, labels):
    """On raw pixels, which keeps the support vectors whole numbers; gamma='scale' takes care of their size."""
    machine = SVC(C=5, gamma="scale").fit(rows[:2500].astype(np.float64), labels[:2500])
    machine.dual_coef_[:] = machine.dual_coef_.astype(np.float32)  # a smaller file; what the model is, is decided here
    return machine


FASHION = {"logistic": (logistic, np.float64), "mlp": (mlp, np.float32), "svm": (svm, np.float64)}


def labels_of(estimator, rows, dtype):
    parts = np.array_split(rows, 70)
    return np.concatenate([estimator.predict(part.astype(dtype)) for part in parts]).astype(np.uint8)


def smallest_gap(estimator, rows, dtype):
    """Distance between the two largest values that decide a row's class: below rounding, labels may differ."""
    decide = getattr(estimator, "decision_function", None) or estimator.predict_proba
    gaps = []
    for part in np.array_split(rows, 70):
        values = np.sort(decide(part.astype(dtype)), axis=1)
        gaps.append((values[:, -1] - values[:, -2]).min())
    return min(gaps)


def make_fashion_models(folder, only, keep):
    images, labels = make_fashion.load()
    rows = images.reshape(len(images), -1)
    references = {}
    for name, (train, dtype) in FASHION.items():
        if only and name not in only:
            continue
        start = time.monotonic()
        estimator = train(rows, labels)
        seconds = time.monotonic() - start
        export_sklearn.save(os.path.join(folder, "fashion-%s.h5" % name), estimator, reference=rows[TRAINING_ROWS:])
        if keep:
            joblib.dump(estimator, os.path.join(folder, "fashion-%s.joblib" % name))
        references[name] = labels_of(estimator, rows, dtype)
        right = references[name] == labels
        print("fashion-%s: trained in %.0f s, %.4f of the test images right, smallest gap %.2g"
              % (name, seconds, right[TRAINING_ROWS:].mean(), smallest_gap(estimator, rows, dtype)), flush=True)
    np.savez_compressed(os.path.join(folder, "fashion-labels.npz"), **references)


def make_diabetes_model(folder):
    data = load_diabetes(scaled=False)
    estimator = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(data.data, data.target)
    export_sklearn.save(os.path.join(folder, "diabetes-ridge.h5"), estimator, reference=data.data,
                        feature_names=data.feature_names, target_names=["progression"])


def main():
    parser = argparse.ArgumentParser(description="Trains the models of data/ with scikit-learn.")
    parser.add_argument("folder", help="folder to write to")
    parser.add_argument("--joblib", action="store_true", help="keep the estimators as joblib files, too")
    parser.add_argument("--only", nargs="*", choices=sorted(FASHION), help="only these Fashion-MNIST models")
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    make_diabetes_model(arguments.folder)
    make_fashion_models(arguments.folder, arguments.only, arguments.joblib)


if __name__ == "__main__":
    main()
