"""Networks that torch.onnx.export wrote, against PyTorch itself, on every row and for every opset that it writes."""
import json
import os
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import scored
from onnx_models import native

torch.manual_seed(7)
ROWS = np.random.RandomState(8).normal(size=(300, 12)).astype(np.float32) * 2
OPSETS = range(9, 18)


class Function(nn.Module):
    """A module with these parts and this function of them."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def trained_batch_norm(kind, channels):
    norm = kind(channels)
    with torch.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 3)
        norm.weight.normal_()
        norm.bias.normal_()
    return norm


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs)


def networks():
    yield "mlp", nn.Sequential(linear(12, 16), nn.ReLU(), linear(16, 8), nn.Tanh(), linear(8, 3))
    yield "no bias", nn.Sequential(nn.Linear(12, 5, bias=False), nn.Sigmoid())
    yield "batch norm, dropout", nn.Sequential(linear(12, 16), trained_batch_norm(nn.BatchNorm1d, 16), nn.LeakyReLU(0.2),
                                               nn.Dropout(0.5), linear(16, 1))
    yield "batch norm first", nn.Sequential(trained_batch_norm(nn.BatchNorm1d, 12), linear(12, 4), nn.LogSoftmax(dim=1))
    for activation in (nn.GELU(), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.ELU(0.7), nn.SELU(), nn.CELU(1.5),
                       nn.Softplus(), nn.Softsign(), nn.PReLU(16, 0.3), nn.PReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 2),
                       nn.Tanhshrink(), nn.GELU("tanh")):
        yield str(activation), nn.Sequential(linear(12, 16), activation, linear(16, 2))
    yield "residual", Function(lambda m, x: m.last(x + torch.relu(m.inner(x))), inner=linear(12, 12), last=linear(12, 3))
    yield "dense blocks", Function(lambda m, x: m.b(torch.cat([x, torch.tanh(m.a(x))], dim=1)), a=linear(12, 5), b=linear(17, 2))
    yield "two towers", Function(lambda m, x: m.a(x[:, :7]) * torch.sigmoid(m.b(x[:, 7:])), a=linear(7, 4), b=linear(5, 4))
    yield "chunks", Function(lambda m, x: torch.cat([c * (i + 1) for i, c in enumerate(x.chunk(3, dim=1)[::-1])], dim=-1))
    yield "picked columns", Function(lambda m, x: m.a(x[:, [3, 1, 11]]), a=linear(3, 2))
    yield "scaled inside", Function(lambda m, x: m.a((x - m.mean) / m.scale), a=linear(12, 2),
                                    mean=nn.Parameter(torch.randn(12)), scale=nn.Parameter(torch.rand(12) + 0.5))
    yield "view", Function(lambda m, x: m.a(x.view(x.size(0), 3, 4).transpose(1, 2).reshape(x.size(0), -1)), a=linear(12, 2))
    yield "view minus one", Function(lambda m, x: m.a(x.view(-1, 3, 4)).flatten(1), a=linear(4, 2))
    yield "mean over a set", Function(lambda m, x: torch.relu(m.a(x.view(-1, 3, 4))).mean(dim=1), a=linear(4, 6))
    yield "squeezed", Function(lambda m, x: m.a(x).squeeze(-1), a=linear(12, 1))
    yield "softmax", nn.Sequential(linear(12, 6), nn.Softmax(dim=1))
    yield "softmax of groups", Function(lambda m, x: m.a(x).view(-1, 2, 3).softmax(dim=-1).flatten(1), a=linear(12, 6))
    yield "clamped", Function(lambda m, x: m.a(x).clamp(min=0.1), a=linear(12, 6))
    yield "minimum, maximum", Function(lambda m, x: torch.minimum(m.a(x), torch.maximum(m.b(x), -m.a(x))), a=linear(12, 3),
                                       b=linear(12, 3))
    yield "cubed", Function(lambda m, x: m.a(x) ** 2 + m.a(x) ** 3 - m.a(x).abs(), a=linear(12, 3))
    yield "convolutions in disguise", Function(
        lambda m, x: m.b(torch.relu(m.a(x.view(-1, 2, 2, 3)))).flatten(1), a=nn.Conv2d(2, 4, 1), b=nn.Conv2d(4, 5, (2, 3)))
    yield "conv, pool", Function(lambda m, x: m.c(m.p(m.a(x.view(-1, 3, 2, 2))).flatten(1)), a=nn.Conv2d(3, 4, 1),
                                 p=nn.AdaptiveAvgPool2d(1), c=linear(4, 2))
    yield "conv batch norm", Function(lambda m, x: m.n(m.a(x.view(-1, 3, 4))).flatten(1), a=nn.Conv1d(3, 4, 1),
                                      n=trained_batch_norm(nn.BatchNorm1d, 4))


NETWORKS = dict(networks())
# PyTorch's exporter works no more once it has failed, so no test may make it fail.
SINCE = {"CELU(alpha=1.5)": 12}


def export(network, path, opset, rows=ROWS, dtype=torch.float32):
    example = torch.tensor(rows[:2], dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), example, path, opset_version=opset, input_names=["x"], output_names=["y"],
                          dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
    with torch.no_grad():
        return network(torch.tensor(rows, dtype=dtype)).numpy().reshape(len(rows), -1)


def output_of(result):
    return result["probability" if "probability" in result else "prediction"]


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    path = os.path.join(tmp_path, "m.onnx")
    for opset in (opset for opset in (9, 11, 13, 17) if opset >= SINCE.get(name, 9)):
        theirs = export(NETWORKS[name], path, opset)
        result = scored.score(path, ROWS, tmp_path)
        assert scored.worst(output_of(result), theirs) <= 1e-5, opset
        assert result.info["precision"] == "float32"


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset(opset, tmp_path):
    network = nn.Sequential(*(part for name in ("batch norm, dropout",) for part in NETWORKS[name][:4]),
                            linear(16, 4), nn.GELU(), nn.Softmax(dim=-1))
    path = os.path.join(tmp_path, "m.onnx")
    theirs = export(network, path, opset)
    result = scored.score(path, ROWS, tmp_path)
    assert scored.worst(result["probability"], theirs) <= 1e-5
    assert (result["label"].ravel() == theirs.argmax(axis=1)).all()


@pytest.mark.parametrize("name", ["mlp", "residual", "GELU(approximate='none')", "batch norm first", "view"])
def test_float64_networks(name, tmp_path):
    path = os.path.join(tmp_path, "m.onnx")
    network = NETWORKS[name].double()
    try:
        theirs = export(network, path, 13, ROWS.astype(np.float64), torch.float64)
    finally:
        network.float()
    result = scored.score(path, ROWS, tmp_path)
    assert result.info["precision"] == "float64"
    assert scored.worst(output_of(result), theirs) <= 1e-12


REFUSED = {
    "layer norm": (nn.Sequential(linear(12, 4), nn.LayerNorm(4)), 17, "operator LayerNormalization"),
    "layer norm before opset 17": (nn.Sequential(linear(12, 4), nn.LayerNorm(4)), 13, "operator Sqrt"),
    "softmax over rows": (nn.Softmax(dim=0), 13, "would mix values of different rows"),
    "batch mean": (Function(lambda m, x: x - x.mean(dim=0)), 13, "operator ReduceMean"),
    "attention": (Function(lambda m, x: torch.matmul(x.view(-1, 3, 4), x.view(-1, 4, 3))), 13, "both factors depend on the rows"),
    "convolution": (Function(lambda m, x: m.a(x.view(-1, 1, 3, 4)), a=nn.Conv2d(1, 2, 2)), 11, "kernel 2x2 on 1x3x4"),
    "padded": (Function(lambda m, x: m.a(x.view(-1, 1, 3, 4)), a=nn.Conv2d(1, 2, (3, 4), padding=1)), 11, "with padding"),
    "max pool": (Function(lambda m, x: m.a(x.view(-1, 1, 3, 4)), a=nn.MaxPool2d(2)), 11, "operator MaxPool"),
    "lstm": (Function(lambda m, x: m.a(x.view(-1, 3, 4))[0], a=nn.LSTM(4, 2, batch_first=True)), 11, "operator "),
    "logarithm": (nn.LogSigmoid(), 13, "operator Log "),
    "sine": (Function(lambda m, x: torch.sin(x)), 11, "operator Sin "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    network, opset, text = REFUSED[name]
    path = os.path.join(tmp_path, "m.onnx")
    export(network, path, opset)
    message = scored.refusal(path, tmp_path)
    assert text in message and "cannot be scored (node '" in message and "opset %d" % opset in message
    assert message.count("\n") == 1


def with_metadata(path, **facts):
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"h5score." + key: value if isinstance(value, str) else json.dumps(value)
                                        for key, value in facts.items()})
    onnx.save(model, path)
    return model


def test_metadata(tmp_path):
    path = os.path.join(tmp_path, "m.onnx")
    network = nn.Sequential(linear(12, 5), nn.ReLU(), linear(5, 3))
    logits = export(network, path, 13)
    names = ["f%d" % i for i in range(12)]
    reference = {"mean": ROWS.mean(axis=0).tolist(), "stddev": ROWS.std(axis=0).tolist()}
    golden = {"rows": ROWS[:20].tolist(), "output": logits[:20].tolist()}
    model = with_metadata(path, feature_names=names, classes=["g", "q", "w"], output="logits", golden=golden,
                          reference=reference)
    result = scored.score(path, ROWS, tmp_path)
    assert scored.worst(result["decision"], logits) < 1e-5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert scored.worst(result["probability"], p) < 1e-5
    assert result.info["golden_rows"] == 20 and result.info["golden_passed"]
    with native(model, tmp_path) as f:
        assert list(f["feature_names"].asstr()) == names
        assert list(f["head/classes"].asstr()) == ["g", "q", "w"]
        assert f.attrs["library"] == "pytorch"
    with_metadata(path, targets=["a", "b", "c"])
    assert scored.worst(scored.score(path, ROWS, tmp_path)["prediction"], logits) < 1e-5


@pytest.mark.parametrize("facts, text", [
    ({"classes": ["a", "b"]}, "2 class labels for a network with 3 outputs"),
    ({"classes": "[1, 2"}, "metadata 'h5score.classes': the JSON text is damaged"),
    ({"classes": [1, "b", None]}, "metadata 'h5score.classes'"),
    ({"feature_names": ["a", "b"]}, "2"),
    ({"feature_names": {"a": 1}}, "metadata 'h5score.feature_names'"),
    ({"golden": {"rows": [[1, 2], [3]], "output": [1, 2]}}, "its rows differ in length"),
    ({"golden": [1]}, "metadata 'h5score.golden'"),
    ({"golden": {"rows": [[0] * 12], "output": [[1, 2]]}}, "golden"),
    ({"reference": {"mean": [1, 2]}}, "2"),
    ({"output": "odds"}, "metadata 'h5score.output' is 'odds'"),
    ({"output": "probabilities", "classes": [1, 2, 3]}, "says probabilities"),
])
def test_wrong_metadata(facts, text, tmp_path):
    path = os.path.join(tmp_path, "m.onnx")
    export(linear(12, 3), path, 13)
    with_metadata(path, **facts)
    assert text in scored.refusal(path, tmp_path)
