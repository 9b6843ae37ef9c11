"""Runs every example of docs/results.md as it stands there, in a folder with the files that it names."""
import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

import export_sklearn
import program

PAGE = (Path(program.SOURCE_DIR) / "docs/results.md").read_text()
BANDS = ["mag_g", "mag_r", "mag_i"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.S | re.M)


def shell(text, folder):
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euc", text], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
                          timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A folder with models and catalogues, after the page's first command; and what scikit-learn says of the rows."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(12)
    x = rng.normal(21, 1, size=(2000, 3))
    names = np.array(["galaxy", "quasar", "star"])
    types = LogisticRegression(max_iter=1000).fit(x, names[np.digitize(x[:, 0] - x[:, 1], [-1, 1])])
    photoz = LinearRegression().fit(x, 0.3 * (x[:, 1] - 20))
    export_sklearn.save(str(folder / "types.h5"), types, feature_names=BANDS)
    export_sklearn.save(str(folder / "photoz.h5"), photoz, feature_names=BANDS)
    data = x.copy()
    data[[3, 1500], 1] = np.nan
    for i, part in enumerate(np.split(np.arange(2000), [900])):
        with h5py.File(folder / f"tract_{i + 1}.h5", "w") as f:
            group = f.create_group("photometry")
            group["id"] = 10_000 + part
            for j, band in enumerate(BANDS):
                group[band] = data[part, j]
                group[band].attrs["units"] = "mag"
    (folder / "bin").mkdir()
    (folder / "bin/h5score").symlink_to(program.BIN)
    shell(blocks("sh")[0], folder)
    good = np.isfinite(data).all(axis=1)
    return {"folder": folder, "data": data, "good": good, "kind": types.predict(x), "z": photoz.predict(x),
            "probability": types.predict_proba(x)}


def run_python(sky, number, monkeypatch):
    """The names that a block of the page leaves behind."""
    monkeypatch.chdir(sky["folder"])
    names = {}
    exec(compile(blocks("python")[number], f"results.md, block {number}", "exec"), names)
    return names


def test_h5py(sky, monkeypatch):
    got = run_python(sky, 0, monkeypatch)
    np.testing.assert_array_equal(got["good"], sky["good"])
    np.testing.assert_array_equal(got["kind"], sky["kind"][sky["good"]])
    np.testing.assert_allclose(got["probability"][sky["good"]], sky["probability"][sky["good"]], rtol=1e-9)
    np.testing.assert_allclose(got["z"][sky["good"]], sky["z"][sky["good"]], rtol=1e-9)


def test_pandas(sky, monkeypatch):
    got = run_python(sky, 1, monkeypatch)
    table = got["table"]
    assert table["kind"].isna().to_numpy().nonzero()[0].tolist() == [3, 1500]
    np.testing.assert_array_equal(table["kind"][sky["good"]].astype(str), sky["kind"][sky["good"]])
    assert table["id"].tolist() == list(range(10_000, 12_000))
    assert got["probability"].columns.tolist() == ["galaxy", "quasar", "star"]


def test_pandas_inputs(sky, monkeypatch):
    path = run_python(sky, 2, monkeypatch)["path"]
    assert [Path(p).name for p in path] == ["tract_1.h5"] * 900 + ["tract_2.h5"] * 1100


def test_xarray(sky, monkeypatch):
    got = run_python(sky, 3, monkeypatch)
    assert got["kind"]["probability"].dims == ("row", "classes")
    assert got["kind"]["label"].dtype == np.int32
    np.testing.assert_allclose(got["galaxies"].values[sky["good"]], sky["probability"][sky["good"], 0], rtol=1e-9)
    near = sky["good"] & (sky["z"] < 0.5)
    np.testing.assert_allclose(got["nearby"].values, sky["probability"][near, 0], rtol=1e-9)


def test_astropy(sky, monkeypatch):
    from astropy.table import Table

    table = run_python(sky, 4, monkeypatch)["table"]
    assert set(table.colnames) == {"id", *BANDS, "z", "kind"}
    assert str(table["mag_g"].unit) == "mag"
    np.testing.assert_array_equal(table["mag_r"], sky["data"][:, 1])
    assert np.asarray(table["kind"].mask).nonzero()[0].tolist() == [3, 1500]
    written = Table.read(sky["folder"] / "nearby.fits")
    assert len(written) == (sky["good"] & (sky["z"] < 0.5)).sum()


def test_astropy_inputs(sky, monkeypatch):
    inputs = run_python(sky, 5, monkeypatch)["inputs"]
    assert inputs["rows"].tolist() == [900, 1100]
    assert inputs["path"][1].endswith("tract_2.h5")


def test_h5dump_and_inspect(sky):
    shown = shell(blocks("sh")[1], sky["folder"])
    assert 'DATASET "label"' in shown and '"galaxy", "quasar", "star"' in shown
    row = shell(blocks("sh")[2], sky["folder"])
    assert "tract_2.h5" in row and "/photometry, row 334" in row
    assert f"{sky['data'][1234, 0]:.7g}"[:7] in row
    assert f"/kind/label" in row and sky["kind"][1234] in row


def test_many_score_files_are_joined_without_copying(sky, tmp_path, monkeypatch):
    for i in (1, 2):
        program.run(["score", "--model", sky["folder"] / "photoz.h5", "--input", sky["folder"] / f"tract_{i}.h5", "--dataset",
                     "/photometry", "--output", tmp_path / f"scores-{i:04}.h5", "--progress", "none"])
    run_python({"folder": tmp_path}, 6, monkeypatch)
    with h5py.File(tmp_path / "all.h5") as f:
        joined = f["prediction"][()]
    np.testing.assert_allclose(joined[sky["good"]], sky["z"][sky["good"]], rtol=1e-9)
    assert len(joined) == 2000


def test_every_block_is_tested():
    assert len(blocks("python")) == 7
    assert len(blocks("sh")) == 3
    assert PAGE.count("```") == 2 * (7 + 3)
