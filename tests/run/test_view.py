"""--view: virtual datasets that show the inputs' columns beside the scores."""
import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

import export_sklearn
import program

BANDS = ["mag_g", "mag_i", "mag_r"]


@pytest.fixture(scope="module")
def photometry(tmp_path_factory):
    """A folder with a classifier and a regression of named columns, and two files of columns."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(4)
    x = rng.normal(20, 1, size=(700, 3))
    kind = np.where(x[:, 0] > 20, "galaxy", "star")
    export_sklearn.save(str(folder / "class.h5"), LogisticRegression().fit(x, kind), feature_names=BANDS)
    export_sklearn.save(str(folder / "two.h5"), LinearRegression().fit(x, x[:, :2] * 2), feature_names=BANDS)
    (folder / "data 100%").mkdir()
    for i, part in enumerate((x[:300], x[300:])):
        with h5py.File(folder / f"data 100%/tract_{i}.h5", "w") as f:
            group = f.create_group("photometry")
            for j, band in enumerate(BANDS):
                column = group.create_dataset(band, data=part[:, j].astype("f4" if i == 0 else ">f8"))
                column.attrs["units"] = "mag"
                column.attrs["comments"] = ["one", "two"]
            group["name"] = [f"object {k}" for k in range(len(part))]
            group["label"] = np.full(len(part), i)
            if i == 0:
                group["only_here"] = np.full(len(part), b"text")
            else:
                group["only_there"] = np.zeros(len(part))
    return folder, x


def score(folder, *options, code=0):
    return program.run(["score", *options, "--progress", "none"], cwd=folder, code=code)


def names_of(path):
    found = []
    with h5py.File(path) as f:
        f.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return set(found)


def test_columns_beside_scores(photometry):
    folder, x = photometry
    done = score(folder, "--model", "kind=class.h5", "fit=two.h5", "--input", "data 100%/tract_*.h5", "--dataset", "/photometry",
                 "--output", "out.h5", "--view", "view.h5", "--rows", "100:650")
    assert "view: view.h5 shows the input beside the scores" in done.stdout
    assert "/photometry/only_here is not in the view" in done.stdout
    with h5py.File(folder / "view.h5") as view, h5py.File(folder / "out.h5") as scores:
        for name in ("kind/label", "kind/probability", "kind/status", "fit/prediction"):
            assert view[name].is_virtual
            np.testing.assert_array_equal(view[name][:], scores[name][:])
            kept = {k: v for k, v in scores[name].attrs.items() if not k.startswith("DIMENSION")}
            assert {k: np.array_equal(view[name].attrs[k], v) for k, v in kept.items()} == dict.fromkeys(kept, True)
        np.testing.assert_array_equal(view["kind/classes"].asstr()[:], ["galaxy", "star"])
        np.testing.assert_array_equal(view["inputs"][:], scores["inputs"][:])
        for j, band in enumerate(BANDS):
            np.testing.assert_allclose(view[f"photometry/{band}"][:], x[100:650, j], rtol=1e-6)
            assert view[f"photometry/{band}"].attrs["units"] == "mag"
            assert list(view[f"photometry/{band}"].attrs["comments"]) == ["one", "two"]
            assert view[f"photometry/{band}"].dtype == np.dtype(">f8")  # holds both files' values
        np.testing.assert_array_equal(view["photometry/label"][:], np.repeat([0, 1], [200, 350]))
        assert view["photometry/name"].asstr()[[0, 200]].tolist() == ["object 100", "object 0"]
        assert view["kind/probability"].dims[1][0].name == "/kind/classes"
        assert view["photometry/mag_g"].dims[0][0].name == "/row"
        assert "only_there" not in view["photometry"] and "h5score" not in view


def test_view_moves_with_its_folder(photometry, tmp_path):
    folder, x = photometry
    score(folder, "--model", "class.h5", "--input", "data 100%/tract_*.h5", "--dataset", "/photometry", "--output", "move.h5",
          "--view", "data 100%/move_view.h5")
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    os.rename(folder / "move.h5", folder / "gone.h5")
    with h5py.File(moved / "data 100%/move_view.h5") as view, h5py.File(moved / "move.h5") as scores:
        np.testing.assert_allclose(view["photometry/mag_r"][:], x[:, 2], rtol=1e-6)
        np.testing.assert_array_equal(view["label"][:], scores["label"][:])
    with h5py.File(folder / "data 100%/move_view.h5") as view:  # scores that are not found look like missing ones
        assert (view["label"][:] == -1).all()
        assert np.isnan(view["probability"][:]).all()


def test_h5dump_and_xarray_read_it(photometry):
    import xarray

    folder, x = photometry
    score(folder, "--model", "class.h5", "--input", "data 100%/tract_*.h5", "--dataset", "/photometry", "--output", "read.h5",
          "--view", "read_view.h5")
    shown = subprocess.run(["h5dump", "-d", "/photometry/mag_g", "-s", "0", "-c", "2", "read_view.h5"], cwd=folder, check=True,
                           capture_output=True, text=True).stdout
    assert f"(0): {x[0, 0]:.6g}"[:9] in shown
    with xarray.open_dataset(folder / "read_view.h5", engine="h5netcdf") as top:
        assert top["probability"].dims == ("row", "classes")
    with xarray.open_dataset(folder / "read_view.h5", engine="h5netcdf", group="photometry") as columns:
        assert columns["mag_g"].dims == ("row",)


def test_array_and_a_name_that_is_taken(photometry, tmp_path):
    folder, x = photometry
    with h5py.File(tmp_path / "array.h5", "w") as f:
        f["label"] = x
        f["label"].attrs["note"] = "not a label"
    score(tmp_path, "--model", folder / "class.h5", "--input", "array.h5", "--output", "s.h5", "--view", "v.h5")
    with h5py.File(tmp_path / "v.h5") as view:
        np.testing.assert_array_equal(view["label_"][:], x)
        assert view["label_"].attrs["note"] == "not a label"
        assert view["label"].shape == (700,)
        assert [view["label_"].dims[i][0].name for i in (0, 1)] == ["/row", "/dim_3"]


def test_images_have_axes_with_different_names(tmp_path):
    import xarray
    from sklearn.linear_model import LinearRegression

    images = np.random.default_rng(1).integers(0, 255, (40, 4, 4)).astype("u1")
    export_sklearn.save(str(tmp_path / "m.h5"), LinearRegression().fit(images.reshape(40, -1), np.arange(40.)))
    with h5py.File(tmp_path / "i.h5", "w") as f:
        f.create_dataset("images", data=images, chunks=(7, 4, 4), compression="gzip")
    score(tmp_path, "--model", "m.h5", "--input", "i.h5", "--output", "s.h5", "--view", "v.h5")
    with xarray.open_dataset(tmp_path / "v.h5", engine="h5netcdf") as view:
        assert view["images"].dims == ("row", "dim_4", "dim_4_2")
        np.testing.assert_array_equal(view["images"].values, images)


def test_every_axis_of_scores_has_a_name(photometry, tmp_path):
    import xarray

    folder, x = photometry
    with h5py.File(tmp_path / "d.h5", "w") as f:
        f["x"], f["pair"] = x, x[:, :2]
    score(tmp_path, "--model", folder / "two.h5", "--input", "d.h5", "--dataset", "/x", "--passthrough", "pair", "--output", "s.h5")
    with xarray.open_dataset(tmp_path / "s.h5", engine="h5netcdf") as scores:
        assert scores["prediction"].dims == ("row", "dim_2")
        assert scores["pair"].dims == ("row", "dim_2")
        np.testing.assert_array_equal(scores["pair"].values, x[:, :2])


def test_compound_table(photometry, tmp_path):
    folder, x = photometry
    table = np.zeros(700, dtype=[("id", "i8"), *((band, "f4") for band in BANDS), ("name", "S5")])
    table["id"], table["name"] = np.arange(700), b"abc"
    for j, band in enumerate(BANDS):
        table[band] = x[:, j]
    for i, part in enumerate((table[:100], table[100:][["mag_r", "id", "name", "mag_i", "mag_g"]])):
        with h5py.File(tmp_path / f"t{i}.h5", "w") as f:
            f["table"] = np.array(part.tolist(), dtype=[(n, table.dtype[n]) for n in part.dtype.names])
    score(tmp_path, "--model", folder / "class.h5", "--input", "t0.h5", "t1.h5", "--output", "s.h5", "--view", "v.h5")
    with h5py.File(tmp_path / "v.h5") as view:
        assert view["table"].dtype == table.dtype
        np.testing.assert_array_equal(view["table"][:], table)


def test_records_are_as_wide_as_in_any_file(photometry, tmp_path):
    folder, x = photometry
    tables = []
    for i, (integer, text) in enumerate((("i2", "S2"), ("i8", "S9"))):
        table = np.zeros(300, dtype=[("id", integer), *((band, "f4") for band in BANDS), ("name", text)])
        table["id"], table["name"] = 5 if i == 0 else 2**40, b"ab" if i == 0 else b"a galaxy"
        for j, band in enumerate(BANDS):
            table[band] = x[:300, j]
        with h5py.File(tmp_path / f"t{i}.h5", "w") as f:
            f["table"] = table
        tables.append(table)
    score(tmp_path, "--model", folder / "class.h5", "--input", "t0.h5", "t1.h5", "--output", "s.h5", "--view", "v.h5")
    with h5py.File(tmp_path / "v.h5") as view:
        for name in tables[0].dtype.names:
            np.testing.assert_array_equal(view["table"][name], np.concatenate([table[name] for table in tables]))


def test_sparse_input_is_linked(tmp_path):
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    x = scipy.sparse.random(60, 5, 0.5, format="csr", random_state=1)
    export_sklearn.save(str(tmp_path / "m.h5"), LogisticRegression().fit(x.toarray(), rng.integers(0, 2, 60)))
    with h5py.File(tmp_path / "cells.h5ad", "w") as f:
        group = f.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": x.shape})
        group["data"], group["indices"], group["indptr"] = x.data, x.indices, x.indptr
    done = score(tmp_path, "--model", "m.h5", "--input", "cells.h5ad", "--dataset", "/X", "--output", "s.h5", "--view",
                 "v.h5")
    assert "note: columns of sparse matrices cannot be shown beside scores" in done.stdout
    with h5py.File(tmp_path / "v.h5") as view:
        assert view["label"].shape == (60,)
        np.testing.assert_array_equal(view["input_files/0/data"][:], x.data)
        assert view.get("input_files/0", getlink=True).filename == "cells.h5ad"


def test_view_is_not_overwritten_unasked(photometry, tmp_path):
    folder, _ = photometry
    (tmp_path / "v.h5").write_text("mine")
    common = ["--model", folder / "class.h5", "--input", folder / "data 100%/tract_0.h5", "--dataset", "/photometry",
              "--output", tmp_path / "s.h5", "--view", tmp_path / "v.h5"]
    done = score(tmp_path, *common, code=73)
    assert "v.h5: exists already; choose another name or add --overwrite" in done.stderr
    assert (tmp_path / "v.h5").read_text() == "mine" and not (tmp_path / "s.h5").exists()
    score(tmp_path, *common, "--overwrite")
    assert "label" in names_of(tmp_path / "v.h5")
    assert not list(tmp_path.glob("*.tmp"))


def test_files_beside_the_view_are_left_alone(photometry, tmp_path):
    folder, _ = photometry
    mine = [tmp_path / "v.h5.tmp", tmp_path / "v.h5.0.tmp"]
    for path in mine:
        path.write_text("mine")
    score(tmp_path, "--model", folder / "class.h5", "--input", folder / "data 100%/tract_0.h5", "--dataset",
          "/photometry", "--output", "s.h5", "--view", "v.h5")
    assert "label" in names_of(tmp_path / "v.h5")
    assert [path.read_text() for path in mine] == ["mine", "mine"]
    assert len(list(tmp_path.glob("*.tmp"))) == 2


def test_place_of_the_view_is_checked_before_scoring(photometry, tmp_path):
    folder, _ = photometry
    common = ["--model", folder / "class.h5", "--input", folder / "data 100%/tract_0.h5", "--dataset", "/photometry",
              "--output", tmp_path / "s.h5"]
    done = score(tmp_path, *common, "--view", tmp_path / "no/v.h5", code=73)
    assert "no/v.h5: cannot be created" in done.stderr and not (tmp_path / "s.h5").exists()
    done = score(tmp_path, *common, "--view", tmp_path / "s.h5", code=64)
    assert "--view" in done.stderr


def test_complete_scores_get_a_view_later(photometry, tmp_path):
    folder, _ = photometry
    common = ["--model", folder / "class.h5", "--input", folder / "data 100%/tract_0.h5", "--dataset", "/photometry",
              "--output", tmp_path / "s.h5"]
    score(tmp_path, *common)
    score(tmp_path, *common, "--resume", "--view", tmp_path / "v.h5")
    assert "photometry/mag_g" in names_of(tmp_path / "v.h5")


def test_view_of_several_ranks(photometry, tmp_path):
    folder, x = photometry
    program.run(["score", "--model", folder / "class.h5", "--input", folder / "data 100%/tract_0.h5", folder / "data 100%/tract_1.h5",
                 "--dataset", "/photometry", "--output", tmp_path / "s.h5", "--view", tmp_path / "v.h5"], np_=2)
    with h5py.File(tmp_path / "v.h5") as view:
        np.testing.assert_allclose(view["photometry/mag_i"][:], x[:, 1], rtol=1e-6)
