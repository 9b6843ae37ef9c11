"""`h5score convert`: joining, labels, names, preparation, reference outputs, and what does not fit."""
import json
import os
import sys

import h5py
import numpy as np
import pytest

from program import SOURCE_DIR, run

sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "format"))
import keras_files as k  # noqa: E402

GLOBALEMU = os.path.join(os.environ.get("H5SCORE_REALDATA", ""), "keras-globalemu", "T_release")
USAGE, DATA, NO_INPUT, CANT_CREATE = 64, 65, 66, 73
MEAN, DEVIATION = np.array([1.0, -2.0, 10.0, 0.5]), np.array([2.0, 0.5, 4.0, 1.0])


def native(path, n, stages, precision="float64", names=None, head="values", classes=None):
    """A model of the native format: stages are (kind, attributes and arrays)."""
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "h5score-model", "format_version": 1, "n_features": n, "precision": precision,
                        "library": "scikit-learn", "library_version": "1.2.1"})
        for i, (kind, parts) in enumerate(stages):
            group = f.create_group(f"stages/{i}")
            group.attrs["kind"] = kind
            for name, value in parts.items():
                if isinstance(value, (str, float)):
                    group.attrs[name] = value
                else:
                    group[name] = value
        f.create_group("head").attrs["kind"] = head
        if classes is not None:
            f["head/classes"] = classes
            f["head"].attrs["link"] = "softmax"
        if names:
            f["feature_names"] = names
    return path


def scaler(path, names=None, n=4):
    parts = {"offset": np.resize(MEAN, n), "factor": 1 / np.resize(DEVIATION, n)}
    return native(path, n, [("scale", parts)], names=names)


def network(folder, classes=3, ending="softmax", name="net"):
    """A Keras network of 4 features, and what it gives for rows that are scaled already."""
    net = [k.source("x", 4), k.dense("h", 4, 8, "relu"), k.dense("y", 8, classes, ending)]
    return k.save_pair(folder / name, net, "2.4.0")[0], lambda rows: k.predict(net, rows)


def convert(*args, code=0):
    done = run(["convert", *args], code=code)
    if code:
        assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
        return done.stderr
    return done.stdout


def score(model, rows, folder, *options):
    """Results of rows, and the labels' texts."""
    with h5py.File(folder / "rows.h5", "w") as f:
        f["X"] = rows
    run(["score", "--model", model, "--input", folder / "rows.h5", "--output", folder / "scores.h5", "--overwrite",
         "--progress", "none", *options])
    with h5py.File(folder / "scores.h5") as f:
        return {name: f[name][()] for name in f if isinstance(f[name], h5py.Dataset)}


ROWS = np.random.default_rng(2).normal(MEAN, DEVIATION, size=(50, 4))


def worst(a, b):
    return np.abs(np.ravel(a) - np.ravel(b)).max()


def test_a_scaler_and_a_network(tmp_path):
    net, predict = network(tmp_path, 5)
    out = tmp_path / "jets.h5"
    said = convert(scaler(tmp_path / "scaler.h5", list("abcd")), net, "-o", out, "--classes", "g,q,w,z,t")
    assert "scaler.h5" in said and "net.json" in said and "4 features" in said and "5 classes" in said
    assert "scaler.h5 declares float64, " in said and "net.json float32: the latter holds" in said
    got = score(out, ROWS, tmp_path, "--features", "0:4")
    assert worst(got["probability"], predict((ROWS - MEAN) / DEVIATION)) < 1e-5
    assert [c.decode() for c in got["classes"]] == list("gqwzt")
    with h5py.File(out) as f:
        assert [n.decode() for n in f["feature_names"]] == list("abcd")
        assert f.attrs["library"] == "scikit-learn 1.2.1 + keras" and f.attrs["library_version"] == "2.4.0"
        assert f.attrs["precision"] == "float32"


def test_precision(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    out = tmp_path / "m.h5"
    convert(scaler(tmp_path / "s.h5"), net, "-o", out, "--precision", "float64")
    assert worst(score(out, ROWS, tmp_path)["prediction"], predict((ROWS - MEAN) / DEVIATION)) < 1e-12


def test_offsets_that_float32_rows_would_lose(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    days = np.array([2459000.5, 58000, 0, 0])  # Julian dates
    rows = np.random.default_rng(3).normal(days, 1, size=(200, 4))
    native(tmp_path / "dates.h5", 4, [("scale", {"offset": rows.mean(0), "factor": 1 / rows.std(0)})])
    said = convert(tmp_path / "dates.h5", net, "-o", tmp_path / "m.h5")
    assert "float64 all the same: a scaler subtracts up to " in said
    got = score(tmp_path / "m.h5", rows, tmp_path)["prediction"]
    assert got.dtype == "f8" and worst(got, predict((rows - rows.mean(0)) / rows.std(0))) < 1e-9


def test_joins_what_fits(tmp_path):
    net, _ = network(tmp_path)
    wide = scaler(tmp_path / "wide.h5", n=6)
    message = convert(wide, net, "-o", tmp_path / "m.h5", code=DATA)
    assert "wide.h5: gives 6 columns, but" in message and "net.json reads 4" in message
    message = convert(net, scaler(tmp_path / "s.h5"), "-o", tmp_path / "m.h5", code=DATA)
    assert "a classifier cannot come before" in message
    assert not os.path.exists(tmp_path / "m.h5")


def test_names_of_joined_models_must_agree(tmp_path):
    first, second = scaler(tmp_path / "a.h5", list("abcd")), scaler(tmp_path / "b.h5", list("abdc"))
    message = convert(first, second, "-o", tmp_path / "m.h5", code=DATA)
    assert "column 2 is 'c'" in message and "reads 'd' there" in message
    out = tmp_path / "m.h5"
    convert(scaler(tmp_path / "plain.h5"), second, "-o", out)
    with h5py.File(out) as f:
        assert [n.decode() for n in f["feature_names"]] == list("abdc")


@pytest.mark.parametrize("outputs, ending, classes, link", [
    (3, "softmax", "a,b,c", "identity"), (3, "linear", "a,b,c", "softmax"), (1, "sigmoid", "no,yes", "identity"),
    (1, "linear", "no,yes", "sigmoid"), (3, "sigmoid", "a,b,c", "identity")])
def test_classes(outputs, ending, classes, link, tmp_path):
    net, predict = network(tmp_path, outputs, ending)
    out = tmp_path / "m.h5"
    convert(net, "-o", out, "--classes", classes)
    with h5py.File(out) as f:
        assert f["head"].attrs["link"] == link
    got, raw = score(out, ROWS, tmp_path), predict(ROWS.astype(np.float32))
    expected = raw if link == "identity" else k.softmax(raw) if outputs > 1 else 1 / (1 + np.exp(-raw))
    assert worst(got["probability"][:, -outputs:], expected) < 1e-5


def test_integer_labels(tmp_path):
    net, _ = network(tmp_path)
    convert("--classes", "10,20,30", net, "-o", tmp_path / "m.h5")
    assert score(tmp_path / "m.h5", ROWS, tmp_path)["classes"].tolist() == [10, 20, 30]


@pytest.mark.parametrize("args, why", [
    (["--classes", "a,b"], "2 class labels for a model with 3 classes"),
    (["--targets", "a,b,c"], "target names for a classifier"),
    (["--fill", "a=3"], "no feature names"), (["--classes", "a,b,a"], "labels repeat")])
def test_what_does_not_fit_a_classifier(args, why, tmp_path):
    net, _ = network(tmp_path)
    assert why in convert(net, "-o", tmp_path / "m.h5", *args, code=DATA)


def test_names_from_text_and_from_hdf5(tmp_path):
    net, _ = network(tmp_path, 2, "linear")
    (tmp_path / "names.txt").write_text("mag_g\n mag r \nα\nmag_i\n\n", encoding="utf-8")
    with h5py.File(tmp_path / "var.h5", "w") as f:
        f["var/_index"] = np.array([b"mag_g", b"mag r", "α".encode(), b"mag_i"])
    for i, source in enumerate(("names.txt", "var.h5:/var/_index")):
        out = tmp_path / f"m{i}.h5"
        convert(net, "-o", out, "--feature-names", f"{tmp_path}/{source}", "--targets", "u,v")
        with h5py.File(out) as f:
            assert [n.decode() for n in f["feature_names"]] == ["mag_g", "mag r", "α", "mag_i"]
            assert [n.decode() for n in f["head/target_names"]] == ["u", "v"]
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    assert "3 feature names for 4 features" in convert(net, "-o", tmp_path / "n.h5", "--feature-names",
                                                       tmp_path / "three.txt", code=DATA)
    (tmp_path / "twice.txt").write_text("a\nb\nc\nb\n")
    naming = [net, "-o", tmp_path / "n.h5", "--feature-names"]
    assert "'b' occurs twice" in convert(*naming, tmp_path / "twice.txt", code=DATA)
    (tmp_path / "empty.txt").write_text("\n")
    assert "no names" in convert(*naming, tmp_path / "empty.txt", code=DATA)
    assert "cannot be read" in convert(*naming, tmp_path / "absent", code=NO_INPUT)


def test_missing_values_and_fills(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\n")
    out = tmp_path / "m.h5"
    convert(net, "-o", out, "--feature-names", tmp_path / "names.txt", "--missing-value=-9999,99",
            "--fill", "b=0.25")
    rows = ROWS.copy()
    rows[:20, 1] = 99
    rows[5, 1] = np.nan
    rows[3, 0] = -9999
    got = score(out, rows, tmp_path, "--features", "0:4")
    filled = rows.copy()
    filled[:20, 1] = 0.25
    good = np.arange(50) != 3
    assert got["status"][3] == 1 and (got["status"][good] == 0).all() and np.isnan(got["prediction"][3]).all()
    assert worst(got["prediction"][good], predict(filled.astype(np.float32))[good]) < 1e-5
    message = convert(out, "-o", tmp_path / "n.h5", "--fill", "e=1", code=DATA)
    assert "no feature 'e'" in message
    # Rows are multiplied before the model looks for 99.
    message = convert(net, "-o", tmp_path / "t.h5", "--missing-value", "99", "--normalize-total", "10", code=USAGE)
    assert "normalised total" in message


def test_counts_as_scanpy_prepares_them(tmp_path):
    """Total, logarithm, the model's own scaler, and only then the limit."""
    weights = np.random.default_rng(4).normal(size=(4, 3))
    model = native(tmp_path / "cells.h5", 4, [("scale", {"offset": MEAN, "factor": 1 / DEVIATION}),
                                              ("affine", {"weights": weights, "bias": np.zeros(3)})])
    counts = np.random.default_rng(5).poisson(3, size=(30, 4)).astype(float) + [[1, 0, 0, 0]]
    convert(model, "-o", tmp_path / "m.h5", "--normalize-total", "1e4", "--log1p", "--clip", ":1.5")
    x = np.log1p(counts * (1e4 / counts.sum(axis=1, keepdims=True)))
    expected = np.minimum((x - MEAN) / DEVIATION, 1.5) @ weights
    assert worst(score(tmp_path / "m.h5", counts, tmp_path)["prediction"], expected) < 1e-9
    with h5py.File(tmp_path / "m.h5") as f:
        assert [f[f"stages/{i}"].attrs["kind"] for i in range(4)] == ["log1p", "scale", "clip", "affine"]


def test_clip_without_a_scaler_comes_first(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    convert(net, "-o", tmp_path / "m.h5", "--clip", "-1:1")
    expected = predict(np.clip(ROWS, -1, 1).astype(np.float32))
    assert worst(score(tmp_path / "m.h5", ROWS, tmp_path)["prediction"], expected) < 1e-5


def test_a_graph_with_a_scaler_in_front(tmp_path):
    net = [k.source("x", 4), k.layer("Rescaling", "s", ["x"], scale=0.5, offset=1.0),
           k.dense("a", 4, 3, "tanh", ["s"]), k.dense("b", 4, 3, "relu", ["s"]), k.layer("Multiply", "y", ["a", "b"])]
    path = k.save_h5(tmp_path / "net.h5", net, "2.4.0")
    convert(scaler(tmp_path / "s.h5"), path, "-o", tmp_path / "m.h5")
    scaled = (ROWS - MEAN) / DEVIATION
    assert worst(score(tmp_path / "m.h5", ROWS, tmp_path)["prediction"], k.predict(net, scaled)) < 1e-5
    convert(path, "-o", tmp_path / "c.h5", "--clip", ":0.9")
    tail = [dict(item, inputs=None if item["inputs"] == ["x"] else item["inputs"]) for item in net]
    limited = np.minimum(ROWS * 0.5 + 1, 0.9)
    expected = k.predict([dict(tail[0], name="s")] + tail[2:], limited)
    assert worst(score(tmp_path / "c.h5", ROWS, tmp_path)["prediction"], expected) < 1e-5


# ---- reference outputs

def reference(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("save", (np.savez, np.savez_compressed))
def test_reference_of_a_classifier(save, tmp_path):
    net, predict = network(tmp_path)
    probability = predict(ROWS.astype(np.float32))
    save(tmp_path / "r.npz", rows=np.asfortranarray(ROWS), probability=probability.astype(">f4"),
         label=np.array(["a", "b", "c"])[probability.argmax(axis=1)], mean=MEAN, stddev=DEVIATION, minimum=ROWS.min(0),
         maximum=ROWS.max(0))
    said = convert(net, "-o", tmp_path / "m.h5", "--classes", "a,b,c", "--reference", tmp_path / "r.npz")
    assert "50 rows, self-test passed" in said
    with h5py.File(tmp_path / "m.h5") as f:
        assert f["golden/rows"].shape == (50, 4) and f["golden/probability"].shape == (50, 3)
        assert (f["golden/label_codes"][()] == probability.argmax(axis=1)).all()
        assert worst(f["reference/stddev"][()], DEVIATION) == 0


@pytest.mark.parametrize("outputs, ending, classes", [(1, "sigmoid", "no,yes"), (3, "softmax", "a,b,c"),
                                                      (3, "linear", "a,b,c"), (2, "linear", None)])
def test_what_keras_predicts_is_a_reference(outputs, ending, classes, tmp_path):
    net, predict = network(tmp_path, outputs, ending)
    path = reference(tmp_path / "r.npz", rows=ROWS, prediction=predict(ROWS.astype(np.float32)))
    said = convert(net, "-o", tmp_path / "m.h5", "--reference", path, *(["--classes", classes] if classes else []))
    assert "self-test passed" in said


def test_reference_of_records_and_of_many_rows(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    rows = np.random.default_rng(8).normal(size=(300, 4))
    records = np.zeros(300, dtype=[("rows", "<f8", (4,)), ("prediction", ">f4", (2,))])
    records["rows"], records["prediction"] = rows, predict(rows)
    np.save(tmp_path / "r.npy", records)
    said = convert(net, "-o", tmp_path / "m.h5", "--reference", tmp_path / "r.npy")
    assert "the first 256 of 300 reference rows are stored" in said and "256 rows, self-test passed" in said
    # They stay with the model, also where missing values are marked, but not where features change their units.
    assert "256 rows, self-test passed" in convert(tmp_path / "m.h5", "-o", tmp_path / "n.h5", "--missing-value", "99")
    assert "golden rows dropped" in convert(tmp_path / "m.h5", "-o", tmp_path / "l.h5", "--log1p")
    assert "golden rows dropped" in convert(scaler(tmp_path / "s.h5"), tmp_path / "m.h5", "-o", tmp_path / "j.h5")


def test_a_wrong_reference_writes_nothing(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    path = reference(tmp_path / "r.npz", rows=ROWS, prediction=predict(ROWS) + 0.01)
    message = convert(net, "-o", tmp_path / "m.h5", "--reference", path, code=DATA)
    assert "does not give the outputs" in message and "FAILED" in message
    assert not os.path.exists(tmp_path / "m.h5")


@pytest.mark.parametrize("arrays, why", [
    ({"prediction": np.zeros((3, 2))}, "array 'rows' is missing"),
    ({"rows": np.zeros((3, 4)), "prediction": np.zeros((4, 2))}, "array 'prediction' has 4 rows"),
    ({"rows": np.zeros((3, 5))}, "rows have 5 values"),
    ({"rows": np.zeros((3, 4)), "predictions": np.zeros((3, 2))}, "unknown here"),
    ({"rows": np.zeros((3, 4)), "prediction": np.zeros((3, 3))}, "golden prediction is 3 x 3"),
    ({"rows": np.zeros((3, 4)), "probability": np.zeros((3, 2))}, "of a classifier"),
    ({"rows": np.zeros((3, 4)), "mean": np.zeros(3)}, "mean"),
    ({"rows": np.array([["a"] * 4])}, "texts"), ({"rows": np.zeros((0, 4))}, "no rows"),
    ({"rows": np.array([[None] * 4], dtype=object)}, "'|O' is not supported"),
])
def test_references_that_do_not_fit(arrays, why, tmp_path):
    net, _ = network(tmp_path, 2, "linear")
    message = convert(net, "-o", tmp_path / "m.h5", "--reference", reference(tmp_path / "r.npz", **arrays), code=DATA)
    assert why in message


def test_a_reference_with_an_unknown_label(tmp_path):
    net, _ = network(tmp_path)
    path = reference(tmp_path / "r.npz", rows=ROWS[:2], label=np.array([0, 7]))
    assert "a label '7'" in convert(net, "-o", tmp_path / "m.h5", "--reference", path, code=DATA)


def test_damaged_references(tmp_path):
    net, predict = network(tmp_path, 2, "linear")
    path = reference(tmp_path / "r.npz", rows=ROWS, prediction=predict(ROWS.astype(np.float32)))
    whole = open(path, "rb").read()
    for n in (0, 3, 40, 150, len(whole) // 2, len(whole) - 8):
        (tmp_path / "d.npz").write_bytes(whole[:n])
        assert "d.npz" in convert(net, "-o", tmp_path / "m.h5", "--reference", tmp_path / "d.npz", code=DATA)
    absent = tmp_path / "absent.npz"
    assert "cannot be opened" in convert(net, "-o", tmp_path / "m.h5", "--reference", absent, code=NO_INPUT)


def test_damaged_keras_files(tmp_path):
    """HDF5 files that are cut off, or where bits are flipped: one line, or a model where the bit means nothing."""
    path = k.save_h5(tmp_path / "whole.h5", [k.source("x", 4), k.dense("h", 4, 8), k.batch_norm("n", 8)], "2.4.0")
    whole = open(path, "rb").read()
    places = np.random.default_rng(10).integers(0, len(whole), 16)
    damaged = [whole[:n] for n in places[:8]] + [whole[:n] + bytes([whole[n] ^ 0x24]) + whole[n + 1:] for n in places]
    for content in damaged:
        (tmp_path / "damaged.h5").write_bytes(content)
        done = run(["convert", tmp_path / "damaged.h5", "-o", tmp_path / "m.h5", "--overwrite"], code=None)
        assert done.returncode in (0, 65), done.stderr
        assert done.returncode == 0 or done.stderr.count("\n") == 1, done.stderr


# ---- usage

@pytest.mark.parametrize("args, why", [
    (["--clip", "3"], "--clip: '3' is not valid"), (["--clip", "3:1"], "--clip: '3:1' is not valid"),
    (["--clip", ":"], "not valid"), (["--clip", "a:b"], "not valid"), (["--normalize-total", "-1"], "above 0"),
    (["--normalize-total", "x"], "not valid"), (["--classes", "a"], "at least two"), (["--fill", "b"], "not valid"),
    (["--precision", "float16"], "not valid"), (["--missing-value", "x"], "not valid")])
def test_usage(args, why, tmp_path):
    assert why in convert("model.h5", "-o", tmp_path / "m.h5", *args, code=USAGE)


def test_the_output_is_none_of_the_files_read(tmp_path):
    net, _ = network(tmp_path)
    assert "the same file" in convert(net, "a.h5", "-o", net, "--overwrite", code=USAGE)
    assert "the same file" in convert(net, "-o", tmp_path / "r.npz", "--reference", tmp_path / "r.npz", code=USAGE)


@pytest.mark.skipif(not os.path.isdir(GLOBALEMU), reason="H5SCORE_REALDATA names no folder with keras-globalemu")
def test_globalemu_with_its_normalisation(tmp_path):
    """Seven parameters in the units of the file's own minima and maxima, and a place on the axis of redshifts."""
    least, most = (np.append(np.loadtxt(os.path.join(GLOBALEMU, f"data_{end}.txt"))[:7], edge)
                   for end, edge in (("mins", 0.0), ("maxs", 1.0)))
    native(tmp_path / "range.h5", 8, [("scale", {"offset": least, "factor": 1 / (most - least)})])
    model = os.path.join(GLOBALEMU, "model.h5")
    rows = least + (most - least) * np.random.default_rng(9).uniform(size=(200, 8))
    with h5py.File(model) as f:
        x = (rows - least) / (most - least)
        activations = [i["config"]["activation"] for i in json.loads(f.attrs["model_config"])["config"]["layers"]
                       if i["class_name"] == "Dense"]
        for name, activation in zip(("dense", "dense_1", "dense_2", "dense_3"), activations):
            group = f[f"model_weights/{name}/{name}"]
            x = k.functions(2)[activation](x @ group["kernel:0"][()].astype(float) + group["bias:0"][()])
    path = reference(tmp_path / "r.npz", rows=rows, prediction=x)
    said = convert(tmp_path / "range.h5", model, "-o", tmp_path / "m.h5", "--reference", path, "--precision", "float64")
    assert "200 rows, self-test passed" in said
