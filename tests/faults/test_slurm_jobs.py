"""jobs/score-requeue.sbatch and jobs/score-array.sbatch in a real Slurm."""
import re
import signal
import time
from pathlib import Path

import h5py
import ledger
import matrix
import numpy as np
import program
import pytest
import testbed
from running import RunningJob, pending, until
from slow_job import make_slow_job

testbed.require_testbed()
JOBS = Path(program.SOURCE_DIR) / "jobs"
SMALL = ["--nodes=2", "--ntasks=2", "--cpus-per-task=1"]


@pytest.fixture(scope="module")
def slurm():
    with testbed.slurm(2, 2) as bed:
        yield bed


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_slow_job(tmp_path_factory.mktemp("slurm jobs"), block=20)  # a blank in the path


def requeue_script(job, folder, more=""):
    """The script with its lines edited as a user would, and the options that make the job's blocks."""
    script = testbed.edited(JOBS / "score-requeue.sbatch", folder, MODEL=f"{job.inputs}/m.model", INPUT=f"{job.inputs}/in.h5",
                            OUTPUT=job.out)
    options = job.arguments[job.arguments.index("--block-rows"):]
    options = " ".join(map(str, options)).replace("--threads 1 ", "")
    text = script.read_text()
    assert "OPTIONS=(--resume --wait 10m)" in text
    script.write_text(text.replace("OPTIONS=(--resume --wait 10m)", f"OPTIONS=(--resume --wait 10m {options} {more})"))
    return script


def environment(launcher):
    return {"LAUNCHER": launcher, "H5SCORE": program.BIN}


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_a_job_that_needs_several_time_limits_queues_itself_again(slurm, job, tmp_path, launcher):
    """The warning comes by scancel, which sends what --signal=B:USR1@N sends, when the job has certainly more to do."""
    job.clear()
    stops, log = 3 if launcher == "srun" else matrix.count(1, 3), tmp_path / "log"
    script = requeue_script(job, tmp_path)
    number = slurm.submit(script, *SMALL, "--time=10", f"--output={log}", env=environment(launcher))
    claimed = 0
    for stop in range(stops):
        ranks = RunningJob(job.out, 2)
        ranks.halt_at(claimed + 1)
        slurm.run("scancel", "--batch", "--signal=USR1", number)
        until(lambda r=ranks: all(pending(pid, signal.SIGUSR1) for pid in r.pids.values()), f"USR1 from {launcher}")
        ranks.go_on()
        until(lambda n=stop: log.read_text().count("; queued again\n") > n,
              "the script to queue itself again")
        claimed = len(ledger.assert_sound(job.out, job.undisturbed))
    assert slurm.wait(number, log) == 0, log.read_text()
    text = log.read_text()
    assert f"complete after {stops} restarts" in text
    assert len(re.findall(r"exit code 75 with \d+ blocks done", text)) == stops, text
    program.assert_same_scores(job.undisturbed, job.out)
    matrix.record("stop-scancel", stops, f"75 under {launcher}, queued again by jobs/score-requeue.sbatch; R")


def test_a_job_that_gets_nowhere_is_not_queued_again(slurm, job, tmp_path):
    job.clear()
    log = tmp_path / "log"
    script = requeue_script(job, tmp_path, "--time-limit 0.000001s")
    number = slurm.submit(script, *SMALL, "--time=10", f"--output={log}", env=environment("srun"))
    assert slurm.wait(number, log) == 75, log.read_text()
    assert "exit code 75 without a block more than before (0); not queued again" in log.read_text()
    assert slurm.facts(number)["Restarts"] == "0"


def test_an_error_that_would_come_again_is_not_queued_again(slurm, job, tmp_path):
    job.clear()
    log = tmp_path / "log"
    script = requeue_script(job, tmp_path, "--dataset /absent")
    number = slurm.submit(script, *SMALL, "--time=10", f"--output={log}", env=environment("srun"))
    assert slurm.wait(number, log) in (65, 66), log.read_text()
    assert "explained above; not queued again" in log.read_text()


@pytest.mark.skipif(not matrix.FULL, reason="takes ten minutes: part of scripts/run-tests --faults")
def test_real_time_limits_untouched_by_hand(slurm, tmp_path):
    """Slurm sends the warning 40 to 100 s after the start of each of the jobs; together they need 500 s."""
    trial, folder = tmp_path / "trial", tmp_path / "job"
    trial.mkdir()
    folder.mkdir()
    job = make_slow_job(trial, block=200, rows=40_000)
    start = time.monotonic()
    program.run([*job.arguments, "--output", f"{trial}/speed.h5"])
    rows = int(40_000 * 500 / (time.monotonic() - start))
    job = make_slow_job(folder, block=200, rows=rows)
    log = tmp_path / "log"
    number = slurm.submit(requeue_script(job, tmp_path), "--ntasks=1", "--cpus-per-task=1", "--time=2", "--signal=B:USR1@20",
                          f"--output={log}", env=environment("srun"))
    assert slurm.wait(number, log, timeout=1800) == 0, log.read_text()
    restarts = int(re.search(r"complete after (\d+) restarts", log.read_text()).group(1))
    assert restarts >= 3
    program.assert_same_scores(job.undisturbed, job.out)
    matrix.record("stop-scancel", restarts, f"{restarts} real time limits of one job; R")


def test_an_array_gives_a_file_for_each_task_and_together_they_are_one(slurm, job, tmp_path):
    files, tasks = 7, 3
    rng = np.random.default_rng(5)
    for i in range(files):
        with h5py.File(tmp_path / f"tract_{i + 5}.h5", "w") as f:  # 5 to 11: sorted naturally
            f["x"] = rng.normal(size=(50 + i, 16)).astype("f4")
    script = testbed.edited(JOBS / "score-array.sbatch", tmp_path, MODEL=f"{job.inputs}/m.model", INPUT=f"{tmp_path}/tract_*.h5",
                            OUTPUT=f"{tmp_path}/scores", TASKS=tasks)
    logs = tmp_path / "log-%a"
    number = slurm.submit(script, f"--array=0-{tasks - 1}", "--ntasks=1", "--cpus-per-task=1", "--time=5", f"--output={logs}",
                          env=environment("srun"))
    until(lambda: not slurm.run("squeue", "-h", "-j", number, check=False).stdout.strip(), "an end of the array")
    print(*(path.read_text() for path in sorted(tmp_path.glob("log-*"))))
    program.run(["score", "--model", f"{job.inputs}/m.model", "--input", f"{tmp_path}/tract_*.h5", "--output", tmp_path / "one.h5"])
    outputs = sorted(tmp_path.glob("scores-*.h5"))
    assert [path.name for path in outputs] == [f"scores-000{i}.h5" for i in range(tasks)]
    joined = np.concatenate([h5py.File(path)["prediction"][()] for path in outputs])
    assert joined.tobytes() == h5py.File(tmp_path / "one.h5")["prediction"][()].tobytes()
    # As the page says it.
    page = (Path(program.SOURCE_DIR) / "docs/results.md").read_text()
    code = re.search(r"## Many score files\n.*?```python\n(.*?)```", page, re.S).group(1)
    done = program.subprocess.run([program.sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert h5py.File(tmp_path / "all.h5")["prediction"][()].tobytes() == joined.tobytes()
