"""Ranks and launchers that are killed: the run ends, nothing false is claimed, and the next one goes on."""
import itertools
import os
import signal
import time

import ledger
import matrix
import pytest
from program import assert_same_scores, run
from running import halted, is_alive, processes_writing, until
from slow_job import IO, SCHEDULES, make_slow_job


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_slow_job(tmp_path_factory.mktemp("kills"))


def cases():
    """(ranks, killed, schedule, io): all, or a few in which each value occurs."""
    every = [(np_, killed, schedule, io) for np_ in (2, 3, 4) for killed in range(np_)
             for schedule, io in itertools.product(SCHEDULES, IO)]
    few = [(2, 1, "static", "scatter"), (3, 0, "guided", "direct"), (4, 3, "dynamic", "scatter")]
    return matrix.count(few, every)


def test_a_killed_rank_ends_the_run_and_others_resume_it(job):
    slowest = 0.0
    for np_, killed, schedule, io in cases():
        job.clear()
        with halted([*job.arguments, "--schedule", schedule, "--io", io], job.out, np_) as going:
            going.signal(signal.SIGKILL, [killed])
            going.go_on()
            start = time.monotonic()
            code, _, text = going.end()
            until(lambda: not processes_writing(job.out), "an end of all ranks")
            slowest = max(slowest, time.monotonic() - start)
            assert code != 0, (np_, killed, schedule, io, text)
        assert ledger.assert_sound(job.out, job.undisturbed)
        ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    matrix.record("kill-rank", len(cases()), f"nonzero, all ranks gone after {slowest:.1f} s at most; R")


def test_a_killed_launcher_and_a_rerun_at_once(job):
    times, refused = matrix.count(1, 20), 0
    for i in range(times):
        job.clear()
        with halted([*job.arguments, "--schedule", SCHEDULES[i % 3], "--io", IO[i % 2]], job.out, 2 + i % 3) as going:
            going.go_on()
            going.launcher.kill()  # its ranks may go on for seconds
            done = run(job.score("--resume"), code=None)
            assert done.returncode in (0, 73), done.stderr
            if done.returncode == 73:
                refused += 1
                assert "is being written" in done.stderr and f"process {going.pids[0]}" in done.stderr
                run(job.score("--resume", "--wait", "60s"), np_=2)
            until(lambda old=going: not any(map(is_alive, old.pids.values())), "an end of the old ranks")
        assert_same_scores(job.undisturbed, job.out)
        assert not os.path.exists(ledger.part_of(job.out))
    matrix.record("kill-mpirun", times, f"{refused} refused while old ranks lived and waited then; R")
