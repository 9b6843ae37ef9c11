"""Sparse matrices of AnnData and 10x files read as scipy's toarray() gives them."""
import os
import pathlib

import anndata
import h5py
import numpy
import pytest
import scipy.sparse
from input_driver import Failure, Rows, call
from sparse_files import matrix, write_10x, write_anndata, write_arrays, write_old_anndata

REALDATA = os.environ.get("H5SCORE_REALDATA", "")
SPARSE = 3  # storage::TableKind


def check(folder, path, values, **options):
    options = {"block": 7} | options
    got = Rows(folder, path, **options)
    assert got.summary["kind"] == SPARSE
    numpy.testing.assert_array_equal(got.values, values.toarray().astype("f8"))
    return got


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf", "chunks": (16,)},
                                     {"chunks": (1000,), "maxshape": (None,), "shuffle": True, "compression": "gzip"}],
                         ids=["plain", "gzip", "lzf", "large-chunk"])
def test_layouts_and_filters(tmp_path, layout, options):
    values = matrix()
    path = write_anndata(tmp_path / "a.h5ad", values.asformat(layout), **options)
    got = check(tmp_path, path, values, dataset="/X")
    assert got.summary["names"] == [f"g{i}" for i in range(23)]
    assert got.summary["types"] == "float32"


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4", "i4", "i8", "u1", ">i2", "u8"])
def test_types_of_values(tmp_path, layout, dtype):
    values = matrix(dtype="f8")
    path = write_anndata(tmp_path / "a.h5ad", values.asformat(layout))
    with h5py.File(path, "a") as file:
        stored = file["X/data"][...].astype(dtype)
        del file["X/data"]
        file["X/data"] = stored
    check(tmp_path, path, values)


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("types", [("i8", "i8"), ("u4", "i4"), ("u1", "u2"), (">i4", ">i8"), ("i2", "u8")], ids=str)
def test_types_of_indices(tmp_path, layout, types):
    values = matrix()
    check(tmp_path, write_anndata(tmp_path / "a.h5ad", values.asformat(layout), types=types), values)


def test_unsorted_repeated_and_nan_elements(tmp_path):
    values = scipy.sparse.csr_matrix((numpy.array([1, 2, numpy.nan, 4, 5, 6, 7], "f4"), [4, 1, 0, 3, 3, 3, 2],
                                      [0, 2, 3, 3, 6, 7]), shape=(5, 6))
    check(tmp_path, write_anndata(tmp_path / "a.h5ad", values), values)
    check(tmp_path, write_anndata(tmp_path / "b.h5ad", values), values, narrow=True, block=2)


@pytest.mark.parametrize("block,threads", [(1, 1), (60, 1), (13, 3)])
@pytest.mark.parametrize("rows", [None, "9:41", "59:"])
def test_blocks_and_rows(tmp_path, block, threads, rows):
    values = matrix()
    for layout in ["csr", "csc"]:
        path = write_anndata(tmp_path / f"{layout}.h5ad", values.asformat(layout), compression="gzip", chunks=(20,))
        begin, end = (int(x or 60) for x in (rows or "0:").split(":"))
        check(tmp_path, path, values[begin:end], rows=rows, block=block, threads=threads)


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_matrix_without_elements(tmp_path, layout):
    values = scipy.sparse.csr_matrix((9, 4), dtype="f4")
    check(tmp_path, write_anndata(tmp_path / "a.h5ad", values.asformat(layout)), values)
    path = write_anndata(tmp_path / "b.h5ad", values.asformat(layout), chunks=(10,), maxshape=(None,))
    check(tmp_path, path, values)


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_binding(tmp_path, layout):
    values = matrix()
    dense = values.toarray().astype("f8")
    path = write_anndata(tmp_path / "a.h5ad", values.asformat(layout), compression="gzip")
    got = Rows(tmp_path, path, bind={"features": ["g7", ["g3", "g5"], None, "g7", ["g5", "g7"], 0]}, block=11)
    expected = numpy.stack([dense[:, 7], dense[:, 3] - dense[:, 5], numpy.full(60, numpy.nan), dense[:, 7],
                            dense[:, 5] - dense[:, 7], dense[:, 0]], axis=1)
    numpy.testing.assert_array_equal(got.values, expected)


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_total_count_is_of_all_columns_also_unbound_ones(tmp_path, layout):
    values = matrix()
    dense = values.toarray().astype("f8")
    path = write_anndata(tmp_path / "a.h5ad", values.asformat(layout))
    got = Rows(tmp_path, path, bind={"features": ["g4", "g9", None], "total": 1e4}, block=17)
    total = dense.sum(axis=1, keepdims=True)
    scaled = dense * numpy.where(total == 0, 1, 1e4 / numpy.where(total == 0, 1, total))
    numpy.testing.assert_array_equal(got.values[:, :2], scaled[:, [4, 9]])
    assert numpy.isnan(got.values[:, 2]).all()


def test_sparse_and_dense_tables_give_the_same_bits(tmp_path):
    values = matrix(seed=3)
    values.data += numpy.random.default_rng(1).random(values.nnz).astype("f4")
    sparse = write_anndata(tmp_path / "a.h5ad", values)
    dense = tmp_path / "dense.h5"
    with h5py.File(dense, "w") as file:
        file["X"] = values.toarray()
    bind = {"features": [3, [5, 8], 11], "total": 1000}
    for narrow in [False, True]:
        a = Rows(tmp_path, sparse, bind=bind, narrow=narrow)
        b = Rows(tmp_path, dense, bind=bind, narrow=narrow)
        numpy.testing.assert_array_equal(a.values, b.values)


def test_treatment_is_of_stored_elements_only(tmp_path):
    values = matrix()
    values.data[::5] = -1
    values.data[::7] = numpy.nan
    path = write_anndata(tmp_path / "a.h5ad", values)
    bind = {"missing": [-1, 0], "fills": {"g3": 2.5}}
    got = Rows(tmp_path, path, bind=bind, block=9)
    expected = values.toarray().astype("f8")
    expected[expected == -1] = numpy.nan
    expected[:, 3] = numpy.where(numpy.isnan(expected[:, 3]), 2.5, expected[:, 3])
    numpy.testing.assert_array_equal(got.values, expected)
    got = Rows(tmp_path, path, bind=bind | {"total": 100, "features": ["g3"]})
    total = numpy.nansum(expected, axis=1)
    numpy.testing.assert_allclose(got.values[:, 0], expected[:, 3] * 100 / numpy.where(total == 0, 100, total))


def test_files_with_other_genes_are_matched_by_name(tmp_path):
    first, second = matrix(seed=1), matrix(seed=2)
    names = [f"g{i}" for i in range(23)]
    order = numpy.random.default_rng(0).permutation(23)[:20]
    a = write_anndata(tmp_path / "a.h5ad", first)
    other = scipy.sparse.hstack([second[:, order], second[:, :2] * 3]).tocsr()
    order = [int(i) for i in order]
    for layout in ["csr", "csc"]:
        b = write_anndata(tmp_path / "b.h5ad", other.asformat(layout),
                          names=[names[i] for i in order] + ["new1", "new2"])
        bound = sorted(order)[:10]
        got = Rows(tmp_path, a, b, bind={"features": [names[i] for i in bound], "total": 100})
        expected = numpy.vstack([first[:, bound].toarray(), second[:, bound].toarray()]).astype("f8")
        total = numpy.concatenate([first.sum(axis=1), other.sum(axis=1)]).astype("f8")
        expected *= 100 / numpy.where(total == 0, 100, total)
        numpy.testing.assert_allclose(got.values, numpy.asarray(expected), rtol=1e-15)
        lost = next(name for i, name in enumerate(names) if i not in order)
        with pytest.raises(Failure, match=f"b.h5ad: /X: there is no column '{lost}'") as failure:
            Rows(tmp_path, a, b, bind={"features": [lost]})
        assert failure.value.code == 65


def test_raw_and_layers_by_anndata_itself(tmp_path):
    raw, counts = matrix(columns=40, seed=4), matrix(seed=5)
    full = anndata.AnnData(raw)
    full.var_names = [f"raw{i}" for i in range(40)]
    data = anndata.AnnData(matrix(seed=6))
    data.raw = full
    data.layers["counts"] = scipy.sparse.csc_matrix(counts)
    data.layers["dense"] = counts.toarray()
    data.var["other"] = 1
    path = tmp_path / "a.h5ad"
    data.write_h5ad(path, compression="gzip")
    check(tmp_path, path, data.X)
    got = check(tmp_path, path, raw, dataset="/raw/X")
    assert got.summary["names"] == [f"raw{i}" for i in range(40)]
    got = check(tmp_path, path, counts, dataset="/layers/counts")
    assert got.summary["names"] == list(data.var_names)
    got = Rows(tmp_path, path, dataset="/layers/dense")
    assert got.summary["names"] == list(data.var_names)
    numpy.testing.assert_array_equal(got.values, counts.toarray().astype("f8"))


@pytest.mark.parametrize("name", ["X", "X/", "/X/"])
def test_names_of_groups(tmp_path, name):
    values = matrix()
    got = check(tmp_path, write_anndata(tmp_path / "a.h5ad", values), values, dataset=name)
    assert got.summary["files"][0]["dataset"] == "/X"
    assert got.summary["names"][0] == "g0"


def test_dense_anndata(tmp_path):
    data = anndata.AnnData(matrix().toarray())
    data.var_names = [f"gene {i}" for i in range(23)]
    data.write_h5ad(tmp_path / "a.h5ad")
    got = Rows(tmp_path, tmp_path / "a.h5ad")
    assert got.summary["names"] == list(data.var_names)
    numpy.testing.assert_array_equal(got.values, data.X.astype("f8"))


def test_anndata_of_old(tmp_path):
    values = matrix()
    for layout in ["csr", "csc"]:
        path = write_old_anndata(tmp_path / "a.h5ad", values.asformat(layout), [f"ö{i}" for i in range(23)])
        got = check(tmp_path, path, values)
        assert got.summary["names"] == [f"ö{i}" for i in range(23)]


@pytest.mark.parametrize("version", [2, 3])
def test_10x(tmp_path, version):
    values = matrix()
    ids = [f"ENSG{i}" for i in range(23)]
    names = [f"G{i}" for i in range(23)]
    path = write_10x(tmp_path / "a.h5", values, ids, names, version)
    assert check(tmp_path, path, values).summary["names"] == names


def test_columns_of_cells_are_passed_through(tmp_path):
    path = write_anndata(tmp_path / "a.h5ad", matrix())
    with h5py.File(path, "a") as file:
        file["obs/n"] = numpy.arange(60, dtype="i8")
    got = Rows(tmp_path, path, passthrough=["obs/label", "obs/n"], rows="5:40", block=11)
    width = len(got.passthrough[0]) // 35
    labels = numpy.frombuffer(got.passthrough[0], f"S{width}")
    assert [label.decode() for label in labels] == [f"cell{i}" for i in range(5, 40)]
    numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[1], "i8"), numpy.arange(5, 40))


def test_categories_become_texts(tmp_path):
    data = anndata.AnnData(matrix())
    data.obs["kind"] = ["T cell", "B", "", "naïve", "T cell", "B"] * 10
    data.obs["kind"] = data.obs["kind"].where(data.obs["kind"] != "").astype("category")
    data.obs["n"] = numpy.arange(60.0)
    path = tmp_path / "a.h5ad"
    data.write_h5ad(path, compression="lzf")
    for name in ["kind", "obs/kind", "/obs/kind"]:
        got = Rows(tmp_path, path, passthrough=[name, "n", "_index", "obs/_index"], rows="3:50", block=20)
        texts = numpy.frombuffer(got.passthrough[0], f"S{len(got.passthrough[0]) // 47}")
        assert [t.decode() for t in texts] == list(data.obs["kind"].astype(object).fillna(""))[3:50]
        numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[1]), numpy.arange(3, 50))
        for labels in got.passthrough[2:]:
            labels = numpy.frombuffer(labels, f"S{len(labels) // 47}")
            assert [t.decode() for t in labels] == list(data.obs_names)[3:50]


@pytest.mark.skipif(not REALDATA, reason="H5SCORE_REALDATA is not set: columns of real cells are not tested")
def test_columns_of_real_cells(tmp_path):
    path = pathlib.Path(REALDATA) / "h5-anndata" / "adata_v0.7.0.h5ad"
    data = anndata.read_h5ad(path)
    got = Rows(tmp_path, path, passthrough=["obs_cat", "uint8", "_index"])
    for column, values in [(0, data.obs["obs_cat"].astype(str)), (2, data.obs_names)]:
        texts = numpy.frombuffer(got.passthrough[column], f"S{len(got.passthrough[column]) // 30}")
        assert [t.decode() for t in texts] == list(values)
    numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[1], "u1"), data.obs["uint8"])
    path = pathlib.Path(REALDATA) / "h5-scanpy-10x" / "10x_data_3.0.0_filtered_feature_bc_matrix.h5"
    got = Rows(tmp_path, path, passthrough=["barcodes"])
    with h5py.File(path, "r") as file:
        assert got.passthrough[0] == file["matrix/barcodes"][...].tobytes()


def hostile(path, data, indices, indptr, shape, **options):
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"] = options.pop("encoding", "csr_matrix")
        group.attrs["shape"] = numpy.array(shape)
        write_arrays(group, data, indices, indptr, **options)
    return path


@pytest.mark.parametrize("encoding", ["csr_matrix", "csc_matrix"])
@pytest.mark.parametrize("indptr", [[0, 2, 1, 4], [0, 2, 3, 5], [0, 2, 3, 3], [1, 2, 3, 4], [0, -1, 3, 4],
                                    [0, 2, 2**62, 4], [0, 2, 4]], ids=str)
def test_hostile_offsets(tmp_path, encoding, indptr):
    shape = (3, 5) if encoding == "csr_matrix" else (5, 3)
    path = hostile(tmp_path / "a.h5", numpy.ones(4, "f4"), numpy.arange(4), numpy.array(indptr, "i8"), shape,
                   encoding=encoding)
    with pytest.raises(Failure, match="a.h5: '/X' is not a valid sparse matrix .*'indptr'") as failure:
        Rows(tmp_path, path, dataset="/X")
    assert failure.value.code == 65


@pytest.mark.parametrize("options", [{}, {"chunks": (2,), "compression": "gzip"}], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", ["i4", "i8", "u4", "u8", ">i4", "i2"])
@pytest.mark.parametrize("bad", [5, -1, 2**30])
def test_hostile_indices(tmp_path, options, dtype, bad):
    if bad == -1 and dtype.startswith("u"):
        bad = numpy.iinfo(dtype).max
    if bad == 2**30 and dtype == "i2":
        bad = 2**14
    indices = numpy.array([0, 4, bad, 3], dtype)
    path = hostile(tmp_path / "a.h5", numpy.ones(4, "f4"), indices, [0, 2, 2, 4], (3, 5), **options)
    with pytest.raises(Failure, match="a.h5: /X/indices: row 2 has an element in a column that does not exist") as f:
        Rows(tmp_path, path, dataset="/X")
    assert f.value.code == 65
    numpy.testing.assert_array_equal(Rows(tmp_path, path, dataset="/X", rows=":2").values.sum(axis=1), [2, 0])
    path = hostile(tmp_path / "b.h5", numpy.ones(4, "f4"), indices, [0, 2, 2, 4], (5, 3), encoding="csc_matrix")
    with pytest.raises(Failure, match="b.h5: '/X' is not a valid sparse matrix .*'indices' names row") as f:
        Rows(tmp_path, path, dataset="/X")
    assert f.value.code == 65


@pytest.mark.parametrize("shape", [(3,), (0, 5), (3, 0), (-3, 5), (3, 2**40), (2**62, 5), (3, 5, 1)], ids=str)
def test_hostile_shapes(tmp_path, shape):
    path = hostile(tmp_path / "a.h5", numpy.ones(4, "f4"), numpy.arange(4), [0, 2, 2, 4], shape)
    with pytest.raises(Failure, match="a.h5: .*/X") as failure:
        Rows(tmp_path, path, dataset="/X")
    assert failure.value.code == 65


def claim(path, encoding, shape, indptr=None, elements=None, **options):
    """A matrix whose arrays are never written where a number is given instead of values."""
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"] = encoding
        group.attrs["shape"] = numpy.array(shape)
        for name, values, dtype in [("indptr", indptr, "i8"), ("indices", elements, "i4"), ("data", elements, "f4")]:
            if isinstance(values, int):
                group.create_dataset(name, (values,), dtype, **options)
            else:
                group.create_dataset(name, data=numpy.array(values, dtype))
    return path


@pytest.mark.parametrize("options", [{}, {"chunks": (1000,)}, {"chunks": (1000,), "compression": "gzip"}],
                         ids=["plain", "chunks", "gzip"])
def test_claims_beyond_what_the_file_holds(tmp_path, options):
    rows = 10**8
    cases = [(claim(tmp_path / "rows.h5", "csr_matrix", (rows, 5), rows + 1, [], **options), "'/X/indptr' claims"),
             (claim(tmp_path / "many.h5", "csr_matrix", (10**10, 5), 10**10 + 1, [], **options), "has too many rows"),
             (claim(tmp_path / "elements.h5", "csc_matrix", (5, 1), [0, 10**11], 10**11, **options),
              "'/X/indices' claims"),
             (claim(tmp_path / "shape.h5", "csc_matrix", (10**10, 1), [0, 2], [3, 4]), "has too many rows"),
             (claim(tmp_path / "empty.h5", "csc_matrix", (rows, 1), [0, 2], [3, 4]), "100000000 rows for 2 elements")]
    for path, why in cases:
        with pytest.raises(Failure, match=f"{path.name}: '/X' .*{why}") as failure:
            Rows(tmp_path, path, dataset="/X")
        assert failure.value.code == 65


def test_empty_rows_may_be_more_than_elements(tmp_path):
    path = claim(tmp_path / "a.h5", "csc_matrix", (10**6, 2), [0, 2, 3], [7, 999_999, 7])
    got = Rows(tmp_path, path, dataset="/X", block=100_000).values
    assert got[7].tolist() == [7, 7] and got[999_999].tolist() == [999_999, 0]
    assert numpy.count_nonzero(got) == 3


def test_damaged_matrices_leave_the_file_to_others(tmp_path):
    path = write_10x(tmp_path / "a.h5", matrix(), [f"i{i}" for i in range(23)], [f"n{i}" for i in range(23)], 2)
    with h5py.File(path, "a") as file:
        file.copy("GRCh38", "short")
        del file["short/indptr"]
        file["short/indptr"] = numpy.arange(3)
        file.copy("GRCh38", "shapeless")
        del file["shapeless/shape"]
        file["shapeless/shape"] = "text"
    tables = {table["name"]: table for table in call("inspect", path)["tables"]}
    assert tables["/GRCh38"]["candidate"] and not tables["/GRCh38"]["refusal"]
    assert tables["/GRCh38"]["names"] == [f"n{i}" for i in range(23)]
    for name, why in [("/short", "'indptr' has 3 numbers for a shape of 60 x 23"), ("/shapeless", "shape")]:
        assert why in tables[name]["refusal"] and not tables[name]["candidate"]
    check(tmp_path, path, matrix())


def test_hostile_members(tmp_path):
    cases = {"fewer data": (numpy.ones(3, "f4"), numpy.arange(4), [0, 2, 2, 4]),
             "floats as indices": (numpy.ones(4, "f4"), numpy.arange(4.0), [0, 2, 2, 4]),
             "text as data": (numpy.array([b"a"] * 4), numpy.arange(4), [0, 2, 2, 4]),
             "two dimensions": (numpy.ones((4, 1), "f4"), numpy.arange(4), [0, 2, 2, 4]),
             "no offsets": (numpy.ones(4, "f4"), numpy.arange(4), numpy.empty(0, "i4"))}
    for case, arrays in cases.items():
        path = hostile(tmp_path / "a.h5", *arrays, (3, 5))
        with pytest.raises(Failure, match="a.h5: '/X' is not a valid sparse matrix") as failure:
            Rows(tmp_path, path, dataset="/X")
        assert failure.value.code == 65, case


@pytest.mark.skipif(not REALDATA, reason="H5SCORE_REALDATA is not set: AnnData and 10x files are not tested")
def test_real_files(tmp_path):
    root = pathlib.Path(REALDATA)
    path = root / "h5-anndata" / "adata_v0.7.0.h5ad"
    data = anndata.read_h5ad(path)
    assert check(tmp_path, path, data.X).summary["names"] == list(data.var_names)
    assert check(tmp_path, path, data.raw.X, dataset="/raw/X").summary["names"] == list(data.raw.var_names)
    check(tmp_path, path, data.layers["sparse"], dataset="/layers/sparse")
    for name, group, ids in [("10x_data_1.2.0_filtered_gene_bc_matrices_h5.h5", "hg19_chr21", "genes"),
                             ("10x_data_3.0.0_filtered_feature_bc_matrix.h5", "matrix", "features/id")]:
        path = root / "h5-scanpy-10x" / name
        with h5py.File(path, "r") as file:
            m = file[group]
            values = scipy.sparse.csr_matrix((m["data"][...], m["indices"][...], m["indptr"][...]),
                                             shape=m["shape"][...][::-1])
            names = [text.decode() for text in m[ids.replace("id", "name").replace("genes", "gene_names")][...]]
            names = [name if names.count(name) == 1 else f"{name} ({label.decode()})"
                     for name, label in zip(names, m[ids][...])]
        assert check(tmp_path, path, values, block=200).summary["names"] == names
