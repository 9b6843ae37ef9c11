"""Operators that touch the axis of the rows: each is refused, or gives what ONNX gives for each row by itself."""
import numpy as np
import pytest

from onnx_models import build, node, refusal, score
from scored import worst

R = np.random.RandomState(9)
ROWS = R.normal(size=(8, 12)).astype(np.float32)
W6, W12 = (R.normal(size=(n, 3)).astype(np.float32) for n in (6, 12))
CONSTANTS = {
    "two six": [2, 6], "any six": [-1, 6], "any twelve": [-1, 12], "any more": [-1, 24], "any five": [-1, 5], "flat": [-1],
    "one any": [1, -1], "copy any": [0, -1], "copy six": [0, 6], "copy two six": [0, 2, 6], "copy more": [0, 0, 0],
    "any copy": [-1, 0], "any two six": [-1, 2, 6], "six any": [6, -1], "eight twelve": [8, 12], "eight any": [8, -1],
    "sixteen six": [16, 6], "twelve eight": [12, 8], "five any": [5, -1], "one twelve": [1, 12], "axis0": [0], "axis1": [1],
    "n0": [0], "n1": [1], "n2": [2], "most": [2**31 - 1], "minus": [-1], "twelve": [12], "six": [6]}
CONSTANTS = {name.replace(" ", "_"): np.array(values) for name, values in CONSTANTS.items()}
CONSTANTS.update(w6=W6, w12=W12, scalar0=np.array(0), ones=np.ones((2, 1, 1), dtype=np.float32))
N = [node("Shape", "x", "s"), node("Slice", "s n0 n1", "n")]  # the number of rows, as a list


def reshape(target, source="x", result="y"):
    return node("Reshape", "%s %s" % (source, target), result)


def graph(*nodes, batch=None, opset=13, shape=(12,), **kwargs):
    return build(list(nodes), [batch, *shape], CONSTANTS, opset=opset, **kwargs)


CUT = "it would cut rows into several"
JOIN = "it would join rows"
MIX = "it would mix values of different rows"
REFUSED = {
    "reshape cuts": (graph(reshape("any_six")), CUT),
    "reshape cuts before Gemm": (graph(reshape("any_six", result="r"), node("Gemm", "r w6", "y")), CUT),
    "reshape to a list": (graph(reshape("flat")), CUT),
    "reshape joins": (graph(reshape("any_more")), JOIN),
    "reshape joins before Gemm": (graph(reshape("any_twelve", result="r"), node("Gemm", "r w12", "y"), shape=(6,)), JOIN),
    "reshape does not divide": (graph(reshape("any_five")), "do not fit the new shape"),
    "reshape without a place for the rows": (graph(reshape("one_any")), MIX),
    "reshape to a fixed number": (graph(reshape("two_six")), MIX),
    "reshape to fixed columns": (graph(reshape("six_any")), MIX),
    "reshape with too few columns": (graph(reshape("copy_six")), "do not fit the new shape"),
    "reshape with more copies": (graph(reshape("copy_more")), "copies an extent that there is not"),
    "fixed batch cut": (graph(reshape("sixteen_six"), batch=8), CUT),
    "fixed batch cut by -1": (graph(reshape("any_six"), batch=8), CUT),
    "fixed batch turned": (graph(reshape("twelve_eight"), batch=8), MIX),
    "fixed batch of another number": (graph(reshape("five_any"), batch=8), MIX),
    "fixed batch as one row": (graph(reshape("one_any"), batch=8), MIX),
    "computed cut": (graph(*N, node("Mul", "n n2", "m"), node("Concat", "m six", "to", axis=0), reshape("to")), CUT),
    "computed turned": (graph(*N, node("Concat", "twelve n", "to", axis=0), reshape("to")), MIX),
    "computed turned by -1": (graph(*N, node("Concat", "minus n", "to", axis=0), reshape("to")), MIX),
    "computed twice": (graph(*N, node("Concat", "n n", "to", axis=0), reshape("to")), MIX),
    "computed sum": (graph(*N, node("Add", "n n1", "m"), node("Concat", "m minus", "to", axis=0), reshape("to")),
                     "computes with the number of rows"),
    "transpose": (graph(node("Transpose", "x", "y")), "run along axis 1 of it"),
    "transpose of three axes": (graph(node("Transpose", "x", "y", perm=[1, 0, 2]), shape=(2, 6)), "run along axis 1 of it"),
    "transpose before Gemm": (graph(node("Transpose", "x", "t"), node("Gemm", "t w12", "y")), MIX),
    "transposed Gemm": (graph(node("Gemm", "x w12", "y", transA=1)), MIX[9:]),
    "transpose before Relu": (graph(node("Transpose", "x", "t"), node("Relu", "t", "y")), "run along axis 1 of it"),
    "transpose before Reshape": (graph(node("Transpose", "x", "t"), reshape("any_twelve", "t")), MIX),
    "transpose plus rows": (graph(node("Transpose", "x", "t"), node("Add", "t x", "y")), "differs between rows"),
    "flatten": (graph(node("Flatten", "x", "y", axis=0)), MIX),
    "flatten from the end": (graph(node("Flatten", "x", "y", axis=-2)), MIX),
    "flatten with columns": (graph(node("Flatten", "x", "y", axis=2), shape=(2, 6)), CUT),
    "squeeze": (graph(node("Squeeze", "x axis0", "y")), "drop the axis of the rows"),
    "squeeze of a fixed batch": (graph(node("Squeeze", "x axis0", "y"), batch=1), "drop the axis of the rows"),
    "concat": (graph(node("Concat", "x x", "y", axis=0)), JOIN),
    "concat from the end": (graph(node("Concat", "x x", "y", axis=-2)), JOIN),
    "concat before the rows": (graph(node("Unsqueeze", "x axis0", "u"), node("Concat", "u u", "y", axis=0)),
                               "run along axis 1 of it"),
    "more by broadcasting": (graph(node("Add", "x ones", "y")), "run along axis 1 of it"),
    "softmax": (graph(node("Softmax", "x", "y", axis=0)), MIX),
    "softmax from the end": (graph(node("Softmax", "x", "y", axis=-2)), MIX),
    "softmax before opset 13": (graph(node("Softmax", "x", "y", axis=0), opset=11), MIX),
    "log softmax": (graph(node("LogSoftmax", "x", "y", axis=0)), MIX),
    "softmax behind an axis": (graph(node("Unsqueeze", "x axis0", "u"), node("Softmax", "u", "y", axis=1)), MIX),
    "sum": (graph(node("ReduceSum", "x axis0", "y")), MIX),
    "sum of all": (graph(node("ReduceSum", "x", "y")), MIX),
    "mean": (graph(node("ReduceMean", "x", "y", axes=[0])), MIX),
    "mean from the end": (graph(node("ReduceMean", "x", "y", axes=[-2])), MIX),
    "mean of all": (graph(node("ReduceMean", "x", "y")), MIX),
    "norm": (graph(node("LpNormalization", "x", "y", axis=0)), MIX),
    "largest": (graph(node("ArgMax", "x", "y", axis=0)), "compare different rows"),
    "gather": (graph(node("Gather", "x n0", "y", axis=0)), "pick rows"),
    "gather one": (graph(node("Gather", "x scalar0", "y", axis=0)), "pick rows"),
    "slice": (graph(node("Slice", "x n0 n2 axis0", "y")), "pick rows"),
    "slice without the first": (graph(node("Slice", "x n1 most axis0", "y")), "pick rows"),
    "slice every other": (graph(node("Slice", "x n0 most axis0 n2", "y")), "pick rows"),
    "split": (graph(node("Split", "x", "y z", axis=0)), "pick rows"),
    "expand by the number of rows": (graph(*N, node("Concat", "n1 n", "to", axis=0), node("Expand", "x to", "y"), shape=(1,)), MIX),
    "scores in a map": (graph(reshape("any_six", result="r"), node("ZipMap", "r", "y", ml=True, classlabels_int64s=list(range(12)))),
                        CUT),
    "turned scores in a map": (graph(node("Transpose", "x", "t"), node("ZipMap", "t", "y", ml=True,
                                                                         classlabels_int64s=list(range(12)))), "run along axis 1"),
    "one of several outputs": (graph(node("Relu", "x", "y"), reshape("any_six", result="z"), outputs="y z"), "output 'z'"),
    "inputs of different batches": (build([node("Concat", "a b", "c", axis=1), reshape("any_six", "c")], None, CONSTANTS,
                                          inputs={"a": ["N", 6], "b": [1, 6]}), CUT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    model, text = REFUSED[name]
    message = refusal(model, tmp_path)
    assert text in message, message
    assert message.count("\n") == 1


RIGHT = {
    "rows stay": (graph(reshape("any_twelve")), ROWS),
    "more axes": (graph(reshape("any_two_six")), ROWS),
    "copied rows": (graph(reshape("copy_two_six")), ROWS),
    "copied columns": (graph(reshape("any_copy")), ROWS),
    "copy and rest": (graph(reshape("copy_any", result="r"), node("Gemm", "r w12", "y"), shape=(2, 6)), ROWS @ W12),
    "cut and joined again": (graph(reshape("any_six", result="r"), node("Relu", "r", "a"), reshape("any_twelve", "a")),
                             np.maximum(ROWS, 0)),
    "fixed batch": (graph(reshape("eight_twelve"), batch=8), ROWS),
    "fixed batch and rest": (graph(reshape("eight_any"), batch=8, shape=(2, 6)), ROWS),
    "one row at a time": (graph(reshape("one_twelve"), batch=1, shape=(2, 6)), ROWS),
    "one row in two": (graph(reshape("two_six", result="r"), node("Gemm", "r w6", "y"), batch=1),
                       (ROWS.reshape(8, 2, 6) @ W6).reshape(8, 6)),
    "one row as a list": (graph(reshape("flat"), batch=1), ROWS),
    "one row turned": (graph(node("Transpose", "x", "y", perm=[2, 1, 0]), batch=1, shape=(2, 6)),
                       ROWS.reshape(8, 2, 6).transpose(0, 2, 1).reshape(8, 12)),
    "one row flattened": (graph(node("Flatten", "x", "y", axis=0), batch=1, shape=(2, 6)), ROWS),
    "computed": (graph(*N, node("Concat", "n minus", "to", axis=0), reshape("to"), shape=(2, 6)), ROWS),
    "there and back": (graph(node("Transpose", "x", "t"), node("Relu", "t", "r"), node("Transpose", "r", "y")),
                       np.maximum(ROWS, 0)),
    "new axis before": (graph(node("Unsqueeze", "x axis0", "y")), ROWS),
    "new axis and back": (graph(node("Unsqueeze", "x axis0", "u"), node("Squeeze", "u axis0", "y")), ROWS),
    "joined before, then behind": (graph(node("Unsqueeze", "x axis0", "u"), node("Concat", "u u", "c", axis=0),
                                         node("Transpose", "c", "y", perm=[1, 0, 2])), np.tile(ROWS, 2)),
    "all rows": (graph(node("Slice", "x n0 most axis0", "y")), ROWS),
    "one column turned": (graph(node("Transpose", "x", "y"), shape=(1,)), ROWS[:, :1]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name, tmp_path):
    model, expected = RIGHT[name]
    width = int(np.prod([d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]))
    assert worst(score(model, ROWS[:, :width], tmp_path)["prediction"], expected) < 1e-6
