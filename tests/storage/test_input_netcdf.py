"""Packed and missing numbers of netCDF files mean what netCDF4-python and xarray say."""
import h5py
import netCDF4
import numpy
import pytest
import xarray
from input_driver import Rows

N = 40


def write(path, name, dtype, stored, fill_value=None, **attributes):
    """One variable beside a coordinate; `stored` goes to the file as it is."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", N)
        file.createVariable("time", "f8", ("time",))[:] = numpy.arange(N)
        variable = file.createVariable(name, dtype, ("time",), fill_value=fill_value, zlib=True, chunksizes=(16,))
        variable.setncatts(attributes)
        variable.set_auto_maskandscale(False)
        variable[:len(stored)] = stored
    return path


def by_netcdf4(path, name):
    with netCDF4.Dataset(path) as file:
        return numpy.ma.filled(file[name][...].astype("f8"), numpy.nan).reshape(N, -1)


def numbers(dtype, seed=0):
    dtype = numpy.dtype(dtype)
    random = numpy.random.default_rng(seed)
    if dtype.kind == "f":
        return random.normal(size=N).astype(dtype)
    limits = numpy.iinfo(dtype)
    return random.integers(limits.min, limits.max, N, dtype=dtype, endpoint=True)


SPECIAL = -5  # planted in the data


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("attributes", [
    {"scale_factor": 0.01, "add_offset": 273.15}, {"scale_factor": -2.5}, {"add_offset": 1e6},
    {"missing_value": [SPECIAL, 7]}, {"fill_value": SPECIAL, "scale_factor": 0.1}, {"valid_min": -3, "valid_max": 50},
    {"valid_range": [-3, 50], "add_offset": 1.0}, {}], ids=str)
def test_variables(tmp_path, dtype, attributes):
    stored = numbers(dtype)
    stored[[3, 20]] = SPECIAL
    stored[5] = 7
    typed = {name: numpy.array(value, dtype) if name.startswith(("missing", "valid")) else value
             for name, value in attributes.items()}
    path = write(tmp_path / "a.nc", "v", dtype, stored, **typed)
    got = Rows(tmp_path, path, dataset="v", block=7)
    tolerance = 2e-7 if dtype == "f4" else 0  # numpy computes those in float32
    numpy.testing.assert_allclose(got.values, by_netcdf4(path, "v"), rtol=tolerance)
    narrow = Rows(tmp_path, path, dataset="v", narrow=True)
    numpy.testing.assert_array_equal(narrow.values, got.values.astype("f4").astype("f8"))


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "i1", "u1"])
def test_what_was_never_written(tmp_path, dtype):
    stored = numbers(dtype)[:25]
    path = write(tmp_path / "a.nc", "v", dtype, stored)
    got = Rows(tmp_path, path, dataset="v")
    if numpy.dtype(dtype).itemsize > 1:
        numpy.testing.assert_array_equal(got.values, by_netcdf4(path, "v"))
        assert numpy.isnan(got.values[25:]).all()
        return
    # The netCDF Users Guide has no missing byte unless _FillValue says so, nor has xarray; netCDF4-python has one.
    with xarray.open_dataset(path) as file:
        numpy.testing.assert_array_equal(got.values[:, 0], file["v"].values)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4"])
@pytest.mark.parametrize("attributes", [{}, {"valid_max": -7}, {"missing_value": -5, "scale_factor": 0.5}], ids=str)
def test_unsigned(tmp_path, dtype, attributes):
    stored = numbers(dtype)
    stored[:2] = [-5, -1]
    typed = {name: numpy.array(value, dtype) if name != "scale_factor" else value
             for name, value in attributes.items()}
    path = write(tmp_path / "a.nc", "v", dtype, stored, _Unsigned="true", **typed)
    got = Rows(tmp_path, path, dataset="v")
    numpy.testing.assert_array_equal(got.values, by_netcdf4(path, "v"))


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_tables_that_xarray_writes(tmp_path, engine):
    random = numpy.random.default_rng(1)
    data = xarray.Dataset({name: ("time", random.normal(size=N).round(2)) for name in ["b", "a", "c"]},
                          {"time": numpy.arange(N)})
    data["b"][3] = numpy.nan
    packed = {"b": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 1.5, "_FillValue": -32767, "zlib": True},
              "c": {"dtype": "f4", "zlib": True}}
    path = tmp_path / "a.nc"
    data.to_netcdf(path, engine=engine, encoding=packed)
    got = Rows(tmp_path, path, block=11)
    assert got.summary["names"] == ["a", "b", "c"]  # time labels the axis
    with xarray.open_dataset(path, engine=engine) as file:
        expected = numpy.stack([file[name].values for name in "abc"], axis=1)
    numpy.testing.assert_allclose(got.values, expected, atol=1e-6)  # xarray unpacks to float32
    assert numpy.isnan(got.values[3, 1])
    difference = Rows(tmp_path, path, bind={"features": [["b", "a"]], "missing": [float(got.values[9, 1])]})
    expected = got.values[:, 1] - got.values[:, 0]
    expected[got.values[:, 1] == got.values[9, 1]] = numpy.nan
    numpy.testing.assert_array_equal(difference.values[:, 0], expected)


def test_images(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in [("n", N), ("y", 3), ("x", 70)]:
            file.createDimension(name, size)
        variable = file.createVariable("v", "i2", ("n", "y", "x"), fill_value=-1, chunksizes=(8, 2, 33))
        variable.scale_factor = 0.25
        variable[...] = numpy.ma.masked_less(numpy.random.default_rng(0).integers(-50, 500, (N, 3, 70)) / 4, 0)
    got = Rows(tmp_path, path, block=9)
    numpy.testing.assert_array_equal(got.values, by_netcdf4(path, "v"))


def test_hdf5_without_netcdf(tmp_path):
    """Attributes count wherever they are; numbers that happen to be netCDF's fill values do not."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = numpy.array([[-32767, 1], [2, 3]], "i2")
        file["y"] = numpy.array([[-32767, 1], [2, 3]], "i2")
        file["y"].attrs["scale_factor"] = 2.0
        file["y"].attrs["add_offset"] = "a text"
    numpy.testing.assert_array_equal(Rows(tmp_path, path, dataset="x").values, [[-32767, 1], [2, 3]])
    numpy.testing.assert_array_equal(Rows(tmp_path, path, dataset="y").values, [[-65534, 2], [4, 6]])
