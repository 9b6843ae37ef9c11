#!/usr/bin/env python3
"""Makes the files of a tutorial: simulated, small, and the same on every call.

    python3 make_tutorial_data.py photoz|cells|jets FOLDER

photoz  spectra.csv (training) and tract_1.h5, tract_2.h5, tract_10.h5: magnitudes in six bands, one dataset per column
cells   atlas.h5ad (training) and sample.h5ad: gene counts of blood cells, sparse matrices of AnnData
jets    jets_1.h5 (a table), jets_2.h5 (records), and a network as Keras 2 would have saved it, with the scaler of its
        inputs and some predictions; the network is trained by scikit-learn, so that nobody needs TensorFlow

Needs numpy and h5py; photoz: pandas; cells: scipy; jets: scikit-learn and joblib.
"""
import argparse
import json
import os

import h5py
import numpy as np

# --- photo-z -----------------------------------------------------------------------------------------------------------
BANDS = {"u": (368, 50), "g": (480, 70), "r": (622, 70), "i": (755, 65), "z": (869, 50), "y": (973, 45)}  # nm: centre, width
LIMITS = {"u": 26.0, "g": 27.3, "r": 27.2, "i": 26.7, "z": 26.0, "y": 24.8}  # faintest magnitude that is detected


def galaxy(wavelength, old, slope):
    """Flux per frequency of a galaxy at rest: a continuum with a step at 400 nm, the higher the older its stars."""
    step = 1 / (1 + np.exp(-(wavelength - 400) / 12))
    return (wavelength / 500) ** slope * (1 - old + old * step)


def quasar(wavelength, slope):
    """A power law with two broad lines, absorbed below 122 nm."""
    lines = 1.5 * np.exp(-0.5 * ((wavelength - 122) / 4) ** 2) + 0.5 * np.exp(-0.5 * ((wavelength - 280) / 8) ** 2)
    return (wavelength / 500) ** slope * (1 + lines) * np.where(wavelength < 122, 0.15, 1)


def star(wavelength, temperature):
    """A black body; metals take light below 400 nm from cool ones."""
    x = 14.388e6 / (wavelength * temperature)
    return wavelength**-3 / np.expm1(x) * (1 - 0.5 * (temperature < 6500) * (wavelength < 400))


def catalogue(rng, n):
    """Kind, redshift and true magnitudes (n x 6) of n objects."""
    kind = rng.choice(["galaxy", "star", "quasar"], n, p=[0.75, 0.18, 0.07])
    redshift = np.select([kind == "galaxy", kind == "quasar"], [rng.gamma(3, 0.22, n), rng.uniform(0.5, 3.5, n)], 0.0)
    old, slope = rng.uniform(0.2, 0.9, n), rng.normal(0.6, 0.25, n)
    temperature = rng.uniform(3200, 9000, n)
    spread = np.linspace(-1, 1, 15)
    flux = np.empty((n, len(BANDS)))
    for column, (centre, width) in enumerate(BANDS.values()):
        rest = (centre + width * spread)[None, :] / (1 + redshift)[:, None]
        each = np.select([(kind == "galaxy")[:, None], (kind == "quasar")[:, None]],
                         [galaxy(rest, old[:, None], slope[:, None]), quasar(rest, (slope - 0.3)[:, None])],
                         star(rest, temperature[:, None]))
        flux[:, column] = each.mean(axis=1)
    magnitude_i = np.clip(rng.normal(23.2, 1.4, n) + np.where(kind == "galaxy", 1.2 * (redshift - 0.6), 0), 17, 26.5)
    magnitudes = -2.5 * np.log10(flux / flux[:, [3]]) + magnitude_i[:, None]
    return kind, redshift, magnitudes


def observe(rng, magnitudes, absent):
    """Measured magnitudes: noise grows towards the limit of a band; what is fainter is `absent`."""
    limits = np.array(list(LIMITS.values()))
    noise = np.hypot(0.01, 0.12 * 10 ** (0.4 * (magnitudes - limits)))
    seen = magnitudes + rng.normal(size=magnitudes.shape) * np.minimum(noise, 0.3)
    return np.where(seen > limits, absent, seen).astype(np.float32)


def photoz(folder):
    import pandas

    rng = np.random.default_rng(2718)
    kind, redshift, magnitudes = catalogue(rng, 6000)
    table = pandas.DataFrame(observe(rng, magnitudes, np.nan), columns=["mag_" + band for band in BANDS])
    table.assign(redshift=redshift.round(5), type=kind).to_csv(os.path.join(folder, "spectra.csv"), index=False)
    first = 900_001
    for number, rows, absent in ((1, 4000, np.nan), (2, 3000, np.nan), (10, 2500, 99.0)):
        _, _, magnitudes = catalogue(rng, rows)
        seen = observe(rng, magnitudes, absent)
        with h5py.File(os.path.join(folder, "tract_%d.h5" % number), "w") as f:
            f["object_id"] = np.arange(first, first + rows)
            f["ra"], f["dec"] = rng.uniform(149.5, 150.8, rows), rng.uniform(1.6, 2.9, rows)
            f["ra"].attrs["units"] = f["dec"].attrs["units"] = "deg"
            for column, band in enumerate(BANDS):
                f.create_dataset("photometry/mag_" + band, data=seen[:, column], chunks=(1000,), compression="gzip")
            f["photometry/n_exposures"] = rng.integers(5, 30, rows).astype(np.int16)
        first += rows


# --- cells -------------------------------------------------------------------------------------------------------------
MARKERS = {
    "B cell": "CD79A CD79B MS4A1 CD19 CD74 BANK1 CD22 HLA-DRA",
    "CD4 T cell": "CD3D CD3E CD4 IL7R CCR7 LTB TCF7 LEF1",
    "CD8 T cell": "CD3D CD3E CD8A CD8B GZMK CCL5 CST7 NKG7",
    "NK cell": "NKG7 GNLY KLRD1 KLRF1 NCAM1 PRF1 GZMB FCGR3A",
    "monocyte": "LYZ S100A8 S100A9 CD14 FCN1 VCAN CST3 MS4A7",
    "platelet": "PPBP PF4 GP9 ITGA2B TUBB1 GNG11 SPARC CLU",
}
ATLAS_GENES, SHARED_GENES, SAMPLE_GENES = 5017, 2957, 4310


def gene_names():
    """Names of the atlas' genes and of the sample's, of which SHARED_GENES are the same; the order is another."""
    markers = sorted({gene for genes in MARKERS.values() for gene in genes.split()})
    names = markers + ["GENE%05d" % i for i in range(1, ATLAS_GENES + SAMPLE_GENES - SHARED_GENES - len(markers) + 1)]
    rng = np.random.default_rng(17)
    atlas = np.array(names[:ATLAS_GENES])
    kept = np.concatenate([np.arange(len(markers)), len(markers) + rng.choice(ATLAS_GENES - len(markers),
                                                                              SHARED_GENES - len(markers), replace=False)])
    sample = np.concatenate([atlas[kept], names[ATLAS_GENES:]])
    return rng.permutation(atlas), rng.permutation(sample)


def abundance(names, kinds):
    """What share of its molecules a cell of each kind has of each gene: kinds x genes."""
    level = np.array([np.random.default_rng([ord(c) for c in name]).gamma(0.35) for name in names])
    table = np.tile(level, (len(kinds), 1))
    for row, kind in enumerate(kinds):
        table[row, np.isin(names, MARKERS[kind].split())] = 25
        program = np.random.default_rng(row).permutation(len(names))[: len(names) // 40]
        table[row, program] *= 3
    return table / table.sum(axis=1, keepdims=True)


def counts(rng, names, cells):
    """Kind of each cell and its molecules per gene: a CSR matrix of float32."""
    from scipy import sparse

    kinds = sorted(MARKERS)
    kind = rng.choice(len(kinds), cells, p=[0.15, 0.3, 0.2, 0.1, 0.2, 0.05])
    depth = rng.lognormal(7.6, 0.35, cells)
    expected = abundance(names, kinds)[kind] * depth[:, None] * rng.gamma(4, 0.25, (cells, len(names)))
    return np.array(kinds)[kind], sparse.csr_matrix(rng.poisson(expected).astype(np.float32))


def write_h5ad(path, matrix, cells, genes, kind=None):
    """A CSR matrix with names, laid out as AnnData 0.8 does it; here without that package."""
    with h5py.File(path, "w") as f:
        f.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = f.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array(matrix.shape)})
        for name in ("data", "indices", "indptr"):
            x.create_dataset(name, data=getattr(matrix, name), compression="gzip")
        for axis, index, columns in (("obs", cells, {} if kind is None else {"cell_type": kind}), ("var", genes, {})):
            table = f.create_group(axis)
            table.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
            table.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
            for name, values in {"_index": index, **columns}.items():
                table.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
                table[name].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            f.create_group(name).attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})


def cells(folder):
    rng = np.random.default_rng(1859)
    atlas_genes, sample_genes = gene_names()
    for name, genes, n in (("atlas", atlas_genes, 1500), ("sample", sample_genes, 4000)):
        kind, matrix = counts(rng, genes, n)
        barcodes = np.array(["".join(rng.choice(list("ACGT"), 14)) + "-1" for _ in range(n)])
        write_h5ad(os.path.join(folder, name + ".h5ad"), matrix, barcodes, genes, kind)


# --- jets --------------------------------------------------------------------------------------------------------------
FEATURES = """zlogz c1_b0 c1_b1 c1_b2 c2_b1 c2_b2 d2_b1 d2_b2 d2_a1_b1 d2_a1_b2 m2_b1 m2_b2 n2_b1 n2_b2 mass
    multiplicity""".split()
JETS = {"g": (18, 5, 0.45), "q": (12, 5, 0.38), "w": (80, 8, 0.25), "z": (91, 8, 0.25), "t": (172, 15, 0.15)}


def simulate_jets(rng, n):
    """n x 16 features (float32) of jets and the particle that began each: gluon, quark, W, Z, top. The features are not
    computed from particles, but hang together as those of jets do: prongs, mass, number of particles."""
    particle = rng.choice(list(JETS), n)
    mass_peak, mass_width, drift = (np.array([JETS[p][i] for p in particle]) for i in range(3))
    heavy = np.isin(particle, ["w", "z", "t"])
    mass = np.where(heavy, rng.normal(mass_peak, mass_width), mass_peak * rng.lognormal(0.6, 0.6, n))
    prongs = np.where(particle == "t", 3, np.where(heavy, 2, 1)) + rng.normal(scale=0.35, size=n)
    multiplicity = np.maximum(5, rng.normal(22 + 9 * prongs + 18 * (particle == "g"), 7)).round()
    zlogz = -0.55 * np.log(multiplicity) + rng.normal(scale=0.2, size=n)
    features = [zlogz]
    for power in (0.3, 0.8, 1.3):
        features.append(drift * np.exp(-0.25 * power * prongs + rng.normal(scale=0.2, size=n)))
    for power in (0.5, 1.1, 0.7, 1.3, 0.6, 1.2, 0.4, 0.9, 0.5, 1.0):
        features.append(np.exp(-power * np.abs(prongs - 2) + 0.004 * mass + rng.normal(scale=0.3, size=n)))
    return np.column_stack(features + [np.maximum(mass, 1), multiplicity]).astype(np.float32), particle


def keras_config(sizes, activations):
    """What Keras 2's model.to_json() says of a Sequential network of Dense layers."""
    layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, sizes[0]], "dtype": "float32",
                                                      "sparse": False, "ragged": False, "name": "fc1_input"}}]
    for i, (units, activation) in enumerate(zip(sizes[1:], activations), 1):
        layers.append({"class_name": "Dense", "config": {
            "name": "fc%d" % i, "trainable": True, "dtype": "float32", "units": units, "activation": activation,
            "use_bias": True, "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
            "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None}})
    return {"class_name": "Sequential", "config": {"name": "jets", "layers": layers}}


def put_keras_weights(group, weights):
    group.attrs.update(layer_names=np.array([b"fc%d" % (i + 1) for i in range(len(weights))]), backend=b"tensorflow",
                       keras_version=b"2.4.0")
    for i, (kernel, bias) in enumerate(weights, 1):
        layer = group.create_group("fc%d" % i)
        layer.attrs["weight_names"] = np.array([b"fc%d/kernel:0" % i, b"fc%d/bias:0" % i])
        layer["fc%d/kernel:0" % i], layer["fc%d/bias:0" % i] = kernel.astype(np.float32), bias.astype(np.float32)


def write_keras(folder, weights, activations):
    """The two ways in which Keras 2 saves a network: network.json with network_weights.h5, and all in network_full.h5."""
    config = keras_config([weights[0][0].shape[0]] + [len(bias) for _, bias in weights], activations)
    with open(os.path.join(folder, "network.json"), "w", encoding="utf-8") as f:
        json.dump({**config, "keras_version": "2.4.0", "backend": "tensorflow"}, f)
    with h5py.File(os.path.join(folder, "network_weights.h5"), "w") as f:
        put_keras_weights(f, weights)
    with h5py.File(os.path.join(folder, "network_full.h5"), "w") as f:
        f.attrs.update(keras_version=b"2.4.0", backend=b"tensorflow", model_config=json.dumps(config).encode())
        put_keras_weights(f.create_group("model_weights"), weights)


def jets(folder):
    import warnings

    import joblib
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(1973)
    x, particle = simulate_jets(rng, 8000)
    scaler = StandardScaler().fit(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of iterations is chosen for time
        # Five columns in the order of JETS: the network itself knows no names, as a Keras network does not.
        network = MLPClassifier((64, 32, 32), max_iter=12, random_state=1).fit(
            scaler.transform(x).astype(np.float32), np.array([list(JETS).index(p) for p in particle]))
    write_keras(folder, list(zip(network.coefs_, network.intercepts_)), ["relu", "relu", "relu", "softmax"])
    np.savez(os.path.join(folder, "predictions.npz"), rows=x[:256],
             probability=network.predict_proba(scaler.transform(x[:256]).astype(np.float32)))
    joblib.dump(scaler, os.path.join(folder, "scaler.joblib"))
    with open(os.path.join(folder, "features.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(FEATURES) + "\n")
    x, particle = simulate_jets(rng, 5000)
    with h5py.File(os.path.join(folder, "jets_1.h5"), "w") as f:
        f.create_dataset("jets", data=x, chunks=(1000, 16), compression="gzip", shuffle=True)
        f.create_dataset("particle", data=particle.astype("S1"))
    x, particle = simulate_jets(rng, 4000)
    order = ["mass", "multiplicity"] + FEATURES[:14]
    records = np.empty(len(x), dtype=[("event", "u8")] + [(name, "f4") for name in order] + [("particle", "S1")])
    records["event"], records["particle"] = np.arange(500_000, 500_000 + len(x)), particle.astype("S1")
    for column, name in enumerate(FEATURES):
        records[name] = x[:, column]
    with h5py.File(os.path.join(folder, "jets_2.h5"), "w") as f:
        f.create_dataset("jets", data=records, chunks=(1000,), compression="gzip")


TUTORIALS = {"photoz": photoz, "cells": cells, "jets": jets}


def main():
    parser = argparse.ArgumentParser(description="Makes the files of a tutorial.")
    parser.add_argument("tutorial", choices=sorted(TUTORIALS))
    parser.add_argument("folder", help="folder to write to; made if it does not exist")
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    TUTORIALS[arguments.tutorial](arguments.folder)
    print("\n".join(sorted(os.listdir(arguments.folder))))


if __name__ == "__main__":
    main()
