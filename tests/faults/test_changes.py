"""Models, inputs and options that change: before --resume, which then refuses and names the field; and while a run reads them,
which then ends without a final name."""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess

import h5py
import numpy as np
import pytest
from ledger import assert_sound, claims, false_entries, part_of, rerun_resumes
from matrix import count, record
from program import MPIEXEC, SANITIZED, command, run
from small_job import MODES, fast_folder, make_job, write_model

USAGE, DATA, NO_INPUT, IO = 64, 65, 66, 74
ROWS = 200


def write_inputs(folder, values=0.0, rows=ROWS, kind="f4", names=("u", "g", "r", "i"), packed=None):
    """in.h5 with a group of named columns, two passthrough columns, and the same columns in another group."""
    rng = np.random.default_rng(4)
    with h5py.File(f"{folder}/in.h5", "w") as f:
        x = rng.normal(size=(5, ROWS))[:, :rows]
        x[0, 0] += values
        for group in ("t", "other"):
            for name, column in zip(names, x, strict=False):
                f[f"{group}/{name}"] = column.astype(kind)
        if packed:
            f["t/u"].attrs["scale_factor"] = packed
        f["id"], f["id2"] = np.arange(rows), np.arange(rows)


def write_models(folder, rho=0.1):
    """m.model: a classifier of four features."""
    write_model(f"{folder}/m.model")
    with open(f"{folder}/m.model", encoding="ascii") as f:
        text = f.read()
    with open(f"{folder}/m.model", "w", encoding="ascii") as f:
        f.write(text.replace("rho 0.1", f"rho {rho}"))


BASE = {"model": ["m.model"], "input": ["in.h5"], "dataset": ["/t"], "passthrough": ["/id"], "missing-value": ["99"],
        "missing": ["fill"], "fill": ["u=1,g=1,r=1,i=1"], "rows": ["0:180"], "features": ["u,g,r,i"],
        "write": ["label,probability"], "block-rows": ["20"]}


def arguments(**changes):
    """The arguments of the job with some options replaced; None leaves one out."""
    options = {**BASE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return ["score", "--progress", "none", *(word for name, values in options.items() if values is not None
                                              for word in (f"--{name}", *values))]


# what changes: (files, arguments, environment, the field that must be named)
CHANGES = {
    "model": (lambda d: write_models(d, rho=0.2), {}, {}, "models/0/hash"),
    "name of the model": (None, {"model": ["z=m.model"]}, {}, "models/0/name"),
    "precision": (None, {"precision": ["float32"]}, {}, "models/0/precision"),
    "content of the input": (lambda d: write_inputs(d, values=1.0), {}, {}, "inputs/0/sampled_crc"),
    "size of the input": (lambda d: open(f"{d}/in.h5", "ab").write(bytes(100)), {}, {}, "inputs/0/size"),
    "another input": (lambda d: shutil.copy(f"{d}/in.h5", f"{d}/in2.h5"), {"input": ["in2.h5"]}, {}, "inputs/0/path"),
    "one more input": (lambda d: shutil.copy(f"{d}/in.h5", f"{d}/in2.h5"), {"input": ["in.h5", "in2.h5"]}, {}, "inputs/1/"),
    "dataset": (None, {"dataset": ["/other"]}, {}, "inputs/0/dataset"),
    "rows of the input": (lambda d: write_inputs(d, rows=150), {"rows": None}, {}, "inputs/0/rows"),
    "rows": (None, {"rows": ["0:160"]}, {}, "inputs/0/rows"),
    "first row": (None, {"rows": ["20:200"]}, {}, "inputs/0/first_row"),
    "names of columns": (lambda d: write_inputs(d, names=("u", "g", "r", "z")), {"features": ["u,g,r,z"], "fill": ["u=1,g=1,r=1,z=1"]},
                         {}, "features/0/"),
    "another column": (lambda d: write_inputs(d, names=("u", "g", "r", "i", "z")), {}, {}, "inputs/0/names_crc"),
    "type of the columns": (lambda d: write_inputs(d, kind="f8"), {}, {}, "types"),
    "packing": (lambda d: write_inputs(d, packed=2.0), {}, {}, "packing"),
    "features": (None, {"features": ["g,u,r,i"]}, {}, "features/0/"),
    "differences": (None, {"features": ["u-g,g,r,i"]}, {}, "features/0/"),
    "missing": (None, {"missing": ["mark"]}, {}, "missing: there"),
    "missing values": (None, {"missing_value": ["-99"]}, {}, "missing_values/0"),
    "fill values": (None, {"fill": ["u=2,g=1,r=1,i=1"]}, {}, "fills/u"),
    "results": (None, {"write": ["label"]}, {}, "outputs/"),
    "passthrough": (None, {"passthrough": ["/id2"]}, {}, "outputs/"),
    "no passthrough": (None, {"passthrough": None}, {}, "outputs/"),
    "instruction set": (None, {}, {"H5SCORE_ISA": "baseline"}, "numeric_backend"),
}


@pytest.fixture(scope="module")
def started():
    """(folder of models and inputs, undisturbed output, part file that lacks three blocks)"""
    with fast_folder() as folder:
        os.mkdir(f"{folder}/files")
        write_inputs(f"{folder}/files")
        write_models(f"{folder}/files")
        right, part = f"{folder}/right.h5", f"{folder}/kept.part"
        run([*arguments(), "--output", right], cwd=f"{folder}/files")
        shutil.copy(right, part)
        with h5py.File(part, "r+") as f:
            f["h5score/ledger"][2:5] = 0
            f["label"][40:100] = 77
        yield f"{folder}/files", right, part


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_before_a_resume_is_named(started, change):
    files, right, kept = started
    mutate, options, env, field = CHANGES[change]
    if change == "instruction set" and os.environ.get("H5SCORE_ISA") == "baseline":
        pytest.skip("all tests run with the baseline instruction set")
    with fast_folder() as folder:
        shutil.copytree(files, f"{folder}/job", copy_function=shutil.copy2)
        # Paths are part of the identity: work where the files were.
        with swapped(files, f"{folder}/job"):
            out = f"{folder}/s.h5"
            shutil.copy(kept, part_of(out))
            before = open(part_of(out), "rb").read()
            if mutate:
                mutate(files)
            done = run([*arguments(**options), "--output", out, "--resume"], cwd=files, code=USAGE, env=env)
            assert "cannot continue it" in done.stderr and field in done.stderr, done.stderr
            assert open(part_of(out), "rb").read() == before, "a refused run changed the part file"
            assert not os.path.exists(out)
        if change in count(list(CHANGES)[::8], list(CHANGES)):  # with what it was begun with, it goes on
            done = run([*arguments(), "--output", out, "--resume"], cwd=files)
            assert "taken over" in done.stdout
            assert_sound(out, right)
    record("changed-on-resume", 1, "refused, field named")


@contextlib.contextmanager
def swapped(files, copy):
    """The copy stands in the place of the files for a while."""
    os.rename(files, f"{copy}.original")
    os.rename(copy, files)
    try:
        yield
    finally:
        shutil.rmtree(files)
        os.rename(f"{copy}.original", files)


def test_what_decides_no_score_may_change(started):
    """Ranks, threads, schedule, ways of reading, and the time of the input."""
    files, right, kept = started
    with fast_folder() as folder:
        out = f"{folder}/s.h5"
        for np_, more in ((None, ["--threads", "3"]), (2, ["--schedule", "static", "--io", "scatter"]), (3, [])):
            shutil.copy(kept, part_of(out))
            os.utime(f"{files}/in.h5")
            done = run([*arguments(), *more, "--output", out, "--resume"], cwd=files, np_=np_)
            assert "another modification time" in done.stderr
            assert_sound(out, right)
            os.unlink(out)


# ---- changes while a run reads

def touch(path):
    os.utime(path)


def change_a_value(path):
    with open(path, "r+b") as f:
        f.seek(-1, os.SEEK_END)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_END)
        f.write(bytes([byte ^ 1]))


def grow(path):
    with open(path, "ab") as f:
        f.write(bytes(4096))


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def replace(path):
    shutil.copy(path, f"{path}.new")
    os.rename(f"{path}.new", path)


UNDER_THE_RUN = {"touched": touch, "value changed": change_a_value, "grown": grow, "truncated": truncate, "replaced": replace,
                 "removed": os.unlink}


@contextlib.contextmanager
def held(job, mode):
    """A run that has opened its input and made its part file and scores nothing yet: what it says first goes to a full pipe.
    `go()` lets it go on and gives its exit code and messages. Ends what is left of the run."""
    np_, more = MODES[mode]
    pipe = f"{job.folder}/pipe"
    os.mkfifo(pipe)
    ours = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ours, bytes(4096))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ours, b"\0")
    launcher = [] if np_ is None else [MPIEXEC, "-n", str(np_)]
    words = [*launcher, "sh", "-c", 'exec "$0" "$@" >"$PIPE"', *command(job.score(*more))]
    process = subprocess.Popen(words, env={**os.environ, "PIPE": pipe}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)

    def go():
        fcntl.fcntl(ours, fcntl.F_SETFL, os.O_RDWR)
        drained = os.read(ours, 1 << 20)
        assert drained
        _, stderr = process.communicate(timeout=60)
        return process.returncode, [line for line in stderr.splitlines() if line.startswith("h5score: ")]

    try:
        while not os.path.exists(part_of(job.out)):
            assert process.poll() is None, process.communicate()
        yield go
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        os.close(ours)
        os.unlink(pipe)


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        job = make_job(folder)
        os.utime(f"{job.inputs}/in.h5", (1.6e9, 1.6e9))  # so that any later time is another one
        run([*job.arguments, "--output", job.undisturbed, "--overwrite"])
        yield job


@pytest.mark.parametrize("mode", MODES)
def test_an_input_that_changes_under_the_run_leaves_no_final_name(job, mode):
    source, kept = f"{job.inputs}/in.h5", f"{job.folder}/kept.h5"
    shutil.copy2(source, kept)
    changes = list(UNDER_THE_RUN) if mode == "alone" else count(["value changed", "truncated"], list(UNDER_THE_RUN))
    for change in changes:
        job.clear()
        with held(job, mode) as go:
            UNDER_THE_RUN[change](source)
            code, messages = go()
        assert code in (DATA, NO_INPUT, IO), (change, code, messages)
        assert any("in.h5" in line for line in messages), (change, messages)
        assert os.listdir(job.outputs) == ["s.h5.part"], change
        shutil.copy2(kept, source)
        rerun_resumes(job.arguments, job.out, job.undisturbed)
    record("changed-input", len(changes), "message, no final name; R")


def test_the_held_run_is_right_when_nothing_changes(job):
    """The test above would prove nothing if holding a run alone made it fail."""
    for mode in MODES:
        job.clear()
        with held(job, mode) as go:
            assert go() == (0, [])
        assert_sound(job.out, job.undisturbed)
        assert os.path.exists(job.out)


# ---- changes in the middle of a run

@pytest.fixture(scope="module")
def slow_job():
    """A run of about a second in 80 blocks: (folder, arguments without --output, undisturbed output)"""
    rows, vectors, features = (400, 2_000, 16) if SANITIZED else (4_000, 10_000, 16)
    with fast_folder() as folder:
        rng = np.random.default_rng(3)
        with h5py.File(f"{folder}/in.h5", "w") as f:
            f["x"] = rng.normal(size=(rows, features)).astype("f4")
        lines = "\n".join("0.5 " + " ".join(f"{j + 1}:{v:.3f}" for j, v in enumerate(row))
                          for row in rng.normal(size=(vectors, features)))
        with open(f"{folder}/m.model", "w", encoding="ascii") as f:
            f.write(f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\ntotal_sv {vectors}\nrho 0.25\nSV\n{lines}\n")
        os.utime(f"{folder}/in.h5", (1.6e9, 1.6e9))
        arguments = ["score", "--model", f"{folder}/m.model", "--input", f"{folder}/in.h5", "--threads", "1", "--block-rows",
                     str(rows // 80), "--sync-interval", "0", "--progress", "none"]
        run([*arguments, "--output", f"{folder}/right.h5"])
        yield folder, arguments, f"{folder}/right.h5"


def stopped_between_blocks(arguments, out):
    """A run that SIGSTOP holds after it has claimed some blocks and long before its end."""
    while True:
        process = subprocess.Popen(command([*arguments, "--output", out]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True)
        while process.poll() is None:
            if os.path.exists(part_of(out)) and claims(part_of(out)):
                process.send_signal(signal.SIGSTOP)
                break
        if process.poll() is None and os.path.exists(part_of(out)) and len(claims(part_of(out))) < 40:
            return process
        process.kill()  # this machine was too slow to look in time: try again
        process.communicate()
        for path in (out, part_of(out)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


@pytest.mark.parametrize("change", ["other values", "touched"])
def test_a_change_between_blocks_leaves_no_final_name_and_no_wrong_claim(slow_job, change):
    folder, arguments, right = slow_job
    source, out = f"{folder}/in.h5", f"{folder}/s.h5"
    shutil.copy2(source, f"{folder}/kept.h5")
    process = stopped_between_blocks(arguments, out)
    if change == "touched":
        os.utime(source)
    else:
        with h5py.File(source, "r") as f:
            offset, values = f["x"].id.get_offset(), f["x"][()]
        with open(source, "r+b") as f:
            f.seek(offset)
            f.write((values + 1).tobytes())
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == DATA and "in.h5: changed while it was read" in stderr, stderr
    assert not os.path.exists(out)
    # With the old input in its place again nothing of the new one is taken over.
    shutil.copy2(f"{folder}/kept.h5", source)
    assert false_entries(part_of(out), right) == []
    kept = len(claims(part_of(out)))
    assert kept == 0 if change == "other values" else kept > 0
    rerun_resumes(arguments, out, right)
    os.unlink(out)
    record("changed-input", 1, "message, no final name; R")


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_input_cut_off_under_mapped_pieces_ends_the_run_with_a_message(slow_job, threads):
    folder, arguments, right = slow_job
    source, out = f"{folder}/in.h5", f"{folder}/s.h5"
    shutil.copy2(source, f"{folder}/kept.h5")
    given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    given.update({"--threads": threads, "--block-rows": str(10 * int(given["--block-rows"]))})  # pieces that are mapped
    arguments = ["score", *(word for pair in given.items() for word in pair)]
    process = stopped_between_blocks(arguments, out)  # a thread is in the middle of a block, each of them mostly
    os.truncate(source, 4096)
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (DATA, IO) and "in.h5" in stderr and stderr.count("\n") == 1, (process.returncode, stderr)
    assert not os.path.exists(out)
    shutil.copy2(f"{folder}/kept.h5", source)
    rerun_resumes(arguments, out, right)
    os.unlink(out)
    record("changed-input", 1, "message, no final name; R")
