"""The fault matrix: which faults are tried, how often, and what was seen. scripts/fault-table makes the page's table of it.

Each row of the matrix is tested by a pytest file beside this one. By default a test does the quick part that runs with all
other tests; H5SCORE_FAULTS=full asks for the whole of it (scripts/run-tests --faults). What a test has seen it records here:
one line of JSON in the file $H5SCORE_FAULTS_RESULTS, or in the build folder.

"R" = a run with --resume afterwards ends with the same bytes as an undisturbed run."""
import json
import os

# key: (fault, what must be seen)
ROWS = {
    "kill-random": ("SIGKILL of the whole job at random times", "R; no false ledger entry"),
    "crash-write-whole": ("crash after each write", "R"),
    "crash-write-torn": ("crash in the middle of each write", "R, or the block is found and done again"),
    "power-loss": ("power loss, any unsynced pages lost", "R; no false ledger entry"),
    "crash-create": ("crash at each write while the file is made", "no final name; R"),
    "crash-finish": ("crash at each call while the file is finished", "no final name, or a complete file; R"),
    "crash-repack": ("crash at each write of a compressed copy", "no final name, or a complete file; R"),
    "kill-rank": ("SIGKILL of each rank, 2 to 4 ranks, each schedule and I/O mode", "nonzero within 5 s; R"),
    "kill-mpirun": ("SIGKILL of mpirun, run again at once", "waits or refuses; R"),
    "stop-mpirun": ("USR1 to mpirun", "75 within a block and 5 s; R"),
    "stop-one-rank": ("USR1 to one rank", "75 within a block and 5 s; R"),
    "stop-scancel": ("scancel -b -s USR1 in Slurm", "75; requeued; R"),
    "stop-time-limit": ("time limit", "75; R"),
    "requeues": ("10 stops in a row", "each loses at most a block per rank and the unsynced window; R"),
    "disk-full-start": ("disk full at the start", "message, code 73; R"),
    "disk-full-write": ("disk full at each write", "message, code 74, no signal; R"),
    "io-error": ("EIO at each read, write, sync, close", "message, code 74 (73 while the file is made); R"),
    "no-memory": ("allocations that fail", "message, no signal; R"),
    "truncated-input": ("truncated input", "65 before scoring"),
    "fuzz-input": ("fuzzed HDF5 input", "no rank dies, at most 10 s each"),
    "fuzz-models": ("fuzzed models, every format", "no crash, at most 10 s each"),
    "cve-files": ("published HDF5 files that crash the library", "65, or the values that h5py reads"),
    "changed-on-resume": ("model, input or option changed before --resume", "refused, field named"),
    "changed-input": ("input changed during the run", "no final name"),
    "bit-flip": ("a bit flipped in a ledgered block", "found, done again; R"),
    "cut-link": ("link between hosts cut", "ends within 30 s; R"),
    "slow-link": ("5 ms delay and 1 % loss between hosts", "passes"),
    "node-down": ("a node goes down in Slurm", "requeued; R; old ranks harmless"),
    "stale-ranks": ("ranks of a dead run that still write", "the new run's file is right"),
}
FULL = os.environ.get("H5SCORE_FAULTS") == "full"


def count(quick, full):
    """How often to try: a few times with the other tests, or as often as the full matrix asks for."""
    return full if FULL else quick


def record(row, tried, seen):
    """Notes that `tried` faults of `row` were tried and all of them passed; `seen` says what they showed, in a few words."""
    assert row in ROWS, row
    path = os.environ.get("H5SCORE_FAULTS_RESULTS") or os.path.join(
        os.environ["H5SCORE_BUILD_DIR"], "faults.jsonl" if FULL else "faults-quick.jsonl")
    line = json.dumps({"row": row, "tried": tried, "seen": seen, "full": FULL})
    with open(path, "a") as f:
        f.write(line + "\n")
