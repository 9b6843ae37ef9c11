"""Errors of the disk at every call: the run ends with one message and a code that says what failed, no signal kills it, the
final name is absent or complete, and --resume goes on once the disk works again."""
import errno
import os

import h5py
import ledger
import pytest
from fault_layer import LETTERS, Layer, run_with_fault
from matrix import record
from program import assert_same_scores, run
from side_by_side import TRIED_MODES, chosen, try_each
from small_job import MODES, fast_folder, make_job

CANT_CREATE, IO_ERROR = 73, 74
TOLD = "message, 73 or 74; R"
CHANGES = ("write", "size", "sync", "name")


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def assert_told(done, why, codes):
    """One message of one rank, with the system's reason, and the code; mpirun's own words may surround it."""
    assert done.code in codes, done.describe()
    assert done.messages() and all(why in line for line in done.messages()), done.describe()
    assert "signal" not in done.stderr.lower(), done.describe()


def fail_at(job, mode, folder, point, **settings):
    """A run whose call number `point` fails, judged: returns its exit code, and the part of its path that the call met."""
    np_, more = MODES[mode]
    done = run_with_fault(folder(job), job.score(*more), np_, at=point, **settings)
    kinds, why = settings["kinds"], os.strerror(settings["error"])
    if done.code == 0:  # the call was not reached, or nothing depended on it: a file that was only read is closed
        assert not done.triggered or kinds == ("close",), done.describe()
        assert_same_scores(job.undisturbed, job.out)
    else:
        assert done.triggered, done.describe()
        assert_told(done, why, (CANT_CREATE, IO_ERROR))
        if not os.path.exists(ledger.part_of(job.out)) and not os.path.exists(job.out) and folder(job) == job.outputs:
            assert done.code == CANT_CREATE and os.listdir(job.outputs) == [], done.describe()
    ledger.assert_sound(job.out, job.undisturbed)
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed, np_=2 if point % 16 == 5 else None)
    return done.code


def fail_at_each(job, mode, folder, all_points=False, **settings):
    """Fails every call (or each so many) of the chosen kinds. Returns how often each exit code was seen."""
    np_, more = MODES[mode]
    job.clear()
    calls = run_with_fault(folder(job), job.score(*more), np_, kinds=settings["kinds"]).calls
    points = range(1, calls + 1) if all_points else chosen(range(1, calls + 1), mode)
    codes = try_each(job, points, lambda mine, point: fail_at(mine, mode, folder, point, **settings))
    return {code: codes.count(code) for code in sorted(set(codes))}


def outputs(job):
    return job.outputs


def inputs(job):
    return job.inputs


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_eio_at_each_call_on_the_output(job, mode):
    codes = fail_at_each(job, mode, outputs, kinds=CHANGES, action="fail", error=errno.EIO)
    assert {CANT_CREATE, IO_ERROR} <= codes.keys()
    record("io-error", codes[CANT_CREATE] + codes[IO_ERROR], TOLD)


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_eio_at_each_close(job, mode):
    """An error where data may be lost by it. Else, and where the file was only read, the result is right and the code 0."""
    codes = fail_at_each(job, mode, outputs, all_points=True, kinds=("close",), action="fail", error=errno.EIO)
    assert IO_ERROR in codes and CANT_CREATE not in codes
    record("io-error", sum(codes.values()), TOLD)


@pytest.mark.parametrize("mode", TRIED_MODES)
@pytest.mark.parametrize("folder", [outputs, inputs])
def test_eio_at_each_read(job, mode, folder):
    codes = fail_at_each(job, mode, folder, kinds=("read",), action="fail", error=errno.EIO)
    assert codes[IO_ERROR] > 0
    record("io-error", sum(codes.values()) - codes.get(0, 0), TOLD)


def test_an_attribute_that_cannot_be_read_is_not_an_absent_one():
    """Packed values without their scale would be other values."""
    with fast_folder() as folder:
        job = make_job(folder)
        with h5py.File(f"{job.inputs}/in.h5", "r+") as f:
            f["x"].attrs["scale_factor"], f["x"].attrs["missing_value"] = 0.5, 3.0
        run([*job.arguments, "--output", job.undisturbed, "--overwrite"])
        codes = fail_at_each(job, "alone", inputs, kinds=("read",), action="fail", error=errno.EIO)
        assert codes.keys() == {IO_ERROR}
        record("io-error", codes[IO_ERROR], TOLD)


def test_a_configuration_that_cannot_be_read_is_not_a_short_one(job):
    with open(f"{job.inputs}/score.conf", "w", encoding="ascii") as f:
        f.write("rows = 0:100\n")
    job.clear()
    done = run_with_fault(f"{job.inputs}/score.conf", job.score("--config", f"{job.inputs}/score.conf"), kinds=("read",), at=1,
                          action="fail", error=errno.EIO)
    assert_told(done, "Input/output error", (IO_ERROR,))
    assert os.listdir(job.outputs) == []


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_short_writes_and_reads_are_continued(job, mode):
    """A call may do less than it was asked for, at any time."""
    np_, more = MODES[mode]
    job.clear()
    kinds = ("write", "read")
    calls = run_with_fault(job.outputs, job.score(*more), np_, kinds=kinds).calls

    def attempt(mine, point):
        done = run_with_fault(mine.outputs, mine.score(*more), np_, kinds=kinds, at=point, action="short")
        assert done.code == 0, done.describe()
        assert_same_scores(mine.undisturbed, mine.out)
        return done.triggered

    assert sum(try_each(job, chosen(range(1, calls + 1), mode), attempt)) > 0


def test_every_kind_of_call_is_one_that_the_layer_can_fail():
    assert set(CHANGES) | {"read", "open", "close"} == set(LETTERS)


# ---- full disks

def full_at(job, mode, point, codes):
    """From call number `point` on, which does half of its work, the disk is full; its space was not reserved."""
    np_, more = MODES[mode]
    with Layer(job.outputs, kinds=("write", "size"), at=point, action="fail-on", error=errno.ENOSPC, reserve=False) as layer:
        done = layer.run(job.score(*more), np_)
    if done.triggered == 0:
        assert done.code == 0, done.describe()
        return 0
    assert_told(done, "No space left on device", codes)
    assert not os.path.exists(job.out)
    ledger.assert_sound(job.out, job.undisturbed)
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed, np_=2 if point % 16 == 5 else None)
    return 1


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_a_disk_that_fills_up_at_each_write(job, mode):
    np_, more = MODES[mode]
    job.clear()
    log = run_with_fault(job.outputs, job.score(*more), np_, kinds=("write", "size"), log=True, reserve=False)
    made = next(i for i, o in enumerate(log.operations) if o.kind == "name")  # the part file gets its name
    made = sum(o.kind in ("write", "size") for o in log.operations[:made])
    start = chosen(range(1, made + 1), mode, 3)
    tried = sum(try_each(job, start, lambda mine, point: full_at(mine, mode, point, (CANT_CREATE,))))
    assert tried == len(start)
    record("disk-full-start", tried, "message, 73; R")
    later = chosen(range(made + 1, log.calls + 1), mode)
    tried = sum(try_each(job, later, lambda mine, point: full_at(mine, mode, point, (IO_ERROR,))))
    assert tried >= len(later) * 3 // 4
    record("disk-full-write", tried, "message, 74, no signal; R")
