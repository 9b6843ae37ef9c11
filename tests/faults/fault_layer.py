"""Runs h5score with chosen system calls or allocations made to fail, and tells what happened: the tests' side of fault_layer.cpp
and fault_memory.cpp."""
import errno
import mmap
import os
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field

from program import BIN, command

BUILD = os.path.join(os.environ["H5SCORE_BUILD_DIR"], "tests", "faults")
HEADER = (7 + 64) * 8  # Control of fault_control.hpp: seven numbers and the table of processes
CALLS, TRIGGERED, ALLOCATIONS, DEAD, LOGGED, CAPACITY, PROCESSES = range(0, 56, 8)
RECORD = struct.Struct("<QIIQQqqIIQ")
KINDS = ("open", "write", "size", "sync", "name", "close", "read", "end")
LETTERS = {"open": "o", "write": "w", "size": "z", "sync": "s", "name": "n", "close": "c", "read": "r"}


@dataclass
class Operation:
    """A watched call: places in the log where it began and ended, and what it did."""
    kind: str
    detail: int
    begin: int
    inode: int
    offset: int
    path: str
    target: str
    data: bytes
    end: int = -1
    result: int = 0
    opened: int = 0


@dataclass
class Outcome:
    """What a run under the layer showed."""
    code: int
    stdout: str
    stderr: str
    calls: int
    triggered: int
    allocations: int
    operations: list = field(default_factory=list)

    def describe(self):
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def messages(self):
        """The lines of the program, without warnings."""
        return [line for line in self.stderr.splitlines()
                if line.startswith("h5score: ") and not line.startswith("h5score: warning: ")]


class Layer:
    """One run under the layer. `folder` selects the files; see fault_layer.cpp for the other settings."""

    def __init__(self, folder, kinds=(), at=0, action="", error=errno.EIO, log=False, reserve=True, pause=0,
                 memory=None):
        self._bytes = HEADER + (64 << 20 if log else 0)
        handle, self._path = tempfile.mkstemp(prefix="h5score-control-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        os.truncate(handle, self._bytes)
        self._map = mmap.mmap(handle, self._bytes)
        os.close(handle)
        self._set(CAPACITY, self._bytes - HEADER)
        self._log = log
        self.environment = {
            "LD_PRELOAD": os.path.join(BUILD, f"libh5score_fault_{'layer' if memory is None else 'memory'}.so"),
            "FAULTS_CONTROL": self._path, "FAULTS_PROGRAM": os.path.basename(BIN), "FAULTS_FOLDER": str(folder),
            "FAULTS_CALLS": "".join(LETTERS[kind] for kind in kinds), "FAULTS_AT": str(at), "FAULTS_ACTION": action,
            "FAULTS_ERRNO": str(error), "FAULTS_LOG": str(int(log)), "FAULTS_PAUSE": str(pause),
            "FAULTS_NO_RESERVE": str(int(not reserve)),
            **(memory or {})}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._map.close()
        os.unlink(self._path)

    def _set(self, place, value):
        self._map[place:place + 8] = struct.pack("<Q", value)

    def number(self, place):
        """One of the counters: CALLS, TRIGGERED, ..."""
        return struct.unpack("<Q", self._map[place:place + 8])[0]

    def processes(self):
        """Process ids of the ranks and name nodes that took part."""
        n = min(self.number(PROCESSES), 64)
        return [p for p in struct.unpack(f"<{n}q", self._map[56:56 + 8 * n]) if p != 0]

    def start(self, arguments, np_=None):
        """The running process, with pipes."""
        return subprocess.Popen(command(arguments, np_), env={**os.environ, **self.environment}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def finish(self, process, timeout=120):
        """Waits for the end of the run."""
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert "HDF5-DIAG" not in stderr, stderr
        return Outcome(process.returncode, stdout, stderr, self.number(CALLS), self.number(TRIGGERED),
                       self.number(ALLOCATIONS), self.operations() if self._log else [])

    def run(self, arguments, np_=None, timeout=120):
        return self.finish(self.start(arguments, np_), timeout)

    def operations(self):
        """All logged operations in the order in which they began."""
        found, place, end = {}, HEADER, HEADER + self.number(LOGGED)
        while place < end:
            size, kind, detail, ident, inode, offset, result, path, target, data = RECORD.unpack_from(self._map, place)
            assert size != 0, "an operation was not logged to its end"
            at = place + RECORD.size
            if KINDS[kind] == "end":
                done = found[ident]
                done.end, done.result, done.opened = place - HEADER, result, inode
            else:
                texts = [os.fsdecode(self._map[at:at + path]), os.fsdecode(self._map[at + path:at + path + target])]
                at += path + target
                found[ident] = Operation(KINDS[kind], detail, place - HEADER, inode, offset, *texts, self._map[at:at + data])
            place += size
        return list(found.values())


def run_with_fault(folder, arguments, np_=None, **settings):
    """A run under the layer from begin to end."""
    with Layer(folder, **settings) as layer:
        return layer.run(arguments, np_)
