"""A job of 80 blocks (or more), each of some milliseconds, for faults that meet a run in the middle of its work. Synced after every block."""
import os

import h5py
import numpy as np
from program import run
from small_job import Job

ROWS, BLOCK, FEATURES, VECTORS = 8000, 100, 16, 8_000
SCHEDULES, IO = ("dynamic", "static", "guided"), ("direct", "scatter")


def make_slow_job(folder, block=BLOCK, vectors=VECTORS, rows=ROWS):
    """Writes input and model into `folder`, and scores them undisturbed."""
    job = Job(str(folder), [])
    os.mkdir(job.inputs)
    job.clear()
    rng = np.random.default_rng(3)
    with h5py.File(f"{job.inputs}/in.h5", "w") as f:
        f.create_dataset("x", data=rng.normal(size=(rows, FEATURES)).astype("f4"), chunks=(block, FEATURES),
                         compression="gzip")
    expansion = "\n".join("0.5 " + " ".join(f"{j + 1}:{v:.3f}" for j, v in enumerate(row))
                        for row in rng.normal(size=(vectors, FEATURES)))
    with open(f"{job.inputs}/m.model", "w", encoding="ascii") as f:
        f.write("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\n"
                f"total_sv {vectors}\nrho 0.25\nSV\n{expansion}\n")
    job.arguments = ["score", "--model", f"{job.inputs}/m.model", "--input", f"{job.inputs}/in.h5", "--block-rows", str(block),
                     "--sync-interval", "0", "--threads", "1", "--progress", "none"]
    undisturbed = [*job.arguments, "--output", job.undisturbed]
    undisturbed[undisturbed.index("--threads") + 1] = str(os.cpu_count())  # the same bytes sooner
    run(undisturbed, timeout=1800)
    return job
