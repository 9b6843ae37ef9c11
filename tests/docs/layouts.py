"""Files of every layout that docs/inputs.md lists, each written by the library that people use for it.

A case: what the table says (layout, written by, --dataset, names from), and a function that writes a file and gives the rows
that must be read from it."""
from collections import namedtuple

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

Case = namedtuple("Case", "layout writer dataset names write")
CASES = []
RNG = np.random.default_rng(23)
ROWS = (RNG.normal(size=(300, 4)) * [1, 20, 300, 4000]).round(3)
NAMES = ["mag_g", "mag_r", "flux", "size"]
COUNTS = sparse.csr_matrix(RNG.poisson(0.4, (300, 4)).astype(np.float32))


def case(layout, writer, dataset, names="none"):
    def add(write):
        CASES.append(Case(layout, writer, dataset, names, write))
        return write
    return add


def write_h5py(path, name, data, **options):
    with h5py.File(path, "w") as f:
        f.create_dataset(name, data=data, **options)
    return np.asarray(data, dtype=np.float64).reshape(len(data), -1)


@case("array, contiguous", "h5py", "/x")
def contiguous(path):
    return write_h5py(path, "x", ROWS)


@case("array, chunks, gzip, shuffle, checksums", "h5py", "/x")
def gzip(path):
    return write_h5py(path, "x", ROWS.astype("f4"), chunks=(37, 3), compression="gzip", shuffle=True, fletcher32=True)


@case("array, LZF", "h5py", "/x")
def lzf(path):
    return write_h5py(path, "x", ROWS, chunks=(64, 4), compression="lzf")


@case("array, big-endian, integers, booleans, float16", "h5py", "/x")
def types(path):
    with h5py.File(path, "w") as f:
        f["x"] = ROWS.astype(">i2")
    return ROWS.astype(">i2").astype(np.float64)


@case("images and other N-d arrays, flattened in C order", "h5py", "/images")
def images(path):
    return write_h5py(path, "images", RNG.integers(0, 255, (300, 3, 5, 2), dtype=np.uint8), chunks=(50, 3, 5, 2))


@case("1-d array: one column", "h5py", "/x")
def vector(path):
    return write_h5py(path, "x", ROWS[:, 0])


@case("group of 1-d datasets", "h5py", "/photometry", "members")
def columns(path):
    with h5py.File(path, "w") as f:
        for i, name in enumerate(NAMES):
            f.create_dataset("photometry/" + name, data=ROWS[:, i], chunks=(41 + i,), compression="gzip")
    return ROWS


@case("vaex table", "h5py", "/table/columns", "columns")
def vaex(path):
    with h5py.File(path, "w") as f:
        for i, name in enumerate(NAMES):
            f[f"table/columns/{name}/data"] = ROWS[:, i]
        f["table"].attrs["type"], f["table/columns"].attrs["type"] = "table", "table"
    return ROWS


@case("records (compound)", "h5py", "/table", "fields")
def records(path):
    data = np.empty(len(ROWS), dtype=[("id", "i8"), ("name", "S5")] + [(name, ">f4") for name in NAMES])
    data["id"], data["name"] = np.arange(len(ROWS)), b"abc"
    for i, name in enumerate(NAMES):
        data[name] = ROWS[:, i]
    with h5py.File(path, "w") as f:
        f.create_dataset("table", data=data, chunks=(50,), compression="gzip")
    return ROWS.astype("f4").astype(np.float64)


@case("PyTables Table", "PyTables", "/table", "fields")
def pytables(path):
    import tables

    with tables.open_file(str(path), "w") as f:
        data = np.rec.fromarrays(ROWS.T, names=",".join(NAMES))
        f.create_table("/", "table", data, filters=tables.Filters(complevel=5))
    return ROWS


@case("pandas `to_hdf(format='table', data_columns=True)`", "pandas", "/df/table", "fields")
def pandas_table(path):
    pd.DataFrame(ROWS, columns=NAMES).to_hdf(path, "df", format="table", data_columns=True)
    return ROWS


@case("pandas `to_hdf` (fixed)", "pandas", "/df/block0_values", "`block0_items`")
def pandas_fixed(path):
    pd.DataFrame(ROWS, columns=NAMES).to_hdf(path, "df")
    return ROWS


@case("AnnData, CSR matrix", "anndata", "/X", "`var` index")
def anndata_csr(path):
    import anndata

    anndata.AnnData(COUNTS, var=pd.DataFrame(index=NAMES)).write_h5ad(path)
    return COUNTS.toarray().astype(np.float64)


@case("AnnData, CSC matrix", "anndata", "/X", "`var` index")
def anndata_csc(path):
    import anndata

    anndata.AnnData(sparse.csc_matrix(COUNTS), var=pd.DataFrame(index=NAMES)).write_h5ad(path, compression="gzip")
    return COUNTS.toarray().astype(np.float64)


@case("AnnData, dense matrix", "anndata", "/X", "`var` index")
def anndata_dense(path):
    import anndata

    anndata.AnnData(ROWS.astype("f4"), var=pd.DataFrame(index=NAMES)).write_h5ad(path)
    return ROWS.astype("f4").astype(np.float64)


@case("10x matrix (genes x cells, CSC)", "h5py", "/matrix", "`features/name`")
def tenx(path):
    with h5py.File(path, "w") as f:
        m = f.create_group("matrix")
        m["data"], m["indices"], m["indptr"] = COUNTS.data.astype("i4"), COUNTS.indices, COUNTS.indptr
        m["shape"] = np.array(COUNTS.shape[::-1], dtype="i4")
        m["barcodes"] = np.array([b"ACGT-%d" % i for i in range(COUNTS.shape[0])])
        m["features/id"], m["features/name"] = np.array([b"E0", b"E1", b"E2", b"E3"]), np.array([n.encode() for n in NAMES])
    return COUNTS.toarray().astype(np.float64)


@case("netCDF-4 variables with packing and fill values", "netCDF4", "/", "members")
def netcdf(path):
    import netCDF4

    with netCDF4.Dataset(path, "w") as f:
        f.createDimension("row", len(ROWS))
        for i, name in enumerate(NAMES):
            v = f.createVariable(name, "i2", ("row",), fill_value=-32768)
            v.scale_factor, v.add_offset = 0.25 * 4.0**i, 10.0
            v[:] = np.clip(ROWS[:, i], -4000, 4000)
    with netCDF4.Dataset(path) as f:
        return np.column_stack([np.asarray(f[name][:], dtype=np.float64) for name in NAMES])


@case("virtual dataset over other files", "h5py", "/x")
def virtual(path):
    layout = h5py.VirtualLayout((300, 4), "f8")
    for i in range(3):
        part = path.with_name(f"part{i}.h5")
        write_h5py(part, "x", ROWS[100 * i : 100 * (i + 1)])
        layout[100 * i : 100 * (i + 1)] = h5py.VirtualSource(part.name, "x", (100, 4))
    with h5py.File(path, "w") as f:
        f.create_virtual_dataset("x", layout)
    return ROWS


@case("external link to a dataset in another file", "h5py", "/x")
def external(path):
    write_h5py(path.with_name("other.h5"), "deep/x", ROWS)
    with h5py.File(path, "w") as f:
        f["x"] = h5py.ExternalLink("other.h5", "/deep/x")
    return ROWS


@case("user block in front of the file", "h5py", "/x")
def user_block(path):
    with h5py.File(path, "w", userblock_size=512) as f:
        f.create_dataset("x", data=ROWS, chunks=(50, 4))
    return ROWS


Refusal = namedtuple("Refusal", "what says write")
REFUSED = []


def refused(what, says):
    def add(write):
        REFUSED.append(Refusal(what, says, write))
        return write
    return add


@refused("texts as features", "text")
def texts(f):
    f["x"] = np.array([b"abc", b"de"])


@refused("texts of variable length", "text")
def long_texts(f):
    f.create_dataset("x", data=["abc", "de"], dtype=h5py.string_dtype())


@refused("lists of variable length", "variable")
def ragged(f):
    f.create_dataset("x", (2,), dtype=h5py.vlen_dtype("f8"))


@refused("object references", "reference")
def references(f):
    f["y"] = [1.0]
    f.create_dataset("x", data=[f["y"].ref], dtype=h5py.ref_dtype)


@refused("scalars", "scalar")
def scalar(f):
    f["x"] = 3.5


@refused("datasets without a value (null)", "empty")
def null(f):
    f["x"] = h5py.Empty("f8")


@refused("a filter that this HDF5 does not have", "filter")
def unknown_filter(f):
    space = h5py.h5s.create_simple((8, 2))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((8, 2))
    properties.set_filter(31999, h5py.h5z.FLAG_OPTIONAL, ())
    data = h5py.h5d.create(f.id, b"x", h5py.h5t.NATIVE_DOUBLE, space, properties)
    data.write_direct_chunk((0, 0), np.zeros(16).tobytes())
