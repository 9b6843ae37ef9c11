"""The program from outside: help, versions, mistakes, exit codes, inspect and convert."""
import fcntl
import json
import os
import pickle
import pty
import re
import shlex
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

BIN = os.environ["H5SCORE_BIN"]
MPIEXEC = os.environ["H5SCORE_MPIEXEC"]
USAGE, DATA, NO_INPUT, CANT_CREATE = 64, 65, 66, 73

LAUNCHER = re.compile(r"^(OMPI_|PMI_|PMIX_|SLURM_|MV2_|JSM_)")


def run(*args, code=0, env=None, columns=None, **kwargs):
    """Runs the program; checks the exit code and that HDF5 never prints by itself."""
    environment = {k: v for k, v in os.environ.items() if not LAUNCHER.match(k) or k.startswith("OMPI_MCA")}
    environment.update(env or {})
    if columns:
        environment["COLUMNS"] = str(columns)
    done = subprocess.run([BIN, *map(str, args)], capture_output=True, text=True, env=environment, timeout=120, **kwargs)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "HDF5-DIAG" not in done.stderr + done.stdout
    return done


def error(*args, code, **kwargs):
    """The one line that a failing run says."""
    done = run(*args, code=code, **kwargs)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("h5score: ")
    return done.stderr


def mpirun(n, *args):
    return subprocess.run([MPIEXEC, "-n", str(n), BIN, *map(str, args)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """data.h5 with several datasets, a libsvm model, and files that are neither."""
    folder = tmp_path_factory.mktemp("cli")
    with h5py.File(folder / "data.h5", "w") as f:
        f.create_dataset("images", data=np.zeros((40, 4, 5), np.uint8), chunks=(10, 4, 5), compression="gzip", shuffle=True)
        f["labels"] = np.arange(40, dtype=">i2")
        f["names"] = np.array([b"x"] * 40)
    (folder / "svm.model").write_text(
        "svm_type c_svc\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho 0.25\nlabel 1 -1\nnr_sv 1 1\nSV\n"
        "1 1:0.5 2:1 3:-1\n-1 1:-1 3:2\n")
    (folder / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    (folder / "notes.txt").write_text("just some text\n")
    (folder / "empty.h5").write_bytes(b"")
    (folder / "torn.h5").write_bytes((folder / "data.h5").read_bytes()[:700])
    return folder


# ---- help and versions

def test_no_arguments_prints_short_help_and_fails():
    done = run(code=USAGE)
    assert done.stdout == ""
    assert "Usage: h5score COMMAND" in done.stderr
    for command in ("score", "inspect", "verify", "convert"):
        assert re.search(rf"^  {command} ", done.stderr, re.M)


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"]])
def test_help_goes_to_standard_output(args):
    assert "Usage: h5score COMMAND" in run(*args).stdout


@pytest.mark.parametrize("command", ["score", "predict", "inspect", "verify", "convert"])
@pytest.mark.parametrize("columns", [80, 160])
def test_help_of_each_command(command, columns):
    text = run(command, "--help", columns=columns).stdout
    assert text.startswith("Usage: h5score ")
    assert "\nOptions:\n" in text and "Example" in text
    assert max(map(len, text.splitlines())) <= min(columns, 100)


def test_only_what_works_is_listed():
    text = run("--help").stdout + run("score", "--help").stdout
    for later in ("evaluate", "train ", "--trace"):
        assert later not in text


def test_version_names_the_libraries():
    lines = run("--version").stdout.splitlines()
    assert re.fullmatch(r"h5score \d+\.\d+\.\d+", lines[0])
    text = "\n".join(lines)
    for name in ("compiler", "MPI", "HDF5", "libdeflate", "instruction set"):
        assert re.search(rf"^  {name} +\S", text, re.M), text
    assert re.search(r"^  HDF5 +1\.", text, re.M)


# ---- mistakes

@pytest.mark.parametrize("args, part", [
    (["scor"], "scor: unknown command; did you mean h5score score?"),
    (["--verbose"], "--verbose: unknown option"),
    (["score", "--ouput", "x"], "--ouput: unknown option; did you mean --output?"),
    (["score"], "--model is missing"),
    (["score", "--model", "m.h5", "--input", "a.h5"], "--output is missing"),
    (["score", "--model", "m.h5", "--input", "a.h5", "--output", "a.h5"], "the same file as an input"),
    (["score", "--model", "m.h5", "--input", "a.h5", "--output", "o.h5", "--view", "o.h5.part"], "the same file as the output"),
    (["score", "--model", "m.h5", "--input", "a.h5", "--output", "o.h5", "--report", "./o.h5.part.tmp"],
     "the same file as the output"),
    (["score", "--model", "m.h5", "n.h5", "--input", "a.h5", "--output", "o.h5"], "more than one model without a name"),
    (["score", "--model", "m.h5", "--input", "a.h5", "--output", "o.h5", "--memory-per-rank", "lots"], "512M"),
    (["score", "--model", "m.h5", "--input", "a.h5", "", "--output", "o.h5"], "the name of an input is empty"),
    (["convert", "", "-o", "c"], "the name of an input is empty"),
    (["inspect"], "FILE is missing"),
    (["inspect", "--all", "x.h5"], "--all: unknown option"),
    (["convert", "m.model"], "--output is missing"),
    (["convert", "m.h5", "-o", "./m.h5"], "the same file as an input"),
])
def test_wrong_usage_is_one_line_and_64(args, part):
    assert part in error(*args, code=USAGE)


def test_wrong_usage_under_mpirun_is_said_once():
    done = mpirun(3, "score", "--ouput", "x")
    assert done.returncode == USAGE
    assert done.stderr.count("unknown option") == 1


def test_help_under_mpirun_is_said_once():
    done = mpirun(2, "--help")
    assert done.returncode == 0
    assert done.stdout.count("Usage:") == 1


def test_full_disk_behind_a_redirection_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74
    assert "standard output" in done.stderr


def test_a_closed_pipe_is_not_an_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BIN, "--help"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


# ---- inspect

@pytest.mark.parametrize("name, code, part", [
    ("missing.h5", NO_INPUT, "missing.h5"),
    ("notes.txt", DATA, "notes.txt"),
    ("empty.h5", DATA, "empty.h5"),
    ("torn.h5", DATA, "torn.h5"),
    ("model.pkl", DATA, "a Python pickle"),
    (".", NO_INPUT, "not a regular file"),
])
def test_inspect_of_what_cannot_be_read(work, name, code, part):
    assert part in error("inspect", work / name, code=code)


def test_inspect_data(work):
    text = run("inspect", work / "data.h5").stdout
    assert "HDF5 data, 3 datasets" in text
    assert re.search(r"/images +40 x 4 x 5 +uint8 ", text), text
    assert re.search(r"/images: chunks 10 x 4 x 5, read by its chunks: shuffle, gzip", text), text
    assert re.search(r"/labels +40 +>i2 ", text), text
    assert re.search(r"/names: contiguous; cannot be scored: its elements are not numbers", text), text


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_inspect_fits_the_width(work, columns):
    text = run("inspect", work / "svm.model", columns=columns).stdout.replace(str(work), "")
    assert max(map(len, text.splitlines())) <= columns


def test_inspect_model(work):
    text = run("inspect", work / "svm.model").stdout
    assert "svm.model: model" in text
    for line in (r"file format +libsvm", r"features +3", r"classes +2: 1, -1", r"stages +1 rbf kernel, 2 support vectors",
                 r"results +label", r"golden rows +none", r"hash +[0-9a-f]{32}"):
        assert re.search(rf"^  {line}", text, re.M), (line, text)


def test_locks_of_others_do_not_matter(work, tmp_path):
    """Locks fail or hang on many shared file systems: models are read as data are, without any."""
    native = tmp_path / "svm.h5"
    run("convert", work / "svm.model", "-o", native)
    with open(native) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "svm.h5: model" in run("inspect", native).stdout
        run("convert", native, "-o", tmp_path / "copy.h5")


def test_inspect_several_files(work):
    text = run("inspect", work / "svm.model", work / "data.h5").stdout
    assert "svm.model: model" in text and "data.h5: HDF5 data" in text


# ---- convert

def test_convert_keeps_the_model(work, tmp_path):
    out = tmp_path / "svm.h5"
    run("convert", work / "svm.model", "-o", out)
    hashes = [re.search(r"hash +(\w+)", run("inspect", f).stdout).group(1) for f in (work / "svm.model", out)]
    assert hashes[0] == hashes[1]
    assert re.search(r"file format +native", run("inspect", out).stdout)


def test_convert_refuses_to_overwrite_unless_told(work, tmp_path):
    out = tmp_path / "svm.h5"
    out.write_text("precious")
    assert "--overwrite" in error("convert", work / "svm.model", "-o", out, code=CANT_CREATE)
    assert out.read_text() == "precious"
    run("convert", work / "svm.model", "-o", out, "--overwrite")
    assert "model" in run("inspect", out).stdout


@pytest.mark.parametrize("name, code", [("missing.model", NO_INPUT), ("notes.txt", DATA), ("data.h5", DATA)])
def test_convert_of_what_is_no_model(work, tmp_path, name, code):
    error("convert", work / name, "-o", tmp_path / "out.h5", code=code)
    assert list(tmp_path.iterdir()) == []


# ---- score: what the command line itself decides

def test_score_names_missing_files(work, tmp_path):
    line = error("score", "--model", work / "svm.model", "--input", work / "nowhere.h5", "--output", tmp_path / "s.h5",
                 code=NO_INPUT)
    assert "nowhere.h5" in line
    line = error("score", "--model", work / "no.model", "--input", work / "data.h5", "--output", tmp_path / "s.h5",
                 code=NO_INPUT)
    assert "no.model" in line
    assert list(tmp_path.iterdir()) == []


def test_failures_on_ranks_are_said_once(work, tmp_path):
    done = mpirun(3, "score", "--model", work / "svm.model", "--input", work / "nowhere.h5", "--output", tmp_path / "s.h5")
    assert done.returncode == NO_INPUT
    assert done.stderr.count("nowhere.h5") == 1, done.stderr




# ---- score: progress, report, stop and resume

@pytest.fixture(scope="module")
def slow_job(tmp_path_factory):
    """A job of a second or more for each 100,000 rows, in many blocks: (folder, command line without --output)."""
    folder = tmp_path_factory.mktemp("slow")
    rng = np.random.default_rng(1)
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"] = rng.normal(size=(200_000, 16))
    vectors = "\n".join("0.5 " + " ".join(f"{j + 1}:{v:.3f}" for j, v in enumerate(row)) for row in rng.normal(size=(10_000, 16)))
    (folder / "m.model").write_text(
        f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\ntotal_sv 10000\nrho 0.25\nSV\n{vectors}\n")
    return folder, ["score", "--model", folder / "m.model", "--input", folder / "in.h5", "--threads", "1",
                    "--block-rows", "1000"]


def test_bar_on_a_terminal(slow_job):
    folder, command = slow_job
    master, slave = pty.openpty()
    with subprocess.Popen([BIN, *map(str, command), "--output", str(folder / "bar.h5"), "--rows", "0:100000"],
                          stderr=slave, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}) as process:
        os.close(slave)
        seen = b""
        try:
            while piece := os.read(master, 4096):
                seen += piece
        except OSError:
            pass  # the terminal's other end is closed
        summary = process.stdout.read()
    os.close(master)
    assert process.returncode == 0
    assert re.search(rb"\r\[=*> *\]  ?\d+\.\d %  ETA ", seen), seen
    assert seen.endswith(b"\r")
    assert "Scored 100,000 rows" in summary


def test_no_progress_where_none_is_asked(slow_job):
    folder, command = slow_job
    done = run(*command, "--output", folder / "none.h5", "--rows", "0:2000", "--progress", "none")
    assert done.stderr == ""
    assert "Scored 2,000 rows" in done.stdout


def test_report_and_configuration_file(slow_job):
    folder, command = slow_job
    (folder / "job.ini").write_text(f"rows = 0:3000\nreport = {folder}/r.json\noutput = {folder}/ignored.h5\n")
    run(*command, "--config", folder / "job.ini", "--output", folder / "report.h5")
    report = json.loads((folder / "r.json").read_text())
    assert report["schema"] == "h5score-report/1"
    assert (report["status"], report["rows"], report["rows_total"], report["threads"]) == ("done", 3000, 3000, 1)
    assert report["options"]["rows"] == "0:3000"
    assert report["command"].startswith(f"{shlex.quote(BIN)} score --model ")
    assert report["models"][0]["description"].startswith("support vector regression")
    assert report["versions"]["HDF5"]
    assert 0 < report["loop_seconds"] <= report["seconds"]
    phases = report["ranks"][0]["seconds"]
    assert sum(phases.values()) == pytest.approx(report["loop_seconds"], rel=0.2)
    assert not (folder / "ignored.h5").exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_run_and_its_message_resumes_it(slow_job, number):
    folder, command = slow_job
    out = folder / f"stop{int(number)}.h5"
    out.write_text("scores of yesterday")
    with subprocess.Popen([BIN, *map(str, command), "--output", str(out), "--overwrite"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        while not os.path.exists(f"{out}.part"):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    assert "Stopped early: scored" in stdout
    assert out.read_text() == "scores of yesterday"
    text = run("inspect", f"{out}.part").stdout
    assert "unfinished score file" in text
    resume = re.search(r"resume with: (.*)\n", stderr).group(1)
    assert "--overwrite" in resume  # the old scores are still there
    done = subprocess.run(resume, shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "taken over" in done.stdout
    with h5py.File(out) as f:
        assert f["prediction"].shape[0] == 200_000
    assert "score file, 200,000 rows" in run("inspect", out).stdout


def test_inspect_does_not_wait_for_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "link.h5").symlink_to("/dev/zero")
    for name in ("pipe.h5", "link.h5"):
        assert "not a regular file" in error("inspect", tmp_path / name, code=NO_INPUT)


def test_outputs_never_take_the_place_of_devices(slow_job, tmp_path):
    folder, command = slow_job
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    few = [*command, "--rows", "0:10", "--overwrite"]
    assert "not a regular file" in error(*few, "--output", pipe, code=CANT_CREATE)
    assert "not a regular file" in run(*few, "--output", tmp_path / "o.h5", "--report", pipe, code=CANT_CREATE).stderr
    assert "not a regular file" in error("convert", folder / "m.model", "-o", pipe, "--overwrite", code=CANT_CREATE)
    assert pipe.is_fifo()
