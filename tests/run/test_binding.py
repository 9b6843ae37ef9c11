"""Which column feeds which feature, and what becomes of missing values: end to end, against scikit-learn."""
import re
import warnings

import export_sklearn
import h5py
import numpy as np
import pytest
from program import SANITIZED, assert_same_scores, run, score_bytes

BANDS = ["u", "g", "r", "i", "z", "y"]
MAGS = ["mag_" + b for b in BANDS]
COLOURS = [f"mag_{a}-mag_{b}" for a, b in zip(BANDS, BANDS[1:])] + ["mag_i"]
ORDER = ["mag_y", "mag_i", "mag_g"]  # another order than any file's
ROWS = 900
DATA, USAGE = 65, 64


def colours(mags):
    return np.c_[mags[:, :-1] - mags[:, 1:], mags[:, 3]]


def photometry(seed=3):
    rng = np.random.default_rng(seed)
    return (24 + rng.normal(size=(ROWS, 1)) + rng.normal(size=(ROWS, 6)) * [2, 1, 1, 1, 1, 1]).astype(np.float32).astype(float)


def write_columns(path, mags, group="/photometry", names=None):
    names = names or MAGS
    with h5py.File(path, "w") as f:
        for j in np.random.default_rng(1).permutation(len(names)):
            f.create_dataset(f"{group}/{names[j]}", data=mags[:, j].astype([np.float32, ">f4", np.float64][j % 3]),
                             **({"chunks": (130,), "compression": "gzip", "shuffle": True} if j % 2 else {}))
        f["id"] = np.arange(len(mags))


def write_compound(path, mags, **storage):
    fields = np.random.default_rng(2).permutation(6)
    table = np.zeros(len(mags), [("id", "i8")] + [(MAGS[j], [np.float32, ">f4", np.float64][j % 3]) for j in fields])
    for j in fields:
        table[MAGS[j]] = mags[:, j]
    table["id"] = np.arange(len(mags))
    with h5py.File(path, "w") as f:
        f.create_dataset("photometry", data=table, **storage)


def write_sparse(path, mags, csc=False):
    """An AnnData file; scipy is what scanpy writes it with."""
    import scipy.sparse

    matrix = (scipy.sparse.csc_matrix if csc else scipy.sparse.csr_matrix)(mags)
    with h5py.File(path, "w") as f:
        x = f.create_group("X")
        x.attrs.update({"encoding-type": "csc_matrix" if csc else "csr_matrix", "encoding-version": "0.1.0",
                        "shape": matrix.shape})
        for name in ("data", "indices", "indptr"):
            x.create_dataset(name, data=getattr(matrix, name), chunks=True, compression="gzip")
        f.create_dataset("var/_index", data=MAGS, dtype=h5py.string_dtype())
        f["var"].attrs["_index"] = "_index"


@pytest.fixture(scope="module")
def fitted():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mags = photometry(1)
    redshift = colours(mags)[:, 0] * 0.3 + mags[:, 3] * 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        photoz = make_pipeline(StandardScaler(), MLPRegressor((16, 7), max_iter=40, random_state=0)).fit(
            colours(mags), redshift)
        star = make_pipeline(StandardScaler(), LogisticRegression()).fit(mags[:, [5, 3, 1]], mags[:, 0] > 24)
    return {"photoz": photoz, "star": star}


@pytest.fixture(scope="module")
def place(tmp_path_factory, fitted):
    folder = tmp_path_factory.mktemp("binding")
    mags = photometry()
    export_sklearn.save(str(folder / "photoz.h5"), fitted["photoz"], reference=colours(mags)[:50], feature_names=COLOURS)
    export_sklearn.save(str(folder / "star.h5"), fitted["star"], reference=mags[:50][:, [5, 3, 1]], feature_names=ORDER)
    write_columns(folder / "cat.h5", mags)
    write_compound(folder / "records.h5", mags, chunks=(77,), compression="gzip", shuffle=True)
    write_sparse(folder / "csr.h5ad", mags)
    write_sparse(folder / "csc.h5ad", mags, csc=True)
    np.save(folder / "mags.npy", mags)
    return folder


def score(folder, out, *extra, data="cat.h5", models=("photoz", "star"), dataset="/photometry", **kwargs):
    models = [f"{m}={folder / m}.h5" if isinstance(m, str) else f"{m[0]}={m[1]}" for m in models]
    return run(["score", "--model", *models, "--input", folder / data, *([] if "--dataset" in extra else ["--dataset", dataset]),
                "--output", out, "--progress", "none", *extra], **kwargs)


def line(done):
    """The one line that a failing run says."""
    messages = [text for text in done.stderr.splitlines() if text.startswith("h5score: ")]
    assert len(messages) == 1, done.stderr
    return messages[0]


def results(path, model):
    with h5py.File(path) as f:
        return {name: f[model][name][()] for name in f[model]}


@pytest.fixture(scope="module")
def alone(place):
    score(place, place / "alone.h5")
    return place / "alone.h5"


# ---- by name

def test_two_models_with_other_names_in_one_pass(place, alone, fitted):
    mags = np.load(place / "mags.npy")
    np.testing.assert_allclose(results(alone, "photoz")["prediction"], fitted["photoz"].predict(colours(mags)), rtol=1e-12)
    star = results(alone, "star")
    np.testing.assert_allclose(star["probability"], fitted["star"].predict_proba(mags[:, [5, 3, 1]]), rtol=1e-11)
    assert (star["status"] == 0).all()


@pytest.mark.parametrize("np_", [None, 2, 3])
@pytest.mark.parametrize("data", ["cat.h5", "records.h5", "csr.h5ad", "csc.h5ad"])
def test_bytes_depend_on_nothing_but_the_row(place, alone, tmp_path, data, np_):
    variants = [("static", 2, 0), ("dynamic", 1, 101), ("guided", 3, 64)] if not SANITIZED else [("dynamic", 2, 101)]
    for schedule, threads, block_rows in variants:
        out = tmp_path / f"{schedule}.h5"
        extra = ["--block-rows", block_rows] if block_rows else []
        if data.endswith("h5ad"):  # names of genes are never taken for differences
            extra += ["--features", ",".join(COLOURS), "--dataset", "/X"]
        score(place, out, "--schedule", schedule, "--threads", threads, *extra, data=data, np_=np_)
        ours, expected = score_bytes(out), score_bytes(alone)
        for name in expected:
            if name not in ("inputs", "input"):  # which file the rows came from
                assert ours[name] == expected[name], (name, schedule)


def test_columns_of_each_file_may_stand_in_another_order(place, alone, tmp_path):
    mags = np.load(place / "mags.npy")
    write_columns(tmp_path / "a1.h5", mags[:400])
    with h5py.File(tmp_path / "a2.h5", "w", track_order=True) as f:
        f.create_dataset("photometry/extra", data=np.zeros(500))
        for name in reversed(MAGS):
            f.create_dataset(f"photometry/{name}", data=mags[400:, MAGS.index(name)])
    done = score(tmp_path, tmp_path / "s.h5", data="a*.h5", models=[("photoz", place / "photoz.h5"), ("star", place / "star.h5")])
    assert "photoz: 6 features by name from /photometry, 5 of them differences" in done.stdout
    for model in ("photoz", "star"):
        ours, expected = results(tmp_path / "s.h5", model), results(alone, model)
        for name in expected:
            assert ours[name].tobytes() == expected[name].tobytes(), name


def test_dry_run_shows_what_feeds_what(place, tmp_path):
    done = score(place, tmp_path / "s.h5", "--dry-run")
    mags = np.load(place / "mags.npy")
    assert "6 of 6 matched: 6 features by name from /photometry, 5 of them differences" in done.stdout
    rows = re.findall(r"^ *(\S+) +<- +(.*\S)  +(\S.*\S)  +(\S+)$", done.stdout, re.M)
    assert [r[0] for r in rows] == COLOURS + ORDER
    assert rows[0][1] == "/photometry/mag_u - mag_g" and rows[6][1] == "/photometry/mag_y"
    assert rows[0][2] == "float32, >f4" and rows[5][2] == "float32"
    expected = [*colours(mags)[0], *mags[0, [5, 3, 1]]]
    np.testing.assert_allclose([float(r[3]) for r in rows], expected, rtol=1e-4)


def test_aliases_and_lists(place, alone, tmp_path):
    mags = np.load(place / "mags.npy")
    write_columns(tmp_path / "up.h5", mags, names=[m.upper() for m in MAGS])
    models = [("star", place / "star.h5")]
    done = score(tmp_path, tmp_path / "s.h5", data="up.h5", models=models, code=DATA)
    assert "star.h5: none of its 3 features is in" in line(done) and "nearest to mag_y: MAG_Y" in line(done)
    aliases = ",".join(f"{name}={name.upper()}" for name in ORDER)
    score(tmp_path, tmp_path / "s.h5", "--features", aliases, data="up.h5", models=models)
    assert results(tmp_path / "s.h5", "star")["decision"].tobytes() == results(alone, "star")["decision"].tobytes()


def test_a_model_without_names_is_bound_by_position(place, alone, fitted, tmp_path):
    export_sklearn.save(str(tmp_path / "plain.h5"), fitted["photoz"])
    models = [("photoz", tmp_path / "plain.h5")]
    done = score(place, tmp_path / "s.h5", models=models)
    assert "photoz: 6 features by position from /photometry (the model has no feature names)" in done.stdout
    done = score(place, tmp_path / "t.h5", "--features", ",".join(COLOURS), models=models)
    assert "5 of them differences" in done.stdout
    assert results(tmp_path / "t.h5", "photoz")["prediction"].tobytes() == results(alone, "photoz")["prediction"].tobytes()
    done = score(place, tmp_path / "u.h5", "--features", "mag_u,mag_g", models=models, code=DATA)
    assert "expects 6 features (--features lists 2 columns" in line(done)


def test_columns_without_names_take_them_from_a_list(place, alone, tmp_path):
    mags = np.load(place / "mags.npy")
    with h5py.File(tmp_path / "array.h5", "w") as f:
        f["x"] = mags
    models = [("star", place / "star.h5")]
    done = score(tmp_path, tmp_path / "s.h5", data="array.h5", dataset="/x", models=models, code=DATA)
    assert "the model expects 3 features" in line(done)
    (tmp_path / "names.txt").write_text("\n".join(MAGS) + "\n")
    score(tmp_path, tmp_path / "s.h5", "--feature-names", tmp_path / "names.txt", data="array.h5", dataset="/x", models=models)
    assert results(tmp_path / "s.h5", "star")["decision"].tobytes() == results(alone, "star")["decision"].tobytes()
    done = score(tmp_path, tmp_path / "t.h5", "--features", "5,3,1", data="array.h5", dataset="/x", models=models)
    assert "3 features by position from /x (/x has no column names)" in done.stdout
    assert results(tmp_path / "t.h5", "star")["decision"].tobytes() == results(alone, "star")["decision"].tobytes()


@pytest.mark.parametrize("features, code, part", [
    ("mag_uu", DATA, "did you mean mag_u?"), ("x=mag_uu", DATA, "did you mean mag_u?"), ("9", USAGE, "out of range"),
    ("mag_u,,mag_g", USAGE, "an item is empty"), ("a=mag_u,a=mag_g", USAGE, "a stands for two things")])
def test_wrong_lists(place, tmp_path, features, code, part):
    done = score(place, tmp_path / "s.h5", "--features", features, code=code)
    assert part in line(done)
    assert not (tmp_path / "s.h5.part").exists()


def test_duplicate_names_of_a_model_are_refused(place, tmp_path):
    with h5py.File(place / "star.h5") as f, h5py.File(tmp_path / "twice.h5", "w") as g:
        for name in f:
            f.copy(name, g)
        g.attrs.update(f.attrs)
        g["feature_names"][0] = "mag_i"
    done = score(place, tmp_path / "s.h5", models=[("star", tmp_path / "twice.h5")], code=DATA)
    assert "two features are named mag_i" in line(done)


# ---- features that are not there

@pytest.fixture(scope="module")
def partial(place, tmp_path_factory):
    """The catalogue without mag_y."""
    folder = tmp_path_factory.mktemp("partial")
    write_columns(folder / "cat.h5", np.load(place / "mags.npy")[:, :5], names=MAGS[:5])
    return folder


def test_missing_features_end_the_run_by_default(place, partial, tmp_path):
    done = score(partial, tmp_path / "s.h5", models=[("star", place / "star.h5")], code=DATA)
    text = line(done)
    assert "star.h5: 1 of 3 features is not in " in text and "cat.h5:/photometry (mag_y)" in text
    assert "--features NEW=COLUMN, or --missing-features mean|VALUE" in text


@pytest.mark.parametrize("how", ["mean", "25.5", "nan"])
def test_missing_features_take_the_mean_or_a_value(place, partial, fitted, tmp_path, how):
    done = score(partial, tmp_path / "s.h5", "--missing-features", how, models=[("star", place / "star.h5")], np_=2)
    assert "2 of 3 matched; the others take" in done.stdout
    mags = np.load(place / "mags.npy")[:, [5, 3, 1]]
    star = results(tmp_path / "s.h5", "star")
    if how == "nan":
        assert (star["status"] == 1).all() and (star["label"] == -1).all()
        return
    mags[:, 0] = fitted["star"][0].mean_[0] if how == "mean" else float(how)
    np.testing.assert_allclose(star["probability"], fitted["star"].predict_proba(mags), rtol=1e-9)


def test_unknown_means_are_refused(place, partial, fitted, tmp_path):
    export_sklearn.save(str(tmp_path / "raw.h5"), fitted["star"][1], feature_names=ORDER)
    done = score(partial, tmp_path / "s.h5", "--missing-features", "mean", models=[("raw", tmp_path / "raw.h5")], code=DATA)
    assert "raw.h5: the model does not tell the means of its training data" in line(done)


# ---- images

def test_channels_first_and_last(tmp_path):
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 3, 5, 4))  # n, channels, height, width
    model = LinearRegression().fit(images.reshape(60, -1), rng.normal(size=60))
    export_sklearn.save(str(tmp_path / "m.h5"), model)
    with h5py.File(tmp_path / "m.h5", "a") as f:
        f["input_shape"] = [3, 5, 4]
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["nchw"], f["nhwc"], f["flat"] = images, images.transpose(0, 2, 3, 1), images.reshape(60, 60)
        f["odd"] = images.reshape(60, 4, 15)
    expected = model.predict(images.reshape(60, -1))
    for name in ("nchw", "nhwc", "flat"):
        done = run(["score", "--model", tmp_path / "m.h5", "--input", tmp_path / "in.h5", "--dataset", name,
                    "--output", tmp_path / f"{name}.h5"])
        assert ("the channels are moved: the model reads 3 x 5 x 4, /nhwc stores 5 x 4 x 3" in done.stdout) == (name == "nhwc")
        with h5py.File(tmp_path / f"{name}.h5") as f:
            np.testing.assert_allclose(f["prediction"][()], expected, rtol=1e-11)
    done = run(["score", "--model", tmp_path / "m.h5", "--input", tmp_path / "in.h5", "--dataset", "odd",
                "--output", tmp_path / "s.h5"], code=DATA)
    assert "the model reads 3 x 5 x 4" in line(done) and "stores rows of 4 x 15" in line(done)


# ---- missing values

HOLES = {"nan": (5, 0), "marker": (611, 3), "unread": (7, 2), "twice": (801, 5)}


@pytest.fixture(scope="module")
def holes(place, tmp_path_factory):
    """The catalogue with NaN in mag_u, mag_r, mag_y and 99 in mag_i."""
    folder = tmp_path_factory.mktemp("holes")
    mags = np.load(place / "mags.npy")
    for name, (row, column) in HOLES.items():
        mags[row, column] = 99 if name == "marker" else np.nan
    write_columns(folder / "cat.h5", mags)
    np.save(folder / "mags.npy", mags)
    return folder


def holed(place, folder, out, *extra, **kwargs):
    return score(folder, out, *extra, models=[("photoz", place / "photoz.h5"), ("star", place / "star.h5")], **kwargs)


@pytest.mark.parametrize("np_", [None, 2, 3])
def test_missing_values_are_marked_where_the_model_reads_them(place, holes, alone, tmp_path, np_):
    done = holed(place, holes, tmp_path / "s.h5", "--missing-value", "99", "--block-rows", 200, np_=np_)
    assert done.stdout.count("input: besides NaN, 99 is taken as missing") == 1  # two models, said once
    bad = {"photoz": [5, 7, 611, 801], "star": [611, 801]}  # mag_u and mag_r feed photoz only
    for model, rows in bad.items():
        ours, expected = results(tmp_path / "s.h5", model), results(alone, model)
        np.testing.assert_array_equal(np.flatnonzero(ours["status"]), rows)
        assert (ours["status"][rows] == 1).all()
        good = np.setdiff1d(np.arange(ROWS), rows)
        for name in expected:
            if len(expected[name]) == ROWS:
                assert ours[name][good].tobytes() == expected[name][good].tobytes(), name
    assert (results(tmp_path / "s.h5", "star")["label"][[611, 801]] == -1).all()
    assert np.isnan(results(tmp_path / "s.h5", "photoz")["prediction"][bad["photoz"]]).all()


@pytest.mark.parametrize("np_, schedule", [(None, "dynamic"), (2, "dynamic"), (3, "static"), (3, "guided")])
def test_error_names_the_first_missing_value(place, holes, tmp_path, np_, schedule):
    done = holed(place, holes, tmp_path / "s.h5", "--missing", "error", "--block-rows", 40, "--schedule", schedule, np_=np_,
                 code=None)
    assert done.returncode != 0
    assert re.search(r"cat\.h5: /photometry: row 5: a value is missing \(feature mag_u-mag_g of .*photoz\.h5, from "
                     r"/photometry/mag_u - mag_g\)", done.stderr), done.stderr
    done = score(holes, tmp_path / "t.h5", "--missing", "error", "--missing-value", "99", "--block-rows", 40,
                 "--schedule", schedule, models=[("star", place / "star.h5")], np_=np_, code=None)
    assert "row 611: a value is missing (feature mag_i of " in done.stderr
    assert not (tmp_path / "t.h5").exists()


def test_fill_values_of_columns(place, holes, fitted, tmp_path):
    holed(place, holes, tmp_path / "s.h5", "--missing-value", "99", "--fill", "mag_u=27.5,mag_r=26", "--fill", "mag_i=25.5",
          "mag_y=24", np_=2)
    mags = np.load(holes / "mags.npy")
    for name, (row, column) in HOLES.items():
        mags[row, column] = {"nan": 27.5, "unread": 26, "marker": 25.5, "twice": 24}[name]
    np.testing.assert_allclose(results(tmp_path / "s.h5", "photoz")["prediction"], fitted["photoz"].predict(colours(mags)),
                               rtol=1e-12)
    np.testing.assert_allclose(results(tmp_path / "s.h5", "star")["probability"],
                               fitted["star"].predict_proba(mags[:, [5, 3, 1]]), rtol=1e-11)


def test_fill_takes_the_training_means(place, holes, fitted, tmp_path):
    done = holed(place, holes, tmp_path / "s.h5", "--missing-value", "99", "--missing", "fill", "--fill", "mag_u=27.5",
                 "mag_i-mag_z=0.75")
    assert "missing values of" in done.stdout
    mags = np.load(holes / "mags.npy")
    mags[mags == 99] = np.nan
    mags[:, 0] = np.where(np.isnan(mags[:, 0]), 27.5, mags[:, 0])
    x = colours(mags)
    x[:, 3] = np.where(np.isnan(x[:, 3]), 0.75, x[:, 3])
    x = np.where(np.isnan(x), fitted["photoz"][0].mean_, x)
    photoz = results(tmp_path / "s.h5", "photoz")
    assert (photoz["status"] == 0).all()
    np.testing.assert_allclose(photoz["prediction"], fitted["photoz"].predict(x), rtol=1e-11)


def test_what_the_model_imputes_is_not_missing(place, holes, tmp_path):
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    mags = np.load(place / "mags.npy")
    train = mags.copy()
    train[::7, 0] = np.nan
    model = make_pipeline(SimpleImputer(strategy="median"), LinearRegression()).fit(train, mags[:, 1])
    export_sklearn.save(str(tmp_path / "m.h5"), model, feature_names=MAGS)
    expected = model.predict(np.load(holes / "mags.npy"))
    for how in ("mark", "error", "fill"):
        out = tmp_path / f"{how}.h5"
        done = score(holes, out, "--missing", how, models=[("m", tmp_path / "m.h5")])
        np.testing.assert_allclose(results(out, "m")["prediction"], expected, rtol=1e-12)
        assert (results(out, "m")["status"] == 0).all()
        assert "their mean in training" not in done.stdout


def test_fills_that_cannot_be(place, holes, tmp_path):
    done = holed(place, holes, tmp_path / "s.h5", "--fill", "mag_x=1", code=DATA)
    assert "--fill mag_x: neither a column of" in line(done)
    done = holed(place, holes, tmp_path / "s.h5", "--fill", "mag_u", code=USAGE)
    assert "expected NAME=V" in line(done)


@pytest.mark.parametrize("change, field", [
    (["--fill", "mag_u=26"], "fills/mag_u"), (["--missing-value", "98"], "missing_values/0"),
    (["--missing", "fill"], "missing"), (["--features", "mag_y=mag_z"], "features/1/0")])
def test_resume_refuses_another_treatment(place, holes, tmp_path, change, field):
    before = {"--fill": "mag_u=27", "--missing-value": "99"}
    common = ["--block-rows", 100, "--time-limit", "0.000001s"]
    out = tmp_path / "s.h5"
    holed(place, holes, out, *[w for pair in before.items() for w in pair], *common, code=75)
    part = (tmp_path / "s.h5.part").read_bytes()
    after = {**before, change[0]: change[1]}
    done = holed(place, holes, out, *[w for pair in after.items() for w in pair], "--resume", code=USAGE)
    assert field in line(done)
    assert (tmp_path / "s.h5.part").read_bytes() == part
    holed(place, holes, out, *[w for pair in before.items() for w in pair], "--resume")
    holed(place, holes, tmp_path / "t.h5", *[w for pair in before.items() for w in pair])
    assert_same_scores(out, tmp_path / "t.h5")


def name_columns(path, mags, order):
    """One array and, beside it, a dataset that names its columns; the matrix is sparse, so that order is free."""
    write_sparse(path, mags[:, order])
    with h5py.File(path, "a") as f:
        del f["var"]
        f.create_dataset("names", data=[MAGS[j] for j in order], dtype=h5py.string_dtype())


def test_resume_refuses_other_names_in_a_later_file(place, tmp_path):
    mags = np.load(place / "mags.npy")
    name_columns(tmp_path / "a1.h5", mags[:400], [0, 1, 2, 3, 4, 5])
    name_columns(tmp_path / "a2.h5", mags[400:], [5, 3, 1, 0, 2, 4])
    common = [tmp_path / "s.h5", "--dataset", "/X", "--feature-names", "/names", "--block-rows", 100]
    models = [("star", place / "star.h5")]
    score(tmp_path, *common, "--time-limit", "0.000001s", data="a*.h5", models=models, code=75)
    elsewhere = [f"{tmp_path}/a1.h5:/names" if word == "/names" else word for word in common]
    done = score(tmp_path, *elsewhere, "--resume", data="a*.h5", models=models, code=USAGE)
    assert 'feature_names: there "/names"' in line(done)
    with h5py.File(tmp_path / "a2.h5", "a") as f:
        f["names"][:2] = [MAGS[3], MAGS[5]]
    assert "inputs/1/names_crc" in line(score(tmp_path, *common, "--resume", data="a*.h5", models=models, code=USAGE))


def test_resume_refuses_another_packing(place, tmp_path):
    mags = np.load(place / "mags.npy")
    with h5py.File(tmp_path / "packed.h5", "w") as f:
        for j, name in enumerate(MAGS):
            f[f"photometry/{name}"] = np.round(mags[:, j] * 100).astype(np.int16)
            f[f"photometry/{name}"].attrs["scale_factor"] = 0.01
    common = [tmp_path / "s.h5", "--block-rows", 100]
    score(tmp_path, *common, "--time-limit", "0.000001s", data="packed.h5", models=[("star", place / "star.h5")], code=75)
    with h5py.File(tmp_path / "packed.h5", "a") as f:
        f["photometry/mag_g"].attrs.modify("scale_factor", 0.02)
    done = score(tmp_path, *common, "--resume", data="packed.h5", models=[("star", place / "star.h5")], code=USAGE)
    assert "packing/" in line(done) and "x 0.02" in line(done)
