"""The three tutorials, word for word; then their results against numpy and scikit-learn, without the tutorials' own checks."""
import h5py
import numpy as np
import pandas as pd
from pages import Page
from scipy import sparse


def followed(name, folder):
    """Runs docs/tutorial-NAME.md in `folder`; gives what its Python session holds."""
    page = Page(f"docs/tutorial-{name}.md", folder)
    assert len(page.blocks) > 10, "the page lost its blocks"
    page.run()
    return page.session


def worst(ours, theirs):
    assert np.shape(ours) == np.shape(theirs) and np.isfinite(theirs).all()
    return (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max()


def test_photoz(tmp_path):
    session = followed("photoz", tmp_path)
    rows, ids = [], []
    for tract in (1, 2, 10):
        with h5py.File(tmp_path / f"survey/tract_{tract}.h5") as f:
            rows.append(np.column_stack([f["photometry/mag_" + band][:] for band in "ugrizy"]).astype(np.float64))
            ids.append(f["object_id"][:])
    magnitudes, ids = np.concatenate(rows), np.concatenate(ids)
    magnitudes[magnitudes == 99] = np.nan
    magnitudes[:, 0] = np.where(np.isnan(magnitudes[:, 0]), 26.0, magnitudes[:, 0])
    features = np.column_stack([-np.diff(magnitudes, axis=1), magnitudes[:, 3]])
    good = np.isfinite(features).all(axis=1)
    assert 500 < (~good).sum() < len(good) / 2
    features = pd.DataFrame(features[good], columns=session["X"].columns)
    with h5py.File(tmp_path / "scores.h5") as f:
        np.testing.assert_array_equal(f["object_id"][:], ids)
        assert worst(f["z/prediction"][:][good].ravel(), session["photoz"].predict(features)) < 1e-12
        assert worst(f["kind/probability"][:][good], session["kind"].predict_proba(features)) < 1e-12
        labels = f["kind/classes"].asstr()[:][f["kind/label"][:][good]]
        assert (labels == session["kind"].predict(features)).all()
        for model in ("z", "kind"):
            np.testing.assert_array_equal(f[model + "/status"][:], np.where(good, 0, 1))
        assert (f["kind/label"][:][~good] == -1).all() and np.isnan(f["z/prediction"][:][~good]).all()


def test_single_cell(tmp_path):
    session = followed("single-cell", tmp_path)
    with h5py.File(tmp_path / "data/sample.h5ad") as f:
        matrix = sparse.csr_matrix((f["X/data"][:].astype(np.float64), f["X/indices"][:], f["X/indptr"][:]),
                                   shape=f["X"].attrs["shape"]).toarray()
        names, barcodes = f["var/_index"].asstr()[:].tolist(), f["obs/_index"].asstr()[:]
    rows = np.log1p(matrix * 1e4 / matrix.sum(axis=1, keepdims=True))
    place = {name: i for i, name in enumerate(names)}
    model_genes = session["genes"]
    known = np.array([name in place for name in model_genes])
    assert known.sum() == 2957 and len(model_genes) == 5017
    scaler = session["scaler"]
    scaled = np.zeros((len(rows), len(model_genes)))
    scaled[:, known] = rows[:, [place[name] for name in model_genes if name in place]]
    scaled[:, known] = ((scaled - scaler.mean_) / scaler.scale_)[:, known]
    assert (scaled > 10).any(), "nothing is clipped, so the limit is not tested"
    scaled = np.minimum(scaled, 10)
    with h5py.File(tmp_path / "scores.h5") as f:
        np.testing.assert_array_equal(f["_index"].asstr()[:], barcodes)
        for name in ("multinomial", "sigmoids"):
            assert worst(f[name + "/probability"][:], session[name].predict_proba(scaled)) < 1e-10
            assert worst(f[name + "/decision"][:], session[name].decision_function(scaled)) < 1e-10
            labels = f[name + "/classes"].asstr()[:][f[name + "/label"][:]]
            assert (labels == session[name].predict(scaled)).all()


def test_jets(tmp_path):
    session = followed("jets", tmp_path)
    scaler, names = session["scaler"], (tmp_path / "data/features.txt").read_text().split()
    layers = []
    with h5py.File(tmp_path / "data/network_full.h5") as f:
        for i in range(1, 5):
            group = f[f"model_weights/fc{i}/fc{i}"]
            layers.append((group["kernel:0"][:].astype(np.float64), group["bias:0"][:].astype(np.float64)))
    for number in (1, 2):
        with h5py.File(tmp_path / f"data/jets_{number}.h5") as f:
            rows = f["jets"][:] if number == 1 else np.column_stack([f["jets"][name] for name in names])
        x = (rows.astype(np.float64) - scaler.mean_) / scaler.scale_
        for i, (kernel, bias) in enumerate(layers):
            x = x @ kernel + bias
            x = np.maximum(x, 0) if i < 3 else np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        with h5py.File(tmp_path / f"scores_{number}.h5") as f:
            assert f["classes"].asstr()[:].tolist() == ["g", "q", "w", "z", "t"]
            assert worst(f["probability"][:], x) < 1e-5
            clear = np.sort(x, axis=1)[:, -1] - np.sort(x, axis=1)[:, -2] > 1e-4
            assert (f["label"][:] == x.argmax(axis=1))[clear].all() and clear.mean() > 0.99
