"""Keras files of every layout against numpy, and files that must be refused."""
import json
import os
import struct
import zipfile

import h5py
import numpy as np
import pytest

import keras_files as k
import scored

VERSIONS = ("1.2.2", "2.2.4", "2.4.0", "3.4.1")


def jets():
    """A classifier in a chain, with everything that jet taggers have."""
    return [k.source("input_1", 16), k.dense("fc1", 16, 24), k.batch_norm("bn1", 24, epsilon=1e-6),
            k.layer("Activation", "relu1", activation="relu"), k.layer("Dropout", "drop", rate=0.3, p=0.3),
            k.dense("fc2", 24, 12, "tanh", use_bias=False), k.dense("out", 12, 5, "softmax")]


def branches(major=2):
    """Two branches over one input, joined by arithmetic; no layer is a chain's."""
    kinds = ("Add", "Multiply", "Average", "Maximum", "Minimum") if major > 1 else ()
    net = [k.source("x", 6), k.dense("a", 6, 4, "relu", ["x"]), k.dense("b", 6, 4, "tanh", ["x"])]
    joined = ["a", "b"]
    for kind in kinds:
        net.append(k.layer(kind, kind.lower(), ["a", "b"]))
        joined.append(kind.lower())
    if major > 1:
        net.append(k.layer("Concatenate", "joined", joined, axis=-1))
    else:
        net.append(k.layer("Merge", "joined", joined, mode="concat", concat_axis=-1))
    return net + [k.dense("y", 4 * len(joined), 3, inputs=["joined"])]


def nest(frozen=False):
    """A functional network around two others, with statistics that come last in their groups."""
    inner = [k.source("i1", 4), k.dense("d1", 4, 4, "relu", trainable=not frozen), k.batch_norm("n1", 4),
             k.dense("d2", 4, 4, "sigmoid"), k.batch_norm("n2", 4)]
    second = [k.source("i2", 4), k.dense("d3", 4, 3)]
    return [k.source("x", 4), k.layer("Sequential", "inner_a", ["x"], layers=inner),
            k.dense("mid", 4, 4, "tanh", ["inner_a"]), k.layer("Sequential", "inner_b", ["mid"], layers=second)]


def rows_of(net, n=40):
    return k.RNG.normal(size=(n, *net[0]["config"]["shape"])).astype(np.float32)


def flat(values):
    return np.asarray(values).reshape(len(values), -1)


def check(path, net, folder, major, rows=None, tolerance=1e-6):
    rows = rows_of(net) if rows is None else rows
    expected = flat(k.predict(net, rows, major))
    got = scored.score(path, flat(rows), folder)
    assert scored.worst(got["probability" if "probability" in got else "prediction"], expected) < tolerance
    return got


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("make", (jets, branches, nest), ids=("chain", "graph", "nested"))
def test_full_hdf5(make, version, tmp_path):
    major = int(version[0])
    net = branches(major) if make is branches else make()
    got = check(k.save_h5(tmp_path / "m.h5", net, version), net, tmp_path, major)
    assert got.info["precision"] == "float32"
    if make is jets:
        assert got["probability"].shape[1] == 5 and (got["label"].ravel() == got["probability"].argmax(axis=1)).all()


@pytest.mark.parametrize("version", ("2.13.1", "3.4.1"))
@pytest.mark.parametrize("compression", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), ids=("stored", "deflated"))
@pytest.mark.parametrize("make", (jets, branches, nest), ids=("chain", "graph", "nested"))
def test_archives(make, compression, version, tmp_path):
    net = make()
    check(k.save_keras(tmp_path / "m.keras", net, version, compression=compression), net, tmp_path, int(version[0]))


@pytest.mark.parametrize("ending", ("_weights.h5", ".weights.h5", ".h5"))
@pytest.mark.parametrize("given", (0, 1), ids=("json", "weights"))
def test_pairs(given, ending, tmp_path):
    net = jets()
    pair = k.save_pair(tmp_path / "net", net, "2.2.4", ending)
    check(pair[given], net, tmp_path, 2)


def test_pairs_of_another_session(tmp_path):
    """Names of layers differ: Keras matches weights by order."""
    net = jets()
    json_path, weights = k.save_pair(tmp_path / "net", net, "2.2.4")
    renamed = [dict(item, name=item["name"] + "_7") for item in net]
    with h5py.File(weights, "w") as f:
        k.write_classic(f, renamed, "2.2.4")
    check(json_path, net, tmp_path, 2)


def test_descriptions_of_keras_3_have_no_version(tmp_path):
    net = [k.source("x", 4), k.dense("d", 4, 3, "hard_sigmoid")]
    class_name, config = k.network_config(net, 3)
    (tmp_path / "net.json").write_text(json.dumps({"module": "keras", "class_name": class_name, "config": config,
                                                   "registered_name": class_name, "compile_config": None}))
    (tmp_path / "net.weights.h5").write_bytes(k.weights_image(net))
    check(tmp_path / "net.json", net, tmp_path, 3)


def test_missing_siblings(tmp_path):
    json_path, weights = k.save_pair(tmp_path / "net", jets(), "2.2.4")
    os.rename(weights, tmp_path / "elsewhere.bin")
    message = scored.refusal(json_path, tmp_path)
    assert "looked for" in message and "net_weights.h5" in message and "net.weights.h5" in message
    os.rename(json_path, tmp_path / "other.json")
    os.rename(tmp_path / "elsewhere.bin", weights)
    message = scored.refusal(weights, tmp_path)
    assert "not its layers" in message and "net.json" in message and "model.save" in message


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_names_in_parts(version, tmp_path):
    net = jets()
    check(k.save_h5(tmp_path / "m.h5", net, version, cut=3), net, tmp_path, int(version[0]))


@pytest.mark.parametrize("frozen", (False, True))
def test_frozen_layers_of_nested_networks(frozen, tmp_path):
    net = nest(frozen)
    check(k.save_h5(tmp_path / "m.h5", net, "2.4.0"), net, tmp_path, 2)


def test_weights_in_an_unexpected_order(tmp_path):
    path = k.save_h5(tmp_path / "m.h5", jets(), "2.4.0")
    with h5py.File(path, "a") as f:
        group = f["model_weights/bn1"]
        group.attrs["weight_names"] = group.attrs["weight_names"][::-1]
    assert "layer 'bn1' (BatchNormalization): the file has 'moving_variance' in the place of 'gamma'" in \
        scored.refusal(path, tmp_path)


@pytest.mark.parametrize("major", (2, 3))
@pytest.mark.parametrize("name", k.functions(2))
def test_activation_functions(name, major, tmp_path):
    net = [k.source("x", 3), k.dense("d", 3, 6, name)]
    check(k.save_h5(tmp_path / "m.h5", net, f"{major}.4.0"), net, tmp_path, major)


ROW = (5,)
IMAGE = (3, 4, 2)
LAYERS = [
    (k.layer("ReLU", "l", max_value=None, negative_slope=0.0, threshold=0.0), ROW),
    (k.layer("ReLU", "l", max_value=6.0), ROW),
    (k.layer("ReLU", "l", max_value=0.5), ROW),
    (k.layer("ReLU", "l", negative_slope=0.1), ROW),
    (k.layer("ReLU", "l", threshold=0.4), ROW),
    (k.layer("ReLU", "l", threshold=0.4, max_value=1.0), ROW),
    (k.layer("LeakyReLU", "l", alpha=0.05), ROW),
    (k.layer("LeakyReLU", "l", negative_slope=0.15), ROW),
    (k.layer("LeakyReLU", "l"), ROW),
    (k.layer("ELU", "l", alpha=0.7), ROW),
    (k.layer("PReLU", "l", weights=[("alpha", k.array(5))], shared_axes=None), ROW),
    (k.layer("PReLU", "l", weights=[("alpha", k.array(1, 1, 2))], shared_axes=[1, 2]), IMAGE),
    (k.layer("ThresholdedReLU", "l", theta=0.3), ROW),
    (k.layer("Softmax", "l", axis=-1), ROW),
    (k.layer("Softmax", "l", axis=[-1]), IMAGE),
    (k.layer("Activation", "l", activation="softmax"), IMAGE),
    (k.batch_norm("l", 5, axis=[1]), ROW),
    (k.batch_norm("l", 5, scale=False), ROW),
    (k.batch_norm("l", 5, center=False), ROW),
    (k.batch_norm("l", 2), IMAGE),
    (k.batch_norm("l", 3, axis=1), IMAGE),
    (k.layer("Normalization", "l", axis=[-1], mean=None, variance=None,
             weights=[("mean", k.array(5)), ("variance", np.abs(k.array(5))), ("count", np.int64(7))]), ROW),
    (k.layer("Normalization", "l", axis=None, mean=None, variance=None,
             weights=[("mean", np.float32(0.4)), ("variance", np.float32(2.5)), ("count", np.int64(7))]), IMAGE),
    (k.layer("Normalization", "l", axis=[-1], mean=[1.0, 2.0, 0.5, -1.0, 0.0], variance=[1.0, 4.0, 0.0, 0.25, 1.0]),
     ROW),
    (k.layer("Normalization", "l", axis=None, mean=0.5, variance=4.0), ROW),
    (k.layer("Rescaling", "l", scale=1 / 255, offset=-0.5), IMAGE),
    (k.layer("Rescaling", "l", scale=[0.5, 0.0], offset=[1.0, 2.0]), IMAGE),
    (k.layer("Flatten", "l", data_format="channels_last"), IMAGE),
    (k.layer("Flatten", "l", data_format="channels_first"), IMAGE),
    (k.layer("Reshape", "l", target_shape=[-1, 4]), IMAGE),
    (k.layer("Permute", "l", dims=[2, 3, 1]), IMAGE),
    (k.dense("l", 2, 3, "relu"), IMAGE),
    (k.layer("GaussianNoise", "l", stddev=0.1), ROW),
    (k.layer("ActivityRegularization", "l", l1=0.1), ROW),
]


@pytest.mark.parametrize("item, shape", LAYERS, ids=lambda v: v["class_name"] if isinstance(v, dict) else str(len(v)))
def test_layers(item, shape, tmp_path):
    tail = k.dense("tail", k.predict([item], np.zeros((1, *shape))).shape[-1], 2)
    net = [k.source("x", *shape), item, tail]
    rows = rows_of(net)
    check(k.save_h5(tmp_path / "m.h5", net, "2.4.0"), net, tmp_path, 2, rows)
    check(k.save_keras(tmp_path / "m.keras", net), net, tmp_path, 3, rows)


@pytest.mark.parametrize("axis", (1, 2, -1))
def test_concatenate_along_any_axis(axis, tmp_path):
    net = [k.source("x", 2, 3), k.layer("Activation", "t", ["x"], activation="tanh"),
           k.layer("Rescaling", "r", ["x"], scale=2.0, offset=1.0), k.layer("Concatenate", "c", ["t", "r"], axis=axis),
           k.layer("Flatten", "f", ["c"])]
    check(k.save_h5(tmp_path / "m.h5", net, "2.4.0"), net, tmp_path, 2)


def test_subtract(tmp_path):
    net = [k.source("x", 4), k.dense("a", 4, 3, inputs=["x"]), k.dense("b", 4, 3, inputs=["x"]),
           k.layer("Subtract", "s", ["a", "b"])]
    check(k.save_keras(tmp_path / "m.keras", net), net, tmp_path, 3)


@pytest.mark.parametrize("major", (2, 3))
def test_a_layer_that_is_called_twice(major, tmp_path):
    net = [k.source("x", 4), k.dense("shared", 4, 4, "tanh", ["x"]), k.layer("Add", "sum", ["x", "shared"])]
    path = k.save_h5(tmp_path / "m.h5", net, f"{major}.4.0")
    with h5py.File(path, "a") as f:
        config = json.loads(f.attrs["model_config"])
        again = json.loads(json.dumps(config["config"]["layers"][1]["inbound_nodes"][0]).replace('"x"', '"shared"'))
        config["config"]["layers"][1]["inbound_nodes"].append(again)
        node = config["config"]["layers"][2]["inbound_nodes"][0]
        (node[1] if major == 2 else node["args"][0][1]["config"]["keras_history"])[1] = 1
        f.attrs["model_config"] = json.dumps(config)
    rows = rows_of(net)
    once = k.predict(net[:2], rows)
    expected = rows + k.predict([dict(net[1], inputs=None)], once)
    assert scored.worst(scored.score(path, rows, tmp_path)["prediction"], expected) < 1e-6


def test_gamma_of_zero(tmp_path):
    norm = k.batch_norm("bn", 4)
    norm["weights"][0][1][1] = 0
    net = [k.source("x", 4), norm, k.dense("d", 4, 2)]
    check(k.save_h5(tmp_path / "m.h5", net, "2.4.0"), net, tmp_path, 2)


def test_float64(tmp_path):
    net = jets()
    for item in net:
        item["weights"] = [(n, a.astype(np.float64) * 1.000000001) for n, a in item["weights"]]
        if item["class_name"] != "InputLayer":
            item["config"]["dtype"] = "float64"
    got = check(k.save_h5(tmp_path / "m.h5", net, "2.4.0"), net, tmp_path, 2, tolerance=1e-13)
    assert got.info["precision"] == "float64"


def test_no_input_shape(tmp_path):
    """The first kernel says how many features there are."""
    net = jets()
    check(k.save_h5(tmp_path / "m.h5", net[1:], "2.4.0"), net, tmp_path, 2)


def lone(class_name, **config):
    return [k.source("x", 4), k.dense("d", 4, 4), k.layer(class_name, "odd one", **config)]


REFUSED = [
    (lone("Lambda", function=["4wEAAAAA", None, None], function_type="lambda"), "Python code, which is never run"),
    (lone("Conv1D", filters=3), "convolutions"), (lone("MaxPooling1D", pool_size=2), "pooling"),
    (lone("LSTM", units=3), "recurrent"), (lone("Bidirectional"), "recurrent"), (lone("QDense", units=3), "quantised"),
    (lone("BinaryDense", units=3), "quantised"), (lone("Embedding", input_dim=10), "embeddings"),
    (lone("LayerNormalization", axis=[-1]), "own statistics"), (lone("MultiHeadAttention"), "attention"),
    (lone("Custom>MyLayer"), "its maker's own"), (lone("Activation", activation="binary_tanh"), "'binary_tanh'"),
    ([k.source("x", 2, 2), k.layer("Softmax", "odd one", axis=1)], "another axis"),
    (lone("Reshape", target_shape=[3, 2]), "target shape"), (lone("Permute", dims=[2, 1]), "no permutation"),
    (lone("Dense", units=3, activation="linear"), "missing"),
    (lone("ReLU", max_value=1.0, threshold=0.1, negative_slope=0.2), "slope together"),
    ([k.source("x", 4), k.batch_norm("odd one", 4, mode=2)], "statistics of each batch"),
    (lone("Normalization", invert=True, mean=0.0, variance=1.0), "inverted"),
    (lone("Activation", activation={"class_name": "function", "config": "f", "module": "builtins"}), "its maker's own"),
    (lone("Activation", activation="relu", dtype={"class_name": "QuantizedDTypePolicy",
                                                  "config": {"name": "int8_from_float32"}}), "quantised"),
]


@pytest.mark.parametrize("net, why", REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_refused_by_name(net, why, tmp_path):
    for path in (k.save_h5(tmp_path / "m.h5", net, "2.4.0"), k.save_keras(tmp_path / "m.keras", net)):
        message = scored.refusal(path, tmp_path)
        assert "odd one" in message and net[-1]["class_name"] in message and why in message, message


def edited(tmp_path, edit, net=None, version="2.4.0"):
    path = k.save_h5(tmp_path / "m.h5", net or branches(), version)
    with h5py.File(path, "a") as f:
        config = json.loads(f.attrs["model_config"])
        edit(config)
        f.attrs["model_config"] = json.dumps(config)
    return path


def test_several_inputs_and_outputs(tmp_path):
    def two_outputs(config):
        config["config"]["output_layers"].append(["a", 0, 0])

    def two_inputs(config):
        config["config"]["layers"].append({"class_name": "InputLayer", "name": "more", "inbound_nodes": [],
                                           "config": {"name": "more", "batch_input_shape": [None, 6]}})
        config["config"]["input_layers"].append(["more", 0, 0])

    assert "the network has 2 outputs ('y', 'a')" in scored.refusal(edited(tmp_path, two_outputs), tmp_path)
    assert "the network has 2 inputs ('x', 'more')" in scored.refusal(edited(tmp_path, two_inputs), tmp_path)


@pytest.mark.parametrize("edit, why", [
    (lambda c: c.update(class_name="MyModel"), "'MyModel' cannot be scored"),
    (lambda c: c["config"]["layers"][0]["config"].update(batch_input_shape=[None, None]), "dimension of any size"),
    (lambda c: c["config"]["layers"][0]["config"].update(batch_input_shape=[None, 7]), "7 x 4 expected"),
    (lambda c: c["config"]["layers"][0]["config"].update(batch_input_shape=[None, 1 << 40]), "1 to 2^22"),
    (lambda c: c["config"]["layers"][1]["config"].update(units=5), "6 x 5 expected"),
    (lambda c: c["config"]["layers"][1]["config"].update(units=-5), "'units' is not a whole number"),
    (lambda c: c["config"]["layers"][1]["config"].update(activation=3), "activation is malformed"),
    (lambda c: c["config"]["layers"][1].update(inbound_nodes=[[["y", 0, 0, {}]]]), "is never reached"),
    (lambda c: c["config"]["layers"][1].update(inbound_nodes=[[["nobody", 0, 0, {}]]]), "no layer 'nobody'"),
    (lambda c: c["config"]["layers"][1].update(inbound_nodes=[[["x", 0, 0, {"training": True}]]]), "training mode"),
    (lambda c: c["config"]["layers"][1].update(module="__main__"), "its maker's own"),
    (lambda c: c["config"]["layers"][2].update(name="a"), "two layers have the name 'a'"),
    (lambda c: c.pop("config"), "without layers"), (lambda c: c["config"].update(layers=[]), "without layers"),
])
def test_malformed_descriptions(edit, why, tmp_path):
    assert why in scored.refusal(edited(tmp_path, edit), tmp_path)


def test_a_deep_description(tmp_path):
    path = tmp_path / "m.json"
    path.write_text('{"class_name": "Sequential", "config": ' + "[" * 100_000 + "]" * 100_000 + "}")
    (tmp_path / "m_weights.h5").write_bytes(k.weights_image(jets()))
    assert "nested too deeply" in scored.refusal(path, tmp_path)


def test_endless_nesting_of_calls(tmp_path):
    """Each level calls the one below 8 times: 8^12 stages if they were all made."""
    net = [k.source("i", 4), k.layer("Activation", "t", activation="tanh")]
    config = {"class_name": "Sequential", "config": k.network_config(net, 2)[1]}
    for depth in range(12):
        calls = [[["x" if i == 0 else "n", max(i - 1, 0), 0, {}]] for i in range(8)]
        config = {"class_name": "Functional", "config": {
            "layers": [{"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [None, 4]},
                        "inbound_nodes": []}, {**config, "name": "n", "inbound_nodes": calls}],
            "input_layers": [["x", 0, 0]], "output_layers": [["n", 7, 0]]}}
    (tmp_path / "m.json").write_text(json.dumps(config))
    with h5py.File(tmp_path / "m_weights.h5", "w") as f:
        k.write_classic(f, jets()[:1], "2.4.0")
        f.attrs["layer_names"] = np.array([b"none"])
        f.create_group("none").attrs["weight_names"] = np.zeros(0)
    assert "too large" in scored.refusal(tmp_path / "m.json", tmp_path)


def test_links_to_other_files(tmp_path):
    path = k.save_h5(tmp_path / "m.h5", jets(), "2.4.0")
    with h5py.File(path, "a") as f:
        del f["model_weights/fc1/fc1/kernel:0"]
        f["model_weights/fc1/fc1/kernel:0"] = h5py.ExternalLink("other.h5", "/x")
    assert "leads into another file" in scored.refusal(path, tmp_path)


def test_hostile_archives(tmp_path):
    net = jets()
    bomb = k.save_keras(tmp_path / "bomb.keras", net, config=b" " * (60 << 20), compression=zipfile.ZIP_DEFLATED)
    assert "config.json" in scored.refusal(bomb, tmp_path)
    bomb = k.save_keras(tmp_path / "bomb.keras", net, weights=b"\0" * (80 << 20), compression=zipfile.ZIP_DEFLATED)
    assert "model.weights.h5" in scored.refusal(bomb, tmp_path)
    bomb = k.save_keras(tmp_path / "bomb.keras", net, config=b" " * (70 << 20), compression=zipfile.ZIP_DEFLATED)
    assert "larger than allowed" in scored.refusal(bomb, tmp_path)
    liar = tmp_path / "liar.keras"
    k.save_keras(liar, net, compression=zipfile.ZIP_STORED)
    entry = bytearray(liar.read_bytes())
    at = entry.rindex(b"model.weights.h5") - 46  # its entry in the central directory, with both sizes from byte 20 on
    assert entry[at:at + 4] == b"PK\x01\x02"
    entry[at + 20:at + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    liar.write_bytes(entry)
    assert "larger than the archive" in scored.refusal(liar, tmp_path)
    assert "it is empty" in scored.refusal(k.save_keras(tmp_path / "e.keras", net, weights=b""), tmp_path)
    assert "'model.weights.h5': it is missing" in scored.refusal(k.save_keras(tmp_path / "a.keras", net, weights=False),
                                                                 tmp_path)
    assert "JSON" in scored.refusal(k.save_keras(tmp_path / "b.keras", net, config="{"), tmp_path)
    with zipfile.ZipFile(tmp_path / "torch.pt", "w") as f:
        f.writestr("archive/data.pkl", b"\x80\x02")
    assert "not one of Keras" in scored.refusal(tmp_path / "torch.pt", tmp_path)


def test_damaged_archives(tmp_path):
    """Whatever is cut off or flipped: a refusal in one line, or the same model (where the byte says nothing)."""
    net = jets()
    whole = open(k.save_keras(tmp_path / "m.keras", net, compression=zipfile.ZIP_DEFLATED), "rb").read()
    places = np.random.default_rng(3).integers(0, len(whole), 25)
    damaged = [whole[:n] for n in places] + [whole[:n] + bytes([whole[n] ^ 0x10]) + whole[n + 1:] for n in places]
    for content in damaged:
        (tmp_path / "d.keras").write_bytes(content)
        done = scored.run("copy", tmp_path / "d.keras", tmp_path / "copy.h5")
        assert done.returncode in (0, 65), done.stderr
        assert done.returncode == 0 or len(done.stderr.strip().splitlines()) == 1


def test_no_clash_with_other_hdf5_files(tmp_path):
    with h5py.File(tmp_path / "d.h5ad", "w") as f:
        f.attrs["encoding-type"] = "anndata"
        f["layers/counts/data"] = np.zeros(3)
        f["X"] = np.zeros((3, 2))
    assert "not a model of ours" in scored.refusal(tmp_path / "d.h5ad", tmp_path)
