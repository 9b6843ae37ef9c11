"""SIGKILL of the whole job, launcher, ranks and name node, at random times. The moments are drawn from a fixed seed; where the run
is then is up to the machine, so what must hold is what holds after a kill at any moment."""
import contextlib
import os
import random
import signal
import subprocess
import time

import ledger
import pytest
from fault_layer import Layer
from matrix import count, record
from program import command
from side_by_side import TRIED_MODES, try_each
from small_job import MODES, fast_folder, make_job


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def processes_of_session(session):
    """Launchers give each rank a process group of its own, but not a session."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry))
    return found


def kill_all(session):
    """Kills every process of the session, and returns when none is left."""
    end = time.monotonic() + 60
    while processes := processes_of_session(session):
        assert time.monotonic() < end, "processes that cannot be killed"
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.001)


def started(arguments, np_, environment, folder):
    """The launcher keeps its temporary files where they are removed with the job."""
    return subprocess.Popen(command(arguments, np_), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            start_new_session=True,
                            env={**os.environ, **environment, "TMPDIR": folder, "OMPI_MCA_btl_vader_backing_directory": folder})


def seconds_of_a_run(job, mode, pause):
    """How long a run takes here and now."""
    np_, more = MODES[mode]
    job.clear()
    with Layer(job.outputs, pause=pause) as layer:
        start = time.monotonic()
        with started(job.score(*more), np_, layer.environment, job.folder) as process:
            assert process.wait(timeout=120) == 0
    return time.monotonic() - start


def kill_once(job, mode, moment, pause):
    """Kills a run after `moment` seconds; returns how many blocks were claimed then, or None where the run had ended."""
    np_, more = MODES[mode]
    with Layer(job.outputs, pause=pause) as layer, started(job.score(*more), np_, layer.environment, job.folder) as process:
        time.sleep(moment)
        ended = process.poll() is not None
        kill_all(process.pid)
        process.wait(timeout=60)
    claimed = ledger.assert_sound(job.out, job.undisturbed)
    made = os.path.exists(ledger.part_of(job.out))
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)
    return None if ended else len(claimed) if made else -1


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_kill_at_random_times(job, mode):
    tries = count({"alone": 30, "direct": 4}.get(mode, 0), {"alone": 1000, "scatter": 200, "direct": 200}[mode])
    # Writes that wait a little make most of the run the writing of blocks.
    pause = 500
    seconds = seconds_of_a_run(job, mode, pause)
    draw = random.Random(f"kill {mode}")
    moments = [draw.uniform(0, 1.1 * seconds) for _ in range(tries)]
    seen = try_each(job, moments, lambda mine, moment: kill_once(mine, mode, moment, pause))
    early, writing = seen.count(-1), sum(claimed is not None and claimed >= 0 for claimed in seen)
    record("kill-random", early + writing, f"R; no false entry ({mode}: {writing} while blocks were written)")
    assert early + writing > 0
