"""Measuring in turn: rounds in which every entry runs once, medians, and how busy other processes were meanwhile."""
import os
import resource
import statistics
import time

DIRTY = 0.08  # of the machine used by others
QUIET = 0.06
BEHIND = 0.6  # of the best peer's rate: a slower one has been compared after ROUNDS_OF_ALL clean runs
ROUNDS_OF_ALL = 2
CLEAN_RUNS = 3  # fewer clean ones than this: all are used, and the entry is marked
TICKS = os.sysconf("SC_CLK_TCK")


def machine_seconds():
    """CPU seconds that everybody has used, with what the hypervisor took; nothing for idle and waiting."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Others:
    """The share of the machine (0 to 1) that others used since the object was made."""

    def __init__(self):
        self.start = time.perf_counter(), machine_seconds(), children_seconds()

    def share(self):
        seconds, machine, children = (now - then for now, then in zip(
            (time.perf_counter(), machine_seconds(), children_seconds()), self.start))
        # The kernel counts in ticks of 10 ms, so that a short while may seem more than full.
        return min(1.0, max(0.0, machine - children) / max(seconds, 1e-9) / os.cpu_count())


def wait_until_quiet(limit=3.0):
    """Waits until others leave the machine alone, at most `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        others = Others()
        time.sleep(min(0.3, limit))
        if others.share() < QUIET:
            return


def is_dirty(run):
    return run["others"] > DIRTY


def needed(runs, rounds):
    """Whether an entry with these runs still has to run, to have `rounds` clean ones."""
    return sum(not is_dirty(run) for run in runs) < rounds


def far_behind(entries, found, seconds):
    """Numbers of the peers that are so much slower than the best one that more rounds tell nothing."""
    rates = {}
    for i, (entry, f) in enumerate(zip(entries, found)):
        clean = [run for run in f["runs"] if not is_dirty(run)]
        if entry.kind == "peer" and "error" not in f and len(clean) >= ROUNDS_OF_ALL:
            rates[i] = statistics.median(run["rows"] / run[seconds] for run in clean)
    return {i for i, rate in rates.items() if rate < BEHIND * max(rates.values())}


def median_of(runs, key):
    """Median over the clean runs, or over all where too few are clean."""
    clean = [run for run in runs if not is_dirty(run)]
    return statistics.median(run[key] for run in (clean if len(clean) >= min(CLEAN_RUNS, len(runs)) else runs))


def measure(entries, run_once, rounds, limit, tell=lambda text: None, seconds="loop"):
    """Runs the entries in turn until each has `rounds` clean runs, at most `limit` rounds.

    `run_once(entry, first)` gives a run's facts ("loop", "whole", "others", ...) or raises RuntimeError: the entry then
    takes no further part, nor does a peer that is far behind the best one by its "loop" or "whole" `seconds`. Returns for
    each entry {"runs": [...]} or {"error": text, "runs": [...]}.
    """
    found = [{"runs": []} for _ in entries]
    for number in range(limit):
        behind = far_behind(entries, found, seconds)
        waiting = [i for i, f in enumerate(found) if "error" not in f and i not in behind and needed(f["runs"], rounds)]
        if not waiting:
            break
        for i in waiting:
            tell(f"round {number + 1}: {entries[i].name}")
            try:
                found[i]["runs"].append(run_once(entries[i], not found[i]["runs"]))
            except RuntimeError as problem:
                found[i]["error"] = str(problem)
    return found


def summary(found):
    """Medians of what measure() found for one entry."""
    runs = found["runs"]
    if "error" in found or not runs:
        return {"error": found.get("error", "no run"), "runs": runs}
    clean = sum(not is_dirty(run) for run in runs)
    return {"loop_seconds": median_of(runs, "loop"), "whole_seconds": median_of(runs, "whole"),
            "cpu_seconds": median_of(runs, "cpu"),
            "rows_per_second": median_of(runs, "rows_per_second"), "others": median_of(runs, "others"), "clean": clean,
            "dirty": clean < min(CLEAN_RUNS, len(runs)), "runs": runs}
