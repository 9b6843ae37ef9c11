"""Allocations of our own code that fail: one after the other, each once; or all larger ones from some moment on. The run must end
with a message and no signal, and go on with --resume. The name node may end with it. (C libraries are left out: HDF5 and MPI do
not survive every failed allocation of their own.)"""
import os

import ledger
import pytest
from fault_layer import run_with_fault
from matrix import FULL, record
from program import assert_same_scores
from side_by_side import TRIED_MODES, try_each
from small_job import MODES, fast_folder, make_job


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def memory(of, at, least=0, on=False):
    return {"FAULTS_MEMORY_OF": of, "FAULTS_MEMORY_AT": str(at), "FAULTS_MEMORY_LEAST": str(least),
            "FAULTS_MEMORY_ON": str(int(on))}


def spread(calls, tries):
    """`tries` numbers from 1 to `calls`, evenly, or all where there are no more."""
    return sorted({1 + i * calls // tries for i in range(tries)}) if calls > tries else range(1, calls + 1)


def exhausted_at(job, mode, point, **settings):
    """A run whose allocation number `point` fails, judged. Returns whether the run ended because of it."""
    np_, more = MODES[mode]
    done = run_with_fault(job.outputs, job.score(*more), np_, memory=memory(at=point, **settings))
    if done.code == 0:  # something that can be done without
        assert_same_scores(job.undisturbed, job.out)
    else:
        assert done.code in (64, 65, 66, 70, 73, 74), done.describe()
        assert done.messages() and "terminate called" not in done.stderr and "Signal" not in done.stderr, done.describe()
        assert not os.path.exists(job.out) or done.code == 74, done.describe()
    ledger.assert_sound(job.out, job.undisturbed)
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    return done.code != 0


def exhaust(job, mode, tries, **settings):
    np_, more = MODES[mode]
    job.clear()
    calls = run_with_fault(job.outputs, job.score(*more), np_, memory=memory(at=0, **settings)).allocations
    assert calls > 0
    points = spread(calls, tries)
    ended = sum(try_each(job, points, lambda mine, point: exhausted_at(mine, mode, point, **settings)))
    assert ended > 0
    record("no-memory", len(points), "message, no signal; R")


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_each_allocation_fails_once(job, mode):
    exhaust(job, mode, {"alone": 1000, "scatter": 150, "direct": 150}[mode] if FULL else {"alone": 40, "direct": 6}[mode], of="new")


@pytest.mark.parametrize("mode", TRIED_MODES)
@pytest.mark.parametrize("least", [1024, 4096])
def test_large_allocations_fail_from_some_moment_on(job, mode, least):
    """As at a limit of memory: what is small still fits."""
    exhaust(job, mode, {"alone": 400, "scatter": 40, "direct": 40}[mode] if FULL else {"alone": 20, "direct": 2}[mode],
            of="new", least=least, on=True)
