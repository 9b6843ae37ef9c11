"""Models and data that others published: the tables of docs/models.md and docs/inputs.md are what becomes of them."""
import os
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import page_tables
import pytest
from program import SOURCE_DIR, run

ROOT = Path(os.environ.get("H5SCORE_REALDATA") or "/nonexistent")
if not ROOT.is_dir():
    pytest.skip("H5SCORE_REALDATA is not set: third-party models and data are not tested", allow_module_level=True)
sys.path.append(str(Path(SOURCE_DIR) / "tests/format"))
import scored  # noqa: E402
import test_onnx_realdata as onnx_files  # noqa: E402

PROJECTS = {"hls4ml-example-models": "hls4ml", "keras-globalemu": "globalemu", "onnx-debian-testdata": "ONNX",
            "onnx-ezkl": "EZKL", "onnx-kinference": "KInference", "onnx-vnncomp2020": "VNN-COMP 2020",
            "onnx-sklearn-onnx-trees": "sklearn-onnx", "libsvm-plssvm": "PLSSVM", "libsvm-vmaf": "VMAF",
            "h5-anndata": "AnnData", "h5-h5py": "h5py", "h5-hdf5array-toy": "HDF5Array", "h5-hdf5pure": "hdf5-pure",
            "h5-hdf5r": "hdf5r", "h5-jhdf": "jHDF", "h5-pytables": "PyTables", "h5-rhdf5": "rhdf5",
            "h5-scanpy-10x": "scanpy", "h5-vaex": "vaex"}
# Keras and LIBSVM files: what they are compared with in tests/format, and the limit there.
OTHERS = {
    "hls4ml-example-models/keras/KERAS_1layer.json": ("numpy, from its weights", "3e-06"),
    "hls4ml-example-models/keras/KERAS_3layer_batch_norm.json": ("numpy, from its weights", "3e-06"),
    "keras-globalemu/T_release/model.h5": ("numpy, from its weights", "1e-06"),
    "libsvm-plssvm/predict/500x200_linear.libsvm.model": ("the project's labels of 500 rows", "equal"),
    "libsvm-plssvm/predict/500x200_rbf.libsvm.model": ("the project's labels of 500 rows", "equal"),
    "libsvm-vmaf/vmaf_float_v0.6.1.pkl.model": ("itself, written and read again", "equal"),
}


def project(path):
    folder = str(path).split("/", maxsplit=1)[0]
    return PROJECTS[folder]


def refusal(path):
    """The words in parentheses and before them: what of the model cannot be scored."""
    text = run(["inspect", ROOT / path], code=65).stderr.strip()
    found = re.search(r"(operator|layer) .*? cannot be scored.*", text)
    assert found, text
    return found.group().split("; ")[0].replace("|", "\\|")


def onnx_difference(name, folder):
    model = onnx_files.opened(name)
    rows, expected = onnx_files.reference(name, onnx.ModelProto.FromString(model.SerializeToString()))
    result = onnx_files.score(model, rows, folder)
    column = next(kind for kind in ("prediction", "probability", "decision") if kind in result)
    return scored.worst(result[column], np.asarray(expected).reshape(len(rows), -1))


def test_models(tmp_path):
    rows, operators = [], []
    for name, limit in onnx_files.MATCHES.items():
        worst = onnx_difference(name, tmp_path)
        assert worst <= limit, f"{name}: {worst}"
        if project(name) == "ONNX":
            operators.append(worst)
        else:
            rows.append((project(name), f"`{name.split('/', 1)[1]}`", "scored", f"{worst:.0e}", f"{limit:.0e}"))
    rows.insert(0, ("ONNX", f"{len(operators)} operator cases", "scored", f"{max(operators):.0e}", "1e-06"))
    for name, (twin, limit) in OTHERS.items():
        run(["inspect", ROOT / name])
        rows.append((project(name), f"`{name.split('/', 1)[1]}`", f"scored; compared with {twin}", "", limit))
    for name in onnx_files.REFUSED:
        if project(name) != "ONNX":  # the operator cases take their weights as inputs, and are changed before
            rows.append((project(name), f"`{name.split('/', 1)[1]}`", refusal(name), "", ""))
    for name in ("KERAS_conv1d_small.json", "keras_bnn.json"):
        rows.append(("hls4ml", f"`keras/{name}`", refusal("hls4ml-example-models/keras/" + name), "", ""))
    heading = ("project", "model", "outcome", "largest difference", "limit")
    page_tables.check_measured("docs/models.md", "third-party", heading, rows, 3)


def reasons(text):
    """Why datasets of a file cannot be scored, from the text of `inspect`, without names and numbers."""
    entries = re.findall(r"^  (/.*(?:\n    .*)*)", text, re.M)
    found = set()
    for entry in entries:
        _, refused, why = " ".join(entry.split()).partition("cannot be scored: ")
        if refused:
            found.add(re.sub(r" (of )?\d+ bytes?| \d+| \(H5Z.*|(?<=as a number): .*", "", why))
    return found


def is_hdf5(path):
    return path.suffix == ".mat" or path.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"


def test_data():
    rows = []
    for folder in sorted(ROOT.glob("h5-*")):
        if folder.name == "h5-cve":  # hostile files: tests/storage/test_input_realdata.py
            continue
        files = sorted(p for p in folder.rglob("*") if p.is_file() and is_hdf5(p))
        readable, why = 0, set()
        for path in files:
            done = run(["inspect", path], code=None)
            if done.returncode:
                why.add(re.sub(r".*?: ", "", done.stderr.strip(), count=2).split(" (")[0])
            readable += "can be scored; choose" in done.stdout or "To score" in done.stdout
            why |= reasons(done.stdout)
        if files:
            rows.append((PROJECTS[folder.name], len(files), readable, "; ".join(sorted(why))))
    heading = ("project", "files", "with tables to score", "other datasets are refused because")
    page_tables.check_measured("docs/inputs.md", "third-party", heading, rows, 3)
