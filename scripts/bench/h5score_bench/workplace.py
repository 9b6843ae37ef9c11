"""The files that a comparison needs: the peers' data and programs, h5score's models, and the same numbers in other layouts."""
import os
import shlex
import subprocess
import sys

import h5py
import numpy as np

from . import machine

SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable  # as the peers ask for
DENSITY = 10  # per cent, of the sparse matrix
SLICE = 1 << 16
# On one node: no search for networks, shared memory only, and no core to which all threads of a rank would be bound.
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_pml": "ob1",
            "OMPI_MCA_btl": "self,vader", "OMPI_MCA_hwloc_base_binding_policy": "none"}
HELLO = ("#include <mpi.h>\n"
         "int main(int c, char** v) { MPI_Init(&c, &v); MPI_Barrier(MPI_COMM_WORLD); return MPI_Finalize(); }\n")


def run(command, **options):
    """The command's output; RuntimeError where it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    except OSError as problem:
        raise RuntimeError(str(problem)) from problem
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{(done.stderr or done.stdout)[-800:]}")
    return done.stdout


class Workplace:
    """Paths of one comparison. Files are made when they are first asked for, and kept for the next time."""

    def __init__(self, peers, data, work, out, h5score, mpiexec="mpirun", ort=""):
        self.peers, self.data, self.work, self.out = peers, data, work, out
        self.h5score, self.mpiexec, self.ort = h5score, mpiexec, ort
        for folder in (data, work, out, os.path.join(work, "models"), os.path.join(work, "layouts")):
            os.makedirs(folder, exist_ok=True)

    def make_data(self, rows):
        if not os.path.exists(os.path.join(self.data, "D.h5")):  # the last that make_data.py writes
            run([PYTHON, os.path.join(self.peers, "make_data.py"), self.data, "--rows", str(rows)])

    def near_limit(self):
        """The built near_limit, or a RuntimeError where this machine cannot build it."""
        source, program = os.path.join(self.peers, "near_limit.cpp"), os.path.join(self.work, "near_limit")
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            hdf5 = shlex.split(run(["pkg-config", "--cflags", "--libs", "hdf5-serial"]))
            translated = [] if machine.has_avx512() else ["-include", os.path.join(SCRIPTS, "bench", "near_limit_avx2.hpp")]
            run(["g++", "-O3", "-march=native", "-std=c++17", *translated, source, "-o", program, *hdf5, "-ldnnl",
                 "-ldeflate", "-pthread"])
        return program

    def hello(self):
        """An MPI program that does nothing."""
        program = os.path.join(self.work, "hello")
        if not os.path.exists(program):
            with open(program + ".c", "w") as f:
                f.write(HELLO)
            compiler = os.path.join(os.path.dirname(self.mpiexec), os.path.basename(self.mpiexec).replace(
                "mpirun", "mpicc").replace("mpiexec", "mpicc"))
            run([compiler, "-O2", program + ".c", "-o", program])
        return program

    # What is scored.

    def input(self, name):
        """Path of the input A, B, C, D, layouts/..., large or tiny."""
        if name in "ABCD":
            return os.path.join(self.data, name + ".h5")
        path = os.path.join(self.work, name + ".h5")
        if not os.path.exists(path):
            with h5py.File(path + ".tmp", "w") as f:
                MAKERS[name](f, self.source())
            forget_pages(path + ".tmp")
            os.rename(path + ".tmp", path)
        return path

    def source(self):
        """The data set of A, whose numbers all other float32 inputs hold."""
        return h5py.File(self.input("A"), "r")["X"]

    def forget_large(self):
        path = os.path.join(self.work, "large.h5")
        if os.path.exists(path):
            os.unlink(path)

    def rows(self, name):
        with h5py.File(self.input(name), "r") as f:
            if name.endswith("csr"):
                return f["X/indptr"].shape[0] - 1
            return (f["X/c000"] if name.endswith("columns") else f["X"]).shape[0]

    def formed_bytes(self, name):
        """Of a row of a sparse matrix: what is scored, zeros included, is not what is stored."""
        if not name.endswith("csr"):
            return 0
        with h5py.File(self.input(name), "r") as f:
            return int(f["X"].attrs["shape"][1]) * f["X/data"].dtype.itemsize

    def read(self, name, first, last):
        """Rows of an input as a dense array."""
        with h5py.File(self.input(name), "r") as f:
            if name.endswith("columns"):
                return np.stack([f["X"][c][first:last] for c in sorted(f["X"])], axis=1)
            if name.endswith("compound"):
                rows = f["X"][first:last]
                return np.stack([rows[c] for c in rows.dtype.names], axis=1)
            if name.endswith("csr"):
                return dense(f["X"], first, last)
            return f["X"][first:last]

    # What it is scored with.

    def parameters(self, model):
        """Arrays of a model as make_data.py wrote them."""
        return dict(np.load(os.path.join(self.data, model.replace("64", "") + ".npz")))

    def model(self, name):
        """Path of a model file for h5score: ONNX for float32 networks, our own format for the others."""
        if os.path.exists(os.path.join(self.data, name + ".onnx")):
            return os.path.join(self.data, name + ".onnx")
        path = os.path.join(self.work, "models", name + ".h5")
        if not os.path.exists(path):
            if name in ("svm", "svm64"):
                run([self.h5score, "convert", os.path.join(self.data, "svm.libsvm"), "-o", path])
            else:
                sys.path.insert(0, SCRIPTS)
                import export_sklearn
                export_sklearn.save(path, estimator(name, self.parameters(name)))
        return path

    def peers_data(self, float64):
        """The peers' data folder, or one where the models' parameters are float64."""
        if not float64:
            return self.data
        folder = os.path.join(self.work, "float64")
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(self.data):
            target = os.path.join(folder, name)
            if os.path.lexists(target):
                continue
            if name.endswith(".npz"):
                np.savez(target, **{k: v.astype(np.float64) for k, v in np.load(os.path.join(self.data, name)).items()})
            else:
                os.symlink(os.path.join(os.path.abspath(self.data), name), target)
        return folder


def estimator(name, parameters):
    """A fitted scikit-learn estimator with these parameters, in float64."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import LabelBinarizer
    weights = [parameters[k].astype(np.float64) for k in sorted(parameters) if k.startswith("W")]
    biases = [parameters[k].astype(np.float64) for k in sorted(parameters) if k.startswith("b")]
    if name.startswith("linreg"):
        fitted = LinearRegression()
        fitted.coef_, fitted.intercept_ = weights[0][:, 0], biases[0][0]
    elif name.startswith("logreg"):
        fitted = LogisticRegression(multi_class="multinomial")
        fitted.coef_, fitted.intercept_, fitted.classes_ = weights[0].T.copy(), biases[0], np.arange(weights[0].shape[1])
    else:
        fitted = MLPClassifier(tuple(w.shape[1] for w in weights[:-1]))
        fitted.coefs_, fitted.intercepts_ = weights, biases
        fitted.n_layers_, fitted.n_outputs_, fitted.out_activation_ = len(weights) + 1, weights[-1].shape[1], "softmax"
        fitted._label_binarizer = LabelBinarizer().fit(np.arange(fitted.n_outputs_))
        fitted.classes_ = fitted._label_binarizer.classes_
    fitted.n_features_in_ = weights[0].shape[0]
    return fitted


def forget_pages(path):
    """Drops a new file from the page cache: pages as a writer left them, in small pieces, are up to twice as slow as pages that were
    read, and each layout is written in another way."""
    with open(path, "rb+") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def slices(source, rows):
    for first in range(0, rows, SLICE):
        yield first, source[first:min(rows, first + SLICE)]


def make_array(f, source):
    rows = wide_rows(source)
    target = f.create_dataset("X", (rows, source.shape[1]), source.dtype)
    for first, values in slices(source, rows):
        target[first:first + len(values)] = values


def make_columns(f, source):
    rows = wide_rows(source)
    targets = [f.create_dataset(f"X/c{i:03}", (rows,), source.dtype) for i in range(source.shape[1])]
    for first, values in slices(source, rows):
        for i, target in enumerate(targets):
            target[first:first + len(values)] = np.ascontiguousarray(values[:, i])


def make_compound(f, source):
    rows = wide_rows(source)
    record = np.dtype([(f"c{i:03}", source.dtype) for i in range(source.shape[1])])
    target = f.create_dataset("X", (rows,), record)
    for first, values in slices(source, rows):
        target[first:first + len(values)] = values.view(record)[:, 0]


def make_csr(f, source):
    rows, columns = wide_rows(source), source.shape[1]
    stored = columns * DENSITY // 100
    group = f.create_group("X")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [rows, columns]})
    data = group.create_dataset("data", (rows * stored,), source.dtype)
    indices = group.create_dataset("indices", (rows * stored,), np.int32)
    group["indptr"] = np.arange(rows + 1, dtype=np.int64) * stored
    random = np.random.default_rng(1)
    for first, values in slices(source, rows):
        kept = np.sort(random.permuted(np.tile(np.arange(columns, dtype=np.int32), (len(values), 1)), axis=1)[:, :stored])
        place = slice(first * stored, (first + len(values)) * stored)
        data[place], indices[place] = np.take_along_axis(values, kept, axis=1).ravel(), kept.ravel()


def make_large(f, source):
    target = f.create_dataset("X", (5 * len(source), source.shape[1]), source.dtype)
    for first, values in slices(source, len(source)):
        for copy in range(5):
            start = copy * len(source) + first
            target[start:start + len(values)] = values


def make_tiny(f, source):
    f["X"] = source[:10]


def wide_rows(source):
    return min(len(source), 1_000_000)


def dense(group, first, last):
    ends = group["indptr"][first:last + 1]
    rows = np.zeros((last - first, group.attrs["shape"][1]), group["data"].dtype)
    place = slice(ends[0], ends[-1])
    rows[np.repeat(np.arange(last - first), np.diff(ends)), group["indices"][place]] = group["data"][place]
    return rows


MAKERS = {"layouts/array": make_array, "layouts/columns": make_columns, "layouts/compound": make_compound,
          "layouts/csr": make_csr, "large": make_large, "tiny": make_tiny}
