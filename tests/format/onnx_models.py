"""Builds small ONNX models, and scores and refuses them through the test tool."""
import os

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import scored

TYPES = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE, np.int64: TensorProto.INT64}


def node(op, inputs, outputs, ml=False, **attributes):
    """One node; names of inputs and outputs separated by blanks ('-' for an optional input that is left out)."""
    names = [["" if name == "-" else name for name in names.split()] for names in (inputs, outputs)]
    return helper.make_node(op, *names, domain="ai.onnx.ml" if ml else "", **attributes)


def build(nodes, shape, constants=None, outputs="y", opset=13, dtype=np.float32, inputs=None, ml=3, metadata=None):
    """A model of these nodes with the input x of this shape (None: free), or several in `inputs`."""
    inputs = inputs or {"x": shape}
    infos = [helper.make_tensor_value_info(name, TYPES[dtype], extents) for name, extents in inputs.items()]
    tensors = [value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(
        np.asarray(value, dtype=dtype) if np.asarray(value).dtype.kind == "f" else np.asarray(value), name)
        for name, value in (constants or {}).items()]
    for tensor, name in zip(tensors, constants or {}):
        tensor.name = name
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    graph = helper.make_graph(nodes, "test", infos, results, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
    model = helper.make_model(graph, opset_imports=imports, producer_name="test", producer_version="7")
    model.ir_version = 8
    helper.set_model_props(model, metadata or {})
    return model


def write(model, folder):
    path = os.path.join(folder, "m.onnx")
    onnx.save(model, path)
    return path


def score(model, rows, folder):
    """The results of an ONNX model for rows of any shape."""
    return scored.score(write(model, folder), np.asarray(rows).reshape(len(rows), -1), folder)


def refusal(model, folder):
    return scored.refusal(write(model, folder), folder)


def native(model, folder):
    """The model in the native format, opened."""
    copy = os.path.join(folder, "native.h5")
    done = scored.run("copy", write(model, folder), copy)
    assert done.returncode == 0, done.stderr
    return h5py.File(copy)


def stage_kinds(model, folder):
    """What the stages are: "affine", "activation relu", ..."""
    with native(model, folder) as f:
        stages = [f["stages/%d" % i].attrs for i in range(len(f["stages"]))]
        return [" ".join(str(a[key]) for key in ("kind", "function") if key in a) for a in stages]


def load_tensor(path):
    with open(path, "rb") as f:
        return numpy_helper.to_array(TensorProto.FromString(f.read()))
