"""Compares what a program wrote with the model's formula in float64, on rows from the beginning, the middle and the end."""
import zlib

import h5py
import numpy as np

WINDOW = 500
FIRST_ROWS = 100_000  # whose bytes are compared between runs of h5score
# Largest difference from float64. The peers' RBF in float32 loses digits in the exponent by cancellation.
TOLERANCE = {"linreg": 1e-5, "logreg": 1e-5, "mlp": 1e-5, "svm": 2e-4}
TOLERANCE_FLOAT64 = 1e-6  # the peers write float32 also then


def softmax(z):
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def reference(model, parameters, rows):
    """Results of a model of make_data.py in float64: rows x results."""
    p = {k: np.asarray(v, np.float64) for k, v in parameters.items()}
    x = rows.astype(np.float64)
    if model.startswith("svm"):
        distance = (x * x).sum(1)[:, None] - 2 * x @ p["SV"].T + (p["SV"] ** 2).sum(1)
        return np.exp(-p["gamma"] * distance) @ p["coef"][:, None] + p["b"]
    layers = sum(k.startswith("W") for k in p)
    for i in range(layers):
        x = x @ p[f"W{i}"] + p[f"b{i}"]
        if i + 1 < layers:
            x = np.maximum(x, 0)
    return x if model.startswith("linreg") else softmax(x)


def tolerance(model):
    return TOLERANCE_FLOAT64 if model.endswith("64") or model == "linreg30" else TOLERANCE[model]


def windows(rows):
    """Ranges of rows to look at."""
    width = min(WINDOW, rows)
    return sorted({(first, first + width) for first in (0, (rows - width) // 2, rows - width)})


def results(f):
    """The name of the results: the peers' y or one of ours."""
    return next(name for name in ("y", "prediction", "probability", "decision") if name in f)


def scored(path, first, last):
    """Rows first to last of the results."""
    with h5py.File(path, "r") as f:
        return np.asarray(f[results(f)][first:last], np.float64).reshape(last - first, -1)


def crc(path):
    """CRC-32 of the bytes of the results of the first rows."""
    with h5py.File(path, "r") as f:
        return zlib.crc32(np.ascontiguousarray(f[results(f)][:FIRST_ROWS]).tobytes())


def output(place, entry, path, rows):
    """{"difference", "crc"} of an entry's output file; RuntimeError where it is not what the model says."""
    available = place.rows(entry.data)
    parameters = place.parameters(entry.model)
    worst = 0.0
    for first, last in windows(rows):
        at = np.arange(first, last) % available
        begin = at[0] if at[-1] >= at[0] else 0  # a window over the seam of two copies: its rows behind it
        skipped = int(np.flatnonzero(at == begin)[0])
        wanted = reference(entry.model, parameters, place.read(entry.data, int(begin), int(at[-1]) + 1))
        found = scored(path, first + skipped, last)
        if entry.peer == "libsvm":  # writes labels, of which the first one (0) stands for positive values
            wanted = (wanted <= 0).astype(float)
        if found.shape != wanted.shape or not np.isfinite(found).all():
            raise RuntimeError(f"{entry.name}: wrote {found.shape}, or values that are not finite, for {wanted.shape}")
        worst = max(worst, float(np.abs(found - wanted).max()))
    if worst > tolerance(entry.model):
        raise RuntimeError(f"{entry.name}: differs from the model by {worst:.3g}, more than {tolerance(entry.model):g}")
    return {"difference": worst, "crc": crc(path)}
