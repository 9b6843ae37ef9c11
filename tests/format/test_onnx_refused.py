"""ONNX files that are hostile, damaged or beyond what can be scored: one clear line each; external data stays at home."""
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

import scored
from onnx_models import build, node, refusal, score

W = np.arange(24, dtype=np.float32).reshape(6, 4) / 10
ROWS = np.random.RandomState(1).normal(size=(30, 6)).astype(np.float32)


def small(*nodes, shape=(None, 6), **kwargs):
    return build(list(nodes), list(shape), {"w": W, "one": np.array([1]), "zero": np.array([0]), "r": np.float32([1, 2, 3]),
                                            "big": np.array([2**40, 2**30]), "rows": np.float32(np.ones((30, 1))), "e2": np.float32(2),
                                            "eps": np.float32(1e-5)}, **kwargs)


GRAPHS = {
    "unknown operator": (small(node("Einsum", "x w", "y", equation="ij,jk->ik")),
                         "operator Einsum cannot be scored (node 'y', opset 13); docs/models.md lists"),
    "other domain": (small(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")),
                     "operator Gelu cannot be scored (node 'y', com.microsoft opset 0)"),
    "tree": (small(node("TreeEnsembleRegressor", "x", "y", ml=True)), "tree ensembles are not supported yet"),
    "named node": (small(helper.make_node("Sin", ["x"], ["y"], name="my sine")), "(node 'my sine', opset 13)"),
    "control flow": (small(helper.make_node("If", ["x"], ["y"])), "operator If cannot be scored"),
    "unknown attribute": (small(node("Relu", "x", "y", slope=2)), "its attribute 'slope' is not supported"),
    "attribute of another type": (small(node("Softmax", "x", "y", axis=1.5)), "attribute 'axis' is of another type"),
    "too old": (small(node("Celu", "x", "y"), opset=9), "it is read from opset 12 on"),
    "missing input": (small(node("MatMul", "x nothing", "y")), "the value 'nothing' is read, but no earlier node gives it"),
    "later input": (small(node("Add", "x z", "y"), node("Relu", "x", "z")),
                    "the graph is in no topological order (node 'y' reads 'z', which no earlier node gives)"),
    "backwards": (small(node("Relu", "h", "y"), node("MatMul", "x w", "h")), "the graph is in no topological order"),
    "circle": (small(node("Relu", "y", "y")), "the graph is in no topological order"),
    "value given twice": (small(node("Relu", "x", "h"), node("Tanh", "x", "h"), node("Exp", "h", "y")),
                          "the value 'h' is given twice"),
    "twice by one node": (small(node("Split", "x", "y y", axis=1)), "the value 'y' is given twice"),
    "input given again": (small(node("Relu", "x", "x"), node("Exp", "x", "y")), "the value 'x' is given twice"),
    "initializer given again": (small(node("Relu", "x", "w"), node("Exp", "w", "y")), "the value 'w' is given twice"),
    "output listed twice": (small(node("Relu", "x", "y"), outputs="y y"), "the output 'y' is listed twice"),
    "too new": (small(node("Relu", "x", "y"), opset=99), "opset 99 is newer than this program knows (25)"),
    "just too new": (small(node("Relu", "x", "y"), opset=26), "opset 26 is newer than this program knows (25)"),
    "too new ml": (small(node("Binarizer", "x", "y", ml=True), ml=6), "ai.onnx.ml opset 6 is newer than this program knows (5)"),
    "layer normalisation": (small(node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Pow", "d e2", "q"),
                                  node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v eps", "u"), node("Sqrt", "u", "root"),
                                  node("Div", "d root", "y")), "this looks like a layer normalisation, which is not supported"),
    "layer normalisation, one node": (small(node("LayerNormalization", "x w", "y"), opset=17),
                                      "layer normalisations are not supported"),
    "root": (small(node("Sqrt", "x", "y")), "its operand depends on the rows, where a constant is needed)"),
    "left out input": (small(node("MatMul", "x -", "y")), "operator MatMul cannot be scored (node 'y', opset 13"),
    "widths": (small(node("MatMul", "x r", "y")), "weights 3x1 for values of shape 1x6"),
    "broadcast": (small(node("Add", "x r", "y")), "1x6 and 3 do not fit each other"),
    "per row constants": (small(node("Add", "x rows", "y")), "differs between rows"),
    "sum over rows": (small(node("ReduceSum", "x zero", "y")), "would mix values of different rows"),
    "slice of rows": (small(node("Slice", "x zero one", "y")), "it would pick rows"),
    "reshape across rows": (small(node("Reshape", "x big", "y")), "operator Reshape cannot be scored"),
    "one row of all": (small(node("Flatten", "x", "y", axis=0)), "would mix values of different rows"),
    "huge expansion": (small(node("Expand", "one big", "e"), node("Add", "x e", "y")), "operator Expand cannot be scored"),
    "huge input": (small(node("Relu", "x", "y"), shape=(None, 2**40)), "1099511627776 columns are too many"),
    "absurd input": (small(node("Relu", "x", "y"), shape=(None, 2**40, 2**40)), "a size overflows 64 bits"),
    "free width": (small(node("Relu", "x", "y"), shape=(None, None)), "does not say how large axis 1 is"),
    "no dependence": (small(node("Relu", "w", "y")), "the model has no input"),
    "constant output": (small(node("Relu", "x", "a"), node("Identity", "w", "y"), outputs="a y"),
                        "the model's output 'y' cannot be scored (it does not depend on the rows)"),
    "no such output": (small(node("Relu", "x", "y"), outputs="z"), "input"),
    "several images": (build([node("Add", "a b", "y")], None, inputs={"a": [None, 2, 2], "b": [None, 2, 2]}),
                       "the model has several inputs: 'a', 'b'"),
    "probit": (small(node("LinearRegressor", "x", "y", ml=True, coefficients=[1.0] * 6, post_transform="PROBIT")),
               "post_transform PROBIT"),
    "coefficients": (small(node("LinearRegressor", "x", "y", ml=True, coefficients=[1.0] * 5)), "5 coefficients for 6 columns"),
    "max norm": (small(node("Normalizer", "x", "y", ml=True, norm="MAX")), "supported are L1 and L2"),
    "training": (small(node("BatchNormalization", "x r r r r", "y", training_mode=1), opset=14), "it is in training mode"),
    "cut decimals": (small(node("Cast", "x", "y", to=7)), "it would cut decimals off the rows"),
    "half precision": (small(node("Cast", "x", "y", to=10)), "it would round the rows to 16 bits"),
    "not finite": (small(node("Mul", "x inf", "y")), "the value 'inf'"),
    "labels and strangers": (small(node("ArgMax", "x", "l", axis=1), node("Tanh", "x", "p"), outputs="l p"),
                             "do not come from the same columns"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name, tmp_path):
    model, text = GRAPHS[name]
    message = refusal(model, tmp_path)
    assert text in message, message
    assert message.count("\n") == 1 and len(message) < 700


def test_a_parameter_that_is_not_finite(tmp_path):
    bad = W.copy()
    bad[2, 1] = np.nan
    assert "weights[9] is nan" in refusal(build([node("MatMul", "x w", "y")], [None, 6], {"w": bad}), tmp_path)


def test_text_is_no_feature(tmp_path):
    model = small(node("Identity", "x", "y"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    assert "the model's input 'x' cannot be scored (it is text); encode it as numbers" in refusal(model, tmp_path)


def test_functions_of_the_model_itself(tmp_path):
    model = small(helper.make_node("Twice", ["x"], ["y"], domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(helper.make_function("mine", "Twice", ["a"], ["b"], [node("Add", "a a", "b")],
                                                [helper.make_opsetid("", 13)]))
    assert "(node 'y', mine opset 1: it is a function of the model's own)" in refusal(model, tmp_path)


def test_the_newest_opset(tmp_path):
    assert scored.worst(score(small(node("Relu", "x", "y"), opset=25), ROWS, tmp_path)["prediction"], np.maximum(ROWS, 0)) == 0


def test_an_initializer_may_also_be_an_input(tmp_path):
    model = small(node("MatMul", "x w", "y"))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [6, 4]))
    assert scored.worst(score(model, ROWS, tmp_path)["prediction"], ROWS @ W) < 1e-6


def test_unused_operators_do_not_matter(tmp_path):
    result = score(small(node("Sin", "x", "s"), node("Relu", "x", "y")), ROWS, tmp_path)
    assert scored.worst(result["prediction"], np.maximum(ROWS, 0)) == 0


@pytest.mark.parametrize("change, text", [
    (lambda m: m.ClearField("opset_import"), "names no operator set"),
    (lambda m: m.ClearField("graph"), "has no graph"),
    (lambda m: m.graph.ClearField("output"), "the graph has no outputs"),
    (lambda m: setattr(m, "ir_version", 2), "too old"),
    (lambda m: m.graph.sparse_initializer.add(), "sparse initializers are not supported"),
    (lambda m: m.graph.initializer[0].dims.append(7), "tensor 'w'"),
    (lambda m: setattr(m.graph.initializer[0], "raw_data", b"123"), "tensor 'w': 3 bytes of values (96 expected)"),
    (lambda m: setattr(m.graph.initializer[0], "data_type", 14), "tensor 'w': its data type 14 is not supported"),
])
def test_damaged_model(change, text, tmp_path):
    model = small(node("MatMul", "x w", "y"))
    change(model)
    assert text in refusal(model, tmp_path)


TYPED = {"float16": np.float16, "float64": np.float64, "int8": np.int8, "int32": np.int32, "uint16": np.uint16}


@pytest.mark.parametrize("kind", TYPED)
@pytest.mark.parametrize("raw", [True, False])
def test_tensors_of_every_type(kind, raw, tmp_path):
    values = (np.arange(6) * 1.25 + 1).astype(TYPED[kind])
    tensor = numpy_helper.from_array(values, "c") if raw else helper.make_tensor(
        "c", helper.np_dtype_to_tensor_dtype(values.dtype) if hasattr(helper, "np_dtype_to_tensor_dtype")
        else onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[values.dtype], [6], values)
    model = build([node("Cast", "c", "f", to=1), node("Mul", "x f", "y")], [None, 6], {"c": tensor})
    assert scored.worst(score(model, ROWS, tmp_path)["prediction"], ROWS * values.astype(np.float64)) < 1e-6


def external(location, **kwargs):
    model = small(node("MatMul", "x w", "y"))
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.raw_data = b""
    set_external_data(tensor, location, **kwargs)
    tensor.ClearField("raw_data")
    return model, data


def test_external_data(tmp_path):
    model, data = external("weights.bin", offset=8, length=96)
    (tmp_path / "weights.bin").write_bytes(b"12345678" + data)
    assert scored.worst(score(model, ROWS, tmp_path)["prediction"], ROWS @ W) < 1e-6
    (tmp_path / "sub").mkdir()
    os.symlink("../weights.bin", tmp_path / "sub" / "link.bin")
    model, _ = external("sub/link.bin", offset=8)
    assert scored.worst(score(model, ROWS, tmp_path)["prediction"], ROWS @ W) < 1e-6


@pytest.mark.parametrize("location, text", [
    ("/etc/passwd", "its path is absolute"), ("../secret.bin", "its path leads upwards"),
    ("a/../../secret.bin", "its path leads upwards"), ("out.bin", "a symbolic link leads out of the folder"),
    ("elsewhere/secret.bin", "a symbolic link leads out of the folder"), ("absent.bin", "it does not exist"),
    ("folder", "it is not a regular file"), ("", "its name is not valid"), ("short.bin", "it ends after 10 bytes"),
])
def test_external_data_stays_in_the_folder(location, text, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "folder").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (home / "short.bin").write_bytes(bytes(10))
    os.symlink("../secret.bin", home / "out.bin")
    os.symlink("..", home / "elsewhere")
    message = refusal(external(location)[0], home)
    assert text in message and message.count("\n") == 1


def test_external_data_of_another_length(tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(1000))
    assert "95 bytes are named, 96 are needed" in refusal(external("w.bin", length=95)[0], tmp_path)
    assert "it ends after 1000 bytes" in refusal(external("w.bin", offset=2**63)[0], tmp_path)


def field(tag, payload):
    size, varint = len(payload), b""
    while size > 127:
        varint += bytes([size & 127 | 128])
        size >>= 7
    return bytes([tag]) + varint + bytes([size]) + payload


def test_deep_nesting_ends(tmp_path):
    """Graphs inside attributes of nodes of graphs, far deeper than any model."""
    graph = b""
    for _ in range(3000):
        graph = field(0x0A, field(0x2A, field(0x32, graph)))
    path = tmp_path / "deep.onnx"
    path.write_bytes(small(node("Relu", "x", "y")).SerializeToString() + field(0x3A, graph))
    assert "damaged or cut off" in scored.refusal(str(path), tmp_path)
