"""The power goes at every moment of a run, and the disk has any part of what was not yet synced: what is left must claim nothing
false, and --resume must make the right file of it. power_loss.py says what a disk may forget."""
import hashlib
import os
import random

import h5py
import ledger
import pytest
from fault_layer import KINDS, run_with_fault
from matrix import FULL, record
from power_loss import PAGE, SECTOR, Disk, all_kept, all_lost, at_random, only, write_files
from program import assert_same_scores, run
from side_by_side import TRIED_MODES, try_each
from small_job import MODES, fast_folder, make_job

OLD = b"scores of yesterday"


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        yield make_job(folder)


def files_in(folder):
    """path -> (inode, bytes)"""
    found = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            found[path] = (os.stat(path).st_ino, f.read())
    return found


def run_logged(job, mode, *options):
    """The disk under a whole run in the folder of outputs as it is."""
    np_, more = MODES[mode]
    before = files_in(job.outputs)
    done = run_with_fault(job.outputs, job.score(*more, *options), np_, kinds=KINDS[:6], log=True, pause=200)
    assert done.code == 0, done.describe()
    return Disk(done.operations, job.outputs, before)


def ledger_place(path):
    with h5py.File(path, "r", locking=False) as f:
        place = f["h5score/ledger"].id
        return place.get_offset(), place.get_offset() + place.get_storage_size()


def losses(job, now, seed):
    """What the disk kept of the unsynced: nothing, all, the ledger and names but no results, the reverse, and any part."""
    begin, end = ledger_place(job.undisturbed)

    def claims(o):
        return o.kind != "write" or begin <= o.offset < end

    yield all_lost
    yield all_kept
    yield only(claims)
    yield only(lambda o: not claims(o))
    for number, (share, unit) in enumerate([(0.5, PAGE), (0.5, SECTOR), (0.9, PAGE), (0.1, SECTOR)]):
        yield at_random(random.Random(f"{seed} {now} {number}"), now, share, unit)


def different_states(job, disk, every, seed):
    """(all states that were computed, those that differ)"""
    states, total = {}, 0
    for now in [*disk.moments[::every], disk.moments[-1]]:
        for keep in losses(job, now, seed):
            files = disk.state(now, keep)
            total += 1
            states.setdefault(hashlib.sha256(repr(sorted(files.items())).encode()).digest(), files)
    return total, list(states.values())


def judge(job, files):
    """The final name is absent, or complete (or old); no false claim; R."""
    write_files(files, job.outputs)
    if files.get(next((p for p in files if p.endswith("s.h5")), None)) == OLD:
        if os.path.exists(ledger.part_of(job.out)):
            assert ledger.false_entries(ledger.part_of(job.out), job.undisturbed) == []
        run(job.score("--resume", "--overwrite"))
        assert_same_scores(job.undisturbed, job.out)
        return
    ledger.assert_sound(job.out, job.undisturbed)
    ledger.rerun_resumes(job.arguments, job.out, job.undisturbed)


def lose_power_everywhere(job, disk, every, seed):
    total, states = different_states(job, disk, every, seed)
    try_each(job, states, judge)
    record("power-loss", total, "R; no false ledger entry")


@pytest.mark.parametrize("mode", TRIED_MODES)
def test_power_loss_during_a_new_run(job, mode):
    job.clear()
    disk = run_logged(job, mode)
    # What the program has reported as done stays done.
    assert disk.state(disk.moments[-1], all_lost).keys() == {job.out}
    lose_power_everywhere(job, disk, 1 if FULL else {"alone": 25, "scatter": 80, "direct": 80}[mode], mode)


@pytest.mark.parametrize("mode", ["alone", "direct"])
def test_power_loss_during_a_resumed_run(job, mode):
    job.clear()
    first = run_logged(job, "alone")
    middle = next(files for now in first.moments[len(first.moments) * 2 // 3:]
                  if ledger.part_of(job.out) in (files := first.state(now, all_kept)))
    job.clear()
    write_files(middle, job.outputs)
    assert ledger.claims(ledger.part_of(job.out))
    disk = run_logged(job, mode, "--resume")
    lose_power_everywhere(job, disk, 2 if FULL else 80, f"resumed {mode}")


def test_power_loss_while_an_old_file_is_replaced(job):
    job.clear()
    with open(job.out, "wb") as f:
        f.write(OLD)
    disk = run_logged(job, "alone", "--overwrite")
    for now in disk.moments:
        for keep in (all_lost, all_kept):
            assert job.out in disk.state(now, keep), "neither the old file nor the new one is there"
    lose_power_everywhere(job, disk, 2 if FULL else 80, "replaced")


def false_claims(job, disk):
    """Whether any of the states has a ledger that claims what the disk does not have, or an incomplete final file."""
    def wrong(mine, files):
        write_files(files, mine.outputs)
        try:
            ledger.assert_sound(mine.out, mine.undisturbed)
        except (AssertionError, OSError, KeyError):
            return True
        return False
    return any(try_each(job, different_states(job, disk, 40, "lying")[1], wrong))


def test_a_disk_that_forgets_syncs_is_found_out(job):
    """The judge can say no: the same run with syncs that do nothing loses results that its ledger claims."""
    job.clear()
    disk = run_logged(job, "alone")
    assert not false_claims(job, disk)
    for path in (f"{job.out}.part.tmp", ledger.part_of(job.out)):
        assert false_claims(job, disk.without(path))
    assert job.out not in disk.without(job.outputs).state(disk.moments[-1], all_lost)
