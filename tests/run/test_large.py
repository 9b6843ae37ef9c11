"""Large inputs at bounded memory: more bytes than memory, rows beyond 2^31, a million chunks. The files are sparse."""
import json

import export_sklearn
import h5py
import numpy as np
import pytest
from program import SANITIZED, run


def create_sparse(path, shape, dtype):
    """A contiguous dataset /x whose space is allocated in the file but never written."""
    with h5py.File(path, "w") as f:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(f.id, b"x", h5py.h5t.py_create(np.dtype(dtype)), h5py.h5s.create_simple(shape), create)


def linear_model(path, features):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression()
    model.coef_ = np.arange(1, features + 1, dtype=np.float64)
    model.intercept_ = 0.25
    model.n_features_in_ = features
    export_sklearn.save(str(path), model)
    return path


def peak_memory(report):
    with open(report) as f:
        return max(rank["peak_memory_bytes"] for rank in json.load(f)["ranks"])


@pytest.mark.skipif(SANITIZED, reason="the same code on fewer bytes runs in the other tests")
def test_60_gb_contiguous_in_bounded_memory(tmp_path):
    rows, features = 15_000_000, 1000
    create_sparse(tmp_path / "in.h5", (rows, features), "<f4")
    with h5py.File(tmp_path / "in.h5", "r+") as f:
        f["x"][rows - 1] = 1
    assert (tmp_path / "in.h5").stat().st_size > 60e9
    model = linear_model(tmp_path / "m.h5", features)
    run(["score", "--model", model, "--input", tmp_path / "in.h5", "--output", tmp_path / "out.h5",
         "--precision", "float32", "--report", tmp_path / "r.json", "--memory-per-rank", "256M"], np_=2, timeout=600)
    assert peak_memory(tmp_path / "r.json") < 400e6
    with h5py.File(tmp_path / "out.h5") as f:
        assert f["prediction"].shape == (rows,)
        assert f["prediction"][rows - 1] == features * (features + 1) / 2 + 0.25
        assert (f["prediction"][:-1] == 0.25).all()


def test_rows_beyond_two_to_the_31(tmp_path):
    rows, features = 3_000_000_000, 4
    create_sparse(tmp_path / "in.h5", (rows, features), "u1")
    tail = np.random.default_rng(0).integers(0, 255, (1000, features), dtype=np.uint8)
    with h5py.File(tmp_path / "in.h5", "r+") as f:
        f["x"][rows - 1000:] = tail
    model = linear_model(tmp_path / "m.h5", features)
    run(["score", "--model", model, "--input", tmp_path / "in.h5", "--output", tmp_path / "out.h5",
         "--rows", f"{rows - 1000}:{rows}"], np_=2)
    with h5py.File(tmp_path / "out.h5") as f:
        np.testing.assert_array_equal(f["prediction"][()], tail @ np.arange(1, features + 1) + 0.25)


def test_a_million_chunks(tmp_path):
    rows = 1_000_000
    x = np.random.default_rng(0).integers(0, 100, (rows, 2), dtype=np.uint8)
    with h5py.File(tmp_path / "in.h5", "w", libver="latest") as f:
        f.create_dataset("x", data=x, chunks=(1, 2))
    model = linear_model(tmp_path / "m.h5", 2)
    run(["score", "--model", model, "--input", tmp_path / "in.h5", "--output", tmp_path / "out.h5"], np_=2)
    with h5py.File(tmp_path / "out.h5") as f:
        np.testing.assert_array_equal(f["prediction"][()], x @ np.array([1, 2]) + 0.25)
