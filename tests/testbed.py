"""A private Slurm and several virtual hosts for tests, from the folder $H5SCORE_TESTBED (slurm-up.sh, hosts-up.sh, ...), which needs
root. Whatever happens, they are taken down again."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import pytest

TESTBED = os.environ.get("H5SCORE_TESTBED")


def require_testbed():
    """Skips the whole file, so that ctest lists it as skipped."""
    if not TESTBED or os.geteuid() != 0:
        print("SKIPPED LOUDLY: H5SCORE_TESTBED is not set or this is not root", file=sys.stderr)
        pytest.skip("H5SCORE_TESTBED is not set or this is not root: Slurm and several hosts are not tested",
                    allow_module_level=True)


def free_port_base(count=8):
    """A port from which `count` in a row are free."""
    for base in range(17000, 30000, 97):
        with_sockets = []
        try:
            for port in range(base, base + count):
                with_sockets.append(socket.create_server(("127.0.0.1", port)))
            return base
        except OSError:
            continue
        finally:
            for s in with_sockets:
                s.close()
    raise RuntimeError("no free ports")


def _script(name, *arguments, env, timeout=240, check=True):
    subprocess.run([f"{TESTBED}/{name}", *map(str, arguments)], env=env, check=check, timeout=timeout, stdin=subprocess.DEVNULL)


@contextmanager
def hosts(count):
    """The environment with which hosts-exec and hosts-mpirun find the virtual hosts h1, h2, ..."""
    home = tempfile.mkdtemp(prefix="h5score-hosts-")
    env = {**os.environ, "HOSTS_TMP": f"{home}/hosts"}
    try:
        _script("hosts-up.sh", count, env=env)
        yield env
    finally:
        _script("hosts-down.sh", env=env, check=False)
        shutil.rmtree(home, ignore_errors=True)


def set_link(host, up):
    """Cuts a virtual host off, or connects it again."""
    subprocess.run(["ip", "-n", "hsw", "link", "set", f"p{host[1:]}", "up" if up else "down"], check=True, timeout=30)


class Slurm:
    """Commands of a private Slurm. `on`: what goes in front of them."""

    def __init__(self, env, on=()):
        self.env, self.on = env, list(on)

    def run(self, *words, check=True):
        return subprocess.run([*self.on, *map(str, words)], env=self.env, capture_output=True, text=True, timeout=60, check=check)

    def submit(self, script, *options, env=None):
        """Submits and returns the job's number."""
        done = subprocess.run([*self.on, "sbatch", "--parsable", f"--chdir={script.parent}", *map(str, options), str(script)],
                              env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(";")[0].strip()

    def facts(self, job):
        return dict(re.findall(r"(\w+)=(\S*)", self.run("scontrol", "show", "job", "-o", job, check=False).stdout))

    def wait(self, job, log, timeout=300):
        """The exit code of the batch script once the job has ended for good; cancels it when it takes too long."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            facts = self.facts(job)
            if facts.get("JobState") not in (None, "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "NODE_FAIL"):
                return int(facts["ExitCode"].split(":")[0])
            time.sleep(0.2)
        self.run("scancel", job, check=False)
        pytest.fail(f"job {job} has not ended within {timeout} s: {facts}\n{log.read_text() if log.exists() else ''}")


@contextmanager
def slurm(nodes, cpus, virtual_hosts=None):
    """A Slurm whose node n1 is this machine in its own name, or the virtual host h1 of hosts()."""
    home = tempfile.mkdtemp(prefix="h5score-slurm-")
    env = {**os.environ, "SLURM_TMP": home, "SLURM_PORT": str(free_port_base())}
    on = []
    if virtual_hosts is not None:
        env.update(virtual_hosts, SLURM_TMP=home, SLURM_HOSTS="1")
        on = [f"{TESTBED}/hosts-exec", "h1"]
    try:
        _script("slurm-up.sh", nodes, cpus, env=env)
        text = subprocess.run(["bash", "-c", f". {home}/env; env -0"], env=env, check=True, capture_output=True).stdout
        yield Slurm(dict(line.split("=", 1) for line in text.decode().split("\0") if "=" in line), on)
    finally:
        _script("slurm-down.sh", env=env, timeout=60, check=False)
        shutil.rmtree(home, ignore_errors=True)


def edited(script, folder, **lines):
    """A copy of a job script in `folder` with its marked lines edited, as a user would."""
    text = script.read_text()
    for name, value in lines.items():
        text, count = re.subn(rf"(?m)^{name}=\S+ .*<-.*$", lambda _, n=name, v=value: f'{n}="{v}"', text)
        assert count == 1, name
    path = folder / script.name
    path.write_text(text)
    return path
