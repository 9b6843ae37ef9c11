"""A rank that fails or dies ends the whole run within seconds, with one message and a nonzero exit code."""
import os
import re
import subprocess
import time

import pytest

PROBE = os.environ["H5SCORE_ENGINE_PROBE"]
SCHEDULES = ["static", "dynamic", "guided"]


def launch(ranks, *arguments, environment=None):
    command = [os.environ["H5SCORE_MPIEXEC"], "-n", str(ranks), PROBE, *arguments]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **(environment or {})})
    return done, time.monotonic() - start


def ended_with(code, done):
    # MPICH says the code, but its mpiexec returns the bitwise or of all ranks' codes, those of killed ones included.
    return done.returncode == code or (done.returncode != 0 and f"Abort({code})" in done.stderr)


def messages(done):
    return [line for line in done.stderr.splitlines() if line.startswith("h5score: ")]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("ranks,failing", [(2, 0), (2, 1), (3, 2), (4, 1)])
def test_a_scorer_that_throws_ends_all_ranks(schedule, ranks, failing):
    done, seconds = launch(ranks, "--schedule", schedule, "--blocks", "200", "--score-us", "500", "--payload", "10000",
                           "--throw-rank", str(failing), "--at-block", "8")
    assert ended_with(65, done), done.stderr
    where = "" if failing == 0 else f"rank {failing}: "
    assert len(messages(done)) == 1, done.stderr
    assert re.fullmatch(rf"h5score: {where}block \d+, rows \d+:\d+: this was asked for", messages(done)[0])
    assert seconds < 20


@pytest.mark.parametrize("failing,lane", [(0, 0), (0, 2), (1, 0), (1, 1)])
def test_a_failure_in_any_lane_ends_all_ranks(failing, lane):
    common = ["--schedule", "dynamic", "--blocks", "300", "--score-us", "200", "--payload", "100000", "--lanes", "3",
              "--at-block", "8", "--at-lane", str(lane)]
    done, seconds = launch(2, *common, "--throw-rank", str(failing))
    assert ended_with(65, done), done.stderr
    where = "" if failing == 0 else f"rank {failing}: "
    assert re.fullmatch(rf"h5score: {where}block \d+, rows \d+:\d+: this was asked for", messages(done)[0])
    assert len(messages(done)) == 1, done.stderr
    assert seconds < 20
    done, seconds = launch(2, *common, "--kill-rank", str(failing))
    assert done.returncode != 0
    assert seconds < 20


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("where", ["--throw-fetch", "--throw-write"])
def test_a_source_or_sink_that_throws_ends_all_ranks(schedule, where):
    done, seconds = launch(3, "--schedule", schedule, where, "30", "--score-us", "200")
    assert ended_with(65, done), done.stderr
    assert messages(done) == ["h5score: block 30, rows 30:31: this was asked for"]
    assert seconds < 20


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_all_ranks(schedule, killed):
    done, seconds = launch(3, "--schedule", schedule, "--blocks", "1000", "--score-us", "1000", "--kill-rank", str(killed),
                           "--at-block", "10")
    assert done.returncode != 0
    assert seconds < 20


def test_a_block_beyond_the_memory_limit_is_a_usage_error_said_once():
    done, _ = launch(3, "--memory", "1000")
    assert ended_with(64, done), done.stderr
    assert len(messages(done)) == 1
    assert "--memory-per-rank" in messages(done)[0]


def test_tasks_that_mpi_does_not_see_are_a_usage_error():
    # As with a launcher of another MPI: each of the processes would be a world of its own.
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("OMPI_COMM", "PMI", "SLURM"))}
    environment.update(SLURM_STEP_ID="0", SLURM_STEP_NUM_TASKS="64", SLURM_PROCID="0")
    done = subprocess.run([PROBE], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 64, done.stderr
    for part in ["64 tasks", "SLURM_STEP_NUM_TASKS=64", "1 rank", "srun --mpi=pmix"]:
        assert part in done.stderr
    # As mpirun sets it, seen by an MPI that this mpirun did not start.
    del environment["SLURM_STEP_ID"]
    environment.update(OMPI_COMM_WORLD_SIZE="3")
    done = subprocess.run([PROBE], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 64, done.stderr
    assert "3 tasks" in done.stderr and "OMPI_COMM_WORLD_SIZE=3, MPI_Comm_size=1" in done.stderr


def test_a_plain_process_never_initialises_mpi():
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("OMPI_COMM", "PMI", "SLURM"))}
    # Broken on purpose: MPI_Init would fail with these.
    environment.update(OMPI_MCA_pml="none_such", FI_PROVIDER="none_such", SLURM_PROCID="0", SLURM_NTASKS="64")
    done = subprocess.run([PROBE, "--blocks", "7"], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "rank 0: 7 blocks" in done.stdout
