"""Small sound HDF5 files of every layout, data and models, to be cut off and damaged: what tests of hostile files begin with."""
import os
import sys

import h5py
import numpy as np

sys.path.append(os.path.join(os.environ["H5SCORE_SOURCE_DIR"], "tests", "format"))
import keras_files  # noqa: E402  (its folder is not on the path of these tests)

ROWS, COLUMNS = 120, 4


def _values():
    return np.random.default_rng(5).normal(size=(ROWS, COLUMNS)).astype("f4")


def contiguous(f):
    f["x"] = _values()
    f["x"].attrs["units"] = "m"


def chunked(f):
    f.create_dataset("x", data=_values(), chunks=(32, 2), compression="gzip", shuffle=True, fletcher32=True)


def resizable(f):
    """With libver="latest" the chunk index is an extensible array."""
    f.create_dataset("x", data=_values(), chunks=(16, 4), maxshape=(None, 4), compression="lzf")


def columns(f):
    group = f.create_group("photometry")
    for i, values in enumerate(_values().T):
        group.create_dataset(f"mag_{i}", data=values, chunks=(50,), compression="gzip")
    group["id"] = np.arange(ROWS)


def compound(f):
    table = np.zeros(ROWS, dtype=[("a", "<f4"), ("b", ">f8"), ("n", "<i2"), ("name", "S5"), ("v", "<f4", (2,))])
    table["a"], table["b"] = _values()[:, 0], _values()[:, 1]
    f.create_dataset("table", data=table, chunks=(40,), compression="gzip")


def sparse(f):
    """A CSR matrix as AnnData 0.8 writes it."""
    rng = np.random.default_rng(6)
    per_row = rng.integers(0, 4, ROWS)
    group = f.create_group("X")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array([ROWS, 10])})
    group.create_dataset("data", data=rng.normal(size=per_row.sum()).astype("f4"), chunks=(30,), compression="gzip")
    group["indices"] = np.concatenate([np.sort(rng.choice(10, n, replace=False)) for n in per_row]).astype("i4")
    group["indptr"] = np.concatenate([[0], np.cumsum(per_row)]).astype("i8")
    f.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    f["var/_index"] = [f"gene{i}" for i in range(10)]
    f["var"].attrs["_index"] = "_index"


DATA = {"contiguous": contiguous, "chunked": chunked, "columns": columns, "compound": compound, "sparse": sparse,
        "resizable": resizable}


def write_data(folder, layouts=tuple(DATA), versions=("earliest",)):
    """layout -> path, one file for each version of the file format."""
    paths = {}
    for layout in layouts:
        for version in versions:
            path = os.path.join(folder, f"{layout}-{version}.h5")
            with h5py.File(path, "w", libver=version) as f:
                DATA[layout](f)
            paths[layout if len(versions) == 1 else (layout, version)] = path
    return paths


def _native(path, libver):
    with h5py.File(path, "w", libver=libver) as f:
        f.attrs.update(format="h5score-model", format_version=1, n_features=COLUMNS, library="scikit-learn")
        f["feature_names"] = ["a", "b", "c", "d"]
        for i, kind in enumerate(["impute", "scale", "affine", "activation", "kernel_expansion"]):
            f.create_group(f"stages/{i}").attrs["kind"] = kind
        f["stages/0/statistics"] = np.zeros(COLUMNS)
        f["stages/1/offset"], f["stages/1/factor"] = np.zeros(COLUMNS), np.ones(COLUMNS)
        f.create_dataset("stages/2/weights", data=np.ones((COLUMNS, 3)), chunks=(2, 3), compression="gzip")
        f["stages/2/bias"] = np.zeros(3)
        f["stages/3"].attrs["function"] = "tanh"
        f["stages/4"].attrs.update(kernel="rbf", gamma=0.5)
        f["stages/4/support_vectors"], f["stages/4/coefficients"] = np.ones((4, 3)), np.ones((4, 1), "f4")
        f["stages/4/intercept"] = [0.5]
        f.create_group("head").attrs.update(kind="binary", link="sigmoid")
        f["head/classes"] = ["no", "yes"]
        f["golden/rows"] = np.ones((2, COLUMNS))


def write_models(folder):
    """Paths of small models that are HDF5 files, or hold one."""
    paths = []
    for libver in ("earliest", "latest"):
        paths.append(os.path.join(folder, f"native-{libver}.h5"))
        _native(paths[-1], libver)
    net = [keras_files.dense("d1", COLUMNS, 3, "relu"), keras_files.batch_norm("bn", 3), keras_files.dense("d2", 3, 2, "softmax")]
    net.insert(0, keras_files.source("i", COLUMNS))
    paths.append(keras_files.save_h5(os.path.join(folder, "keras2.h5"), net, "2.9.0"))
    paths.append(keras_files.save_h5(os.path.join(folder, "keras1.h5"), net, "1.2.2"))
    paths.append(keras_files.save_keras(os.path.join(folder, "net.keras"), net))
    return paths
