"""Real disks that are full: small file systems in memory, of every size up to the one that is needed, and one that others fill up
while the run writes. Needs the right to mount."""
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import ledger
import pytest
from fault_layer import TRIGGERED, Layer, run_with_fault
from matrix import record
from program import run
from side_by_side import TRIED_MODES, chosen
from small_job import MODES, fast_folder, make_job

CANT_CREATE, IO_ERROR = 73, 74
NO_SPACE = "No space left on device"


def mount(folder, size, *options):
    kind = ",".join([f"size={size}", *options])
    return subprocess.run(["mount", "-t", "tmpfs", "-o", kind, "tmpfs", folder], check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def disk(job, size):
    """The job, with outputs on a disk of this many bytes."""
    small = replace(job, place="disk")
    os.makedirs(small.outputs, exist_ok=True)
    if not mount(small.outputs, size):
        print("SKIPPED LOUDLY: this user may not mount a small disk", file=sys.stderr)
        pytest.skip("mounting is not permitted")
    try:
        yield small
    finally:
        subprocess.run(["umount", small.outputs], check=True)


def resize(job, size):
    assert mount(job.outputs, size, "remount")


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def needed(job):
    return os.path.getsize(job.undisturbed)


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_a_disk_that_is_too_small(job, mode):
    np_, more = MODES[mode]
    page = os.sysconf("SC_PAGESIZE")
    step = page if mode == "alone" else 4 * page
    sizes = chosen(range(page, needed(job), step), mode, 9)
    for size in sizes:
        with disk(job, size) as small:
            done = run(small.score(*more), np_, code=CANT_CREATE)
            told = [line for line in done.stderr.splitlines() if line.startswith("h5score: ")]
            assert len(told) == 1 and NO_SPACE in told[0], done.stderr
            assert os.listdir(small.outputs) == []
            resize(small, 2 * needed(job))
            ledger.rerun_resumes(small.arguments, small.out, small.undisturbed)
    record("disk-full-start", len(sizes), "message, 73; R")


def fill(folder):
    with contextlib.suppress(OSError), open(os.path.join(folder, "of another"), "wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_a_disk_that_others_fill_while_the_run_writes(job, mode):
    """Only possible where the file system cannot reserve space: the run stands still while the disk is filled."""
    np_, more = MODES[mode]
    job.clear()
    log = run_with_fault(job.outputs, job.score(*more), np_, kinds=("write",), log=True, reserve=False)
    named = next(i for i, o in enumerate(log.operations) if o.kind == "name")
    made = sum(o.kind == "write" for o in log.operations[:named])
    # Only one of several ranks stands still: the root, before the others may begin.
    points = chosen(range(made + 1, log.calls), mode, 20) if mode == "alone" else [made + 1]
    tried = 0
    for point in points:
        with disk(job, 4 * needed(job)) as small, Layer(small.outputs, kinds=("write",), at=point, action="stop",
                                                        reserve=False) as layer:
            process = layer.start(small.score(*more), np_)
            while layer.number(TRIGGERED) == 0 and process.poll() is None:
                time.sleep(0.001)
            fill(small.outputs)
            for rank in layer.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank, signal.SIGCONT)
            done = layer.finish(process)
            assert not os.path.exists(small.out) or done.code == 0
            # Where all pages of the results were there already, nothing more was needed.
            if done.code != 0:
                assert done.code == IO_ERROR and done.messages(), done.describe()
                assert all(NO_SPACE in line for line in done.messages()), done.describe()
                tried += 1
            os.unlink(os.path.join(small.outputs, "of another"))
            ledger.assert_sound(small.out, small.undisturbed)
            ledger.rerun_resumes(small.arguments, small.out, small.undisturbed)
    assert tried > 0
    record("disk-full-write", tried, "message, 74, no signal; R")
