"""Many short runs of one job, a few of them at a time, each with a folder of its own for outputs."""
import os
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from matrix import FULL
from small_job import MODES


def try_each(job, points, attempt, workers=None):
    """attempt(job, point) for every point, with a copy of `job` whose folder of outputs is empty. Returns the results in order;
    the first failure is raised when all have ended."""
    workers = workers or os.cpu_count() or 1
    free = queue.SimpleQueue()
    for number in range(workers):
        free.put(replace(job, place=f"outputs{number}"))

    def one(point):
        mine = free.get()
        try:
            mine.clear()
            return attempt(mine, point)
        finally:
            free.put(mine)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, points))


# Of the runs of several ranks the quick part has the one kind in which they all write.
TRIED_MODES = list(MODES) if FULL else ["alone", "direct"]


def chosen(points, mode, every=7):
    """All points in the full part; else every `every`-th of them, always the same ones, with the first and the last. Runs of
    several ranks take ten times as long: of them seven times fewer."""
    points = list(points)
    step = every if mode == "alone" else 7 * every
    return points if FULL else sorted({*points[::step], *points[-1:]})
