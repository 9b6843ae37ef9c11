"""LIBSVM model files: every type and kernel against svm-predict, and third-party models."""
import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

import exported
import program
import scored

SVM_TRAIN, SVM_PREDICT = shutil.which("svm-train"), shutil.which("svm-predict")
REALDATA = os.environ.get("H5SCORE_REALDATA", "")
PLSSVM = os.path.join(REALDATA, "libsvm-plssvm")
needs_realdata = pytest.mark.skipif(not os.path.isdir(PLSSVM), reason="H5SCORE_REALDATA names no folder with libsvm-plssvm")
KERNELS = ("linear", "polynomial", "rbf", "sigmoid")
TYPES = ("c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr")


def write_rows(path, rows, targets):
    with open(path, "w", encoding="ascii") as f:
        for target, row in zip(targets, rows):
            f.write("%.17g %s\n" % (target, " ".join("%d:%.17g" % (i + 1, v) for i, v in enumerate(row) if v != 0)))


def read_rows(path, width):
    rows, targets = [], []
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            target, *entries = line.split()
            row = np.zeros(width)
            for entry in entries:
                index, value = entry.split(":")
                row[int(index) - 1] = float(value)
            rows.append(row)
            targets.append(float(target))
    return np.array(rows), np.array(targets)


def libsvm(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def predict(folder, model, probabilities):
    libsvm(SVM_PREDICT, "-q", "-b", int(probabilities), folder / "test.txt", model, folder / "out.txt")
    lines = (folder / "out.txt").read_text().splitlines()
    if not probabilities:
        return np.array([float(line) for line in lines]), None
    header, lines = lines[0].split(), lines[1:]
    assert header[0] == "labels"
    table = np.array([[float(v) for v in line.split()] for line in lines])
    return table[:, 0], table[:, 1:]


def train(folder, kind, kernel, *options, classes=4, width=exported.FEATURES):
    """A model file of svm-train for sparse rows, zero from column `width` on; test rows of any columns in test.txt."""
    sparse = [np.where(abs(rows) < 0.6, 0, rows) for rows in (exported.TRAIN, exported.TEST)]
    sparse[0][:, width:] = 0
    if kind < 2:
        targets = 10 * exported.CLASSES - 7 if classes == 4 else exported.BINARY
    else:
        targets = exported.TARGET / 10
    write_rows(folder / "train.txt", sparse[0], targets)
    write_rows(folder / "test.txt", sparse[1], np.zeros(len(sparse[1])))
    nu = 0.2 if kind < 3 else 0.5
    libsvm(SVM_TRAIN, "-q", "-s", kind, "-t", kernel, "-g", 0.05, "-r", 0.3, "-d", 2, "-n", nu, *options,
           folder / "train.txt", folder / "a.model")
    return folder / "a.model", sparse[1]


@pytest.mark.parametrize("kernel", range(4), ids=KERNELS)
@pytest.mark.parametrize("kind", range(5), ids=TYPES)
def test_as_svm_predict(kind, kernel, tmp_path):
    model, rows = train(tmp_path, kind, kernel)
    got = scored.score(model, rows, tmp_path)
    theirs, _ = predict(tmp_path, model, False)
    if kind >= 3:
        assert scored.worst(got["prediction"], theirs) < 1e-5  # svm-predict prints six digits
        return
    classes = model_labels(model) if kind < 2 else np.array([-1, 1])
    assert (classes[got["label"].ravel().astype(int)] == theirs).all()
    assert got["decision"].shape == (len(rows), 6 if kind < 2 else 1)
    assert "probability" not in got


@pytest.mark.parametrize("classes", (2, 4))
@pytest.mark.parametrize("kind", range(2), ids=TYPES[:2])
def test_probabilities(kind, classes, tmp_path):
    model, rows = train(tmp_path, kind, 2, "-b", 1, classes=classes)
    got = scored.score(model, rows, tmp_path)
    votes, _ = predict(tmp_path, model, False)
    assert (model_labels(model)[got["label"].ravel().astype(int)] == votes).all()
    most_probable, theirs = predict(tmp_path, model, True)
    assert np.abs(got["probability"] - theirs).max() < 1e-5
    assert (model_labels(model)[got["probability"].argmax(axis=1)] == most_probable).all()


def test_regression_trained_with_probabilities(tmp_path):
    model, rows = train(tmp_path, 3, 2, "-b", 1)
    theirs, _ = predict(tmp_path, model, False)
    assert scored.worst(scored.score(model, rows, tmp_path)["prediction"], theirs) < 1e-5


def test_decision_values_to_the_last_digit(tmp_path):
    """Against numpy, from the file's own numbers: LIBSVM prints too few digits."""
    model, rows = train(tmp_path, 3, 2)
    lines = model.read_text().splitlines()
    begin = lines.index("SV") + 1
    gamma, rho = (float(next(line for line in lines if line.startswith(key)).split()[1]) for key in ("gamma", "rho"))
    coefficients = np.array([float(line.split()[0]) for line in lines[begin:]])
    (tmp_path / "vectors.txt").write_text("\n".join(lines[begin:]) + "\n")
    vectors, _ = read_rows(tmp_path / "vectors.txt", rows.shape[1])
    distances = ((rows[:, None, :] - vectors[None]) ** 2).sum(axis=2)
    expected = np.exp(-gamma * distances) @ coefficients - rho
    assert scored.worst(scored.score(model, rows, tmp_path)["prediction"], expected) < 1e-12


def model_labels(model):
    line = next(line for line in open(model, encoding="ascii") if line.startswith("label"))
    return np.array([float(v) for v in line.split()[1:]])


@pytest.mark.parametrize("kernel", range(4), ids=KERNELS)
def test_data_with_more_columns_than_the_model(kernel, tmp_path):
    """Columns beyond the largest index count as LIBSVM counts them: in an RBF kernel they add to the distance."""
    model, rows = train(tmp_path, 0, kernel, width=exported.FEATURES - 2)
    assert model_width(model) == exported.FEATURES - 2
    theirs, _ = predict(tmp_path, model, False)
    with h5py.File(tmp_path / "rows.h5", "w") as f:
        f["x"] = rows
    program.run(["score", "--model", model, "--input", tmp_path / "rows.h5", "--output", tmp_path / "scores.h5"])
    with h5py.File(tmp_path / "scores.h5") as f:
        assert (f["classes"][()][f["label"][()]] == theirs).all()


def test_converted_to_the_native_format(tmp_path):
    model, rows = train(tmp_path, 0, 2, "-b", 1)
    done = scored.run("copy", model, tmp_path / "native.h5")
    assert done.returncode == 0, done.stderr
    ours, copy = scored.score(model, rows, tmp_path), scored.score(tmp_path / "native.h5", rows, tmp_path)
    assert set(ours) == set(copy) and all(ours[name].tobytes() == copy[name].tobytes() for name in ours)


def test_a_hundred_megabytes_are_read(tmp_path):
    rng = np.random.RandomState(0)
    values = ["%d:%.12g" % (i + 1, v) for i, v in enumerate(rng.normal(size=600))]
    line = "0.5 " + " ".join(values) + " \n"
    count = 100_000_000 // len(line)
    with open(tmp_path / "large.model", "w", encoding="ascii") as f:
        f.write("svm_type epsilon_svr\nkernel_type linear\nnr_class 2\ntotal_sv %d\nrho 0\nSV\n" % count)
        f.writelines(line for _ in range(count))
    rows = rng.normal(size=(3, 600))
    got = scored.score(tmp_path / "large.model", rows, tmp_path)  # an algorithm that is not linear would meet the test's time limit
    vector = np.array([float(v.split(":")[1]) for v in values])
    assert scored.worst(got["prediction"], 0.5 * count * (rows @ vector)) < 1e-12


@needs_realdata
@pytest.mark.parametrize("kernel", ("linear", "rbf"))
def test_plssvm_labels_exactly(kernel, tmp_path):
    folder = os.path.join(PLSSVM, "predict")
    rows, _ = read_rows(os.path.join(folder, "500x200_test.libsvm"), 200)
    model = os.path.join(folder, "500x200_%s.libsvm.model" % kernel)
    got = scored.score(model, rows[:, :model_width(model)], tmp_path)
    labels = np.loadtxt(os.path.join(folder, "500x200.libsvm.predict"))
    assert len(rows) == len(labels) == 500
    assert (model_labels(model)[got["label"].ravel().astype(int)] == labels).all()


def model_width(model):
    with open(model, encoding="ascii") as f:
        return max(int(entry.split(":")[0]) for line in f for entry in line.split() if ":" in entry)


# LIBSVM ignores parameters that the kernel does not use; it cannot read the other files either.
INVALID = {
    "missing_kernel_type": "kernel_type is missing", "missing_label": "label is missing",
    "missing_nr_class": "nr_class must come before it", "missing_nr_sv": "nr_sv is missing",
    "missing_rho": "rho is missing", "same_class_multiple_times": "line 5: 'rho': 1 values found",
    "unrecognized_header_entry": "'invalid': unknown header entry",
    "explicit_coef0_in_rbf_kernel": "gamma is missing", "explicit_degree_in_rbf_kernel": "gamma is missing",
    "explicit_coef0_in_linear_kernel": None, "explicit_degree_in_linear_kernel": None,
    "explicit_gamma_in_linear_kernel": None,
}


@needs_realdata
def test_plssvm_invalid_models(tmp_path):
    folder = os.path.join(PLSSVM, "model", "invalid")
    assert {name.split(".")[0] for name in os.listdir(folder)} == set(INVALID)
    for name, says in INVALID.items():
        path = os.path.join(folder, name + ".libsvm.model")
        if says is None:
            assert scored.run("copy", path, tmp_path / (name + ".h5")).returncode == 0, name
        else:
            assert says in scored.refusal(path, tmp_path), name


@needs_realdata
def test_third_party_models_that_are_valid(tmp_path):
    for path in (os.path.join(PLSSVM, "model", "5x4_linear.libsvm.model"),
                 os.path.join(PLSSVM, "model", "5x4_rbf.libsvm.model"),
                 os.path.join(REALDATA, "libsvm-vmaf", "vmaf_float_v0.6.1.pkl.model")):
        done = scored.run("copy", path, tmp_path / "native.h5")
        assert done.returncode == 0, done.stderr
