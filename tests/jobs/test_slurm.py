"""Submits jobs/score.sbatch, with its three lines edited, to a real Slurm that is started for this test and taken down again.

Needs $H5SCORE_TESTBED with slurm-up.sh and slurm-down.sh, which need root; skipped, and said so, without them."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import export_sklearn
import program
from testbed import TESTBED, free_port_base, require_testbed

SCRIPT = Path(program.SOURCE_DIR) / "jobs/score.sbatch"
ROWS, FEATURES = 200_000, 256

require_testbed()


@pytest.fixture(scope="module")
def slurm():
    """The environment of a private Slurm with 2 nodes of 2 CPUs."""
    home = tempfile.mkdtemp(prefix="h5score-slurm-")
    env = {**os.environ, "SLURM_TMP": home, "SLURM_PORT": str(free_port_base())}
    try:
        subprocess.run([f"{TESTBED}/slurm-up.sh", "2", "2"], env=env, check=True, timeout=240, stdin=subprocess.DEVNULL)
        text = subprocess.run(["bash", "-c", f". {home}/env; env -0"], env=env, check=True, capture_output=True).stdout
        yield dict(line.split("=", 1) for line in text.decode().split("\0") if "=" in line)
    finally:
        subprocess.run([f"{TESTBED}/slurm-down.sh"], env=env, timeout=60, stdin=subprocess.DEVNULL)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def work():
    """A folder with a model, an input, and the scores of a run without any launcher."""
    from sklearn.svm import SVC

    folder = Path(tempfile.mkdtemp(prefix="h5score jobs "))
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, FEATURES)).astype("f4")
    y = rng.integers(0, 2, size=ROWS)  # noise: all training rows become support vectors, so that a run takes seconds
    with h5py.File(folder / "rows.h5", "w") as f:
        f.create_dataset("x", data=x, chunks=(500, FEATURES))
    export_sklearn.save(str(folder / "model.h5"), SVC().fit(x[:3000].astype("f8"), y[:3000]), reference=x[:100].astype("f8"))
    program.run(["score", "--model", folder / "model.h5", "--input", folder / "rows.h5", "--output", folder / "alone.h5"])
    yield folder
    shutil.rmtree(folder)


def job_script(folder, output):
    """The job script with its three lines edited, as a user would."""
    text = SCRIPT.read_text()
    for name, value in (("MODEL", folder / "model.h5"), ("INPUT", folder / "rows.h5"), ("OUTPUT", output)):
        text, count = re.subn(rf'(?m)^{name}="[^"]*".*<-.*$', f'{name}="{value}"', text)
        assert count == 1
    path = folder / "score.sbatch"
    path.write_text(text)
    return path


def submit(slurm, script, launcher, log):
    """Submits and returns the job's number."""
    done = subprocess.run(
        ["sbatch", "--parsable", "--ntasks=2", "--nodes=2", "--cpus-per-task=1", "--time=5", f"--output={log}",
         f"--chdir={script.parent}", str(script)],
        env={**slurm, "LAUNCHER": launcher, "H5SCORE": program.BIN}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(";")[0].strip()


def job_facts(slurm, job):
    shown = subprocess.run(["scontrol", "show", "job", "-o", job], env=slurm, capture_output=True, text=True, timeout=30)
    return dict(re.findall(r"(\w+)=(\S*)", shown.stdout))


def wait(slurm, job, log, timeout=120):
    """The exit code of the batch script once the job has ended; cancels it when it takes too long."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        facts = job_facts(slurm, job)
        if facts.get("JobState") not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
            print(log.read_text() if log.exists() else "(no log)", file=sys.stderr)
            return int(facts["ExitCode"].split(":")[0])
        time.sleep(0.2)
    subprocess.run(["scancel", job], env=slurm, timeout=30)
    pytest.fail(f"job {job} has not ended within {timeout} s: {facts}\n{log.read_text() if log.exists() else ''}")


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_batch_job_scores_on_two_nodes(slurm, work, launcher):
    output, log = work / f"{launcher}.h5", work / f"{launcher}.log"
    job = submit(slurm, job_script(work, output), launcher, log)
    assert wait(slurm, job, log) == 0
    program.assert_same_scores(work / "alone.h5", output)
    report = json.loads((work / f"{launcher}-report.json").read_text())
    assert report["rows"] == ROWS
    assert len({rank["host"] for rank in report["ranks"]}) == 2


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_failure_of_the_program_is_the_failure_of_the_job(slurm, work, launcher):
    output, log = work / f"bad-{launcher}.h5", work / f"bad-{launcher}.log"
    script = job_script(work, output)
    script.write_text(script.read_text().replace("model.h5", "absent.h5"))
    assert wait(slurm, submit(slurm, script, launcher, log), log) == 66
    assert "absent.h5" in log.read_text()
    assert not output.exists()


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_job_stops_when_slurm_warns_it_and_the_next_one_resumes(slurm, work, launcher):
    output, log = work / f"again-{launcher}.h5", work / f"again-{launcher}.log"
    script = job_script(work, output)
    job = submit(slurm, script, launcher, log)
    end = time.monotonic() + 60
    while not Path(f"{output}.part").exists() and time.monotonic() < end:
        time.sleep(0.1)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], env=slurm, check=True, timeout=30)  # as #SBATCH --signal does
    assert wait(slurm, job, log) == 75
    assert Path(f"{output}.part").exists() and not output.exists()
    assert wait(slurm, submit(slurm, script, launcher, log), log) == 0
    assert not Path(f"{output}.part").exists()
    program.assert_same_scores(work / "alone.h5", output)
    assert json.loads((work / f"again-{launcher}-report.json").read_text())["resumed_blocks"] > 0
