"""Feature statistics of runs: the figures against numpy, the same bits on any ranks, and what is worth a warning."""
import itertools
import json
import re

import h5py
import numpy as np
import pytest

import export_sklearn
import program
from conftest import FEATURES, make_rows



@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that knows its training data by a StandardScaler and by its range, and one that knows nothing."""
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = tmp_path_factory.mktemp("features")
    x, y = make_rows(2000, 1)
    x = x.astype(np.float64)
    scaled = make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)
    export_sklearn.save(str(folder / "scaled.h5"), scaled, training=x)
    export_sklearn.save(str(folder / "plain.h5"), LinearRegression().fit(x, y))
    return folder, x


def write(path, x):
    with h5py.File(path, "w") as f:
        f.create_dataset("x", data=x, chunks=(min(len(x), 500), x.shape[1]))


def score(model, data, folder, *options, np_=None, env=None):
    """Runs and returns the report and what was printed."""
    report = folder / "report.json"
    done = program.run(["score", "--model", model, "--input", data, "--output", folder / "scores.h5", "--overwrite",
                        "--report", report, "--progress", "none", *options], np_=np_, env=env)
    return json.loads(report.read_text()), done.stdout


def assert_equal_numpy(features, x):
    for j, feature in enumerate(features):
        values = x[:, j].astype(np.float64)
        finite = values[np.isfinite(values)]
        assert feature["n"] == len(finite)
        assert feature["missing"] == np.isnan(values).sum()
        assert feature["infinite"] == np.isinf(values).sum()
        assert (feature["min"], feature["max"]) == (finite.min(), finite.max())
        np.testing.assert_allclose(feature["mean"], finite.mean(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(feature["stddev"], finite.std(), rtol=1e-10)


def test_figures_are_numpys(trained, tmp_path):
    folder, _ = trained
    x, _ = make_rows(3210, 5)
    x[::7, 3] = np.nan
    x[5, 4], x[6, 4] = np.inf, -np.inf
    write(tmp_path / "data.h5", x)
    report, _ = score(folder / "plain.h5", tmp_path / "data.h5", tmp_path)
    assert report["feature_rows"] == report["rows"] == len(x)
    assert_equal_numpy(report["models"][0]["features"], x)


def test_training_figures_and_range(trained, tmp_path):
    folder, training = trained
    x, _ = make_rows(1000, 6)
    write(tmp_path / "data.h5", x)
    features = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path)[0]["models"][0]["features"]
    for j, feature in enumerate(features):
        np.testing.assert_allclose(feature["training_mean"], training[:, j].mean(), rtol=1e-9)
        np.testing.assert_allclose(feature["training_stddev"], training[:, j].std(), rtol=1e-9)
        low, high = training[:, j].min(), training[:, j].max()
        assert (feature["training_min"], feature["training_max"]) == (low, high)
        assert feature["outside"] == ((x[:, j] < low) | (x[:, j] > high)).sum()
    plain = score(folder / "plain.h5", tmp_path / "data.h5", tmp_path)[0]["models"][0]["features"]
    assert plain[0]["training_mean"] is None and plain[0]["outside"] == 0


def test_sample_of_a_large_cheap_run(trained, tmp_path):
    folder, _ = trained
    x = np.random.default_rng(8).normal(size=(400_000, FEATURES)).astype(np.float32)
    write(tmp_path / "data.h5", x)
    block = 2000
    report, _ = score(folder / "plain.h5", tmp_path / "data.h5", tmp_path, "--block-rows", block)
    rows = report["feature_rows"]
    assert 0.1 * len(x) < rows < 0.5 * len(x)
    # The steps of the sample are not told; of those that give this number of rows, one gives the figures.
    matches = 0
    for blocks, stretches in itertools.product(range(1, 20), range(1, 9)):
        row = np.arange(len(x))
        taken = (row // block % blocks == 0) & (row % block // 256 % stretches == 0)
        mean = report["models"][0]["features"][0]["mean"]
        if taken.sum() == rows and abs(x[taken, 0].astype(np.float64).mean() - mean) < 1e-14:
            assert_equal_numpy(report["models"][0]["features"], x[taken])
            matches += 1
            break
    assert matches == 1


@pytest.mark.parametrize("sampled", [False, True])
def test_same_bits_on_any_ranks_schedule_and_threads(trained, tmp_path, sampled):
    folder, _ = trained
    x, _ = make_rows(200_000 if sampled else 5000, 9)
    x[::11, 2] = np.nan
    write(tmp_path / "data.h5", x)
    options = ["--block-rows", 1500 if sampled else 100]
    models = [f"a={folder / 'scaled.h5'}", f"b={folder / 'plain.h5'}", "--precision", "float64"]

    def figures(*more, np_=None):
        report = tmp_path / "report.json"
        program.run(["score", "--model", *models, "--input", tmp_path / "data.h5", "--output", tmp_path / "scores.h5",
                     "--overwrite", "--report", report, "--progress", "none", *options, *more], np_=np_)
        json_report = json.loads(report.read_text())
        return json_report["feature_rows"], [m["features"] for m in json_report["models"]]

    expected = figures("--threads", 1)
    assert (expected[0] < len(x)) == sampled
    assert figures("--threads", 3) == expected
    for ranks in (2, 3, 4):
        for schedule in ("static", "dynamic", "guided"):
            assert figures("--schedule", schedule, "--threads", ranks % 2 + 1, np_=ranks) == expected, (ranks, schedule)


@pytest.mark.parametrize("rows", [60_000, 300_000])
def test_same_bits_where_threads_share_a_block(trained, tmp_path, rows):
    folder, _ = trained
    x, _ = make_rows(rows, 10)
    write(tmp_path / "data.h5", x)
    one, _ = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path, "--block-rows", rows, "--threads", 1)
    assert one["models"][0]["features"][0]["n"] == one["feature_rows"]
    if one["feature_rows"] == rows:
        assert_equal_numpy(one["models"][0]["features"], x)
    for threads in (2, 5, 5, 5):
        more, _ = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path, "--block-rows", rows, "--threads", threads)
        assert more["models"] == one["models"]


def test_sums_of_wide_rows_are_planned_memory(tmp_path):
    from sklearn.linear_model import LinearRegression

    x = np.random.default_rng(0).normal(size=(40, 20_000))
    export_sklearn.save(str(tmp_path / "wide.h5"), LinearRegression().fit(x, x[:, 0]))
    write(tmp_path / "data.h5", x)

    def planned(threads):
        done = program.run(["score", "--model", tmp_path / "wide.h5", "--input", tmp_path / "data.h5", "--output",
                            tmp_path / "s.h5", "--dry-run", "--threads", threads])
        number, unit = re.search(r"memory +([\d.]+) (\w+) per rank", done.stdout).groups()
        return float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]

    # At least the 64 bytes of each feature's sum on each of the 30 threads more.
    assert planned(32) - planned(2) > 30 * 20_000 * 64


def test_warnings_appear_where_data_are_unlike(trained, tmp_path):
    folder, training = trained
    x, _ = make_rows(2000, 10)
    x[:, 1] += 8 * training[:, 1].std()
    x[:620, 2] = np.nan
    write(tmp_path / "data.h5", x)
    report, shown = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path)
    shown = " ".join(shown.split())  # lines are wrapped
    assert "Unlike the training data, going by 2,000 of 2,000 rows:" in shown
    assert "feature 1: mean " in shown and "sigma)" in shown and "outside the training range" in shown
    assert "feature 2: 31 % missing" in shown
    warned = [j for j, f in enumerate(report["models"][0]["features"]) if f["warning"]]
    assert warned == [1, 2]
    dry = program.run(["score", "--model", folder / "scaled.h5", "--input", tmp_path / "data.h5", "--output",
                       tmp_path / "dry.h5", "--dry-run"]).stdout
    assert "unlike the training data, going by a sample of 2,000 rows" in dry
    assert "feature 2: 31 % missing" in dry


def test_no_warnings_where_data_are_alike(trained, tmp_path):
    folder, _ = trained
    x, _ = make_rows(2000, 11)
    write(tmp_path / "data.h5", x)
    report, shown = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path)
    assert "nlike the training data" not in shown
    assert not any(f["warning"] for f in report["models"][0]["features"])


def test_only_the_worst_are_shown(trained, tmp_path):
    folder, training = trained
    x = training[:500] + 5 * training.std(0) * (1 + np.arange(FEATURES))
    write(tmp_path / "data.h5", x)
    _, shown = score(folder / "scaled.h5", tmp_path / "data.h5", tmp_path)
    assert shown.count("sigma)") == 10
    assert f"and {FEATURES - 10} more (see --report)" in shown
    assert shown.index(f"feature {FEATURES - 1}: ") < shown.index(f"feature {FEATURES - 2}: ")


def test_report_onto_an_unwritable_place_is_refused_before_scoring(trained, tmp_path):
    folder, _ = trained
    x, _ = make_rows(100, 12)
    write(tmp_path / "data.h5", x)
    done = program.run(["score", "--model", folder / "plain.h5", "--input", tmp_path / "data.h5", "--output",
                        tmp_path / "scores.h5", "--report", tmp_path / "none/report.json"], code=73)
    assert "none/report.json: cannot be created" in done.stderr
    assert not (tmp_path / "scores.h5").exists() and not (tmp_path / "scores.h5.part").exists()
