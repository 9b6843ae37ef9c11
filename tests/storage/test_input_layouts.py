"""Every layout, filter and element type that h5py writes reads as h5py reads it."""
import ctypes
import glob
import itertools
import zlib

import h5py
import numpy
import pytest
from input_driver import Failure, Rows, check_equal, expected

TYPES = ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4", "<u8", ">u8", "<i8", ">i8", "<f2", ">f2",
         "<f4", ">f4", "<f8", ">f8"]


def numbers(shape, dtype, seed=0):
    random = numpy.random.default_rng(seed)
    dtype = numpy.dtype(dtype)
    if dtype.kind == "f":
        values = random.normal(size=shape) * 100
        flat = values.reshape(-1)
        flat[:6] = [numpy.nan, numpy.inf, -numpy.inf, 0.0, -0.0, numpy.finfo(dtype).tiny / 2]
        return values.astype(dtype)
    limits = numpy.iinfo(dtype)
    values = random.integers(limits.min, limits.max, size=shape, dtype=dtype.newbyteorder("="), endpoint=True)
    return values.astype(dtype)


@pytest.fixture
def h5(tmp_path):
    """A function that writes one dataset and gives the file's path."""

    def write(data, name="x", libver=None, userblock=0, **options):
        path = tmp_path / "input.h5"
        with h5py.File(path, "w", libver=libver, userblock_size=userblock) as file:
            file.create_dataset(name, data=data, **options)
        return path

    return write


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("options", [{}, {"chunks": (16, 5), "compression": "gzip", "shuffle": True}],
                         ids=["contiguous", "gzip"])
def test_types(h5, tmp_path, dtype, options):
    path = h5(numbers((50, 7), dtype), **options)
    check_equal(tmp_path, path, "x", block=13)


@pytest.mark.parametrize("dtype", TYPES)
def test_narrowing_to_float(h5, tmp_path, dtype):
    data = numbers((40, 3), dtype)
    path = h5(data)
    got = Rows(tmp_path, path, narrow=True)
    with numpy.errstate(over="ignore"):
        numpy.testing.assert_array_equal(got.values, data.astype("f4").astype("f8"))
    kept = numpy.dtype(dtype).itemsize <= 2 or numpy.dtype(dtype).newbyteorder("=") == numpy.dtype("f4")
    assert got.summary["narrows"] == (not kept)


def test_every_float16(h5, tmp_path):
    check_equal(tmp_path, h5(numpy.arange(65536, dtype="u2").view("f2").reshape(-1, 16)), "x")


FILTERS = [dict(zip(("compression", "shuffle", "fletcher32"), choice))
           for choice in itertools.product([None, "gzip", "lzf", "szip"], [False, True], [False, True])]
CHUNKS = [(8, 12), (8, 5), (7, 12), (30, 12), (1, 1)]


@pytest.mark.parametrize("filters,chunks", [
    (filters, chunks) for filters, chunks in itertools.product(FILTERS, CHUNKS)
    if filters["compression"] != "szip" or numpy.prod(chunks) >= 8  # szip's blocks have 8 elements
], ids=str)
def test_filters_and_chunk_shapes(h5, tmp_path, filters, chunks):
    if filters["compression"] == "szip":
        filters = filters | {"compression_opts": ("nn", 8)}
    path = h5(numbers((30, 12), "<f4"), chunks=chunks, **filters)
    check_equal(tmp_path, path, "x", block=11)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("maxshape", [None, (None, 12), (None, None), (60, 24)], ids=str)
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("chunks", [(8, 5), (30, 12)], ids=str)
def test_chunk_indexes(h5, tmp_path, libver, maxshape, compression, chunks):
    """v1 B-tree; single chunk, implicit, fixed array, extensible array, v2 B-tree."""
    path = h5(numbers((30, 12), "<i4"), libver=libver, maxshape=maxshape, compression=compression, chunks=chunks)
    check_equal(tmp_path, path, "x", block=7)


def create_low_level(path, shape, chunks, dtype, prepare, libver=("earliest", "latest")):
    """A chunked dataset with creation properties that h5py's high level does not offer."""
    file = h5py.File(path, "w", libver=libver)
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk(chunks)
    prepare(creation)
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(numpy.dtype(dtype), logical=True), space, creation)
    return file


def test_implicit_index(tmp_path):
    path = tmp_path / "implicit.h5"
    with create_low_level(path, (30, 12), (8, 5), "<i4", lambda c: c.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY),
                          libver="latest") as file:
        file["x"][...] = numbers((30, 12), "<i4")
    check_equal(tmp_path, path, "x", block=7)


@pytest.mark.parametrize("dtype", ["<i4", ">i2", "<u8", "u1"])
@pytest.mark.parametrize("scaleoffset", [0, 5])
def test_scaleoffset_integers(h5, tmp_path, dtype, scaleoffset):
    data = (numpy.arange(30 * 12) % 30).reshape(30, 12).astype(dtype)
    check_equal(tmp_path, h5(data, chunks=(8, 5), scaleoffset=scaleoffset), "x", block=7)


def test_scaleoffset_floats(h5, tmp_path):
    data = numpy.round(numpy.random.default_rng(1).normal(size=(30, 12)), 3).astype("f4")
    check_equal(tmp_path, h5(data, chunks=(8, 5), scaleoffset=3, compression="gzip"), "x", block=7)


def test_nbit(tmp_path):
    path = tmp_path / "nbit.h5"
    with create_low_level(path, (30, 12), (8, 5), "<i4", lambda c: c.set_filter(h5py.h5z.FILTER_NBIT)) as file:
        file["x"][...] = numbers((30, 12), "<i4")
    check_equal(tmp_path, path, "x", block=7)


@pytest.mark.parametrize("shape,chunks", [((30,), (7,)), ((30,), None), ((10, 3, 4, 5), (4, 2, 3, 5)),
                                          ((10, 3, 4, 5), (4, 3, 4, 5)), ((10, 3, 4, 5), (4, 1, 4, 5)),
                                          ((6, 2, 2, 2, 2, 2, 2, 2), (3, 1, 2, 1, 2, 2, 1, 2)), ((10, 3, 4), None)],
                         ids=str)
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_dimensions(h5, tmp_path, shape, chunks, compression):
    if chunks is None and compression is not None:
        chunks = True
    path = h5(numbers(shape, "<i2"), chunks=chunks, compression=compression)
    check_equal(tmp_path, path, "x", block=4)


@pytest.mark.parametrize("block", [1, 7, 8, 1000])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("compression", ["gzip", "lzf", "szip"])
def test_blocks_cut_chunks_anywhere(h5, tmp_path, block, threads, compression):
    path = h5(numbers((100, 6), "<f8"), chunks=(8, 4), compression=compression, shuffle=True)
    check_equal(tmp_path, path, "x", block=block, threads=threads)


@pytest.mark.parametrize("fillvalue", [None, 0, 7, -3.5])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_chunks_never_written(tmp_path, fillvalue, compression, libver):
    path = tmp_path / "holes.h5"
    with h5py.File(path, "w", libver=libver) as file:
        data = file.create_dataset("x", (50, 9), ">f4", chunks=(8, 4), fillvalue=fillvalue, compression=compression)
        data[10:20, 2:6] = numbers((10, 4), ">f4")
    check_equal(tmp_path, path, "x", block=9)


@pytest.mark.parametrize("options", [{}, {"chunks": (8, 4)}], ids=str)
def test_nothing_ever_written(tmp_path, options):
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (50, 9), "<i2", fillvalue=-4, **options)
    got = check_equal(tmp_path, path, "x", block=9)
    assert got.summary["bytes_read"] == 0


def test_undefined_fill_value_reads_as_zero(tmp_path):
    path = tmp_path / "undefined.h5"
    fill = lambda creation: creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with create_low_level(path, (20, 4), (5, 4), "<f4", fill) as file:
        file["x"][5:10] = 1
    got = Rows(tmp_path, path, dataset="x")
    numpy.testing.assert_array_equal(got.values[5:10], 1)
    numpy.testing.assert_array_equal(numpy.delete(got.values, range(5, 10), axis=0), 0)


@pytest.mark.parametrize("options", [{}, {"chunks": (8, 5)}, {"chunks": (8, 5), "compression": "gzip"}], ids=str)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_user_block(h5, tmp_path, options, libver):
    check_equal(tmp_path, h5(numbers((30, 12), "<i4"), userblock=4096, libver=libver, **options), "x", block=7)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_filter_masks_of_single_chunks(tmp_path, libver):
    path = tmp_path / "masks.h5"
    data = numbers((40, 6), "<i4")
    with h5py.File(path, "w", libver=libver) as file:
        x = file.create_dataset("x", data=data, chunks=(10, 6), compression="gzip", shuffle=True)
        x.id.write_direct_chunk((10, 0), data[10:20].tobytes(), filter_mask=3)  # neither shuffled nor compressed
        x.id.write_direct_chunk((20, 0), zlib.compress(data[20:30].tobytes()), filter_mask=1)  # not shuffled
    check_equal(tmp_path, path, "x", block=7)


@pytest.mark.parametrize("libver", ["v110", "latest"])
@pytest.mark.parametrize("userblock", [0, 512])
def test_unfiltered_edge_chunks(tmp_path, libver, userblock):
    """H5Pset_chunk_opts(DONT_FILTER_PARTIAL_CHUNKS): edges are stored plain although their mask is 0."""
    library = ctypes.CDLL(next(iter(glob.glob("/usr/lib/*/libhdf5_serial.so.103*"))))
    path = tmp_path / "edges.h5"
    file = h5py.File(path, "w", libver=(libver, "latest"), userblock_size=userblock)
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((8, 5))
    creation.set_deflate(6)
    library.H5Pset_chunk_opts.argtypes = [ctypes.c_int64, ctypes.c_uint]
    assert library.H5Pset_chunk_opts(creation.id, 2) >= 0
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((30, 12)), creation)
    file["x"][...] = numbers((30, 12), "<i4") % 5
    file.close()
    got = check_equal(tmp_path, path, "x", block=7)
    assert got.summary["access"] == [1]


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_booleans_and_enumerations(h5, tmp_path, compression):
    path = h5(numpy.random.default_rng(0).random((30, 4)) < 0.5, chunks=(8, 4), compression=compression)
    check_equal(tmp_path, path, "x")
    kinds = h5py.enum_dtype({"A": 1, "B": 300}, basetype=">i2")
    path = h5(numpy.array([[1, 300], [300, 1]], ">i2"), dtype=kinds, chunks=(1, 2), compression=compression)
    check_equal(tmp_path, path, "x")


def test_virtual_dataset(tmp_path):
    layout = h5py.VirtualLayout((20, 5), "<f4")
    for i in range(2):
        with h5py.File(tmp_path / f"part{i}.h5", "w") as file:
            file["x"] = numbers((10, 5), "<f4", seed=i)
        layout[i * 10:(i + 1) * 10] = h5py.VirtualSource(f"part{i}.h5", "x", (10, 5))
    path = tmp_path / "virtual.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("x", layout)
    got = check_equal(tmp_path, path, "x", block=7)
    assert got.summary["access"] == [2]
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(Failure, match="lacks a file with its values.*part1.h5") as failure:
        Rows(tmp_path, path)
    assert failure.value.code == 66


def test_external_storage(tmp_path):
    data = numbers((20, 5), "<f4")
    (tmp_path / "raw.bin").write_bytes(data.tobytes())
    path = tmp_path / "external.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (20, 5), "<f4", external=[(str(tmp_path / "raw.bin"), 0, data.nbytes)])
    got = Rows(tmp_path, path, dataset="x", block=7)
    numpy.testing.assert_array_equal(got.values, data)
    assert got.summary["access"] == [2]


def test_compact_storage(tmp_path):
    path = tmp_path / "compact.h5"
    with h5py.File(path, "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32BE, h5py.h5s.create_simple((20, 5)), creation)
        file["x"][...] = numbers((20, 5), ">f4")
    assert check_equal(tmp_path, path, "x", block=7).summary["access"] == [2]


def low_level_type(path, datatype, data, **options):
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"x", datatype, h5py.h5s.create_simple(data.shape))
        file["x"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, data)


def test_long_double(h5, tmp_path):
    data = numpy.random.default_rng(0).normal(size=(20, 3)).astype(numpy.longdouble)
    got = check_equal(tmp_path, h5(data, chunks=(8, 2), compression="gzip"), "x", block=7)
    assert got.summary["access"] == [2]


def test_odd_precision(tmp_path):
    datatype = h5py.h5t.STD_I32LE.copy()
    datatype.set_precision(11)
    low_level_type(tmp_path / "odd.h5", datatype, numpy.arange(-30, 30, dtype="i4").reshape(20, 3))
    got = Rows(tmp_path, tmp_path / "odd.h5", dataset="x", block=7)
    numpy.testing.assert_array_equal(got.values, numpy.arange(-30, 30).reshape(20, 3))
    assert got.summary["access"] == [2]


def test_bit_fields(tmp_path):
    data = numpy.arange(60, dtype="u1").reshape(20, 3)
    with h5py.File(tmp_path / "bits.h5", "w") as file:
        h5py.h5d.create(file.id, b"x", h5py.h5t.STD_B8LE, h5py.h5s.create_simple(data.shape))
        file["x"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, data, mtype=h5py.h5t.STD_B8LE)
    numpy.testing.assert_array_equal(Rows(tmp_path, tmp_path / "bits.h5").values, data)


def test_links_lead_to_the_right_bytes(tmp_path):
    data = numbers((20, 5), "<f4")
    with h5py.File(tmp_path / "target.h5", "w", userblock_size=512) as file:
        file.create_dataset("deep/x", data=data, chunks=(8, 5), compression="gzip")
        file["deep/y"] = data + 1
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["z"] = numpy.zeros(3)
        file["soft"] = h5py.SoftLink("/outer")  # a link to a link
        file["outer"] = h5py.ExternalLink("target.h5", "/deep/x")
        file["plain"] = h5py.ExternalLink("target.h5", "/deep/y")
    for name, offset in [("soft", 0), ("/outer", 0), ("plain", 1)]:
        got = Rows(tmp_path, tmp_path / "links.h5", dataset=name, block=7)
        numpy.testing.assert_array_equal(got.values, data + numpy.float32(offset))
        assert got.summary["access"] != [2]


@pytest.mark.parametrize("data,why", [
    (numpy.float64(3), "scalar"), (numpy.zeros((0, 5)), "0 rows"), (numpy.zeros((5, 0)), "axis 1 has length 0"),
    (h5py.Empty("f4"), "no dataspace"), (numpy.array([b"abc", b"de"]), "text of 3 bytes"),
    (numpy.zeros(3, [("a", "S4"), ("b", "V8")]), r"none of its fields can be read as a number: b \(opaque bytes"),
    (numpy.zeros((3, 2), [("a", "i4"), ("b", "f8")]), "its records have more than one dimension"),
    (numpy.array([[1j, 2]]), "its records have more than one dimension"),
    (numpy.zeros(3, "V5"), "opaque"), (numpy.array(["a", "b"], dtype=h5py.string_dtype()), "variable-length text")
], ids=lambda v: v if isinstance(v, str) else "")
def test_refusals_say_why(h5, tmp_path, data, why):
    path = h5(data)
    with pytest.raises(Failure, match=f"'/x' cannot be scored.*{why}") as failure:
        Rows(tmp_path, path, dataset="x")
    assert failure.value.code == 65
    with pytest.raises(Failure, match="no dataset fits"):
        Rows(tmp_path, path)


def test_corrupt_chunks_are_named(h5, tmp_path):
    path = h5(numbers((40, 6), "<i4"), chunks=(10, 3), compression="gzip", shuffle=True, fletcher32=True)
    with h5py.File(path, "r") as file:
        where = [file["x"].id.get_chunk_info(i) for i in range(file["x"].id.get_num_chunks())]
    victim = next(info for info in where if info.chunk_offset == (20, 3))
    original = path.read_bytes()
    for position in (0, victim.size // 2, victim.size - 1):
        broken = bytearray(original)
        broken[victim.byte_offset + position] ^= 0x55
        path.write_bytes(broken)
        with pytest.raises(Failure, match=r"input.h5: /x: chunk \(20, 3\): a chunk is corrupt.*fletcher32") as failure:
            Rows(tmp_path, path)
        assert failure.value.code == 65


def test_corrupt_gzip_without_checksum(h5, tmp_path):
    path = h5(numbers((40, 6), "<i4"), chunks=(40, 6), compression="gzip")
    with h5py.File(path, "r") as file:
        info = file["x"].id.get_chunk_info(0)
    broken = bytearray(path.read_bytes())
    broken[info.byte_offset + 30] ^= 0xff
    path.write_bytes(broken)
    with pytest.raises(Failure, match=r"chunk \(0, 0\): a chunk is corrupt \(its gzip data"):
        Rows(tmp_path, path)


def test_wrong_sizes_of_chunks(tmp_path):
    """Chunks that inflate to less or more than a chunk, or are cut short though unfiltered."""
    path = tmp_path / "sizes.h5"
    for contents in (bytes(10), bytes(1000)):
        with h5py.File(path, "w") as file:
            x = file.create_dataset("x", (10, 6), "<i4", chunks=(10, 6), compression="gzip")
            x.id.write_direct_chunk((0, 0), zlib.compress(contents))
        with pytest.raises(Failure, match=r"chunk \(0, 0\): a chunk is corrupt") as failure:
            Rows(tmp_path, path)
        assert failure.value.code == 65
    with h5py.File(path, "w") as file:
        x = file.create_dataset("x", (10, 6), "<i4", chunks=(10, 6), compression="gzip")
        x.id.write_direct_chunk((0, 0), bytes(100), filter_mask=1)
    with pytest.raises(Failure, match="damaged.*100 bytes instead of 240") as failure:
        Rows(tmp_path, path)
    assert failure.value.code == 65


def test_truncated_file(h5, tmp_path):
    path = h5(numbers((1000, 50), "<f8"))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(Failure, match="input.h5: .*truncated") as failure:
        Rows(tmp_path, path)
    assert failure.value.code == 65
