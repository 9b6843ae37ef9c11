"""What `inspect` says of a part file: what is done and left, who writes it, and a command that really resumes it."""
import fcntl
import os
import re
import shutil
import struct
import subprocess

import h5py
import numpy as np
import pytest
from program import assert_same_scores, run

F_OFD_SETLK = 37  # linux/fcntl.h
ROWS, BLOCK = 2_000, 100


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """(folder, arguments with relative paths, an undisturbed output); the folder's name needs quotes."""
    folder = tmp_path_factory.mktemp("in spect")
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = np.random.default_rng(5).normal(size=(ROWS, 3))
    (folder / "m.model").write_text("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 1\nrho 0.25\nSV\n"
                                    "0.5 1:0.5 2:1 3:-1\n")
    arguments = ["score", "--model", "m.model", "--input", "in.h5", "--block-rows", str(BLOCK), "--sync-interval", "0",
                 "--progress", "none", "--output"]
    run([*arguments, "right.h5"], cwd=folder)
    return folder, arguments, folder / "right.h5"


def part_with(job, name, undone):
    """A part file that a killed run could have left: these blocks are not done."""
    part = job[0] / f"{name}.part"
    shutil.copy(job[2], part)
    with h5py.File(part, "r+") as f:
        for block in undone:
            f["h5score/ledger"][block] = 0
            f["prediction"][block * BLOCK:(block + 1) * BLOCK] = np.nan
        record = f["h5score/runs"][0]
        record["end_ns"] = 0
        f["h5score/runs"][0] = record
        f["h5score/alive"][0] = (record["start_ns"], record["start_ns"] + 10**9)
        options = f["h5score/options"][()].tobytes().replace(b"--output right.h5", f"--output {name}".encode())
        del f["h5score/options"]
        f["h5score/options"] = np.frombuffer(options, np.uint8)
    return part


def inspected(path):
    return run(["inspect", path], env={"COLUMNS": "200"}).stdout


def resume(text):
    """Pastes the command that inspect shows into a shell."""
    shown = re.search(r"\nResume it with.*:\n  (.*)\n", text).group(1)
    done = subprocess.run(shown, shell=True, capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, shown + done.stderr


def test_done_and_left_are_told_compactly(job):
    text = inspected(part_with(job, "a.h5", [3, 4, 5, 19]))
    assert "unfinished score file, 80.0 % done\n" in text
    assert re.search(r"done +1,600 of 2,000 rows, 16 of 20 blocks\n", text)
    assert re.search(r"left +400 rows in 4 blocks: rows 300:600, 1900:2000\n", text)
    text = inspected(part_with(job, "a.h5", range(0, 20, 2)))
    assert re.search(r"left +1,000 rows in 10 blocks: rows 0:100, .*, \.\.\. 2 more\n", text)


def test_the_command_resumes_when_it_is_pasted(job):
    resume(inspected(part_with(job, "b.h5", [0, 7])))
    assert_same_scores(job[2], job[0] / "b.h5")
    # Also where an older output is to be replaced.
    part = part_with(job, "b.h5", [1])
    with h5py.File(part, "r+") as f:
        options = f["h5score/options"][()].tobytes().replace(b"--output b.h5", b"--output b.h5 --overwrite")
        del f["h5score/options"]
        f["h5score/options"] = np.frombuffer(options, np.uint8)
    text = inspected(part)
    assert "--overwrite" in text
    resume(text)
    assert not part.exists()


def test_files_without_that_record_show_the_last_command(job):
    part = part_with(job, "c.h5", [2])
    with h5py.File(part, "r+") as f:
        del f["h5score/options"]
    text = inspected(part)
    assert re.search(r"\nResume it with:\n  \S*h5score score .* --output right.h5 --resume\n", text)


def test_a_complete_part_file_is_called_complete(job):
    text = inspected(part_with(job, "d.h5", []))
    assert "complete, not renamed yet, 2,000 rows" in text and "left" not in text
    resume(text)
    assert "score file, 2,000 rows" in inspected(job[0] / "d.h5")
    assert "Resume" not in inspected(job[0] / "d.h5")


def test_a_running_writer_is_told_from_a_killed_one(job):
    part = part_with(job, "e.h5", [2])
    assert re.search(r"writer +not running: process \d+ on \S+, begun at \S+, last sign of life \S+, was killed\n", inspected(part))
    # The lock that a run holds as long as it writes.
    with open(part, "r+b") as f:
        fcntl.fcntl(f, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        text = inspected(part)
        assert re.search(r"writer +running now: process \d+ on \S+, since \S+, last sign of life \S+\n", text)
        assert "running or killed" in text
    with h5py.File(part, "r+") as f:
        record = f["h5score/runs"][0]
        record["end_ns"] = record["start_ns"] + 10**9
        f["h5score/runs"][0] = record
    assert re.search(r"writer +not running: process \d+ on \S+ ended at \S+\n", inspected(part))
