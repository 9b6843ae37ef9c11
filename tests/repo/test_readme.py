"""Runs every command of README.md, in its order and as it stands there, in a folder with the files that it names.

Only the launcher is another: `srun` stands for mpiexec with 2 ranks here (a real srun: tests/jobs)."""
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

import program

ROOT = Path(program.SOURCE_DIR)
SRUN = f"""#!/bin/sh
# srun -n N PROGRAM... with 2 ranks
shift 2
exec "{program.MPIEXEC}" -n 2 "$@"
"""


def blocks():
    """The shell blocks of README.md: lists of commands."""
    found = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    return [[line for line in block.splitlines() if line and not line.startswith("#")] for block in found]


def run(command, folder, env=None):
    done = subprocess.run(["bash", "-c", command], cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          timeout=500, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def astronomer(tmp_path):
    """A folder as a user has it: a joblib file of a regression pipeline, a sample, three HDF5 files; and PATH with h5score."""
    import joblib
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(3)
    x = rng.normal(size=(900, 5))
    model = make_pipeline(StandardScaler(), Ridge()).fit(x, x @ [1, 2, 3, 4, 5])
    joblib.dump(model, tmp_path / "photoz.joblib")
    np.save(tmp_path / "sample.npy", x[:50])
    for i, part in zip((1, 2, 10), np.split(x, 3)):
        with h5py.File(tmp_path / f"tract_{i}.h5", "w") as f:
            f["magnitudes"] = part
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/srun").write_text(SRUN)
    (tmp_path / "bin/srun").chmod(0o755)
    (tmp_path / "bin/h5score").symlink_to(program.BIN)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path, model.predict(x)


def test_from_a_joblib_file_to_scores(astronomer):
    folder, expected = astronomer
    commands = blocks()[1]
    assert len(commands) == 4
    env = {"PATH": f"{folder}/bin:/usr/bin:{os.environ['PATH']}"}
    shown = [run(command, folder, env) for command in commands]
    assert "magnitudes" in shown[1]
    assert "DATASET \"/prediction\"" in shown[3]
    with h5py.File(folder / "scores.h5") as f:
        np.testing.assert_allclose(f["prediction"][:].ravel(), expected, rtol=1e-12)
        assert not f["status"][:].any()


def test_the_two_commands(tmp_path):
    demo, tests = (line.split("#")[0].strip() for line in blocks()[0])
    assert (demo, tests) == ("scripts/run-demo", "scripts/run-tests")
    # run-tests is what runs this test; CI calls it by the same name.
    assert "scripts/run-tests" in (ROOT / ".ci/run").read_text()
    shown = run(shlex.quote(str(ROOT / demo)), tmp_path, {"H5SCORE_BUILD": os.environ["H5SCORE_BUILD_DIR"], "H5SCORE_OUT": str(tmp_path / "my out")})
    right = {name: float(value) for value, name in re.findall(r"([\d.]+) of 70000 rows right.*scores-(\w+)\.h5", shown)}
    assert set(right) == {"logistic", "mlp", "svm"}
    assert min(right.values()) > 0.8


def test_no_other_command_stands_in_the_readme():
    assert [len(block) for block in blocks()] == [2, 4]
    assert shutil.which("h5dump")
