"""export_torch.py: what it adds to PyTorch's ONNX file, and what it refuses. The scores: tests/run/test_twins.py."""
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

import export_torch
import scored

torch.set_num_threads(1)
SCRIPT = os.path.abspath(export_torch.__file__)
ROWS = np.random.RandomState(2).normal(size=(600, 5)) * [1, 2, 3, 4, 5] + 0.5
NETWORK = """import torch
def make(hidden=8):
    torch.manual_seed(4)
    return torch.nn.Sequential(torch.nn.Linear(5, hidden), torch.nn.BatchNorm1d(hidden), torch.nn.ReLU(),
                               torch.nn.Dropout(0.5), torch.nn.Linear(hidden, 3))
"""
SPACE = {}
exec(NETWORK, SPACE)  # the same text is a file for the command line below


def metadata(path):
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    found = {p.key: p.value for p in model.metadata_props}
    return model, {key: value if key == "h5score.output" else json.loads(value) for key, value in found.items()}


def test_metadata(tmp_path):
    module = SPACE["make"]().train()
    export_torch.export(module, ROWS, tmp_path / "a.onnx", feature_names=list("vwxyz"), classes=np.array([3, 5, 9]),
                        output="logits", training=ROWS)
    assert module.training, "the caller's module was changed"
    model, facts = metadata(tmp_path / "a.onnx")
    assert set(facts) == {"h5score." + key for key in ("feature_names", "classes", "output", "golden", "reference")}
    assert facts["h5score.feature_names"] == list("vwxyz")
    assert facts["h5score.classes"] == [3, 5, 9] and facts["h5score.output"] == "logits"
    rows, output = (np.array(facts["h5score.golden"][key]) for key in ("rows", "output"))
    assert rows.shape == (256, 5)
    np.testing.assert_array_equal(rows[[0, -1]], ROWS[[0, -1]].astype(np.float32))
    with torch.no_grad():
        theirs = module.eval()(torch.tensor(rows, dtype=torch.float32)).numpy()
    np.testing.assert_array_equal(output, theirs)
    np.testing.assert_allclose(facts["h5score.reference"]["stddev"], ROWS.std(axis=0))
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "the number of rows is fixed"
    assert not [node for node in model.graph.node if node.op_type == "Dropout"]
    assert os.listdir(tmp_path) == ["a.onnx"]


def test_little_is_said_where_little_is_known(tmp_path):
    export_torch.export(torch.nn.Linear(5, 1).double(), ROWS, tmp_path / "a.onnx", golden_rows=ROWS[:7], targets=["z"])
    model, facts = metadata(tmp_path / "a.onnx")
    assert set(facts) == {"h5score.golden", "h5score.targets"}
    assert np.shape(facts["h5score.golden"]["rows"]) == (7, 5)
    np.testing.assert_array_equal(facts["h5score.golden"]["rows"], ROWS[:7])
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


class Wrapped(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("says, function", [
    ("depends on the other rows", lambda x: torch.softmax(x, 0)),
    ("depends on the other rows", lambda x: x - x.mean(0)),
    ("changes from one call to the next", lambda x: torch.nn.functional.dropout(x, 0.5, training=True)),
    ("returns a tuple", lambda x: (x, x)),
    (r"returns shape \(5, 16\) for 16 rows", lambda x: x.T),
    (r"returns shape \(\)", lambda x: x.sum()),
])
def test_refuses_what_is_not_row_by_row(says, function, tmp_path):
    with pytest.raises(ValueError, match=says):
        export_torch.export(Wrapped(function), ROWS, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("says, arguments", [
    ("2 classes given, the model has 3", {"classes": ["a", "b"]}),
    ("4 feature names given, the model has 5", {"feature_names": list("abcd")}),
    ("1 target names given, the model has 3", {"targets": ["z"]}),
    ("output is 'scores'", {"output": "scores"}),
    ("training rows have 4 columns, the model has 5", {"training": ROWS[:, :4]}),
    ("a column without values", {"training": ROWS * [1, np.nan, 1, 1, 1]}),
    (r"rows of shape \(0, 5\)", {"golden_rows": ROWS[:0]}),
])
def test_refuses_what_does_not_fit(says, arguments, tmp_path):
    with pytest.raises(ValueError, match=says):
        export_torch.export(SPACE["make"](), ROWS, tmp_path / "a.onnx", **arguments)
    assert not list(tmp_path.iterdir())


def images(x):
    return torch.tensor(x, dtype=torch.float32).reshape(-1, 1, 1, 5).repeat(1, 1, 2, 1)


MODULES = {
    "one column": (torch.nn.Linear(5, 1), {"targets": ["z"]}),
    "a vector": (Wrapped(lambda x: x[:, 0] * 2), {}),
    "logits of one column": (torch.nn.Linear(5, 1), {"classes": [0, 1]}),
    "probabilities": (torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Softmax(1)), {"classes": ["a", "b", "c"]}),
    "logarithms": (torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.LogSoftmax(1)), {"classes": [4, 5, 6]}),
    "images": (torch.nn.Sequential(torch.nn.Conv2d(1, 4, (2, 5)), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4, 2)),
               {"classes": ["a", "b"]}),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_program_scores_it(name, tmp_path):
    module, arguments = MODULES[name]
    rows = images(ROWS).numpy() if name == "images" else ROWS.astype(np.float32)
    export_torch.export(module, rows, tmp_path / "a.onnx", training=rows, **arguments)
    got = scored.score(tmp_path / "a.onnx", rows.reshape(len(rows), -1), tmp_path)
    assert got.info["golden_rows"] == 256 and got.info["golden_passed"]
    with torch.no_grad():
        z = module(torch.tensor(rows)).reshape(len(rows), -1)
    if "classes" not in arguments:
        assert scored.worst(got["prediction"], z.numpy()) < 1e-6
        return
    p = torch.sigmoid(torch.cat([-z, z], 1)) if z.shape[1] == 1 else z if name == "probabilities" else torch.softmax(z, 1)
    assert scored.worst(got["probability"], p.numpy()) < 1e-6
    assert (got["label"].ravel() == p.numpy().argmax(axis=1)).all()


def test_from_the_command_line(tmp_path):
    module = SPACE["make"]()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    torch.jit.script(module).save(str(tmp_path / "script.pt"))
    torch.save(torch.nn.Linear(5, 3), tmp_path / "whole.pt")
    (tmp_path / "network.py").write_text(NETWORK)
    (tmp_path / "names.txt").write_text("a b\nc\nd\ne\nf\n")
    np.save(tmp_path / "x.npy", ROWS)

    def run(*arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments, "--rows", "x.npy"], cwd=tmp_path, capture_output=True,
                              text=True, check=False)

    for sources in (["network.py:make", "weights.pt"], ["script.pt"], ["whole.pt"]):
        done = run(*sources, "out.onnx", "--classes", "g,q,t", "--feature-names", "names.txt", "--training", "x.npy")
        assert (done.returncode, done.stdout, done.stderr) == (0, "wrote out.onnx\n", "")
        _, facts = metadata(tmp_path / "out.onnx")
        assert facts["h5score.classes"] == ["g", "q", "t"] and facts["h5score.feature_names"][0] == "a b"
        os.remove(tmp_path / "out.onnx")
    for says, *sources in (("give MODULE.py:factory, too", "weights.pt"), ("no attribute 'build'", "network.py:build", "weights.pt"),
                           ("absent.pt", "network.py:make", "absent.pt"), ("absent.py", "absent.py:make", "weights.pt")):
        done = run(*sources, "out.onnx")
        assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert not (tmp_path / "out.onnx").exists()
