"""A job of 0.1 s that fault tests run over and over: 12 blocks of a gzip-compressed input, several columns, synced after
every block."""
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np
from program import run

ROWS, BLOCK = 600, 50
MODES = {"alone": (None, []), "scatter": (2, ["--io", "scatter"]), "direct": (2, ["--io", "direct"])}


@contextmanager
def fast_folder():
    """A folder in memory where there is one: its syncs cost nothing, and what a power loss would leave is computed."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = os.path.realpath(tempfile.mkdtemp(prefix="h5score-faults-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write_model(path):
    """A support vector classifier of four features with labels, probabilities and decision values."""
    with open(path, "w", encoding="ascii") as f:
        f.write("svm_type c_svc\nkernel_type linear\nnr_class 2\ntotal_sv 2\nrho 0.1\nlabel 1 2\nprobA -1.5\nprobB 0.1\n"
                "nr_sv 1 1\nSV\n1 1:0.5 2:-1 3:2 4:0.25\n-1 1:-0.5 2:1 3:1 4:-0.75\n")


@dataclass
class Job:
    """The arguments of `h5score score` without --output, the folder for outputs, and an undisturbed output."""
    folder: str
    arguments: list
    place: str = "outputs"  # tests that run side by side have one each

    @property
    def inputs(self):
        return os.path.join(self.folder, "inputs")

    @property
    def outputs(self):
        return os.path.join(self.folder, self.place)

    @property
    def out(self):
        return os.path.join(self.outputs, "s.h5")

    @property
    def undisturbed(self):
        return os.path.join(self.folder, "undisturbed.h5")

    def score(self, *more):
        """Arguments of a run that writes `out`."""
        return [*self.arguments, "--output", self.out, *more]

    def clear(self):
        """Empties the folder of outputs."""
        shutil.rmtree(self.outputs, ignore_errors=True)
        os.mkdir(self.outputs)

    def columns(self):
        """(offset, bytes) of each column's results in a part file of this job."""
        with h5py.File(self.undisturbed, "r") as f:
            sets = [f[name.decode()] for name in f["h5score/columns"][()]]
            return [(d.id.get_offset(), d.id.get_storage_size()) for d in sets]


def make_job(folder, *more):
    """Writes input and model, and scores them undisturbed; `more` are further options."""
    job = Job(folder, [])
    os.mkdir(job.inputs)
    job.clear()
    rng = np.random.default_rng(11)
    with h5py.File(f"{job.inputs}/in.h5", "w") as f:
        f.create_dataset("x", data=rng.normal(size=(ROWS, 4)).astype("f4"), chunks=(BLOCK, 4), compression="gzip", shuffle=True)
        f["id"] = np.arange(ROWS)
    write_model(f"{job.inputs}/m.model")
    job.arguments = ["score", "--model", f"{job.inputs}/m.model", "--input", f"{job.inputs}/in.h5", "--dataset", "/x",
                     "--passthrough", "/id", "--block-rows", str(BLOCK), "--sync-interval", "0", "--threads", "1",
                     "--progress", "none", *map(str, more)]
    run([*job.arguments, "--output", job.undisturbed])
    return job
