"""Twins: models trained by scikit-learn and PyTorch score through the program as in their own library, on every row.

Each data set is one input and one run for all of its models. Differences are relative to max(1, |theirs|)."""
import warnings

import h5py
import numpy as np
import pytest
import torch
from program import SANITIZED, run
from sklearn import datasets
from sklearn import linear_model as lm
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, SVR

import export_sklearn
import export_torch
import make_fashion
import page_tables

torch.set_num_threads(1)
KERNELS = ("linear", "poly", "rbf", "sigmoid")
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


def breast_cancer():
    """569 x 30, two classes: one column of decisions."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    yield x, y
    yield "logistic", scaled(lm.LogisticRegression()).fit(x, names)
    yield "logistic without scaler", lm.LogisticRegression(solver="liblinear").fit(x, y)
    for kernel in KERNELS:
        yield "SVC " + kernel, scaled(SVC(kernel=kernel, probability=kernel == "rbf", random_state=0)).fit(x, names)
    yield "MLPClassifier", scaled(MLPClassifier((20,), max_iter=60, random_state=0)).fit(x, names)
    yield "torch MLP", network(30, 16, 1), list("mb")
    yield "torch float64", network(30, 16, 2).double(), list("mb")


def diabetes():
    """442 x 10, regression."""
    x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    yield x, y
    yield "LinearRegression", lm.LinearRegression().fit(x, y)
    yield "Ridge, two targets", scaled(lm.Ridge()).fit(x, np.column_stack([y, x[:, 0]]))
    for kernel in KERNELS:
        yield "SVR " + kernel, scaled(SVR(kernel=kernel, C=10)).fit(x, y)
    yield "MLPRegressor", scaled(MLPRegressor((32,), max_iter=80, random_state=0)).fit(x, y)
    yield "torch residual", Residual(10, 24, 1), None


def digits():
    """1797 x 64, ten classes."""
    x, y = datasets.load_digits(return_X_y=True)
    yield x, y
    yield "logistic", scaled(lm.LogisticRegression(max_iter=60)).fit(x, y)
    yield "logistic one-vs-rest", scaled(lm.LogisticRegression(multi_class="ovr")).fit(x, y)
    for kernel in KERNELS:
        yield "SVC " + kernel, make_pipeline(MinMaxScaler(), SVC(kernel=kernel)).fit(x[:600], y[:600])
    yield "PCA, SVC rbf", make_pipeline(PCA(20), SVC(decision_function_shape="ovo")).fit(x[:600], y[:600])
    yield "MLPClassifier", scaled(MLPClassifier((40,), max_iter=30, random_state=0)).fit(x, y)
    yield "MLPClassifier float32", MLPClassifier((40,), max_iter=30, random_state=0).fit(x.astype(np.float32), y)
    yield "torch MLP with BatchNorm", network(64, 48, 10), list(range(10))
    yield "torch residual", Residual(64, 48, 10), list(range(10))


def fashion():
    """70,000 x 784, ten classes; trained on few of them."""
    images, y = make_fashion.load()
    x = images.reshape(len(images), -1)
    yield x, y
    pixels = MinMaxScaler().fit(np.outer([0, 255], np.ones(784)))
    some = pixels.transform(x[:2000])
    yield "logistic", make_pipeline(pixels, lm.LogisticRegression(max_iter=25).fit(some, y[:2000]))
    yield "SVC rbf", make_pipeline(pixels, SVC(gamma=0.02).fit(some[:200], y[:200]))
    network32 = MLPClassifier((32,), max_iter=4, random_state=0).fit(some.astype(np.float32), y[:2000])
    yield "MLPClassifier float32", make_pipeline(pixels, network32)
    yield "torch MLP with BatchNorm", network(784, 64, 10), list(range(10))


class Residual(torch.nn.Module):
    """Two branches that meet again."""

    def __init__(self, features, hidden, outputs):
        super().__init__()
        self.norm, self.first = torch.nn.BatchNorm1d(features), torch.nn.Linear(features, hidden)
        self.second, self.last = torch.nn.Linear(hidden, hidden), torch.nn.Linear(hidden, outputs)

    def forward(self, x):
        h = torch.relu(self.first(self.norm(x)))
        return self.last(h + torch.tanh(self.second(h)))


def network(features, hidden, outputs):
    return torch.nn.Sequential(torch.nn.BatchNorm1d(features), torch.nn.Linear(features, hidden), torch.nn.ReLU(),
                               torch.nn.BatchNorm1d(hidden), torch.nn.Dropout(0.1), torch.nn.Linear(hidden, outputs))


def train(module, x, y, classify):
    """A few passes of Adam; the torch module ends in eval mode."""
    torch.manual_seed(1)
    kind = next(module.parameters()).dtype
    rows, target = torch.tensor(x[:6000], dtype=kind), torch.tensor(y[:6000])
    single = module(rows[:2]).shape[1] == 1
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(3):
        for part in torch.arange(len(rows)).split(128):
            if len(part) > 1:
                z = module(rows[part])
                if classify and not single:
                    loss = torch.nn.functional.cross_entropy(z, target[part])
                elif classify:
                    loss = torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], target[part].to(kind))
                else:
                    loss = ((z[:, 0] - target[part].to(kind)) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return module.eval()


def torch_results(module, x, classes):
    rows = torch.tensor(x, dtype=next(module.parameters()).dtype)
    with torch.no_grad():
        z = torch.cat([module(part) for part in rows.split(5000)])
        if classes is None:
            return {"prediction": z.numpy()}
        p = torch.softmax(z, 1) if z.shape[1] > 1 else torch.cat([torch.sigmoid(-z), torch.sigmoid(z)], 1)
    return {"probability": p.numpy(), "label": np.array(classes, dtype=object)[p.argmax(1).numpy()]}


def sklearn_results(estimator, x):
    rows = x.astype(np.float32 if single_precision(estimator) else np.float64)
    methods = {"label" if hasattr(estimator, "classes_") else "prediction": "predict", "decision": "decision_function",
               "probability": "predict_proba"}
    return {name: getattr(estimator, method)(rows) for name, method in methods.items() if hasattr(estimator, method)}


def single_precision(estimator):
    coefs = getattr(estimator[-1] if hasattr(estimator, "steps") else estimator, "coefs_", None)
    return coefs is not None and coefs[0].dtype == np.float32


def export(folder, name, model, x, y, classes):
    """Writes a model file; gives its path, its results by its own library and its precision."""
    slug = name.replace(" ", "_").replace(",", "")
    if isinstance(model, torch.nn.Module):
        train(model, x, y, classes is not None)
        path = folder / f"{slug}.onnx"
        export_torch.export(model, x, path, classes=classes)
        precision = "float64" if next(model.parameters()).dtype == torch.float64 else "float32"
        return slug, path, torch_results(model, x, classes), precision
    path = folder / f"{slug}.h5"
    export_sklearn.save(str(path), model, reference=x)
    return slug, path, sklearn_results(model, x), "float32" if single_precision(model) else "float64"


def measured(data, folder):
    """Scores all models of a data set in one run: {name: (precision, largest difference)}; labels must be equal."""
    cases = data()
    x, y = next(cases)
    x = x[:2000] if SANITIZED else x
    with h5py.File(folder / "input.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(min(len(x), 256), x.shape[1]), compression="gzip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = {name: export(folder, name, model, x, y[: len(x)], *(rest or [None])) for name, model, *rest in cases}
    arguments = [word for slug, path, _, _ in models.values() for word in ("--model", f"{slug}={path}")]
    run(["score", *arguments, "--input", folder / "input.h5", "--dataset", "/x", "--output", folder / "scores.h5"], np_=2,
        timeout=300)
    with h5py.File(folder / "scores.h5") as f:
        return {name: (precision, compare(name, f[slug], theirs, precision))
                for name, (slug, _, theirs, precision) in models.items()}


def compare(name, ours, theirs, precision):
    assert not ours["status"][()].any()
    if "label" in theirs:
        classes = ours["classes"].asstr()[()] if ours["classes"].dtype == object else ours["classes"][()]
        unlike = np.flatnonzero(classes[ours["label"][()]] != theirs["label"])
        assert not len(unlike), f"{name}: {len(unlike)} labels differ, the first in row {unlike[0]}"
    worst = 0.0
    for result in ("prediction", "decision", "probability"):
        assert (result in theirs) <= (result in ours), f"{name}: no /{result}"
        if result in theirs:
            expected = np.asarray(theirs[result], dtype=np.float64)
            got = ours[result][()].astype(np.float64).reshape(expected.shape)
            worst = max(worst, (np.abs(got - expected) / np.maximum(1, np.abs(expected))).max())
    assert worst <= TOLERANCE[precision], f"{name}: {worst:.3g}"
    return worst


DATA = {"breast cancer, 569 rows": breast_cancer, "diabetes, 442 rows": diabetes, "digits, 1,797 rows": digits,
        "Fashion-MNIST, 70,000 rows": fashion}
MEASURED = {}


@pytest.mark.parametrize("title", DATA)
def test_scores_as_in_its_own_library(title, tmp_path):
    MEASURED[title] = measured(DATA[title], tmp_path)
    assert len(MEASURED[title]) >= 4


def test_the_page_shows_them():
    if len(MEASURED) < len(DATA):
        pytest.skip("not all data sets were measured in this run")
    rows = [(title, name, precision, f"{worst:.0e}") for title, models in MEASURED.items()
            for name, (precision, worst) in models.items()]
    page_tables.check_measured("docs/models.md", "twins", ("data", "model", "precision", "largest difference"), rows, 3)
