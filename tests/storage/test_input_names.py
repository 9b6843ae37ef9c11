"""Names of columns that repeat or lie beside an array, and files without some of the columns."""
import h5py
import numpy
import pytest
import scipy.sparse
from input_driver import Failure, Rows
from sparse_files import matrix, write_10x, write_anndata

NAMES = ["CD3E", "TBCE", "CD19", "TBCE", "GAPDH"]
IDS = [f"ENSG{i}" for i in range(5)]
WITH_IDS = ["CD3E", "TBCE (ENSG1)", "CD19", "TBCE (ENSG3)", "GAPDH"]
WITH_COLUMNS = ["CD3E", "TBCE (column 1)", "CD19", "TBCE (column 3)", "GAPDH"]


def refused(code, why, *arguments, **options):
    with pytest.raises(Failure, match=why) as failure:
        Rows(*arguments, **options)
    assert failure.value.code == code


@pytest.mark.parametrize("version", [2, 3])
def test_repeated_genes_of_10x_carry_their_ids(tmp_path, version):
    values = matrix(columns=5)
    got = Rows(tmp_path, write_10x(tmp_path / "a.h5", values, IDS, NAMES, version),
               bind={"features": ["CD19", "CD3E", "TBCE (ENSG3)"]})
    assert got.summary["names"] == WITH_IDS
    numpy.testing.assert_array_equal(got.values, values.toarray()[:, [2, 0, 3]])


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("ids,expected", [
    (IDS, WITH_IDS), (None, WITH_COLUMNS), (IDS[:4], WITH_COLUMNS), ([1, 2], WITH_COLUMNS),
    (["E", "", "E", "E", "E"], ["CD3E", "TBCE (column 1)", "CD19", "TBCE (E)", "GAPDH"]),
    (["E"] * 5, ["CD3E", "TBCE (E)", "CD19", "TBCE (E) (column 3)", "GAPDH"])], ids=str)
def test_repeated_genes_of_anndata(tmp_path, ids, expected, dense):
    values = matrix(columns=5)
    path = write_anndata(tmp_path / "a.h5ad", values, NAMES)
    with h5py.File(path, "a") as file:
        if dense:
            del file["X"]
            file["X"] = values.toarray()
        if ids:
            file["var/gene_ids"] = numpy.array(ids) if isinstance(ids[0], int) else ids
    got = Rows(tmp_path, path, dataset="/X")
    assert got.summary["names"] == expected
    numpy.testing.assert_array_equal(got.values, values.toarray())


def test_repeated_genes_are_matched_over_files(tmp_path):
    values = matrix(rows=200, columns=5)
    order = [4, 3, 2, 1, 0]
    paths = [write_10x(tmp_path / "a.h5", values, IDS, NAMES),
             write_10x(tmp_path / "b.h5", values[:, order].tocsr(), [IDS[i] for i in order], [NAMES[i] for i in order])]
    got = Rows(tmp_path, *paths)
    assert got.summary["names"] == WITH_IDS
    numpy.testing.assert_array_equal(got.values, numpy.vstack([values.toarray()] * 2))
    paths.append(write_10x(tmp_path / "c.h5", values[:, :3].tocsr(), IDS[:3], NAMES[:3]))
    assert Rows(tmp_path, *paths, bind={"features": ["CD19"]}).summary["rows"] == 600
    refused(65, r"c.h5: /matrix: there is no column 'TBCE \(ENSG1\)'", tmp_path, *paths,
            bind={"features": ["TBCE (ENSG1)"]})


def test_given_names_that_repeat(tmp_path):
    values = matrix(columns=5)
    path = write_10x(tmp_path / "a.h5", values, IDS, NAMES)
    for source, expected in [("/matrix/features/id", IDS), ("/matrix/features/name", WITH_IDS),
                             (f"{path}:/matrix/features/name", WITH_COLUMNS)]:
        assert Rows(tmp_path, path, feature_names=source).summary["names"] == expected
    with h5py.File(tmp_path / "dense.h5", "w") as file:
        file["x"] = values.toarray()
        file["names"] = NAMES
    for source in ["/names", f"{tmp_path}/dense.h5:/names"]:
        got = Rows(tmp_path, tmp_path / "dense.h5", dataset="/x", feature_names=source)
        assert got.summary["names"] == WITH_COLUMNS
        numpy.testing.assert_array_equal(got.values, values.toarray())


def test_a_name_that_looks_like_another_ones_copy(tmp_path):
    names = ["a", "a", "a (column 1)"]
    path = write_anndata(tmp_path / "a.h5ad", matrix(columns=3), names)
    assert Rows(tmp_path, path).summary["names"] == ["a (column 0)", "a (column 1) (column 1)", "a (column 1)"]


def columns_file(path, kind, columns):
    with h5py.File(path, "w") as file:
        if kind == "group":
            for name, values in columns.items():
                file[f"t/{name}"] = values
        else:
            data = numpy.empty(len(next(iter(columns.values()))), [(name, "f8") for name in columns])
            for name, values in columns.items():
                data[name] = values
            file["t"] = data
    return path


@pytest.mark.parametrize("kind", ["group", "records"])
def test_only_columns_that_are_read_must_be_in_every_file(tmp_path, kind):
    a, b, c = numpy.arange(18.0).reshape(3, 6)
    paths = [columns_file(tmp_path / "1.h5", kind, {"a": a, "a_corr": c, "b": b}),
             columns_file(tmp_path / "2.h5", kind, {"b": a, "a": b}),
             columns_file(tmp_path / "3.h5", kind, {"b": c, "a": a, "z": a})]
    got = Rows(tmp_path, *paths, bind={"features": ["b", ["a", "b"]]}, block=4)
    assert got.summary["names"] == ["a", "a_corr", "b"]
    x, y = numpy.concatenate([a, b, a]), numpy.concatenate([b, a, c])
    numpy.testing.assert_array_equal(got.values, numpy.column_stack([y, x - y]))
    why = "2.h5: /t: there is no column 'a_corr' .*1.h5 has one"
    refused(65, why, tmp_path, *paths, bind={"features": ["b", "a_corr"]})
    refused(65, why, tmp_path, *paths, bind={"features": [["b", "a_corr"]]})
    refused(65, why, tmp_path, *paths, bind={"features": ["b"], "total": 10})
    refused(65, "2.h5: .*a_corr", tmp_path, *paths, bind={"features": ["b"]}, passthrough=["a_corr"])
    got = Rows(tmp_path, *paths, bind={"features": ["a"]}, passthrough=["b"])
    numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[0], "f8"), y)


@pytest.mark.parametrize("kind", ["group", "records"])
def test_rows_without_a_bound_column_in_a_file_without_the_first(tmp_path, kind):
    values = numpy.arange(6.0)
    paths = [columns_file(tmp_path / "1.h5", kind, {"a": values, "b": values}),
             columns_file(tmp_path / "2.h5", kind, {"b": values})]
    assert numpy.isnan(Rows(tmp_path, *paths, bind={"features": [None]}).values).sum() == 12
    other = columns_file(tmp_path / "3.h5", kind, {"c": values})
    refused(65, "3.h5: /t: has none of the columns of .*1.h5", tmp_path, paths[0], other)


@pytest.mark.parametrize("dense", [False, True])
def test_rows_without_a_finite_sum_have_no_normalised_counts(tmp_path, dense):
    values = matrix(columns=5).toarray()
    values[1:5] = [[1, 0, 0, numpy.inf, 2], [1, 2, 0, -numpy.inf, numpy.inf], [1, 2, 0, 0, numpy.nan], [0, 0, 0, 0, 0]]
    if dense:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["x"] = values
    else:
        path = write_anndata(tmp_path / "a.h5", scipy.sparse.csr_matrix(values))
    for narrow in [False, True]:
        got = Rows(tmp_path, path, bind={"features": [0, 1], "total": 9}, narrow=narrow).values
        assert numpy.isnan(got[1:3]).all() and numpy.isfinite(got[[0, *range(3, 60)]]).all()
        numpy.testing.assert_array_equal(got[3:5], [[3, 6], [0, 0]])


def test_pandas_items_name_the_columns(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    path = tmp_path / "a.h5"
    values = numpy.arange(30.0).reshape(10, 3)
    pandas.DataFrame(values, columns=["b", "größe", "b c"]).to_hdf(path, "df")
    got = Rows(tmp_path, path, bind={"features": ["b c", "b"]})
    assert got.summary["names"] == ["b", "größe", "b c"]
    numpy.testing.assert_array_equal(got.values, values[:, [2, 0]])
    pandas.DataFrame(values).to_hdf(path, "df", mode="w")
    assert Rows(tmp_path, path, dataset="/df/block0_values").summary["names"] == []
    with h5py.File(path, "w") as file:
        file["x_values"], file["x_items"] = values, ["one", "two"]
    assert Rows(tmp_path, path, dataset="x_values").summary["names"] == []


@pytest.mark.parametrize("kind", ["array", "group", "records", "sparse"])
def test_a_file_without_rows_is_to_be_left_out(tmp_path, kind):
    first, empty = tmp_path / "1.h5", tmp_path / "2.h5"
    for path, rows in [(first, 5), (empty, 0)]:
        if kind == "array":
            with h5py.File(path, "w") as file:
                file["t"] = numpy.zeros((rows, 3))
        elif kind == "sparse":
            write_anndata(path, scipy.sparse.csr_matrix((rows, 3)), name="t")
        else:
            columns_file(path, kind, {"a": numpy.zeros(rows), "b": numpy.zeros(rows)})
    refused(65, "2.h5: .*/t.*0 rows.*; leave the file out", tmp_path, first, empty, dataset="/t")
    refused(65, "2.h5: .*/t.*0 rows.*; leave the file out", tmp_path, empty, first, dataset="/t")
