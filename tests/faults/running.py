"""A run that is certainly still going on: all of its ranks are halted by SIGSTOP while a test looks and does something to them,
and go on when it says so. No test has to hope that a run lasts long enough."""
import contextlib
import os
import re
import signal
import subprocess
import time

import ledger
from program import BIN, MPIEXEC, command

PATIENCE = 120  # seconds until a test gives up; nothing is measured by it


def until(condition, what, patience=PATIENCE):
    """Waits for the condition; gives its value."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {patience} s for: {what}")


def _read(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read()


def processes_writing(out):
    """rank (0 without a launcher) -> process id of the h5score processes that write `out`, without name nodes."""
    parents, ranks = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = _read(entry, "cmdline").split(b"\0")
            if words[0] != BIN.encode() or str(out).encode() not in words or _state(entry) == "Z":
                continue
            rank = re.search(rb"\0(?:OMPI_COMM_WORLD_RANK|PMI_RANK|PMIX_RANK)=(\d+)", b"\0" + _read(entry, "environ"))
            parents[int(entry)] = int(_read(entry, "stat").rsplit(b")", 1)[1].split()[1])
            ranks[int(entry)] = int(rank.group(1)) if rank else 0
    return {ranks[pid]: pid for pid, parent in parents.items() if parent not in parents}


def _state(pid):
    return _read(pid, "stat").rsplit(b")", 1)[1].split()[0].decode()


def is_alive(pid):
    try:
        return _state(pid) not in "ZX"
    except OSError:
        return False


def pending(pid, number):
    """Whether a signal waits for a halted process."""
    masks = re.findall(rb"(?:SigPnd|ShdPnd):\s*(\w+)", _read(pid, "status"))
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def activity(pid):
    """(clock ticks used, times it gave up the processor by itself)"""
    fields = _read(pid, "stat").rsplit(b")", 1)[1].split()
    return int(fields[11]) + int(fields[12]), int(re.search(rb"\nvoluntary_ctxt_switches:\s*(\d+)", _read(pid, "status")).group(1))


class Running:
    """One run: `launcher` is what was started (mpirun, or h5score itself), `pids` its ranks."""

    def __init__(self, arguments, out, np_, launch=None, env=None):
        """`launch`: what starts the ranks instead of mpiexec, with its arguments."""
        self.out = str(out)
        self.expected, self.alone = np_ or 1, np_ is None
        words = command([*arguments, "--output", out], None if launch else np_)
        self.launcher = subprocess.Popen([*(launch or []), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                         stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        self.pids = {}

    def find(self):
        """Looks for the ranks; None until all are there."""
        assert self.launcher.poll() is None, self.launcher.communicate()
        found = {0: self.launcher.pid} if self.alone else processes_writing(self.out)
        if len(found) == self.expected:
            self.pids = found
        return self.pids

    def signal(self, number, ranks=None):
        for rank, pid in self.pids.items():
            if ranks is None or rank in ranks:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def halt(self):
        """Returns when every rank is halted."""
        self.signal(signal.SIGSTOP)
        until(lambda: all(not is_alive(pid) or _state(pid) == "T" for pid in self.pids.values()), "halted ranks")

    def go_on(self, ranks=None):
        self.signal(signal.SIGCONT, ranks)

    def has_polled(self, rank):
        """Returns once a rank that goes on has certainly looked for messages and signals, as it does every 0.25 ms of its time."""
        ticks, switches = activity(self.pids[rank])
        until(lambda: not is_alive(self.pids[rank]) or activity(self.pids[rank])[0] > ticks + 5
              or activity(self.pids[rank])[1] > switches + 20, f"rank {rank} at work")

    def end(self):
        """(exit code, stdout, stderr) once the launcher has ended."""
        stdout, stderr = self.launcher.communicate(timeout=PATIENCE)
        return self.launcher.returncode, stdout, stderr

    def clean_up(self):
        self.signal(signal.SIGKILL)
        self.launcher.kill()
        self.launcher.communicate()
        for pid in processes_writing(self.out).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_writing(self.out), "an end of all ranks")


def _try_to_halt(run, blocks):
    """True if the run was halted while it had between `blocks` and all claims; False if it was too quick."""
    part = ledger.part_of(run.out)
    while run.launcher.poll() is None:
        if os.path.exists(part) and (run.pids or run.find()):
            run.halt()
            if not os.path.exists(part):
                return False
            claimed = len(ledger.claims(part))
            if claimed >= blocks:
                return claimed < ledger.blocks_of(part) - 4 * run.expected
            run.go_on()
        time.sleep(0.004)
    return False


@contextlib.contextmanager
def halted(arguments, out, np_=None, blocks=1, resume=False, **how):
    """A run, halted when it has claimed at least `blocks` blocks in all and has many left to do."""
    before = None
    if resume:
        with open(ledger.part_of(out), "rb") as f:
            before = f.read()
    for _ in range(10):
        run = Running([*arguments, *(["--resume"] if resume else [])], out, np_, **how)
        try:
            if _try_to_halt(run, blocks):
                yield run
                return
        finally:
            run.clean_up()
        for path in (out, ledger.part_of(out)):  # it ended before it could be halted: once more
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        if before is not None:
            with open(ledger.part_of(out), "wb") as f:
                f.write(before)
    raise AssertionError("ten runs ended before they could be halted")


class RunningJob(Running):
    """The ranks of a run that somebody else starts, such as a batch job."""

    def __init__(self, out, ranks):  # pylint: disable=super-init-not-called
        self.out, self.expected, self.alone = str(out), ranks, False
        self.pids = {}

    def find(self):
        found = processes_writing(self.out)
        self.pids = found if len(found) == self.expected else {}
        return self.pids

    def halt_at(self, blocks):
        """Returns when the ranks are halted with at least `blocks` claims and many blocks to do."""
        part = ledger.part_of(self.out)

        def try_it():
            if not os.path.exists(part) or not self.find():
                return False
            self.halt()
            if len(ledger.claims(part)) >= blocks:
                return True
            self.go_on()
            time.sleep(0.004)
            return False

        until(try_it, f"{blocks} claims of the job")
        assert len(ledger.claims(part)) < ledger.blocks_of(part) - 4 * self.expected, "the job was too quick to be halted"


def launched_by_open_mpi():
    """Whether ranks are started by Open MPI, which forwards signals; MPICH's launcher does not."""
    return b"Open MPI" in subprocess.run([MPIEXEC, "--version"], capture_output=True, check=False).stdout \
        or b"OpenRTE" in subprocess.run([MPIEXEC, "--version"], capture_output=True, check=False).stdout
