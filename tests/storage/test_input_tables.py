"""Groups of columns and compound datasets read as h5py reads them, by name, in every layout."""
import h5py
import numpy
import pytest
from input_driver import Failure, Rows, call

ROWS = 137


def column(dtype, seed, rows=ROWS):
    random = numpy.random.default_rng(seed)
    dtype = numpy.dtype(dtype)
    if dtype.kind == "f":
        values = (random.normal(size=rows) * 100).astype(dtype)
        values[:3] = [numpy.nan, numpy.inf, -0.0]
        return values
    if dtype.kind == "b":
        return random.random(rows) < 0.5
    limits = numpy.iinfo(dtype)
    return random.integers(limits.min, limits.max, size=rows, dtype=dtype.newbyteorder("="), endpoint=True).astype(dtype)


def refused(code, match, folder, *inputs, **options):
    with pytest.raises(Failure, match=match) as failure:
        Rows(folder, *inputs, **options)
    assert failure.value.code == code


TYPES = {"mag_u": "<f4", "mag_g": ">f4", "n2": "<i2", "n10": ">u8", "flag": "?", "half": "<f2", "wide": ">f8", "byte": "i1"}
NATURAL = ["byte", "flag", "half", "mag_g", "mag_u", "n2", "n10", "wide"]


def columns_file(path, types=TYPES, seed=0, group="photometry", rows=ROWS, options=lambda i: {}):
    """One dataset per column, each with its own layout; gives the columns by name."""
    columns = {name: column(dtype, seed + i, rows) for i, (name, dtype) in enumerate(types.items())}
    with h5py.File(path, "w") as file:
        for i, (name, values) in enumerate(columns.items()):
            file.create_dataset(f"{group}/{name}", data=values, **options(i))
    return columns


def rows_of(columns, names):
    return numpy.column_stack([columns[name].astype("f8") for name in names])


LAYOUTS = {
    "contiguous": lambda i: {},
    "chunked": lambda i: {"chunks": (10 + 7 * i,)},
    "gzip": lambda i: {"chunks": (10 + 7 * i,), "compression": "gzip", "shuffle": True},
    "lzf": lambda i: {"chunks": (50,), "compression": "lzf", "fletcher32": True},
    "szip": lambda i: {"chunks": (64,), "compression": "szip"} if i not in (4, 5) else {},
    "mixed": lambda i: [{}, {"chunks": (30,)}, {"chunks": (64,), "compression": "gzip"}][i % 3],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("block,threads", [(1000, 1), (20, 1), (33, 3)])
def test_group_of_columns(tmp_path, layout, block, threads):
    columns = columns_file(tmp_path / "a.h5", options=LAYOUTS[layout])
    for dataset in (None, "/photometry", "photometry/"):
        got = Rows(tmp_path, tmp_path / "a.h5", dataset=dataset, block=block, threads=threads)
        assert got.summary["names"] == NATURAL and got.summary["kind"] == 1
        assert got.summary["files"][0]["dataset"] == "/photometry"
        numpy.testing.assert_array_equal(got.values, rows_of(columns, NATURAL))
    bind = {"features": ["wide", "n2", "n10", "mag_u", "wide", None]}
    got = Rows(tmp_path, tmp_path / "a.h5", bind=bind, block=block, rows="11:101", threads=threads)
    numpy.testing.assert_array_equal(got.values[:, :5], rows_of(columns, bind["features"][:5])[11:101])
    assert numpy.isnan(got.values[:, 5]).all()


def test_only_bound_columns_are_read(tmp_path):
    rows = 1_000_000
    columns_file(tmp_path / "a.h5", {"a": "<f8", "b": "<f8", "c": "<i2"}, rows=rows)
    got = Rows(tmp_path, tmp_path / "a.h5", bind={"features": ["c", "a"]}, block=rows)
    assert got.summary["bytes_read"] == rows * (8 + 2)


def test_columns_of_the_root_group(tmp_path):
    columns = columns_file(tmp_path / "a.h5", group="/")
    got = Rows(tmp_path, tmp_path / "a.h5")
    numpy.testing.assert_array_equal(got.values, rows_of(columns, NATURAL))
    assert got.summary["files"][0]["dataset"] == "/"


def test_what_is_left_out_of_a_group(tmp_path):
    columns_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        group = file["photometry"]
        group["id"] = numpy.array([b"star"] * ROWS)
        group["short"] = numpy.arange(5)
        group["cov"] = numpy.zeros((ROWS, 2))
        group["nothing"] = h5py.SoftLink("/nowhere")
    got = Rows(tmp_path, tmp_path / "a.h5", dataset="photometry")
    assert got.summary["names"] == NATURAL
    [table] = call("inspect", tmp_path / "a.h5")["tables"]
    assert table["names"] == NATURAL and table["rows"] == ROWS
    assert table["left_out"] == ["cov (its rows have more than one element)",
                                 "id (its elements are not numbers: text of 4 bytes)",
                                 "short (it has 5 rows instead of 137)"]


def test_which_table_is_chosen(tmp_path):
    path = tmp_path / "a.h5"
    columns_file(path)
    with h5py.File(path, "a") as file:
        file["spectra"] = numpy.zeros((7, 3))
    refused(64, r"2 datasets fit \(/spectra \(7, 3\) float64, /photometry \(8 columns of 137 rows\)\); choose one", tmp_path,
            path)
    with h5py.File(path, "w") as file:
        file["x"] = numpy.zeros((4, 3))
        file["label"] = numpy.arange(4)
        file["id"] = numpy.arange(4)
    assert Rows(tmp_path, path).summary["files"][0]["dataset"] == "/x", "columns beside an array are its companions"
    with h5py.File(path, "w") as file:
        file["t"] = numpy.zeros(4, [("a", "f4"), ("b", "i2")])
    assert Rows(tmp_path, path).summary["kind"] == 2
    with h5py.File(path, "w") as file:
        file["g/names"] = numpy.array([b"a", b"b"])
    refused(65, "group '/g' has no columns of numbers .names .its elements are not numbers", tmp_path, path, dataset="g")
    refused(65, "no dataset fits", tmp_path, path)


def test_files_with_other_orders_types_and_columns(tmp_path):
    first = columns_file(tmp_path / "a.h5")
    others = {name: "<f8" for name in reversed(TYPES)} | {"extra": "<i4"}
    second = columns_file(tmp_path / "b.h5", types=others, seed=50, rows=41, options=lambda i: {"chunks": (i + 9,), "compression": "gzip"})
    got = Rows(tmp_path, tmp_path / "a.h5", tmp_path / "b.h5", block=30)
    numpy.testing.assert_array_equal(got.values, numpy.vstack([rows_of(first, NATURAL), rows_of(second, NATURAL)]))
    columns_file(tmp_path / "c.h5", types={"mag_u": "<f4"})
    refused(65, "c.h5: /photometry: there is no column 'byte' .*a.h5 has one", tmp_path, tmp_path / "a.h5",
            tmp_path / "c.h5")


def test_columns_behind_links_and_virtual_datasets(tmp_path):
    columns = columns_file(tmp_path / "parts.h5")
    layout = h5py.VirtualLayout((ROWS,), "<f4")
    layout[:] = h5py.VirtualSource("parts.h5", "photometry/mag_u", (ROWS,))
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["t/wide"] = h5py.ExternalLink("parts.h5", "/photometry/wide")
        file["t/twice"] = h5py.SoftLink("/t/wide")
        file["t"].create_virtual_dataset("mag_u", layout)
    got = Rows(tmp_path, tmp_path / "a.h5", dataset="t", block=20)
    assert got.summary["names"] == ["mag_u", "twice", "wide"]
    numpy.testing.assert_array_equal(got.values, rows_of(columns, ["mag_u", "wide", "wide"]))
    (tmp_path / "parts.h5").rename(tmp_path / "gone.h5")
    with pytest.raises(Failure):
        Rows(tmp_path, tmp_path / "a.h5", dataset="t")


def test_vaex_groups(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("x", "y10", "y9"):
            file[f"table/columns/{name}/data"] = numpy.arange(5.0) + len(name)
        file["table/columns/text/data"] = numpy.zeros(20, "u1")
        file["table/columns/text/indices"] = numpy.arange(6)
        file["table/columns/masked/data"] = numpy.arange(5.0)
        file["table/columns/masked/mask"] = numpy.arange(5) == 3
    for dataset in (None, "/table", "table/columns"):
        got = Rows(tmp_path, tmp_path / "a.h5", dataset=dataset, passthrough=["y10", "/table/columns/x"])
        assert got.summary["names"] == ["x", "y9", "y10"]
        numpy.testing.assert_array_equal(got.values, numpy.arange(5.0)[:, None] + [1, 2, 3])
        numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[0]), numpy.arange(5.0) + 3)


RECORD = [("id", "S6"), ("x", "<f4"), ("y", ">f4"), ("n", ">i8"), ("ok", "?"), ("pos", [("a", "<f8"), ("b", "<i2", (2, 2))]),
          ("f", "<f4", (3,)), ("h", "<f2"), ("last", "u1")]
FIELDS = ["x", "y", "n", "ok", "pos.a", "pos.b[0,0]", "pos.b[0,1]", "pos.b[1,0]", "pos.b[1,1]", "f[0]", "f[1]", "f[2]", "h",
          "last"]


def records(rows=ROWS, seed=0, dtype=RECORD):
    data = numpy.zeros(rows, dtype)
    for i, name in enumerate(data.dtype.names):
        field = data[name]
        if field.dtype.kind == "S":
            data[name] = [f"o{i}".encode() for i in range(rows)]
        elif field.dtype.names:
            field["a"] = column("<f8", seed + 20, rows)
            field["b"] = column("<i2", seed + 21, rows * 4).reshape(rows, 2, 2)
        else:
            data[name] = column(field.dtype, seed + i, field.size).reshape(field.shape)
    return data


def values_of(data, names):
    columns = []
    for name in names:
        path, _, index = name.partition("[")
        field = data
        for part in path.split("."):
            field = field[part]
        columns.append((field[(slice(None), *map(int, index[:-1].split(",")))] if index else field).astype("f8"))
    return numpy.column_stack(columns)


COMPOUND = [{}, {"chunks": (10,)}, {"chunks": (50,), "compression": "gzip"},
            {"chunks": (50,), "compression": "gzip", "shuffle": True, "fletcher32": True},
            {"chunks": (33,), "compression": "lzf", "shuffle": True}, {"chunks": (200,), "maxshape": (None,)}]


@pytest.mark.parametrize("options", COMPOUND, ids=str)
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("block,threads", [(1000, 1), (21, 3)])
def test_compound_datasets(tmp_path, options, align, block, threads):
    data = records(dtype=numpy.dtype(RECORD, align=align))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("g/t", data=data, **options)
    got = Rows(tmp_path, tmp_path / "a.h5", block=block, threads=threads)
    assert got.summary["names"] == FIELDS and got.summary["kind"] == 2
    assert got.summary["access"] == [1 if options else 0]
    numpy.testing.assert_array_equal(got.values, values_of(data, FIELDS))
    some = ["last", "pos.b[1,0]", "y", "x", "f[1]", "f[2]"]
    got = Rows(tmp_path, tmp_path / "a.h5", dataset="g/t", bind={"features": some}, block=block, rows="5:130",
               passthrough=["id", "pos.a", "f", "n"])
    numpy.testing.assert_array_equal(got.values, values_of(data, some)[5:130])
    assert [(c["type"], c["bytes"]) for c in got.summary["passthrough"]] == [("S6", 6), ("float64", 8), ("float32", 12),
                                                                            (">i8", 8)]
    for bytes_read, wanted in zip(got.passthrough, [data["id"], data["pos"]["a"], data["f"], data["n"]]):
        assert bytes_read == wanted[5:130].tobytes()


def test_compound_of_several_files_by_name(tmp_path):
    a = records(20)
    b = numpy.zeros(7, [("more", "f8"), ("last", "<f8"), ("x", ">i2"), ("y", "<f4"), ("n", "<u2")])
    b["last"], b["x"], b["y"], b["n"] = range(7), range(10, 17), range(20, 27), range(30, 37)
    names = ["x", "y", "n", "last"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"] = a[names]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("t", data=b, chunks=(3,), compression="gzip")
    got = Rows(tmp_path, tmp_path / "a.h5", tmp_path / "b.h5")
    numpy.testing.assert_array_equal(got.values, numpy.vstack([values_of(a, names), values_of(b, names)]))
    refused(65, "a.h5: /t: there is no column 'more' .*b.h5 has one", tmp_path, tmp_path / "b.h5", tmp_path / "a.h5")


def test_fields_of_variable_length_are_left_out_and_the_rest_served(tmp_path):
    dtype = [("name", h5py.string_dtype()), ("x", "<f4"), ("v", h5py.vlen_dtype("i4")), ("n", ">i2")]
    data = numpy.zeros(30, dtype)
    data["name"], data["x"], data["n"] = "some text", numpy.arange(30), numpy.arange(30, 60)
    for i in range(30):
        data["v"][i] = numpy.arange(i, dtype="i4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"] = data
    got = Rows(tmp_path, tmp_path / "a.h5", block=7)
    assert got.summary["names"] == ["x", "n"] and got.summary["access"] == [2]
    numpy.testing.assert_array_equal(got.values, values_of(data, ["x", "n"]))
    [table] = call("inspect", tmp_path / "a.h5")["tables"]
    assert table["left_out"] == ["name (variable-length text)", "v (variable-length sequence)"]
    refused(65, "field name .variable-length text. of /t cannot be passed through", tmp_path, tmp_path / "a.h5",
            passthrough=["name"])


def test_filters_that_need_the_type_are_served(tmp_path):
    path = tmp_path / "nbit.h5"
    data = records(30, dtype=[("a", "<f4"), ("b", "<i2")])
    with h5py.File(path, "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((8,))
        creation.set_filter(h5py.h5z.FILTER_NBIT)
        h5py.h5d.create(file.id, b"t", h5py.h5t.py_create(data.dtype), h5py.h5s.create_simple((30,)), creation)
        file["t"][...] = data
    got = Rows(tmp_path, path, block=7)
    numpy.testing.assert_array_equal(got.values, values_of(data, ["a", "b"]))
    assert got.summary["access"] == [2]


def test_records_never_written(tmp_path):
    fill = numpy.array((7, -2.5), [("a", "<i4"), ("b", ">f4")])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("t", (30,), fill.dtype, chunks=(8,), fillvalue=fill)
        data[10:13] = numpy.zeros(3, fill.dtype)
        expected = values_of(data[...], ["a", "b"])
    numpy.testing.assert_array_equal(Rows(tmp_path, tmp_path / "a.h5", block=5).values, expected)


def test_duplicate_names_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"] = numpy.zeros(5, [("f", "f4", (2,)), ("f[1]", "i2")])
    refused(65, r"a.h5: /t: two columns have the name 'f\[1\]'", tmp_path, tmp_path / "a.h5")


def test_records_of_too_many_columns_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["good"] = numpy.ones(5, [("x", "f4"), ("y", "f4")])
        file.create_dataset("wide", (1,), [("x", "u1", (2**22,)), ("y", "f4")])
        for i in range(8):
            file.create_dataset(f"wider{i}", (1,), [("x", "S1000000000"), ("y", "f4")])
    why = "its records have 4194305 columns, at most 4194304 are read"
    refused(65, f"a.h5: dataset '/wide' cannot be scored .*{why}", tmp_path, path, dataset="/wide")
    datasets = {found["name"]: found for found in call("inspect", path)["datasets"]}
    assert datasets["/wide"]["refusal"] == why and not datasets["/wide"]["candidate"]
    assert datasets["/wider7"]["refusal"] == "an element is larger than 64 MiB"
    assert Rows(tmp_path, path).summary["names"] == ["x", "y"]


def test_pandas_tables(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    frame = pandas.DataFrame({"a": column("f8", 0), "b c": column("i4", 1), "s": ["text"] * ROWS, "d": column("f8", 2),
                              "flag": column("?", 3), "größe": column("f8", 4)})
    frame.to_hdf(tmp_path / "a.h5", "key", format="table", data_columns=["b c"], complevel=5)
    got = Rows(tmp_path, tmp_path / "a.h5", block=50, passthrough=["index", "s", "b c"])
    assert got.summary["names"] == ["index", "a", "d", "größe", "flag", "b c"]
    expected = numpy.column_stack([numpy.arange(ROWS), *(frame[n].astype("f8") for n in got.summary["names"][1:])])
    numpy.testing.assert_array_equal(got.values, expected)
    numpy.testing.assert_array_equal(numpy.frombuffer(got.passthrough[0], "i8"), numpy.arange(ROWS))
    assert got.passthrough[1] == b"text" * ROWS
    numbers = pandas.DataFrame(numpy.arange(20.0).reshape(5, 4))
    numbers.to_hdf(tmp_path / "b.h5", "key", format="table")
    got = Rows(tmp_path, tmp_path / "b.h5")
    assert got.summary["names"] == ["index", "0", "1", "2", "3"]
    numpy.testing.assert_array_equal(got.values[:, 1:], numbers.values)


def test_pytables_tables(tmp_path):
    tables = pytest.importorskip("tables")
    with tables.open_file(str(tmp_path / "a.h5"), "w") as file:
        description = {"flag": tables.BoolCol(pos=0), "x": tables.Float32Col(pos=1), "name": tables.StringCol(5, pos=2),
                       "v": tables.Int16Col(shape=(2,), pos=3), "in": {"y": tables.Float64Col()}}
        table = file.create_table("/", "t", description, filters=tables.Filters(5, "zlib", shuffle=True))
        for i in range(ROWS):
            table.append([(i % 2, i / 4, b"n%d" % i, (i, -i), (i / 8,))])
        table.flush()
        table.cols.x.create_index()
    got = Rows(tmp_path, tmp_path / "a.h5", block=50, passthrough=["name"])
    i = numpy.arange(ROWS)
    assert got.summary["names"] == ["flag", "x", "v[0]", "v[1]", "in.y"]
    numpy.testing.assert_array_equal(got.values, numpy.column_stack([i % 2, i / 4, i, -i, i / 8]))


def names_file(path, names):
    path.write_text("".join(name + "\n" for name in names))
    return path


def test_feature_names_from_files_and_datasets(tmp_path):
    names = ["alpha", "beta", "gamma"]
    for part in "ab":
        with h5py.File(tmp_path / f"{part}.h5", "w") as file:
            file["x"] = numpy.arange(12.0).reshape(4, 3)
            file["names"] = names
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for source in (names_file(tmp_path / "n.txt", names), "/names", f"{tmp_path}/a.h5:/names"):
        got = Rows(tmp_path, *paths, dataset="x", feature_names=source, bind={"features": ["gamma", "alpha"]})
        assert got.summary["names"] == names
        numpy.testing.assert_array_equal(got.values[:4], numpy.arange(12.0).reshape(4, 3)[:, [2, 0]])
    refused(65, "/x has 3 columns but 2 names .from .*n.txt", tmp_path, *paths, dataset="x",
            feature_names=names_file(tmp_path / "n.txt", names[:2]))
    refused(65, "two columns have the name 'beta' .from .*n.txt", tmp_path, *paths, dataset="x",
            feature_names=names_file(tmp_path / "n.txt", ["beta", "a", "beta"]))
    refused(65, "line 2 is empty", tmp_path, *paths, dataset="x", feature_names=names_file(tmp_path / "n.txt", ["a", "", "b"]))
    refused(66, "there is no such file", tmp_path, *paths, dataset="x", feature_names="absent.txt")
    refused(65, "absent", tmp_path, *paths, dataset="x", feature_names="/absent")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["names"][...] = ["alpha", "gamma", "beta"]
    refused(65, "b.h5: /x: its columns have other names or another order", tmp_path, *paths, dataset="x",
            feature_names="/names")
    columns_file(tmp_path / "c.h5")
    refused(64, "the columns of /photometry have names of their own", tmp_path, tmp_path / "c.h5",
            feature_names=names_file(tmp_path / "n.txt", names))


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("kind", ["columns", "compound", "array"])
def test_differences_missing_values_fills_and_totals(tmp_path, narrow, kind):
    random = numpy.random.default_rng(3)
    x = numpy.round(random.normal(20, 3, (ROWS, 5)), 1)
    x[random.random(x.shape) < 0.2] = 99.1
    x[random.random(x.shape) < 0.1] = numpy.nan
    names = list("abcde")
    with h5py.File(tmp_path / "t.h5", "w") as file:
        if kind == "array":
            file["x"] = x.astype("f4")
        elif kind == "columns":
            for name, values in zip(names, x.T):
                file[f"x/{name}"] = values.astype("f4")
        else:
            data = numpy.zeros(ROWS, [(name, "<f4") for name in names])
            for name, values in zip(names, x.T):
                data[name] = values
            file["x"] = data
    real = numpy.float32 if narrow else numpy.float64
    clean = x.astype("f4")
    clean[clean == numpy.float32(99.1)] = numpy.nan
    clean = clean.astype(real)
    clean[:, 1] = numpy.where(numpy.isnan(clean[:, 1]), real(27.8), clean[:, 1])
    columns = names if kind != "array" else list(range(5))
    bind = {"features": [[columns[0], columns[1]], columns[1], [columns[2], columns[3]], columns[4], None],
            "missing": [99.1, 1e300], "fills": {columns[1]: 27.8}}
    if kind != "array":
        got = Rows(tmp_path, tmp_path / "t.h5", bind=bind, narrow=narrow)
        expected = numpy.column_stack([clean[:, 0] - clean[:, 1], clean[:, 1], clean[:, 2] - clean[:, 3], clean[:, 4],
                                       numpy.full(ROWS, numpy.nan)])
        numpy.testing.assert_array_equal(got.values, expected)
    else:
        bind["fills"] = {}
        clean = x.astype("f4")
        clean[clean == numpy.float32(99.1)] = numpy.nan
        clean = clean.astype(real)
    bind |= {"features": columns[::-1], "total": 1e4}
    got = Rows(tmp_path, tmp_path / "t.h5", bind=bind, narrow=narrow)
    factor = 1e4 / numpy.nansum(clean.astype("f8"), axis=1)
    numpy.testing.assert_allclose(got.values, (clean * factor[:, None])[:, ::-1], rtol=1e-6 if narrow else 1e-14)


def test_missing_values_of_integers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = numpy.array([[-99, 2**53 + 1], [99, 2**53], [0, -2**63]])
        file["u"] = numpy.array([[255, 1], [99, 0]], "u1")
    got = Rows(tmp_path, tmp_path / "a.h5", dataset="x", bind={"missing": [-99, 2.0**53, 0.5, -2.0**63, 1e30]})
    numpy.testing.assert_array_equal(got.values, [[numpy.nan, 2.0**53], [99, numpy.nan], [0, numpy.nan]])
    got = Rows(tmp_path, tmp_path / "a.h5", dataset="u", bind={"missing": [-1, 99, 256]})
    numpy.testing.assert_array_equal(got.values, [[255, 1], [numpy.nan, 0]])


def test_passthrough_of_a_group(tmp_path):
    columns = columns_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["photometry/id"] = numpy.array([f"s{i}" for i in range(ROWS)], h5py.string_dtype())
        file["ra"] = numpy.arange(ROWS) / 8
    got = Rows(tmp_path, tmp_path / "a.h5", passthrough=["id", "n10", "ra", "/photometry/wide"], rows="3:90", block=40,
               bind={"features": ["n10"]}, dataset="photometry")
    assert numpy.frombuffer(got.passthrough[0], "S4").tolist() == [b"s%d" % i for i in range(3, 90)]
    for bytes_read, wanted in zip(got.passthrough[1:], [columns["n10"], numpy.arange(ROWS) / 8, columns["wide"]]):
        assert bytes_read == wanted[3:90].tobytes()


def test_many_columns(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(700):
            file.create_dataset(f"g/c{i}", data=numpy.arange(50) + i, chunks=(30,))
    got = Rows(tmp_path, tmp_path / "a.h5", block=20)
    numpy.testing.assert_array_equal(got.values, numpy.arange(50)[:, None] + numpy.arange(700))
