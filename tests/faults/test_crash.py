"""The whole job is killed at every call that changes its output: whole, or in the middle of a write. The points are enumerated:
a run under the fault layer tells how many there are."""
import os
from dataclasses import replace

import ledger
import pytest
from fault_layer import KINDS, Layer, run_with_fault
from matrix import record
from side_by_side import TRIED_MODES, chosen, try_each
from small_job import MODES, fast_folder, make_job

CHANGES = ("open", "write", "size", "sync", "name", "close")
PAUSE = 200  # so that there are ledger entries between the blocks


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def syncing_late(job):
    """The arguments of `job`, but all syncs come at the end: then the calls of a run are always the same."""
    words = list(job.arguments)
    words[words.index("--sync-interval") + 1] = "100000"
    return words


def logged(job, mode, arguments):
    """The watched calls of a whole run in their order."""
    np_, more = MODES[mode]
    job.clear()
    run = run_with_fault(job.outputs, [*arguments, *more, "--output", job.out], np_, kinds=CHANGES, log=True, pause=PAUSE)
    assert run.code == 0, run.describe()
    assert run.calls == len(run.operations)
    assert all(operation.end > 0 for operation in run.operations)
    return run.operations


def creating(operations):
    """How many of the calls belong to the making of the part file."""
    renamed = next(i for i, o in enumerate(operations) if o.kind == "name" and o.target.endswith(".part"))
    return next(i for i, o in enumerate(operations) if i > renamed and o.kind == "close") + 1


def crash(job, mode, arguments, point, kinds, action):
    """Kills the job at call number `point`; returns whether it got there, and whether the final name existed then."""
    np_, more = MODES[mode]
    with Layer(job.outputs, kinds=kinds, at=point, action=action, pause=PAUSE) as layer:
        run = layer.run([*arguments, *more, "--output", job.out], np_)
    if run.triggered == 0:
        assert run.code == 0, run.describe()
    else:
        assert run.code != 0, run.describe()
    final = os.path.exists(job.out)
    ledger.assert_sound(job.out, job.undisturbed)
    # Who goes on is sometimes alone and sometimes two ranks.
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed, np_=2 if point % 10 == 3 else None)
    return run.triggered, final


def crash_at_each(job, mode, arguments, points, kinds, action):
    """Crashes at each of the points. Returns how many of the runs got there."""
    seen = try_each(job, points, lambda mine, point: crash(mine, mode, arguments, point, kinds, action))
    assert sum(triggered for triggered, _ in seen) >= len(points) * 3 // 4  # threads make a few syncs more or fewer
    return sum(triggered for triggered, _ in seen), sum(final for triggered, final in seen if triggered)


@pytest.mark.parametrize("mode", TRIED_MODES)
@pytest.mark.parametrize("row, action", [("crash-write-whole", "kill"), ("crash-write-torn", "torn")])
def test_crash_at_each_write(job, mode, row, action):
    operations = logged(job, mode, job.arguments)
    made = sum(o.kind == "write" for o in operations[:creating(operations)])
    writes = sum(o.kind == "write" for o in operations)
    points = chosen(range(made + 1, writes + 1), mode)
    tried, final = crash_at_each(job, mode, job.arguments, points, ("write",), action)
    assert final == 0
    record(row, tried, "R, no false ledger entry")


@pytest.mark.parametrize("mode", TRIED_MODES)
@pytest.mark.parametrize("action", ["kill", "torn"])
def test_crash_while_the_file_is_made(job, mode, action):
    operations = logged(job, mode, syncing_late(job))
    kinds = CHANGES if action == "kill" else ("write",)
    calls = sum(o.kind in kinds for o in operations[:creating(operations)])
    points = chosen(range(1, calls + 1), mode)
    tried, final = crash_at_each(job, mode, syncing_late(job), points, kinds, action)
    assert tried == len(points) and final == 0
    record("crash-create", tried, "no final name; R")


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_crash_while_the_file_is_finished(job, mode):
    operations = logged(job, mode, syncing_late(job))
    columns = job.columns()
    results = [i for i, o in enumerate(operations) if o.kind == "write"
               and any(offset <= o.offset < offset + size for offset, size in columns)]
    renamed = next(i for i, o in enumerate(operations) if o.kind == "name" and o.target == job.out) + 1
    points = chosen(range(results[-1] + 2, len(operations) + 1), mode, 3)
    tried, final = crash_at_each(job, mode, syncing_late(job), points, CHANGES, "kill")
    # Where ranks close their files is not always the same place among the root's calls.
    assert 0 < final <= sum(point >= renamed - 4 for point in points)
    record("crash-finish", tried, f"R; the final name in {final} of {tried}, complete")


@pytest.mark.parametrize("mode", TRIED_MODES)
@pytest.mark.parametrize("action", ["kill", "torn"])
def test_crash_while_a_compressed_copy_is_made(job, mode, action):
    job = replace(job, arguments=[*job.arguments, "--compress", "gzip:1"])
    operations = logged(job, mode, syncing_late(job))
    copied = next(i for i, o in enumerate(operations) if o.kind == "open" and o.path.endswith(".copy"))
    kinds = CHANGES if action == "kill" else ("write",)
    before, calls = (sum(o.kind in kinds for o in part) for part in (operations[:copied], operations))
    points = chosen(range(before + 1, calls + 1), mode, 4)
    tried, final = crash_at_each(job, mode, syncing_late(job), points, kinds, action)
    record("crash-repack", tried, f"R; the final name in {final} of {tried}, complete")


def test_the_layer_sees_what_it_should(job):
    """The numbers on which all of this rests: every kind of call is seen, and a call that is killed is the last one."""
    operations = logged(job, "alone", syncing_late(job))
    assert {o.kind for o in operations} == set(CHANGES) <= set(KINDS)
    for point in (3, len(operations) // 2, len(operations)):
        job.clear()
        with Layer(job.outputs, kinds=CHANGES, at=point, action="kill", log=True) as layer:
            run = layer.run([*syncing_late(job), "--output", job.out])
        assert (run.code, run.triggered, len(run.operations)) == (-9, 1, point)
