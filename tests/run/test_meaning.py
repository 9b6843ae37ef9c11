"""Attributes that say what values mean: on columns that are passed through, and in views of several files."""
import h5py
import netCDF4
import numpy as np
import pandas
import pytest
import xarray

import export_sklearn
import program

ROWS = 40


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(5).integers(-90, 90, (ROWS, 2)) / 10


@pytest.fixture(scope="module")
def model(tmp_path_factory, x):
    from sklearn.linear_model import LinearRegression

    path = tmp_path_factory.mktemp("meaning") / "m.h5"
    export_sklearn.save(str(path), LinearRegression().fit(x, x @ [1.0, 2.0]), feature_names=["a", "b"])
    return path


def packed(path, x, scale=0.1, fill=-32768, **attributes):
    """A netCDF file with the columns a and b as int16; the second a is missing."""
    with netCDF4.Dataset(path, "w") as f:
        f.createDimension("n", len(x))
        for j, name in enumerate("ab"):
            column = f.createVariable(name, "i2", ("n",), fill_value=fill)
            column.scale_factor = scale
            column.setncatts(attributes)
            column[:] = x[:, j]
        f["a"].set_auto_maskandscale(False)
        f["a"][1] = fill


def with_times(path, x, units):
    data = {"a": ("n", x[:, 0]), "b": ("n", x[:, 1]), "t": ("n", pandas.date_range("2001-02-03", periods=len(x)))}
    xarray.Dataset(data).to_netcdf(path, engine="h5netcdf", encoding={"t": {"units": units}})


def score(folder, model, *options, code=0):
    return program.run(["score", "--model", model, "--output", "s.h5", "--progress", "none", *options], cwd=folder, code=code)


def decoded(path, name):
    with xarray.open_dataset(path, engine="h5netcdf") as f:
        return f[name].values


def test_packed_columns_are_passed_through_with_their_meaning(tmp_path, model, x):
    for name in ("1.nc", "2.nc"):
        packed(tmp_path / name, x, add_offset=np.float32(0.5), units="K", long_name="temperature", history="left out")
    score(tmp_path, model, "--input", "1.nc", "2.nc", "--passthrough", "a", "--view", "v.h5")
    for file in ("s.h5", "v.h5"):
        np.testing.assert_array_equal(decoded(tmp_path / file, "a"), np.tile(decoded(tmp_path / "1.nc", "a"), 2))
        assert np.isnan(decoded(tmp_path / file, "a")[[1, ROWS + 1]]).all()
        with h5py.File(tmp_path / file) as f:
            kept = {k: v for k, v in f["a"].attrs.items() if not k.startswith("DIMENSION")}
            assert f["a"].dtype == kept["_FillValue"].dtype == "i2"
            assert kept["scale_factor"].dtype == "f8" and kept["add_offset"].dtype == "f4"
            assert kept == {"scale_factor": 0.1, "add_offset": 0.5, "_FillValue": -32768, "units": "K", "long_name": "temperature"}
    with netCDF4.Dataset(tmp_path / "s.h5") as f:
        np.testing.assert_allclose(f["a"][ROWS:ROWS + 1], decoded(tmp_path / "1.nc", "a")[:1], rtol=1e-6)


def test_times_are_passed_through_as_times(tmp_path, model, x):
    for name in ("1.nc", "2.nc"):
        with_times(tmp_path / name, x, "days since 2001-01-01")
    score(tmp_path, model, "--input", "1.nc", "2.nc", "--passthrough", "t")
    np.testing.assert_array_equal(decoded(tmp_path / "s.h5", "t"), np.tile(decoded(tmp_path / "1.nc", "t"), 2))


@pytest.mark.parametrize("kind, changed, words", [
    ("scale_factor", {"scale": 0.01}, "scale_factor: 0.01, in 1.nc 0.1"),
    ("_FillValue", {"fill": -99}, "_FillValue: -99, in 1.nc -32768"),
    ("add_offset", {"add_offset": 3.0}, "add_offset: 3, in 1.nc none"),
    ("missing_value", {"missing_value": np.int16(7)}, "missing_value: 7, in 1.nc none"),
    ("units", {"units": "K"}, "units: 'K', in 1.nc none"),
])
def test_values_that_mean_different_things_are_not_mixed(tmp_path, model, x, kind, changed, words):
    packed(tmp_path / "1.nc", x)
    packed(tmp_path / "2.nc", x, **changed)
    done = score(tmp_path, model, "--input", "1.nc", "2.nc", "--passthrough", "a", code=65)
    assert "2.nc: passthrough column 'a'" in done.stderr and words in done.stderr and "separate runs" in done.stderr
    assert not list(tmp_path.glob("s.h5*"))


def test_times_of_other_calendars_are_not_mixed(tmp_path, model, x):
    with_times(tmp_path / "1.nc", x, "days since 2001-01-01")
    with_times(tmp_path / "2.nc", x, "days since 2002-01-01")
    done = score(tmp_path, model, "--input", "1.nc", "2.nc", "--passthrough", "t", "--view", "v.h5", code=65)
    assert "units: 'days since 2002-01-01', in 1.nc 'days since 2001-01-01'" in done.stderr
    done = score(tmp_path, model, "--input", "1.nc", "2.nc", "--view", "v.h5")
    assert "/t is not in the view: 2.nc: units: 'days since 2002-01-01', in 1.nc 'days since 2001-01-01'" in done.stdout
    with h5py.File(tmp_path / "v.h5") as view:
        assert "t" not in view and "a" in view


def test_descriptions_that_differ_are_left_out(tmp_path, model, x):
    packed(tmp_path / "1.nc", x, long_name="one", standard_name="height")
    packed(tmp_path / "2.nc", x, long_name="two", standard_name="height")
    score(tmp_path, model, "--input", "1.nc", "2.nc", "--passthrough", "a")
    with h5py.File(tmp_path / "s.h5") as f:
        assert f["a"].attrs["standard_name"] == "height" and "long_name" not in f["a"].attrs


def test_missing_values_of_floats_and_lists_of_them(tmp_path, model, x):
    for name, order in (("1.h5", "<"), ("2.h5", ">")):
        with h5py.File(tmp_path / name, "w") as f:
            for j, column in enumerate("ab"):
                f[column] = x[:, j].astype(order + "f4")
                f[column].attrs["_FillValue"] = np.array(np.nan, order + "f4")
                f[column].attrs["missing_value"] = [-99.0, 1e20]  # float64, meant as float32
    score(tmp_path, model, "--input", "1.h5", "2.h5", "--passthrough", "b", "--view", "v.h5")
    for file in ("s.h5", "v.h5"):
        with h5py.File(tmp_path / file) as f:
            assert np.isnan(f["b"].attrs["_FillValue"]) and f["b"].attrs["_FillValue"].dtype == "f4"
            np.testing.assert_array_equal(f["b"].attrs["missing_value"], np.array([-99, 1e20], "f4"))


def test_unsigned_numbers(tmp_path, model, x):
    with h5py.File(tmp_path / "1.h5", "w") as f:
        f["p/a"], f["p/b"] = x.T
        f["p/c"] = np.full(ROWS, -56, "i1")
        f["p/c"].attrs.update({"_Unsigned": "true", "_FillValue": np.int8(-1)})
    score(tmp_path, model, "--input", "1.h5", "--dataset", "/p", "--features", "a,b", "--passthrough", "c")
    with h5py.File(tmp_path / "s.h5") as f:
        assert f["c"][0] == 200 and f["c"].attrs["_FillValue"] == 255 and f["c"].attrs["_FillValue"].dtype == "u1"


@pytest.mark.parametrize("attribute, changed", [
    ("scale_factor", {"scale": 0.01}), ("_FillValue", {"fill": -99}), ("valid_min", {"valid_min": np.int16(-5)}),
    ("units", {"units": "K"})])
def test_view_shows_no_column_that_means_something_else(tmp_path, model, x, attribute, changed):
    packed(tmp_path / "1.nc", x)
    packed(tmp_path / "2.nc", x, **changed)
    done = score(tmp_path, model, "--input", "1.nc", "2.nc", "--view", "v.h5")
    assert f"note: /a is not in the view: 2.nc: {attribute}: " in done.stdout
    with h5py.File(tmp_path / "v.h5") as view:
        assert "a" not in view and "prediction" in view


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_names_of_results_are_taken(tmp_path, model, x, options):
    with h5py.File(tmp_path / "d.h5", "w") as f:
        f["p/a"], f["p/b"] = x.T
        f["p/prediction"] = f["q/a"] = f["p/inputs"] = np.arange(ROWS)
    common = ["--input", "d.h5", "--dataset", "/p", "--features", "a,b", *options]
    done = score(tmp_path, model, *common, "--passthrough", "prediction", code=64)
    assert "--passthrough prediction: the score file has another /prediction (a result has this name)" in done.stderr
    assert "--model NAME=" in done.stderr
    done = score(tmp_path, model, *common, "--passthrough", "/p/a", "/q/a", code=64)
    assert "--passthrough /q/a: the score file has another /a" in done.stderr
    done = score(tmp_path, model, *common, "--passthrough", "inputs", code=64)
    assert "--passthrough inputs: the score file has another /inputs" in done.stderr
    assert not list(tmp_path.glob("s.h5*"))
    program.run(["score", "--model", f"inner={model}", "--output", "s.h5", "--passthrough", "prediction", *common], cwd=tmp_path)
    program.run(["score", "--model", f"a={model}", "--output", "t.h5", "--passthrough", "a", *common], cwd=tmp_path, code=64)
