"""Ranks of a dead run that wake up again, and two runs on one output: whatever an old rank still does, the new run's file is
right. Old ranks are halted (SIGSTOP) where they are, the new run does its work, and then they go on."""
import os
import signal
import struct
import time
from contextlib import contextmanager

import h5py
import ledger
import matrix
import pytest
from program import assert_same_scores, run
from running import Running, halted, is_alive, until
from slow_job import IO, make_slow_job

BUSY = 73
DEAD_AFTER = 300  # seconds without a sign of life


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_slow_job(tmp_path_factory.mktemp("stale"))


class LastRun:
    """The records of a part file's last run, changed as bytes in place."""

    def __init__(self, part):
        self.part = part
        with h5py.File(part, "r", locking=False) as f:
            runs, alive = f["h5score/runs"], f["h5score/alive"]
            slot = int(runs["start_ns"].argmax())
            self.host_at = runs.id.get_offset() + slot * runs.dtype.itemsize + runs.dtype.fields["host"][1]
            self.alive_at = alive.id.get_offset() + slot * alive.dtype.itemsize + alive.dtype.fields["alive_ns"][1]
            assert int(alive["start_ns"][slot]) == int(runs["start_ns"][slot]), "the sign of life belongs to the run"
            self.alive_ns = int(alive["alive_ns"][slot])

    def _write(self, data, offset):
        fd = os.open(self.part, os.O_WRONLY)
        os.pwrite(fd, data, offset)
        os.close(fd)

    def was_alive(self, seconds_ago):
        self._write(struct.pack("<q", time.time_ns() - int(seconds_ago * 1e9)), self.alive_at)

    def was_on(self, host):
        self._write(host.encode().ljust(64, b"\0"), self.host_at)


def silenced(job):
    """The last run of the part file counts as dead."""
    LastRun(ledger.part_of(job.out)).was_alive(DEAD_AFTER + 1)


@contextmanager
def begun_anew(job, *more):
    """A second run, halted after it has claimed something of its own."""
    claimed = len(ledger.claims(ledger.part_of(job.out)))
    run_ = Running([*job.arguments, *more], job.out, None)
    try:
        until(run_.find, "the second run")
        old_start = last_start(job)
        until(lambda: last_start(job) != old_start, "the second run to take over")
        while len(ledger.claims(ledger.part_of(job.out))) <= claimed:
            assert run_.launcher.poll() is None
            time.sleep(0.002)
        run_.halt()
        yield run_
    finally:
        run_.clean_up()


def wake(old):
    """The old workers go on with all that they hold, and then wait for a root that is no more."""
    assert is_alive(old.pids[1]) and is_alive(old.pids[2])
    old.go_on([1, 2])
    for rank in (1, 2):
        old.has_polled(rank)
        old.has_polled(rank)


def last_start(job):
    try:
        with h5py.File(ledger.part_of(job.out), "r", locking=False) as f:
            return int(f["h5score/runs"]["start_ns"].max())
    except OSError:
        return 0


def assert_complete(job):
    assert_same_scores(job.undisturbed, job.out)
    assert not os.path.exists(ledger.part_of(job.out))


# ---- the second run

def test_a_second_run_is_refused_while_the_first_lives(job):
    job.clear()
    with halted(job.arguments, job.out, 2) as going:
        before = LastRun(ledger.part_of(job.out))
        assert abs(time.time_ns() - before.alive_ns) < 600e9
        for more in ([], ["--resume"], ["--overwrite"]):
            done = run(job.score(*more), code=BUSY)
            line = done.stderr.strip()
            assert line.count("\n") == 0
            for words in ("is being written (another run on host ", f"process {going.pids[0]}, ", "started 20",
                          "last sign of life ", " s ago", "--wait TIME; without a sign of life for 300 s it counts as dead"):
                assert words in line, line
        going.go_on()
        assert going.end()[0] == 0
    assert_complete(job)


def test_where_locks_do_not_reach_signs_of_life_decide(job):
    """A run on another host whose lock cannot be seen here: as after a kill, with another host's name in the record."""
    job.clear()
    with halted(job.arguments, job.out) as going:
        going.signal(signal.SIGKILL)
        going.end()
    last = LastRun(ledger.part_of(job.out))
    last.was_on("elsewhere")
    last.was_alive(0)
    for more in (["--resume"], ["--overwrite"]):
        assert "another run on host elsewhere" in run(job.score(*more), code=BUSY).stderr
    last.was_alive(-3600)  # its clock is an hour ahead
    assert "last sign of life 0 s ago" in run(job.score("--resume"), code=BUSY).stderr
    last.was_alive(DEAD_AFTER - 2)
    done = run(job.score("--resume", "--wait", "2m"))
    assert "waiting for at most 120 s" in done.stderr
    assert_complete(job)


def test_a_killed_run_of_this_host_is_no_obstacle_without_locks(job):
    job.clear()
    with halted([*job.arguments, "--file-locking", "off"], job.out) as going:
        assert "another run on host" in run(job.score("--resume", "--file-locking", "off"), code=BUSY).stderr
        going.signal(signal.SIGKILL)
        going.end()
    run(job.score("--resume", "--file-locking", "off"))
    assert_complete(job)


def test_a_run_that_waits_finds_the_finished_output(job):
    job.clear()
    with halted(job.arguments, job.out) as going:
        second = Running([*job.arguments, "--resume", "--wait", "2m"], job.out, None)
        try:
            until(lambda: second.launcher.stderr.readline().startswith("h5score: warning: waiting"), "the second run to wait")
            going.go_on()
            assert going.end()[0] == 0
            code, stdout, stderr = second.end()
            assert code == 0 and "is complete already" in stdout, stderr
        finally:
            second.clean_up()
    assert_complete(job)


# ---- old ranks

@pytest.mark.parametrize("io", matrix.count(IO[:1], IO))
def test_old_workers_spoil_nothing(job, io):
    """The root is dead, and the launcher has not found out; the other ranks go on when the new run has finished, or while it is
    at work."""
    for finished in (True, False):
        job.clear()
        with halted([*job.arguments, "--io", io], job.out, 3) as old:
            old.launcher.send_signal(signal.SIGSTOP)
            old.signal(signal.SIGKILL, [0])
            until(lambda run_=old: not is_alive(run_.pids[0]), "the death of the old root")
            if finished:
                run(job.score("--resume"))
                wake(old)
            else:
                with begun_anew(job, "--resume") as new:
                    wake(old)
                    ledger.assert_sound(job.out, job.undisturbed)
                    new.go_on()
                    assert new.end()[0] == 0
            assert_complete(job)
            old.launcher.send_signal(signal.SIGCONT)
            assert old.end()[0] != 0
        assert_complete(job)
    matrix.record("stale-ranks", 4, "old workers changed nothing")


@pytest.mark.parametrize("np_, io", matrix.count([(3, "scatter")], [(None, "direct"), (3, "scatter"), (3, "direct")]))
def test_an_old_root_that_wakes_up_leaves_the_file_to_the_new_run(job, np_, io):
    """It still holds the lock, but counts as dead; it must claim nothing and rename nothing once it goes on."""
    job.clear()
    with halted([*job.arguments, "--io", io], job.out, np_) as old:
        silenced(job)
        with begun_anew(job, "--resume") as new:
            inode = os.stat(ledger.part_of(job.out)).st_ino
            claimed = ledger.claims(ledger.part_of(job.out))
            old.go_on()
            code, _, stderr = old.end()
            assert code != 0 and "another run has taken over" in stderr, stderr
            now = ledger.claims(ledger.part_of(job.out))
            assert claimed.items() <= now.items(), "the old root undid claims"
            # It may have been halted between looking and writing: then it made one last entry, which is true.
            assert len(now) <= len(claimed) + 4, "the old root went on writing to the ledger"
            ledger.assert_sound(job.out, job.undisturbed)
            assert os.stat(ledger.part_of(job.out)).st_ino == inode and not os.path.exists(job.out)
            new.go_on()
            code, _, stderr = new.end()
            assert code == 0 and "taken over from another run" in stderr, stderr
    assert_complete(job)
    matrix.record("stale-ranks", 1, "an old root found out and ended")


@pytest.mark.parametrize("np_", matrix.count([None], [None, 3]))
def test_an_old_root_that_wakes_up_after_the_new_run_has_finished(job, np_):
    job.clear()
    with halted(job.arguments, job.out, np_) as old:
        silenced(job)
        run(job.score("--resume"))
        assert_complete(job)
        old.go_on()
        code, _, stderr = old.end()
        assert code != 0 and "was replaced or removed during the run" in stderr, stderr
    assert_complete(job)
    matrix.record("stale-ranks", 1, "an old root found out and ended")


@pytest.mark.parametrize("io", matrix.count(IO[:1], IO))
def test_overwriting_makes_a_new_file_that_old_ranks_cannot_reach(job, io):
    """With other contents: the old ranks' bytes would be wrong in it."""
    job.clear()
    with halted([*job.arguments, "--io", io], job.out, 3) as old:
        inode = os.stat(ledger.part_of(job.out)).st_ino
        silenced(job)
        other = ["--rows", "1000:7000"]
        run(job.score("--overwrite", *other))
        run([*job.arguments, *other, "--output", f"{job.folder}/other.h5", "--overwrite"])
        assert os.stat(job.out).st_ino != inode
        old.go_on()
        code, _, stderr = old.end()
        assert code != 0 and "was replaced or removed during the run" in stderr, stderr
    assert_same_scores(f"{job.folder}/other.h5", job.out)
    assert not os.path.exists(ledger.part_of(job.out))
    matrix.record("stale-ranks", 1, "overwriting made a new file")
