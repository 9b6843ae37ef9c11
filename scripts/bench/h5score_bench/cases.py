"""What is compared: for each case the programs that take part, and what h5score has to reach.

A case's figures are rates (rows or bytes in a second), so that entries may take different numbers of rows: slow peers score
fewer, fast programs the same file several times, so that each run lasts long enough to be measured.
"""
from dataclasses import dataclass, field

from . import demands, machine
from .demands import BEST_PEER, Demand

MILLION = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One program with its settings."""
    name: str
    kind: str  # "h5score", "near", "peer", "hello"
    model: str = ""
    data: str = "A"
    rows: int = 0  # 0: all of the file; more than the file has: h5score reads it several times
    processes: int = 0  # h5score: ranks, 0 is without a launcher; near: worker processes
    threads: int = 1
    options: tuple = ()
    peer: str = ""
    implementation: str = "numpy"
    environment: tuple = ()  # pairs
    busy: bool = False  # two other programs take the core of the last rank

    @property
    def float64(self):
        return self.model.endswith("64") or self.model == "linreg30"


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    entries: tuple
    demands: tuple
    metric: str = "loop"  # rows by loop seconds; "whole": rows by the whole process; "bytes": stored bytes by loop seconds
    work: str = ""  # key of roofline.WORK


def h5score(name, model, rows, data="A", processes=2, io="direct", threads=1, schedule="", options=(), busy=False):
    chosen = (*(("--io", io) if processes else ()), *(("--schedule", schedule) if schedule else ()), *options)
    return Entry(name, "h5score", model, data, rows, processes, threads, chosen, busy=busy)


def near(model, data="A", rows=0):
    return Entry("near2", "near", model, data, rows, 2)


def peers(model, names, data="A", rows=0):
    return tuple(Entry(n, "peer", model, data, rows, peer=n) for n in names.split())


def with_ort(model, data="A", rows=0):
    return Entry("mpi-slab+ort", "peer", model, data, rows, peer="mpi-slab", implementation="ort")


def as_skylake(model, names, data="A", rows=0):
    """OpenBLAS 0.3.21 takes new AMD processors for a Haswell: a user who knows sets this. Others cannot run it."""
    if not machine.has_avx512():
        return ()
    return tuple(Entry(n + "+skx", "peer", model, data, rows, peer=n,
                       environment=(("OPENBLAS_CORETYPE", "SkylakeX"),)) for n in names.split())


ARRAY_PEERS = "numpy npprefetch sklearn dask-threads dask-dist mpi-slab mpi-scatter ort torch"
CHUNK_PEERS = "numpy npprefetch sklearn dask-threads mpi-slab ort"
MAPPED_PEERS = ARRAY_PEERS + " npmmap mpi-mmap"


def against(near_factor, peer_factor):
    return (Demand("h5score", near_factor, "near2"), Demand("h5score", peer_factor, BEST_PEER))


def twice(name, model, data, rows):
    """Two ranks against one and two threads against one."""
    return Case(f"twice-{name}", f"{name}, two against one", (
        h5score("1 thread", model, rows, data, processes=0),
        h5score("2 threads", model, rows, data, processes=0, threads=2),
        h5score("2 ranks", model, rows, data)),
        (Demand("2 ranks", 1.85, "1 thread"), Demand("2 threads", 1.85, "1 thread")))


def all_cases():
    cases = [
        Case("linreg-a", "linear regression, contiguous float32", (
            h5score("h5score", "linreg", 80 * MILLION), near("linreg"),
            *peers("linreg", MAPPED_PEERS), with_ort("linreg")), against(0.95, 1.3), work="linreg-a"),
        Case("linreg-c", "linear regression, chunked float32", (
            h5score("h5score", "linreg", 60 * MILLION, "C"), near("linreg", "C"),
            *peers("linreg", CHUNK_PEERS, "C"), with_ort("linreg", "C")), against(0.95, 1.3), work="linreg-c"),
        Case("linreg-a-scatter", "linear regression, contiguous float32, rank 0 reads for all", (
            h5score("static", "linreg", 40 * MILLION, io="scatter", schedule="static"),
            h5score("dynamic", "linreg", 40 * MILLION, io="scatter", schedule="dynamic"),
            h5score("one rank", "linreg", 40 * MILLION, processes=0, options=("--io", "scatter")),
            near("linreg"), *peers("linreg", "mpi-scatter")),
            (Demand("static", 0.40, "near2"), Demand("static", 1.6, "mpi-scatter"), Demand("dynamic", 1.0, "one rank")),
            work="linreg-a"),
        Case("linreg-b", "linear regression, gzip and shuffle", (
            h5score("direct", "linreg", 5 * MILLION, "B"),
            h5score("scatter", "linreg", 5 * MILLION, "B", io="scatter"),
            near("linreg", "B"), *peers("linreg", CHUNK_PEERS + " mpi-scatter", "B", MILLION)),
            (Demand("direct", 1.0, "near2"), Demand("direct", 4.0, BEST_PEER),
             Demand("scatter", 0.85, "near2"), Demand("scatter", 3.3, BEST_PEER)), work="linreg-b"),
        Case("logreg-a", "logistic regression, 10 classes", (
            h5score("h5score", "logreg", 40 * MILLION), near("logreg"),
            *peers("logreg", "numpy npprefetch sklearn dask-threads mpi-slab ort torch"), with_ort("logreg")),
            against(1.5, 1.7), work="logreg-a"),
        Case("mlp-a", "neural network 100-256-128-10", (
            h5score("h5score", "mlp", 4 * MILLION), near("mlp", rows=2 * MILLION),
            *peers("mlp", ARRAY_PEERS, rows=400_000), *as_skylake("mlp", "numpy mpi-slab", rows=400_000),
            with_ort("mlp", rows=2 * MILLION)),
            (Demand("h5score", 1.2, "near2"), Demand("h5score", 1.5, "mpi-slab+ort"), Demand("h5score", 1.5, BEST_PEER)),
            work="mlp-a"),
        Case("svm-a", "support vector machine, RBF, float32", (
            h5score("h5score", "svm", MILLION), near("svm", rows=MILLION),
            *peers("svm", "numpy dask-threads mpi-slab mpi-scatter torch", rows=100_000),
            *as_skylake("svm", "numpy mpi-slab", rows=200_000)), against(1.15, 2.3), work="svm-a"),
    ]
    float64_rows = {"logreg": (20 * MILLION, 0), "mlp": (2 * MILLION, 400_000), "svm": (500_000, 100_000)}
    for model, (rows, peer_rows) in float64_rows.items():
        slow = peers("svm64", "sklearn", rows=10_000) + peers("svm64", "libsvm", rows=5_000)
        cases.append(Case(f"{model}-a-float64", f"{model} in float64, as scikit-learn and LIBSVM compute", (
            h5score("h5score", model + "64", rows), h5score("float32", model, 2 * rows),
            *(slow if model == "svm" else peers(model + "64", "sklearn", rows=peer_rows)),
            *peers(model + "64", "numpy dask-threads mpi-slab", rows=peer_rows),
            *as_skylake(model + "64", "numpy mpi-slab", rows=peer_rows)),
            (Demand("h5score", 0.45, "float32"), Demand("h5score", 1.5, BEST_PEER)), work=f"{model}-a-float64"))
    cases += [
        Case("linreg-d", "linear regression, float64 file and model (bytes in a second)", (
            h5score("h5score", "linreg30", 20 * MILLION, "D"), h5score("float32", "linreg", 80 * MILLION),
            *peers("linreg30", "numpy npmmap sklearn mpi-slab mpi-mmap", "D")),
            (Demand("h5score", 0.9, "float32"),), metric="bytes", work="linreg-d"),
        Case("whole-linreg-a", "whole process without a launcher, linear regression, 4 M rows", (
            h5score("h5score", "linreg", 0, processes=0, threads=2),
            *peers("linreg", MAPPED_PEERS), with_ort("linreg")), (Demand("h5score", 1.0, BEST_PEER),), metric="whole"),
        Case("whole-mlp-a", "whole process without a launcher, neural network, 400 k rows", (
            h5score("h5score", "mlp", 400_000, processes=0, threads=2),
            *peers("mlp", ARRAY_PEERS, rows=400_000), *as_skylake("mlp", "numpy mpi-slab", rows=400_000),
            with_ort("mlp", rows=400_000)), (Demand("h5score", 1.0, BEST_PEER),), metric="whole"),
        twice("mlp-a", "mlp", "A", 4 * MILLION),
        twice("svm-a", "svm", "A", MILLION),
        twice("linreg-b", "linreg", "B", 5 * MILLION),
        Case("shared-core", "neural network, two busy loops on the core of one of two ranks", (
            h5score("dynamic", "mlp", 4 * MILLION, schedule="dynamic", busy=True),
            h5score("static", "mlp", 4 * MILLION, schedule="static", busy=True)),
            (Demand("dynamic", 1.4, "static"),)),
        Case("layouts", "linear regression, the same numbers in other layouts (bytes in a second; of CSR those stored and the rows formed of them)", (
            h5score("array", "linreg", 40 * MILLION, "layouts/array"),
            h5score("columns", "linreg", 20 * MILLION, "layouts/columns"),
            h5score("compound", "linreg", 20 * MILLION, "layouts/compound"),
            h5score("CSR", "linreg", 20 * MILLION, "layouts/csr")),
            (Demand("columns", 0.6, "array"), Demand("compound", 0.6, "array"), Demand("CSR", 0.6, "array")),
            metric="bytes"),
        Case("memory", "peak memory of a rank, 8 GB of input", (
            h5score("direct", "linreg", 0, "large"), h5score("scatter", "linreg", 0, "large", io="scatter"),
            h5score("network", "mlp", 4 * MILLION, "large")),
            tuple(demands.memory(name) for name in ("direct", "scatter", "network"))),
        Case("start", "whole process, 10 rows", (
            h5score("alone", "linreg", 0, "tiny", processes=0), h5score("2 ranks", "linreg", 0, "tiny"),
            Entry("MPI hello world", "hello", processes=2)),
            (demands.seconds("alone", 0.05), demands.seconds("2 ranks", 0.05, beyond="MPI hello world")),
            metric="whole"),
    ]
    return cases
