"""inspect --row: the source of a row, its features by name as the run read them, its scores in words."""
import json
import re
import shutil

import h5py
import numpy as np
import pytest

import export_sklearn
import program


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Two files of columns, in another order each, scored with differences, marks, fill values and a constant."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    folder = tmp_path_factory.mktemp("row")
    rng = np.random.default_rng(3)
    x = rng.normal(20, 1, size=(300, 3))
    names = ["mag_g", "mag_g-mag_r", "mag_i"]
    kind = LogisticRegression().fit(x, np.where(x[:, 0] > 20, "galaxy", "star"))
    export_sklearn.save(str(folder / "kind.h5"), kind, feature_names=names)
    export_sklearn.save(str(folder / "both.h5"), LinearRegression().fit(x[:, :2], x[:, 1:]), feature_names=["mag_i", "age"],
                        training=x[:, :2])
    g, r, i = (rng.normal(20, 1, 300) for _ in range(3))
    g[7] = np.nan
    i[250] = 99
    columns = {"mag_g": g, "mag_r": r, "mag_i": i, "id": np.arange(300)}
    for n, (part, order) in enumerate(((slice(0, 100), list(columns)), (slice(100, 300), sorted(columns, reverse=True)))):
        with h5py.File(folder / f"t{n}.h5", "w", track_order=True) as f:
            group = f.create_group("p", track_order=True)
            for name in order:
                group[name] = columns[name][part]
    program.run(["score", "--model", "kind=kind.h5", "both=both.h5", "--input", "t0.h5", "t1.h5", "--dataset", "/p", "--output",
                 "s.h5", "--passthrough", "/p/id", "--missing-value", "99", "--fill", "mag_i=27.5", "--missing-features", "4.5",
                 "--rows", "5:290", "--block-rows", "50"], cwd=folder)
    return folder, g, r, i


def explain(folder, row, file="s.h5", code=0):
    done = program.run(["inspect", file, "--row", row], cwd=folder, code=code)
    return done.stdout if code == 0 else done.stderr


def value(text, feature):
    """The value in a line of a table of features."""
    return float(re.search(rf"^ +{re.escape(feature)} +(\S+) ", text, re.M).group(1))


def test_source_features_and_scores(scored):
    folder, g, r, i = scored
    text = explain(folder, 195)  # row 200 of the input: row 100 of the second file
    assert "s.h5: row 195" in text and "t1.h5" in text and "/p, row 100" in text
    assert value(text, "mag_g") == pytest.approx(g[200], rel=1e-8)
    assert value(text, "mag_g-mag_r") == pytest.approx(g[200] - r[200], rel=1e-7)
    assert value(text, "mag_i") == pytest.approx(i[200], rel=1e-8)
    assert value(text, "age") == 4.5
    assert "/p/mag_g - mag_r" in text or "/p/mag_g - /p/mag_r" in text
    with h5py.File(folder / "s.h5") as f:
        name = f["kind/classes"].asstr()[f["kind/label"][195]]
        galaxy = f["kind/probability"][195, 0]
    assert re.search(rf"/kind/label +{name}\n", text)
    assert re.search(r"/kind/status +ok\n", text)
    assert float(re.search(r"/kind/probability +galaxy +(\S+)", text).group(1)) == pytest.approx(galaxy, rel=1e-12)
    assert re.search(r"/id +200\n", text)


def test_missing_and_filled_values(scored):
    folder, *_ = scored
    text = explain(folder, 2)  # row 7: a NaN
    assert "/kind/status  " in text and "missing: a feature has no value" in text and "none (missing)" in text
    assert np.isnan(value(text, "mag_g"))
    assert value(explain(folder, 245), "mag_i") == 27.5  # a 99 that was filled


def test_input_that_is_gone(scored, tmp_path):
    folder, *_ = scored
    shutil.copy(folder / "s.h5", tmp_path / "s.h5")
    (folder / "t0.h5").rename(folder / "moved.h5")
    try:
        text = explain(tmp_path, 0)
    finally:
        (folder / "moved.h5").rename(folder / "t0.h5")
    assert "cannot be told" in text and "t0.h5" in text
    assert "/kind/label" in text and "mag_g-mag_r" in text and "/p, row 5" in text


def test_rows_and_files_that_do_not_fit(scored):
    folder, *_ = scored
    assert "s.h5: has no row 285 (it has 285 rows, counted from 0)" in explain(folder, 285, code=64)
    assert "not a score file" in explain(folder, 0, file="t0.h5", code=65)


def test_names_beside_the_matrix_of_each_file(scored, tmp_path):
    """--feature-names /names: a later file has its columns in another order."""
    import scipy.sparse

    folder, g, r, i = scored
    columns = {"mag_g": np.nan_to_num(g), "mag_r": r, "mag_i": i}
    for n, order in enumerate((["mag_g", "mag_r", "mag_i"], ["mag_i", "mag_g", "mag_r"])):
        x = scipy.sparse.csr_matrix(np.column_stack([columns[name][n * 150 : (n + 1) * 150] for name in order]))
        with h5py.File(tmp_path / f"m{n}.h5", "w") as f:
            group = f.create_group("X")
            group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": x.shape})
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(x, part)
            f.create_dataset("names", data=order, dtype=h5py.string_dtype())
    program.run(["score", "--model", folder / "kind.h5", "--input", "m0.h5", "m1.h5", "--dataset", "/X", "--feature-names", "/names",
                 "--features", "mag_g-mag_r", "--output", "s.h5"], cwd=tmp_path)
    text = explain(tmp_path, 200)
    assert value(text, "mag_g") == pytest.approx(g[200], rel=1e-8)
    assert value(text, "mag_i") == pytest.approx(i[200], rel=1e-8)
    assert value(text, "mag_g-mag_r") == pytest.approx(g[200] - r[200], rel=1e-7)


@pytest.mark.parametrize("names", [True, False])
def test_columns_of_the_record_that_are_not_there(scored, tmp_path, names):
    folder, *_ = scored
    shutil.copy(folder / "s.h5", folder / "hostile.h5")
    with h5py.File(folder / "hostile.h5", "a") as f:
        record = json.loads(f["h5score/features"][()].tobytes())
        record["models"][0]["columns"][0] = 2**63
        if not names:
            record["columns"] = []
        del f["h5score/features"]
        f["h5score/features"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    text = explain(folder, 3, file="hostile.h5")
    assert "cannot be told: the record of features makes no sense" in text and f"column {2**63}" in text
    (folder / "hostile.h5").unlink()
