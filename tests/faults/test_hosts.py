"""Several hosts: a link that is cut or slow, and a node that goes down in Slurm while its ranks live on."""
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import ledger
import matrix
import program
import pytest
import testbed
from running import RunningJob, halted, is_alive, until
from slow_job import IO, make_slow_job
from test_slurm_jobs import environment, requeue_script
from test_stale import LastRun

testbed.require_testbed()
KEEPALIVE = dict(re.findall(r"(OMPI_MCA_oob_tcp_keepalive_\w+)=(\d+)", (Path(program.SOURCE_DIR) / "jobs/score.sbatch").read_text()))


@pytest.fixture(scope="module")
def beds():
    """The environment of three virtual hosts."""
    with testbed.hosts(3) as env:
        yield env


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_slow_job(tmp_path_factory.mktemp("hosts"))


def on_hosts(ranks):
    """What starts `ranks` on h1, h1, h2, h2, ..."""
    return [f"{testbed.TESTBED}/hosts-mpirun", "-n", str(ranks)]


@pytest.mark.parametrize("io", matrix.count(IO[:1], IO))
def test_a_cut_link_ends_the_run(beds, job, io):
    assert set(KEEPALIVE) == {f"OMPI_MCA_oob_tcp_keepalive_{name}" for name in ("time", "intvl", "probes")}
    job.clear()
    with halted([*job.arguments, "--io", io], job.out, 4, launch=on_hosts(4), env={**beds, **KEEPALIVE}) as going:
        testbed.set_link("h2", up=False)
        try:
            start = time.monotonic()
            going.go_on()
            code, _, text = going.end()
            seconds = time.monotonic() - start
            assert code != 0, text
            ledger.assert_sound(job.out, job.undisturbed)
            # Elsewhere it would have to wait: that the root is dead is known on its own host only. Ranks of h2 may be alive.
            again = subprocess.run([f"{testbed.TESTBED}/hosts-exec", "h1", *program.command(job.score("--resume", "--wait", "1m"))],
                                   capture_output=True, text=True, timeout=120, check=False)
            assert again.returncode == 0, again.stderr
        finally:
            testbed.set_link("h2", up=True)
    program.assert_same_scores(job.undisturbed, job.out)
    matrix.record("cut-link", 1, f"code {code} after {seconds:.0f} s ({io}); R")


@pytest.mark.parametrize("io", IO)
def test_a_slow_link_changes_nothing(beds, job, tmp_path, io):
    delay = tmp_path / "hosts-delay"
    subprocess.run(["g++", "-O2", "-o", delay, f"{testbed.TESTBED}/hosts-delay.cc"], check=True, timeout=120)
    job.clear()
    with subprocess.Popen([delay, "h2", "5", "1"], env={**os.environ, **beds}) as link:
        try:
            until(lambda: subprocess.run(["ip", "-n", "hsw", "link", "show", "dp2"], capture_output=True, check=False).returncode == 0,
                  "the slow link")
            done = subprocess.run([*on_hosts(4), *program.command(job.score("--io", io))], env={**os.environ, **beds, **KEEPALIVE},
                                  capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stderr
            assert "2 hosts" in done.stdout
        finally:
            link.send_signal(signal.SIGTERM)
    program.assert_same_scores(job.undisturbed, job.out)
    matrix.record("slow-link", 1, f"passes ({io})")


@pytest.mark.skipif(not matrix.FULL, reason="takes a minute: part of scripts/run-tests --faults")
def test_a_node_goes_down_and_its_ranks_live_on(beds, tmp_path):
    """The job runs on n2, which is cut off: Slurm puts the job on another node. Its old ranks are frozen at first, with the lock
    of the part file, and go on when the new run has ended."""
    job = make_slow_job(tmp_path, block=20)
    log = tmp_path / "log"
    with testbed.slurm(3, 2, beds) as slurm:
        for node in ("n1", "n3"):
            slurm.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
        number = slurm.submit(requeue_script(job, tmp_path), "--ntasks=1", "--cpus-per-task=1", "--time=10", f"--output={log}",
                              env=environment("srun"))
        old = RunningJob(job.out, 1)
        try:
            old.halt_at(2)
            testbed.set_link("h2", up=False)
            for node in ("n1", "n3"):
                slurm.run("scontrol", "update", f"nodename={node}", "state=resume")
            until(lambda: slurm.facts(number).get("Restarts", "0") != "0", "Slurm to queue the job again")
            until(lambda: slurm.facts(number).get("JobState") == "RUNNING", "the job on another node")
            assert slurm.facts(number)["NodeList"] in ("n1", "n3")
            assert is_alive(old.pids[0])
            LastRun(ledger.part_of(job.out)).was_alive(301)  # five minutes later
            assert slurm.wait(number, log) == 0, log.read_text()
            program.assert_same_scores(job.undisturbed, job.out)
            assert is_alive(old.pids[0]), "the old rank is still there"
            assert "taken over from another run on host n2" in log.read_text()
            old.go_on()
            until(lambda: not is_alive(old.pids[0]), "an end of the old rank")
        finally:
            testbed.set_link("h2", up=True)
            old.signal(signal.SIGKILL)
    program.assert_same_scores(job.undisturbed, job.out)
    assert not os.path.exists(ledger.part_of(job.out))
    matrix.record("node-down", 1, "queued again on another node, took over; the old rank woke up, found out and ended")
