"""Writes sparse matrices as single-cell software does, or did, or must not."""
import h5py
import numpy
import scipy.sparse


def matrix(rows=60, columns=23, density=0.2, dtype="f4", seed=0):
    """A canonical CSR matrix with empty rows and columns."""
    random = numpy.random.default_rng(seed)
    values = scipy.sparse.random(rows, columns, density, format="csr", random_state=random,
                                 data_rvs=lambda n: random.integers(1, 100, n)).astype(dtype)
    keep = numpy.ones(rows)
    keep[[0, 7, 8, 9, rows - 1]] = 0
    result = scipy.sparse.csr_matrix(scipy.sparse.diags(keep).astype(dtype) @ values)
    result.eliminate_zeros()
    result.sort_indices()
    return result


def write_arrays(group, data, indices, indptr, **options):
    group.create_dataset("data", data=data, **options)
    group.create_dataset("indices", data=indices, **options)
    group.create_dataset("indptr", data=indptr, **options)


def write_anndata(path, values, names=None, name="X", types=("i4", "i4"), **options):
    """A minimal .h5ad with a CSR or CSC matrix at `name`, whose var is beside it."""
    names = [f"g{i}" for i in range(values.shape[1])] if names is None else names
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        group = file.create_group(name)
        group.attrs["encoding-type"] = f"{values.format}_matrix"
        group.attrs["encoding-version"] = "0.1.0"
        group.attrs["shape"] = numpy.array(values.shape)
        write_arrays(group, values.data, values.indices.astype(types[0]), values.indptr.astype(types[1]), **options)
        for frame, index in [("obs", [f"cell{i}" for i in range(values.shape[0])]), ("var", names)]:
            parent = "raw/" if frame == "var" and name == "raw/X" else ""
            frame = file.create_group(parent + frame)
            frame.attrs["_index"] = "label"
            frame.create_dataset("label", data=index, dtype=h5py.string_dtype())
    return path


def write_old_anndata(path, values, names):
    """AnnData before 0.7: records, and attributes of h5sparse."""
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["h5sparse_format"] = values.format
        group.attrs["h5sparse_shape"] = numpy.array(values.shape)
        write_arrays(group, values.data, values.indices, values.indptr, chunks=(20,), compression="gzip")
        text = h5py.string_dtype()
        var = numpy.array([(name, i) for i, name in enumerate(names)], dtype=[("index", text), ("n_cells", "i4")])
        obs = numpy.array([(f"c{i}".encode(), i) for i in range(values.shape[0])], dtype=[("index", "S8"), ("n", "f4")])
        file.create_dataset("var", data=var)
        file.create_dataset("obs", data=obs)
    return path


def write_10x(path, values, ids, names, version=3):
    """Cell Ranger 2 and 3: genes by cells, compressed by cell."""
    fixed = {"data": values.data.astype("i4"), "indices": values.indices.astype("i8"),
             "indptr": values.indptr.astype("i8")}
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        write_arrays(group, **fixed, chunks=(50,), compression="gzip")
        group["shape"] = numpy.array(values.shape[::-1], "i4")
        group["barcodes"] = numpy.array([f"AAAC-{i}" for i in range(values.shape[0])], "S")
        group["features/id" if version == 3 else "genes"] = numpy.array(ids, "S")
        group["features/name" if version == 3 else "gene_names"] = numpy.array(names, "S")
    return path
