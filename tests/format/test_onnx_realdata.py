"""Every ONNX model of the third-party folder: equal to its reference, or refused with the operator named."""
import csv
import glob
import json
import os
import subprocess

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import scored
from onnx_models import load_tensor, refusal, score

ROOT = os.environ.get("H5SCORE_REALDATA", "")
if not os.path.isdir(ROOT):
    pytest.skip("H5SCORE_REALDATA is not set: the third-party models are not tested", allow_module_level=True)
DEBIAN = "onnx-debian-testdata/node/%s/model.onnx"
EXACT = ["elu", "hardsigmoid", "leakyrelu", "logsoftmax_large_number", "relu", "sigmoid", "softmax_axis_1",
         "softmax_default_axis", "softmax_large_number", "softplus", "tanh", "add_bcast", "batchnorm_epsilon",
         "batchnorm_example", "gemm_alpha", "gemm_default_no_bias", "gemm_default_scalar_bias", "gemm_default_vector_bias",
         "gemm_transposeB", "matmul_2d"]
EZKL = "onnx-ezkl/%s/network.onnx"
KINFERENCE = "onnx-kinference/svm_classifier/%s/model.onnx"
HLS4ML = "hls4ml-example-models/onnx/%s.onnx"

# What becomes of each file: the largest difference from its reference (relative to max(1, |reference|)), or the reason.
# The references of ezkl come from fixed-point arithmetic, or are missing (then numpy computes them from the weights).
MATCHES = {
    **{DEBIAN % ("test_" + name): 1e-6 for name in EXACT},
    EZKL % "1l_batch_norm": 0.008, EZKL % "1l_mlp": 0.008, EZKL % "2l_sigmoid_small": 0.01,
    EZKL % "linear_regression": 1e-5, EZKL % "sklearn_mlp": 1e-5,
    KINFERENCE % "test_linear_default": 1e-6, KINFERENCE % "test_linear_not_all_weights_positive": 1e-6,
    "onnx-kinference/zipmap/test_zipmap_int64s/model.onnx": 1e-6,
    "onnx-vnncomp2020/acasxu/ACASXU_run2a_1_1_batch_2000.onnx": 1e-5,
    "onnx-vnncomp2020/mnist/logsig_200_50_onnx.onnx": 1e-5,
    HLS4ML % "two_layer_keras": 1e-5, HLS4ML % "dense_big_keras": 1e-5, HLS4ML % "three_layer_pytorch": 1e-5,
}
REFUSED = {
    DEBIAN % "test_argmax_keepdims_example_select_last_index": "operator ArgMax cannot be scored (node 'result', opset 13: select_last",
    DEBIAN % "test_argmax_no_keepdims_random": "operator ArgMax cannot be scored (node 'result', opset 13: values of shape",
    DEBIAN % "test_gemm_transposeA": "operator Gemm cannot be scored (node 'y', opset 13: transA = 1 would mix",
    DEBIAN % "test_gemm_all_attributes": "operator Gemm cannot be scored (node 'y', opset 13: transA = 1 would mix",
    DEBIAN % "test_matmul_3d": "operator MatMul cannot be scored (node 'c', opset 13: its weights have shape 2x4x3",
    EZKL % "decision_tree": "operator Less cannot be scored (node 'Less_2', opset 10)",
    EZKL % "gradient_boosted_trees": "operator Less cannot be scored (node '/trees.0.0/Less', opset 11)",
    EZKL % "hierarchical_risk": "operator Equal cannot be scored (node '/Equal', opset 11)",
    EZKL % "xgboost": "operator Less cannot be scored (node '/_operators.0/Less', opset 11)",
    "onnx-sklearn-onnx-trees/treecl.onnx": "operator TreeEnsembleClassifier cannot be scored (node 'TreeEnsembleClassifier', "
                                           "ai.onnx.ml opset 1: tree ensembles are not supported yet",
    HLS4ML % "conv1d_small_keras": "operator Conv cannot be scored (node 'Conv1D__', opset 7: kernel 4 with padding",
}


def test_the_tables_name_every_file():
    found = {os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, "**", "*.onnx"), recursive=True)}
    assert found == set(MATCHES) | set(REFUSED)


def opened(name):
    """The model; where operator cases take weights as inputs, those of the test set are frozen into it."""
    model = onnx.load(os.path.join(ROOT, name))
    folder = os.path.join(ROOT, os.path.dirname(name), "test_data_set_0")
    initialized = {tensor.name for tensor in model.graph.initializer}
    for i, value in enumerate(model.graph.input):
        if i > 0 and value.name not in initialized and os.path.isdir(folder):
            model.graph.initializer.append(
                numpy_helper.from_array(load_tensor(os.path.join(folder, "input_%d.pb" % i)), value.name))
    return model


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    text = refusal(opened(name), tmp_path)
    assert REFUSED[name] in text
    assert text.count("\n") == 1


def weights(model):
    return {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def dense(x, model, activation, transposed=False):
    """A dense network from its initializers in order: weights, bias, weights, bias, ..."""
    tensors = list(weights(model).values())
    for i in range(0, len(tensors), 2):
        x = x @ (tensors[i].T if transposed else tensors[i]) + tensors[i + 1].reshape(1, -1)
        if i + 2 < len(tensors):
            x = activation(x)
    return x


def relu(z):
    return np.maximum(z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def images():
    folder = os.path.join(ROOT, "onnx-vnncomp2020/mnist/images")
    rows = []
    for i in range(1, len(os.listdir(folder))):
        with open(os.path.join(folder, "image%d" % i), encoding="ascii") as f:
            rows.append([float(v) for line in csv.reader(f) for v in line if v.strip()])
    with open(os.path.join(folder, "labels"), encoding="ascii") as f:
        labels = [int(v) for line in csv.reader(f) for v in line if v.strip()]
    return np.array(rows), np.array(labels[: len(rows)])


def computed(name, model):
    """Rows and outputs of networks that come without references, by numpy from their weights."""
    noise = np.random.RandomState(1).normal(size=(300, 784)).astype(np.float32).astype(np.float64)
    if "acasxu" in name:
        tensors = weights(model)
        x = noise[:, :5] - tensors.pop("input_AvgImg").reshape(1, 5)
        for i in range(1, 7):
            x = relu(x @ tensors["Operation_%d_MatMul_W" % i] + tensors["Operation_%d_Add_B" % i])
        return noise[:, :5], x @ tensors["linear_7_MatMul_W"] + tensors["linear_7_Add_B"]
    if "mnist" in name:
        t, (rows, _) = weights(model), images()
        x = rows - t["input_Mean"].reshape(1, -1)
        for i in (1, 2, 3):
            x = x @ t["Operation_%d_W" % i].reshape(len(t["Operation_%d_B" % i]), -1).T + t["Operation_%d_B" % i]
            x = sigmoid(x) if i < 3 else softmax(x)
        return rows, x
    if "three_layer" in name:
        return noise[:, :16], softmax(dense(noise[:, :16], model, relu, transposed=True))
    if "dense_big" in name:
        return noise[:, :16], softmax(dense(noise[:, :16], model, relu))
    if "two_layer" in name:
        return noise[:, :10], sigmoid(dense(noise[:, :10], model, relu))
    if "sklearn_mlp" in name:
        del model.graph.initializer[4:]  # the target of a Reshape
        return noise[:, :3], dense(noise[:, :3], model, relu)
    return noise[:, :2], dense(noise[:, :2], model, relu)


def reference(name, model):
    folder = os.path.join(ROOT, os.path.dirname(name))
    tensors = os.path.join(folder, "test_data_set_0")
    if "zipmap" in name:
        rows = load_tensor(os.path.join(tensors, "input_0.pb")).reshape(-1, 3)
        return rows, rows  # a map of what came in
    if os.path.isdir(tensors):
        outputs = [load_tensor(p) for p in sorted(glob.glob(os.path.join(tensors, "output_*.pb")))]
        real = [o for o in outputs if o.dtype.kind == "f"]
        return load_tensor(os.path.join(tensors, "input_0.pb")), real[0]
    if os.path.exists(os.path.join(folder, "input.json")):
        with open(os.path.join(folder, "input.json"), encoding="ascii") as f:
            data = json.load(f)
        if "output_data" in data and "linear_regression" not in name:
            return np.array(data["input_data"]), np.array(data["output_data"])
    return computed(name, model)


@pytest.mark.parametrize("name", MATCHES)
def test_matches(name, tmp_path, record_property):
    model = opened(name)
    rows, expected = reference(name, onnx.ModelProto.FromString(model.SerializeToString()))
    result = score(model, rows, tmp_path)
    column = next(kind for kind in ("prediction", "probability", "decision") if kind in result)
    difference = scored.worst(result[column], np.asarray(expected).reshape(len(rows), -1))
    record_property("largest difference", difference)
    assert difference <= MATCHES[name]


def test_labels_of_the_linear_svms(tmp_path):
    for name in (name for name in MATCHES if "svm_classifier" in name):
        folder = os.path.join(ROOT, os.path.dirname(name), "test_data_set_0")
        label = next(o for o in map(load_tensor, glob.glob(os.path.join(folder, "output_*.pb"))) if o.dtype.kind == "i")
        model = opened(name)
        result = score(model, load_tensor(os.path.join(folder, "input_0.pb")), tmp_path)
        classes = [a.ints for a in model.graph.node[0].attribute if a.name == "classlabels_ints"][0]
        assert [classes[int(code)] for code in result["label"].ravel()] == list(label)


def test_digits_are_recognised(tmp_path):
    rows, labels = images()
    result = score(opened("onnx-vnncomp2020/mnist/logsig_200_50_onnx.onnx"), rows, tmp_path)
    assert (result["label"].ravel() == labels).mean() > 0.9


def test_keras_twin(tmp_path):
    """two_layer_keras.onnx and KERAS_1layer are one network in two formats."""
    rows = np.random.RandomState(2).normal(size=(200, 10))
    keras = os.path.join(ROOT, "hls4ml-example-models/keras/KERAS_1layer.json")
    theirs = scored.score(keras, rows, tmp_path)
    ours = score(opened(HLS4ML % "two_layer_keras"), rows, tmp_path)
    assert set(ours) == set(theirs)
    assert scored.worst(ours["prediction"], theirs["prediction"]) < 1e-6
