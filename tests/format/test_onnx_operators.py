"""Each ONNX operator with its edge cases, against numpy."""
import math

import numpy as np
import pytest

from onnx_models import build, node, refusal, score, stage_kinds
from scored import worst

R = np.random.RandomState(3)
ROWS = R.normal(size=(50, 6)).astype(np.float32) * 2
ROWS[0] = 0
CUBES = R.normal(size=(20, 2, 3, 4)).astype(np.float32)
W = R.normal(size=(6, 4)).astype(np.float32)
B = R.normal(size=4).astype(np.float32)
V = R.normal(size=6).astype(np.float32)
erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def check(model, expected, folder, rows=ROWS, tolerance=1e-5):
    result = score(model, rows, folder)
    ours = result["probability"] if "probability" in result else result["prediction"]
    assert worst(ours, expected) <= tolerance, (ours[:3], np.asarray(expected)[:3])


UNARY = {
    "relu": (node("Relu", "x", "y"), lambda x: np.maximum(x, 0)),
    "leaky": (node("LeakyRelu", "x", "y"), lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky alpha": (node("LeakyRelu", "x", "y", alpha=0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "elu": (node("Elu", "x", "y", alpha=1.7), lambda x: np.where(x > 0, x, 1.7 * np.expm1(x))),
    "selu": (node("Selu", "x", "y"), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "selu other": (node("Selu", "x", "y", alpha=1.5, gamma=2.0), lambda x: 2 * np.where(x > 0, x, 1.5 * np.expm1(x))),
    "celu": (node("Celu", "x", "y", alpha=2.0), lambda x: np.maximum(x, 0) + np.minimum(0, 2 * np.expm1(x / 2))),
    "thresholded": (node("ThresholdedRelu", "x", "y", alpha=0.7), lambda x: np.where(x > np.float32(0.7), x, 0)),
    "sigmoid": (node("Sigmoid", "x", "y"), sigmoid),
    "hard sigmoid": (node("HardSigmoid", "x", "y"), lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    "hard sigmoid other": (node("HardSigmoid", "x", "y", alpha=0.5, beta=0.6), lambda x: np.clip(0.5 * x + 0.6, 0, 1)),
    "hard swish": (node("HardSwish", "x", "y"), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "tanh": (node("Tanh", "x", "y"), np.tanh),
    "softplus": (node("Softplus", "x", "y"), lambda x: np.log1p(np.exp(x))),
    "softsign": (node("Softsign", "x", "y"), lambda x: x / (1 + np.abs(x))),
    "exp": (node("Exp", "x", "y"), np.exp),
    "erf": (node("Erf", "x", "y"), erf),
    "abs": (node("Abs", "x", "y"), np.abs),
    "neg": (node("Neg", "x", "y"), np.negative),
    "identity": (node("Identity", "x", "y"), lambda x: x),
    "dropout": (node("Dropout", "x", "y mask"), lambda x: x),
    "clip open": (node("Clip", "x", "y"), lambda x: x),
    "softmax": (node("Softmax", "x", "y"), softmax),
    "log softmax": (node("LogSoftmax", "x", "y"), lambda x: np.log(softmax(x))),
    "flatten": (node("Flatten", "x", "y"), lambda x: x),
    "mean": (node("ReduceMean", "x", "y", axes=[1]), lambda x: x.mean(axis=1, keepdims=True)),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name, tmp_path):
    graph_node, function = UNARY[name]
    check(build([graph_node], [None, 6], opset=14), function(ROWS.astype(np.float64)), tmp_path)


NEW = {
    "gelu": (20, node("Gelu", "x", "y"), lambda x: x * (1 + erf(x / math.sqrt(2))) / 2),
    "gelu tanh": (20, node("Gelu", "x", "y", approximate="tanh"),
                  lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    "mish": (18, node("Mish", "x", "y"), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "swish": (24, node("Swish", "x", "y", alpha=1.5), lambda x: x * sigmoid(1.5 * x)),
    "swish 1": (24, node("Swish", "x", "y"), lambda x: x * sigmoid(x)),
    "reduce mean": (18, node("ReduceMean", "x axes", "y"), lambda x: x.mean(axis=1)),
}


@pytest.mark.parametrize("name", NEW)
def test_newer_than_the_library_of_the_tests(name, tmp_path):
    opset, graph_node, function = NEW[name]
    check(build([graph_node], [None, 6], {"axes": np.array([-1])}, opset=opset), function(ROWS.astype(np.float64)), tmp_path)
    if name not in ("reduce mean",):
        assert "opset %d on" % opset in refusal(build([graph_node], [None, 6], opset=opset - 1), tmp_path)


BINARY = {
    "add vector": ("Add", "x v", lambda x: x + V),
    "add scalar": ("Add", "s x", lambda x: 1.5 + x),
    "sub": ("Sub", "x v", lambda x: x - V),
    "sub from": ("Sub", "v x", lambda x: V - x),
    "one minus": ("Sub", "s x", lambda x: 1.5 - x),
    "mul": ("Mul", "x v", lambda x: x * V),
    "mul scalar": ("Mul", "s x", lambda x: 1.5 * x),
    "div": ("Div", "x v", lambda x: x / V),
    "div by": ("Div", "v e", lambda x: V / np.exp(x)),
    "max": ("Max", "x s", lambda x: np.maximum(x, 1.5)),
    "min": ("Min", "s x", lambda x: np.minimum(1.5, x)),
    "branches add": ("Add", "x e", lambda x: x + np.exp(x)),
    "branches sub": ("Sub", "x e", lambda x: x - np.exp(x)),
    "branches mul": ("Mul", "x e", lambda x: x * np.exp(x)),
    "branches div": ("Div", "x e", lambda x: x / np.exp(x)),
    "branches max": ("Max", "x e s", lambda x: np.maximum(np.maximum(x, np.exp(x)), 1.5)),
    "branches min": ("Min", "x e", lambda x: np.minimum(x, np.exp(x))),
    "sum": ("Sum", "x e v", lambda x: x + np.exp(x) + V),
    "sum of one": ("Sum", "x", lambda x: x),
    "mean": ("Mean", "x e v", lambda x: (x + np.exp(x) + V) / 3),
    "pow 2": ("Pow", "x two", lambda x: x**2),
    "pow 3": ("Pow", "x three", lambda x: x**3),
    "prelu": ("PRelu", "x v", lambda x: np.where(x > 0, x, V * x)),
    "prelu one": ("PRelu", "x s1", lambda x: np.where(x > 0, x, 1.5 * x)),
    "column": ("Mul", "x first", lambda x: x * x[:, :1]),
}
CONSTANTS = {"v": V, "s": np.float32(1.5), "s1": np.float32([1.5]), "two": np.float32(2), "three": np.float32(3)}


@pytest.mark.parametrize("name", BINARY)
def test_binary(name, tmp_path):
    op, inputs, function = BINARY[name]
    nodes = [node("Exp", "x", "e"), node("Slice", "x zero one axis", "first"), node(op, inputs, "y")]
    more = {"zero": np.array([0]), "one": np.array([1]), "axis": np.array([1])}
    check(build(nodes, [None, 6], {**CONSTANTS, **more}), function(ROWS.astype(np.float64)), tmp_path, tolerance=3e-5)


SHAPED = {  # on rows of 2 x 3 x 4
    "transpose": ([node("Transpose", "x", "y", perm=[0, 3, 1, 2])], lambda x: x.transpose(0, 3, 1, 2)),
    "there and back": ([node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Relu", "t", "r"),
                        node("Transpose", "r", "y", perm=[0, 2, 3, 1])], lambda x: np.maximum(x, 0)),
    "softmax over channels": ([node("Softmax", "x", "y", axis=1)], lambda x: softmax(x, 1)),
    "log softmax over rows": ([node("LogSoftmax", "x", "y", axis=2)], lambda x: np.log(softmax(x, 2))),
    "channels": ([node("Mul", "x c", "y")], lambda x: x * np.array([2, 3]).reshape(2, 1, 1)),
    "broadcast to more axes": ([node("Add", "x lead", "a"), node("Squeeze", "a first_axis", "y")], lambda x: x + 1),
    "prelu channels": ([node("PRelu", "x c", "y")], lambda x: np.where(x > 0, x, np.array([2, 3]).reshape(2, 1, 1) * x)),
    "slice": ([node("Slice", "x s e a st", "y")], lambda x: x[:, :, ::-1, 1:9:2]),
    "gather": ([node("Gather", "x i", "y", axis=2)], lambda x: x[:, :, [2, 0, 2]]),
    "gather one": ([node("Gather", "x one", "y", axis=3)], lambda x: x[..., -1]),
    "split": ([node("Split", "x parts", "a b", axis=3), node("Concat", "b a", "y", axis=3)],
              lambda x: np.concatenate([x[..., 1:], x[..., :1]], axis=3)),
    "even split": ([node("Split", "x", "a b", axis=1), node("Sub", "a b", "y")], lambda x: x[:, 0] - x[:, 1]),
    "squeeze": ([node("Gather", "x pick", "g", axis=1), node("Squeeze", "g axis1", "s"), node("Unsqueeze", "s axis1", "u"),
                 node("Add", "u x", "y")], lambda x: x + x[:, 1:2]),
    "flatten": ([node("Flatten", "x", "f", axis=1), node("MatMul", "f w24", "y")], None),
    "matmul": ([node("MatMul", "x w", "y")], None),
    "matmul left": ([node("MatMul", "left x", "y")], None),
    "matmul vector": ([node("MatMul", "x vec", "y")], None),
    "merged batch": ([node("Reshape", "x merge", "m"), node("MatMul", "m w", "p"), node("Add", "p b5", "q"),
                      node("Reshape", "q unmerge", "y")], None),
    "zero copies": ([node("Reshape", "x copy", "y")], lambda x: x),
    "batch norm": ([node("BatchNormalization", "x c1 b2 b2 var", "y", epsilon=0.1)], None),
    "global pool": ([node("GlobalAveragePool", "x", "y")], lambda x: x.mean(axis=(2, 3))),
    "average pool": ([node("AveragePool", "x", "y", kernel_shape=[3, 4])], lambda x: x.mean(axis=(2, 3))),
    "sum axes": ([node("ReduceSum", "x axes12", "y", keepdims=0)], lambda x: x.sum(axis=(1, 2))),
    "mean axes": ([node("ReduceMean", "x", "y", axes=[-1, 1])], lambda x: x.mean(axis=(1, 3))),
    "pointwise conv": ([node("Conv", "x k1 kb", "y")], None),
    "full conv": ([node("Conv", "x kf kb", "y")], None),
    "grouped conv": ([node("Conv", "x kg kb", "y", group=2)], None),
    "expand": ([node("Gather", "x pick", "g", axis=1), node("Expand", "g to", "y")], lambda x: np.repeat(x[:, 1:2], 2, 1)),
}
K1, KF, KG = (R.normal(size=s).astype(np.float32) for s in ((4, 2, 1, 1), (4, 2, 3, 4), (4, 1, 1, 1)))
SHAPE_CONSTANTS = {
    "c": np.array([2, 3], dtype=np.float32).reshape(2, 1, 1), "c1": np.float32([2, 3]), "b2": np.float32([0.3, -2]),
    "var": np.float32([0.5, 2]), "s": np.array([-1, 1]), "e": np.array([-(2**62), 9]), "a": np.array([2, -1]),
    "st": np.array([-1, 2]), "i": np.array([2, 0, -1]), "one": np.array(-1), "parts": np.array([1, 3]),
    "pick": np.array([1]), "axis1": np.array([1]), "axes12": np.array([1, -2]), "first_axis": np.array([0]),
    "lead": np.ones((1, 1, 1, 1, 1), dtype=np.float32), "w24": R.normal(size=(24, 3)), "w": R.normal(size=(4, 5)),
    "left": R.normal(size=(7, 3)), "vec": R.normal(size=4), "b5": R.normal(size=5), "merge": np.array([-1, 4]),
    "unmerge": np.array([-1, 2, 3, 5]), "copy": np.array([0, 0, -1]), "k1": K1, "kf": KF, "kg": KG, "kb": B,
    "to": np.array([1, 2, 1, 1])}
SHAPE_CONSTANTS = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in SHAPE_CONSTANTS.items()}


def shaped_reference(name, x):
    c = SHAPE_CONSTANTS
    if name == "flatten":
        return x.reshape(len(x), -1) @ c["w24"]
    if name in ("matmul", "merged batch"):
        return x @ c["w"] + (c["b5"] if name == "merged batch" else 0)
    if name == "matmul left":
        return c["left"] @ x
    if name == "matmul vector":
        return x @ c["vec"]
    if name == "batch norm":
        s, b, v = (c[k].reshape(2, 1, 1) for k in ("c1", "b2", "var"))
        return s * (x - b) / np.sqrt(v + 0.1) + b
    if name == "pointwise conv":
        return np.einsum("nchw,mc->nmhw", x, K1[..., 0, 0]) + B.reshape(4, 1, 1)
    if name == "grouped conv":
        return np.repeat(x, 2, axis=1) * KG.reshape(4, 1, 1) + B.reshape(4, 1, 1)
    return np.einsum("nchw,mchw->nm", x, KF) + B


@pytest.mark.parametrize("name", SHAPED)
def test_shaped(name, tmp_path):
    nodes, function = SHAPED[name]
    x = CUBES.astype(np.float64)
    expected = function(x) if function else shaped_reference(name, x)
    given = {output for graph_node in nodes for output in graph_node.output}
    model = build(nodes, ["N", 2, 3, 4], {k: v for k, v in SHAPE_CONSTANTS.items() if k not in given})
    check(model, expected.reshape(len(x), -1), tmp_path, CUBES, tolerance=2e-5)


@pytest.mark.parametrize("op,axis", [("Softmax", 1), ("Softmax", 2), ("LogSoftmax", 3)])
def test_softmax_before_opset_13_flattens(op, axis, tmp_path):
    flat = CUBES.astype(np.float64).reshape(20, *CUBES.shape[1:axis], -1)
    expected = softmax(flat) if op == "Softmax" else np.log(softmax(flat))
    check(build([node(op, "x", "y", axis=axis)], ["N", 2, 3, 4], opset=11), expected.reshape(20, -1), tmp_path, CUBES)


@pytest.mark.parametrize("opset,low,high", [(6, -0.5, 1), (6, 0, None), (13, -0.5, 1), (13, None, 1)])
def test_clip(opset, low, high, tmp_path):
    limits = {k: np.float32(v) for k, v in (("min", low), ("max", high)) if v is not None}
    if opset < 11:
        model = build([node("Clip", "x", "y", **{k: float(v) for k, v in limits.items()})], [None, 6], opset=opset)
    else:
        model = build([node("Clip", "x %s %s" % ("min" if low is not None else "-", "max"), "y")], [None, 6], limits)
    check(model, np.clip(ROWS, low, high), tmp_path)


@pytest.mark.parametrize("opset", [6, 7, 11, 13])
@pytest.mark.parametrize("transposed,bias", [(0, True), (1, True), (0, False)])
def test_gemm(opset, transposed, bias, tmp_path):
    weights = np.ascontiguousarray(W.T) if transposed else W
    inputs = "x w b" if bias or opset < 11 else "x w"
    legacy = {"broadcast": 1} if opset < 7 else {}
    gemm = node("Gemm", inputs, "y", transB=transposed, alpha=0.5, beta=2.0 if bias else 0.0, **legacy)
    expected = 0.5 * ROWS.astype(np.float64) @ W + (2 * B if bias else 0)
    check(build([gemm], [None, 6], {"w": weights, "b": B}, opset=opset), expected, tmp_path)


def test_legacy_broadcast(tmp_path):
    c = np.float32([2, 3])
    nodes = [node("Mul", "x c", "m", broadcast=1, axis=1), node("Add", "m v", "y", broadcast=1)]
    model = build(nodes, ["N", 2, 3, 4], {"c": c, "v": B}, opset=6)
    check(model, (CUBES * c.reshape(2, 1, 1) + B).reshape(20, -1), tmp_path, CUBES)


def test_float64_is_exact(tmp_path):
    x = ROWS.astype(np.float64) * 1e3
    w = R.normal(size=(6, 4))
    model = build([node("MatMul", "x w", "m"), node("Tanh", "m", "y")], [None, 6], {"w": w / 1e3}, dtype=np.float64)
    result = score(model, x, tmp_path)
    assert result.info["precision"] == "float64"
    assert worst(result["prediction"], np.tanh(x @ (w / 1e3))) <= 1e-12


def test_cast_to_double_makes_a_float64_model(tmp_path):
    model = build([node("Cast", "x", "d", to=11), node("Tanh", "d", "y")], [None, 6])
    assert score(model, ROWS, tmp_path).info["precision"] == "float64"


def test_constants_are_folded(tmp_path):
    """1 / sqrt(v^2 + 3) computed by the graph itself, with casts, shapes and slices on the way."""
    nodes = [node("Mul", "v v", "v2"), node("Cast", "three", "t", to=1), node("Add", "v2 t", "a"), node("Sqrt", "a", "r"),
             node("Div", "s r", "q"), node("Shape", "v", "n"), node("ConstantOfShape", "n", "zero"),
             node("Sub", "q zero", "z"), node("Neg", "z", "m"), node("Reshape", "m flat", "f"), node("Mul", "x f", "y")]
    constants = {**CONSTANTS, "three": np.array(3), "flat": np.array([1, -1])}
    check(build(nodes, [None, 6], constants), -ROWS * 1.5 / np.sqrt(V**2 + 3), tmp_path)


def test_flatten_as_exporters_write_it(tmp_path):
    """Shape -> Gather -> Concat -> Reshape, and a size that is computed from the number of rows."""
    nodes = [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n zeros", "u"),
             node("Concat", "u minus", "to", axis=0), node("Reshape", "x to", "f"), node("MatMul", "f w", "p"),
             node("Mul", "n two", "n2"), node("Unsqueeze", "n2 zeros", "u2"), node("Concat", "u2 half", "t2", axis=0),
             node("Reshape", "f t2", "m"), node("Reshape", "m to", "b"), node("MatMul", "b w", "q"), node("Add", "p q", "y")]
    w = R.normal(size=(24, 3)).astype(np.float32)
    constants = {"zero": np.array(0), "zeros": np.array([0]), "minus": np.array([-1]), "two": np.array(2),
                 "half": np.array([12]), "w": w}
    check(build(nodes, ["N", 2, 3, 4], constants), 2 * CUBES.reshape(20, -1) @ w, tmp_path, CUBES)


def test_dense_layer_on_a_set_as_tf2onnx_writes_it(tmp_path):
    """Everything but the last axis becomes rows of a matrix, whose number is a product of extents; then back again."""
    nodes = [node("Shape", "x", "s"), node("Slice", "s zero three", "lead"), node("ReduceProd", "lead", "n", keepdims=1),
             node("Concat", "n four", "flat", axis=0), node("Reshape", "x flat", "m", allowzero=1), node("MatMul", "m w", "p"),
             node("Concat", "lead five", "back", axis=0), node("Reshape", "p back", "y")]
    w = R.normal(size=(4, 5)).astype(np.float32)
    constants = {"zero": np.array([0]), "three": np.array([3]), "four": np.array([4]), "five": np.array([5]), "w": w}
    model = build(nodes, ["N", 2, 3, 4], constants, opset=14)
    check(model, (CUBES @ w).reshape(20, -1), tmp_path, CUBES)


def test_integer_input(tmp_path):
    whole = np.round(ROWS * 3) + 40
    nodes = [node("Cast", "x", "f", to=1), node("Slice", "f zero one one", "first"), node("Div", "f first", "q"),
             node("Mul", "q v", "y")]
    constants = {"zero": np.array([0]), "one": np.array([1]), "v": V}
    check(integers(nodes, constants), whole / whole[:, :1] * V,
          tmp_path, whole)
    assert "it divides integers" in refusal(integers([node("Add", "x x", "a"), node("Div", "a x", "y")], {}), tmp_path)


def integers(nodes, constants):
    model = build(nodes, [None, 6], constants)
    model.graph.input[0].type.tensor_type.elem_type = 7
    return model


def test_log1p(tmp_path):
    counts = np.abs(ROWS)
    nodes = [node("Add", "x one", "a"), node("Log", "a", "l"), node("Mul", "l v", "y")]
    model = build(nodes, [None, 6], {"one": np.float32(1), "v": V})
    check(model, np.log1p(counts) * V, tmp_path, counts)
    assert "not the logarithm of 1 + x" in refusal(build([node("Log", "x", "y")], [None, 6]), tmp_path)


def test_fixed_batch_is_ignored(tmp_path):
    nodes = [node("Reshape", "x to", "f"), node("MatMul", "f w", "y")]
    w = R.normal(size=(24, 3)).astype(np.float32)
    for batch, target in ((1, [1, 24]), (2000, [2000, -1]), (7, [-1, 24])):
        model = build(nodes, [batch, 2, 3, 4], {"w": w, "to": np.array(target)})
        check(model, CUBES.reshape(20, -1) @ w, tmp_path, CUBES)


def test_patterns_become_one_stage(tmp_path):
    gelu = [node("Div", "x root", "d"), node("Erf", "d", "e"), node("Add", "e one", "a")]
    constants = {"root": np.float32(math.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    expected = ROWS * (1 + erf(ROWS / math.sqrt(2))) / 2
    for tail in ([node("Mul", "x a", "m"), node("Mul", "m half", "y")], [node("Mul", "x half", "h"), node("Mul", "h a", "y")],
                 [node("Mul", "a half", "h"), node("Mul", "h x", "y")]):
        model = build(gelu + tail, [None, 6], constants)
        check(model, expected, tmp_path)
        assert stage_kinds(model, tmp_path) == ["activation gelu"]
    silu = build([node("Sigmoid", "x", "s"), node("Mul", "s x", "y")], [None, 6])
    check(silu, ROWS * sigmoid(ROWS), tmp_path)
    assert stage_kinds(silu, tmp_path) == ["activation silu"]


def test_affine_parts_become_one_stage(tmp_path):
    nodes = [node("MatMul", "x w", "m"), node("Add", "m b", "a"), node("BatchNormalization", "a b b b var", "n"),
             node("Transpose", "n", "t", perm=[0, 1]), node("Relu", "t", "y")]
    variance = np.abs(B) + np.float32(0.1)
    model = build(nodes, [None, 6], {"w": W, "b": B, "var": variance})
    check(model, np.maximum((ROWS @ W) / np.sqrt(variance + 1e-5) * B + B, 0), tmp_path)
    assert stage_kinds(model, tmp_path) == ["affine", "activation relu"]


def test_several_inputs_are_features_in_order(tmp_path):
    nodes = [node("Concat", "b a", "c", axis=1), node("MatMul", "c w", "y")]
    model = build(nodes, None, {"w": W}, inputs={"a": ["N", 4], "b": ["N", 2]})
    expected = np.concatenate([ROWS[:, 4:], ROWS[:, :4]], axis=1) @ W
    check(model, expected, tmp_path)


def test_several_outputs_are_targets(tmp_path):
    model = build([node("Relu", "x", "p"), node("Neg", "x", "q")], [None, 6], outputs="p q")
    check(model, np.concatenate([np.maximum(ROWS, 0), -ROWS], axis=1), tmp_path)
