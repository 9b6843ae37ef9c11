"""Keras networks of others, against numpy and against their twins."""
import json
import os

import h5py
import numpy as np
import pytest

import keras_files as k
import scored

REALDATA = os.environ.get("H5SCORE_REALDATA", "")
HLS4ML = os.path.join(REALDATA, "hls4ml-example-models")
GLOBALEMU = os.path.join(REALDATA, "keras-globalemu", "T_release")
needs_realdata = pytest.mark.skipif(not os.path.isdir(HLS4ML), reason="H5SCORE_REALDATA names no Keras models")


def activation_of(item):
    return item["config"]["activation"]


def real_network(json_path, weights_path):
    """A chain of Dense, BatchNormalization and Activation, as its JSON and HDF5 file say."""
    net = []
    with open(json_path, encoding="utf-8") as f, h5py.File(weights_path) as h:
        for item in json.load(f)["config"]["layers"]:
            group = h[item["name"]]
            names = [n.decode() for n in group.attrs["weight_names"]] if len(group.attrs["weight_names"]) else []
            weights = [(n.split("/")[-1].split(":")[0], group[n][()]) for n in names]
            net.append(dict(k.layer(item["class_name"], item["name"], None, weights), config=item["config"]))
    return net


@needs_realdata
@pytest.mark.parametrize("name, width", (("KERAS_1layer", 10), ("KERAS_3layer_batch_norm", 16)))
def test_hls4ml(name, width, tmp_path):
    json_path = os.path.join(HLS4ML, "keras", name + ".json")
    weights = os.path.join(HLS4ML, "keras", name + "_weights.h5")
    rows = np.random.default_rng(5).normal(size=(200, width)).astype(np.float32)
    expected = k.predict(real_network(json_path, weights), rows)
    for path in (json_path, weights):
        got = scored.score(path, rows, tmp_path)
        # Computed in float32, as by Keras; divisions by small deviations make it 1.5e-6.
        assert scored.worst(got["probability" if width == 16 else "prediction"], expected) < 3e-6


@needs_realdata
def test_hls4ml_twin_in_onnx(tmp_path):
    rows = np.random.default_rng(6).normal(size=(200, 10)).astype(np.float32)
    keras = scored.score(os.path.join(HLS4ML, "keras", "KERAS_1layer.json"), rows, tmp_path)
    twin = os.path.join(HLS4ML, "onnx", "two_layer_keras.onnx")
    if "H5SCORE_WITH_ONNX" in scored.run("copy", twin, tmp_path / "copy.h5").stderr:
        pytest.skip("this build reads no ONNX files")
    onnx = scored.score(twin, rows, tmp_path)
    assert scored.worst(onnx["prediction"], keras["prediction"]) < 1e-6


@needs_realdata
@pytest.mark.parametrize("name, layer", (("KERAS_conv1d_small", "layer 'conv1_relu' (Conv1D)"),
                                         ("keras_bnn", "layer 'binary_dense_2' (BinaryDense)")))
def test_hls4ml_refused(name, layer, tmp_path):
    for ending in (".json", "_weights.h5"):
        assert layer + " cannot be scored" in scored.refusal(os.path.join(HLS4ML, "keras", name + ending), tmp_path)


@needs_realdata
def test_globalemu(tmp_path):
    """An emulator of the 21-cm signal, on rows in the range that it was trained in."""
    path = os.path.join(GLOBALEMU, "model.h5")
    rows = np.random.default_rng(7).uniform(0, 1, size=(500, 8)).astype(np.float32)
    with h5py.File(path) as f:
        x = {t: rows.astype(t) for t in (np.float32, np.float64)}
        for name in ("dense", "dense_1", "dense_2", "dense_3"):
            group = f[f"model_weights/{name}/{name}"]
            last = name == "dense_3"
            for t in x:
                x[t] = x[t] @ group["kernel:0"][()].astype(t) + group["bias:0"][()].astype(t)
                x[t] = x[t] if last else np.tanh(x[t])
        config = json.loads(f.attrs["model_config"])
        used = [activation_of(i) for i in config["config"]["layers"] if i["class_name"] == "Dense"]
    assert used == ["tanh", "tanh", "tanh", "linear"]
    got = scored.score(path, rows, tmp_path)
    # Large weights: numpy's own float32 is some 1e-6 off too.
    assert scored.worst(got["prediction"], x[np.float64]) < 1e-6 + 3 * scored.worst(x[np.float32], x[np.float64])
    assert "8" in got.info["description"]
