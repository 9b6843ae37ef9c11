"""Runs that are asked to stop: by a signal to all ranks or to one, by a time limit, many times in a row. They end with 75 from
the root after its last write, and nothing that was scored is lost."""
import itertools
import os
import re
import shlex
import signal
import subprocess
import time

import h5py
import ledger
import matrix
import pytest
from program import BIN, run
from running import halted, launched_by_open_mpi, pending, until
from slow_job import IO, SCHEDULES, make_slow_job

STOPPED = 75


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_slow_job(tmp_path_factory.mktemp("stops"))


def blocks_scored(part):
    """Blocks of each run that has ended, as the file itself says."""
    with h5py.File(part, "r", locking=False) as f:
        runs = f["h5score/runs"][()]
    return [int(r["blocks"]) for r in runs if r["start_ns"] != 0 and r["end_ns"] != 0]


def assert_stopped(job, going, asked):
    """The run that goes on ends with 75, one message, and a part file that lacks nothing that was scored. Gives seconds."""
    start = time.monotonic()
    code, stdout, stderr = going.end()
    seconds = time.monotonic() - start
    assert code == STOPPED, (asked, code, stderr)
    assert "Stopped early: scored" in stdout
    assert len(re.findall(r"h5score: stopped early \(.*\); resume with: ", stderr)) == 1, stderr
    claimed = ledger.assert_sound(job.out, job.undisturbed)
    assert not os.path.exists(job.out)
    assert sum(blocks_scored(ledger.part_of(job.out))) == len(claimed), "all that was scored is claimed"
    assert len(claimed) < ledger.blocks_of(ledger.part_of(job.out))
    return seconds


def resume_as_told(job, stderr):
    """Runs the command of the message as it is."""
    told = re.search(r"resume with: (.*)\n", stderr).group(1)
    assert shlex.split(told)[0] == BIN
    subprocess.run(told, shell=True, check=True, capture_output=True, timeout=120)


@pytest.mark.skipif(not launched_by_open_mpi(), reason="only Open MPI's mpirun passes USR1 on")
def test_usr1_to_the_launcher(job):
    every = list(itertools.product((2, 3, 4), SCHEDULES, IO))
    few = [(3, "static", "scatter"), (4, "dynamic", "direct")]
    slowest = 0.0
    for np_, schedule, io in matrix.count(few, every):
        job.clear()
        with halted([*job.arguments, "--schedule", schedule, "--io", io], job.out, np_) as going:
            going.launcher.send_signal(signal.SIGUSR1)
            until(lambda run=going: all(pending(pid, signal.SIGUSR1) for pid in run.pids.values()), "mpirun to pass USR1 on")
            going.go_on()
            slowest = max(slowest, assert_stopped(job, going, (np_, schedule, io)))
        ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    matrix.record("stop-mpirun", len(matrix.count(few, every)), f"75 after {slowest:.1f} s at most; nothing scored was lost; R")


def test_a_signal_to_one_rank_stops_all(job):
    every = [(np_, asked, schedule, io) for np_ in (1, 2, 3, 4) for asked in range(np_)
             for schedule, io in itertools.product(SCHEDULES, IO)]
    few = [(2, 1, "dynamic", "direct"), (3, 2, "static", "scatter"), (4, 2, "guided", "scatter"), (3, 0, "dynamic", "scatter")]
    slowest = 0.0
    for i, (np_, asked, schedule, io) in enumerate(matrix.count(few, every)):
        job.clear()
        number = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)[i % 3]
        with halted([*job.arguments, "--schedule", schedule, "--io", io], job.out, np_) as going:
            going.signal(number, [asked])
            going.go_on([asked])
            going.has_polled(asked)  # so that its wish is under way before the others could finish without it
            going.go_on()
            slowest = max(slowest, assert_stopped(job, going, (np_, asked, schedule, io)))
        ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    matrix.record("stop-one-rank", len(matrix.count(few, every)), f"75 after {slowest:.1f} s at most; nothing scored was lost; R")


def test_a_time_limit_stops_the_run(job):
    every = list(itertools.product((None, 2, 3, 4), SCHEDULES, IO))
    few = [(3, "static", "scatter")]
    for np_, schedule, io in matrix.count(few, every):
        job.clear()
        limit = ["--time-limit", "1s"]
        with halted([*job.arguments, "--schedule", schedule, "--io", io, *limit], job.out, np_, blocks=0) as going:
            time.sleep(1.1)  # halted until the time is over
            going.go_on()
            assert_stopped(job, going, (np_, schedule, io))
        ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    matrix.record("stop-time-limit", len(matrix.count(few, every)), "75; nothing scored was lost; R")


def test_the_end_of_a_slurm_job_is_a_time_limit_unless_one_is_given(job):
    soon = {"SLURM_JOB_END_TIME": str(int(time.time()) + 2), "SLURM_JOB_ID": "17"}  # less the margin, two minutes or a tenth
    job.clear()
    os.environ.update(soon)
    try:
        with halted(job.arguments, job.out, blocks=0) as going:
            time.sleep(2.1)
            going.go_on()
            code, stdout, stderr = going.end()
    finally:
        for name in soon:
            del os.environ[name]
    assert code == STOPPED, stderr
    assert re.search(r"time limit: stops in .*, before the end of Slurm job 17 \(--time-limit sets another time\)", stdout)
    assert "stopped early (the end of Slurm job 17)" in stderr
    resume_as_told(job, stderr)
    job.clear()
    later = {"SLURM_JOB_END_TIME": str(int(time.time()) + 1), "SLURM_JOB_ID": "17"}
    done = run(job.score("--time-limit", "0", "--rows", "0:200"), env=later)
    assert "Slurm job" not in done.stdout
    done = run(job.score("--overwrite", "--rows", "0:200"), env={"SLURM_JOB_END_TIME": "soon"})
    assert "Slurm job" not in done.stdout


def test_a_run_that_may_not_begin_a_block_can_be_resumed(job):
    job.clear()
    done = run(job.score("--time-limit", "0.000001s"), code=STOPPED)
    assert ledger.claims(ledger.part_of(job.out)) == {}
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    assert "stopped early (--time-limit)" in done.stderr


def test_many_stops_in_a_row(tmp_path):
    """Each with other ranks, schedule and I/O. No block is scored twice: what the runs say they scored adds up."""
    job, stops = make_slow_job(tmp_path, block=20), matrix.count(4, 10)
    for i in range(stops):
        np_ = (None, 2, 3, 4)[i % 4]
        arguments = [*job.arguments, "--schedule", SCHEDULES[i % 3], "--io", IO[i % 2]]
        claimed = len(ledger.claims(ledger.part_of(job.out))) if i > 0 else 0
        with halted(arguments, job.out, np_, blocks=claimed + 1, resume=i > 0) as going:
            asked = going.expected - 1
            going.signal(signal.SIGUSR1, [asked])
            going.go_on([asked])
            going.has_polled(asked)
            going.go_on()
            assert_stopped(job, going, i)
    with h5py.File(ledger.part_of(job.out), "r", locking=False) as f:
        assert (f["h5score/runs"]["start_ns"] != 0).sum() == stops
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    blocks = ledger.blocks_of(job.out)
    assert sum(blocks_scored(job.out)) == blocks
    matrix.record("requeues", stops, f"none of {blocks} blocks was scored twice; R")
