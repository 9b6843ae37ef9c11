"""What goes wrong on real machines: killed ranks, signals, full disks, two runs on one output, inputs that change.

After each of them the final name does not exist, one message tells what happened, and --resume with other ranks gives
the bytes of an undisturbed run."""
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from program import BIN, SANITIZED, assert_same_scores, command, paused, run

ROWS, FEATURES, VECTORS = (4_000 if SANITIZED else 40_000), 16, 20_000
USAGE, DATA, NO_INPUT, CANT_CREATE, STOPPED = 64, 65, 66, 73, 75


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A run of about two seconds in 80 blocks: (folder, arguments without --output)."""
    folder = tmp_path_factory.mktemp("robust")
    rng = np.random.default_rng(3)
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    vectors = "\n".join("0.5 " + " ".join(f"{j + 1}:{v:.3f}" for j, v in enumerate(row))
                        for row in rng.normal(size=(VECTORS, FEATURES)))
    (folder / "m.model").write_text("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\n"
                                    f"total_sv {VECTORS}\nrho 0.25\nSV\n{vectors}\n")
    return folder, ["score", "--model", folder / "m.model", "--input", folder / "in.h5", "--threads", "1",
                    "--block-rows", str(ROWS // 80), "--sync-interval", "0", "--progress", "none"]


@pytest.fixture(scope="module")
def undisturbed(job):
    folder, arguments = job
    run([*arguments, "--output", folder / "undisturbed.h5"])
    return folder / "undisturbed.h5"


@contextlib.contextmanager
def started(arguments, out, np_=None, seconds=0.3):
    """A run that has created its part file and then went on for `seconds`."""
    with subprocess.Popen(command([*arguments, "--output", out], np_), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, stdin=subprocess.DEVNULL) as process:
        end = time.monotonic() + 30
        while not os.path.exists(f"{out}.part"):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(seconds)
        try:
            yield process
        finally:
            process.kill()


def wait_for_blocks(out):
    """Returns once the ledger claims a block; a busy machine may take long for it."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with h5py.File(f"{out}.part", "r", locking=False) as f:
            if f["h5score/ledger"][()].any():
                return
        time.sleep(0.02)


def ranks_writing(out):
    """rank -> process id of the running h5score processes that write `out`."""
    parents, ranks = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            if words[0] != BIN.encode() or str(out).encode() not in words:
                continue
            with open(f"/proc/{entry}/environ", "rb") as f:
                rank = re.search(rb"\0(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)", b"\0" + f.read())
            with open(f"/proc/{entry}/stat", encoding="ascii") as f:
                parents[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
            ranks[int(entry)] = int(rank.group(1))
    return {ranks[pid]: pid for pid, parent in parents.items() if parent not in parents}  # not the name node


def messages(text):
    return [line for line in text.splitlines() if line.startswith("h5score: ")]


# ---- kills and signals

@pytest.mark.parametrize("schedule, killed, ranks_after", [
    ("static", 0, 4), ("dynamic", 0, None), ("guided", 1, 2), ("static", 2, 1), ("dynamic", 1, 3)])
def test_a_killed_rank_ends_the_run_and_others_resume_it(job, undisturbed, tmp_path, schedule, killed, ranks_after):
    _, arguments = job
    out = tmp_path / "s.h5"
    with started([*arguments, "--schedule", schedule], out, np_=3) as process:
        wait_for_blocks(out)
        os.kill(ranks_writing(out)[killed], signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode != 0
    assert not out.exists()
    done = run([*arguments, "--output", out, "--resume", "--memory-per-rank", "4M"], np_=ranks_after)
    assert "taken over" in done.stdout
    assert_same_scores(undisturbed, out)


def test_a_killed_launcher_leaves_nobody_behind(job, undisturbed, tmp_path):
    _, arguments = job
    out = tmp_path / "s.h5"
    with started(arguments, out, np_=2) as process:
        process.kill()
        process.communicate(timeout=30)
    end = time.monotonic() + 20
    while ranks_writing(out):
        assert time.monotonic() < end
        time.sleep(0.1)
    run([*arguments, "--output", out, "--resume"])
    assert_same_scores(undisturbed, out)


def test_a_signal_while_files_are_opened_ends_the_run_at_once(job, tmp_path):
    folder, arguments = job
    for i in range(400):
        os.link(folder / "in.h5", tmp_path / f"in{i}.h5")
    out = tmp_path / "s.h5"
    many = [str(tmp_path / "in*.h5") if a == folder / "in.h5" else a for a in arguments]
    # As a shell with `trap` would, the signal is sent before the program can have opened all files.
    with subprocess.Popen(command([*many, "--output", out]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        while not ignores_default(process.pid, signal.SIGTERM):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=30)
    assert process.returncode == STOPPED, text
    assert len(messages(text)) == 1 and "stopped before scoring began (signal 15)" in text and f"--output {out}" in text
    assert not out.exists() and not (tmp_path / "s.h5.part").exists()


def ignores_default(pid, number):
    """Whether the process catches the signal."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        caught = int(re.search(r"SigCgt:\s*(\w+)", f.read()).group(1), 16)
    return caught >> (number - 1) & 1


# ---- two runs, changed inputs

def test_a_second_run_on_the_same_output_is_refused_and_harmless(job, undisturbed, tmp_path):
    _, arguments = job
    out = tmp_path / "s.h5"
    with started(arguments, out, seconds=0) as process:
        # The file is there, and locked, a moment before it says whose it is.
        while f"process {process.pid}" not in run([*arguments, "--output", out], code=CANT_CREATE).stderr:
            assert process.poll() is None
        with paused(process):
            for extra in ([], ["--overwrite"], ["--resume"]):
                done = run([*arguments, "--output", out, *extra], code=CANT_CREATE)
                assert len(messages(done.stderr)) == 1 and "is being written" in done.stderr
                assert f"process {process.pid}" in done.stderr
        _, text = process.communicate(timeout=60)
        assert process.returncode == 0, text
    assert_same_scores(undisturbed, out)


def test_an_input_that_changes_under_the_run_ends_it(job, tmp_path):
    folder, arguments = job
    shutil.copy(folder / "in.h5", tmp_path / "in.h5")
    arguments = [tmp_path / "in.h5" if a == folder / "in.h5" else a for a in arguments]
    out = tmp_path / "s.h5"
    with started(arguments, out, seconds=0) as process:
        with paused(process):
            os.utime(tmp_path / "in.h5")
        _, text = process.communicate(timeout=60)
        assert process.returncode == DATA, text
    assert len(messages(text)) == 1 and "in.h5: changed while it was read" in text
    assert not out.exists()
    # Another time with the same samples may be a harmless touch: the user is told.
    done = run([*arguments, "--output", out, "--resume"])
    assert "warning: " in done.stderr and "another modification time" in done.stderr


@pytest.mark.parametrize("change, field", [
    (["--rows", "0:3000"], "inputs/0/rows"), (["--features", "1:16,0"], "features/0/0"),
    (["--precision", "float32"], "models/0/precision"), (["--missing", "error"], "missing")])
def test_resume_names_what_differs(job, tmp_path, change, field):
    folder, arguments = job
    part = folder / "stopped.h5.part"
    if not part.exists():
        with started(arguments, folder / "stopped.h5") as process:
            process.terminate()
            process.communicate(timeout=30)
            assert process.returncode == STOPPED
    done = run([*arguments, "--output", folder / "stopped.h5", "--resume", *change], code=USAGE)
    assert len(messages(done.stderr)) == 1 and field in done.stderr
    assert part.exists()


# ---- outputs

def test_a_part_file_without_results_is_no_obstacle_but_one_with_results_is(job, tmp_path):
    _, arguments = job
    out = tmp_path / "s.h5"
    rows = ["--output", out, "--rows", "0:2000"]
    done = run([*arguments, *rows, "--memory-per-rank", "2000"], code=USAGE)
    assert "--memory-per-rank" in done.stderr
    run([*arguments, *rows])
    with started(arguments, tmp_path / "t.h5") as process:
        process.terminate()
        process.communicate(timeout=30)
    done = run([*arguments, "--output", tmp_path / "t.h5"], code=CANT_CREATE)
    assert "--resume" in done.stderr


def test_an_input_named_as_the_part_file_is_not_replaced(job, tmp_path):
    folder, arguments = job
    source = tmp_path / "s.h5.part"
    shutil.copy(folder / "in.h5", source)
    before = source.read_bytes()
    arguments = [source if a == folder / "in.h5" else a for a in arguments]
    done = run([*arguments, "--output", tmp_path / "s.h5", "--overwrite"], code=USAGE)
    assert "the same file as an input" in done.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize("size", ["64k", "200k"])
def test_a_full_disk_is_told_before_scoring_begins(job, tmp_path, size):
    _, arguments = job
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=False).returncode != 0:
        print("SKIPPED LOUDLY: this user may not mount a small disk", file=sys.stderr)
        pytest.skip("mounting is not permitted")
    try:
        for fill in (0, 1 << 20):  # not enough space, and none at all
            with contextlib.suppress(OSError), open(disk / "fill", "wb") as f:
                f.write(bytes(fill))
            done = run([*arguments, "--output", disk / "s.h5"], code=CANT_CREATE)
            assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr, done.stderr
            assert sorted(os.listdir(disk)) == ["fill"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# ---- inputs

def test_names_that_are_not_utf8(job, tmp_path):
    folder, arguments = job
    source = os.fsencode(tmp_path) + b"/in\xff.h5"
    shutil.copy(folder / "in.h5", source)
    arguments = [os.fsdecode(source) if a == folder / "in.h5" else a for a in arguments]
    run([*arguments, "--output", tmp_path / "s.h5", "--rows", "0:1000"])


def test_score_does_not_wait_for_pipes(job, tmp_path):
    folder, arguments = job
    os.mkfifo(tmp_path / "pipe.h5")
    arguments = [tmp_path / "pipe.h5" if a == folder / "in.h5" else a for a in arguments]
    done = run([*arguments, "--output", tmp_path / "s.h5"], code=NO_INPUT, timeout=20)
    assert "pipe.h5: cannot be opened (it is not a regular file)" in done.stderr


def test_many_files_need_few_descriptors(tmp_path, job):
    folder, arguments = job
    x = np.random.default_rng(5).normal(size=(100, 3, FEATURES)).astype(np.float32)
    for i, rows in enumerate(x):
        with h5py.File(tmp_path / f"in{i}.h5", "w") as f:
            f["x"] = rows
    with h5py.File(tmp_path / "all.h5", "w") as f:
        f["x"] = x.reshape(-1, FEATURES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        run([*(tmp_path / "in*.h5" if a == folder / "in.h5" else a for a in arguments), "--output", tmp_path / "many.h5"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    run([*(tmp_path / "all.h5" if a == folder / "in.h5" else a for a in arguments), "--output", tmp_path / "one.h5"])
    with h5py.File(tmp_path / "many.h5") as many, h5py.File(tmp_path / "one.h5") as one:
        assert many["prediction"][()].tobytes() == one["prediction"][()].tobytes()
