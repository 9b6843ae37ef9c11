"""Writes model files (docs/model-format.md)."""
import h5py
import numpy as np

from h5score_export.graph import Unsupported


def class_labels(classes):
    """Class labels as HDF5 keeps them: int64, float64 or text."""
    classes = np.asarray(classes)
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    values = [c.decode() if isinstance(c, bytes) else c for c in classes.tolist()]
    if not all(isinstance(v, str) for v in values):
        raise Unsupported("class labels of mixed or other types are not supported: %r" % (values[:5],))
    return values


def compact(array):
    """The smallest of uint8, float32 and float64 that holds every value exactly."""
    array = np.asarray(array)
    for dtype in (np.uint8, np.float32):
        if array.dtype.kind != "f" or array.dtype.itemsize <= np.dtype(dtype).itemsize:
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            small = array.astype(dtype)
        if np.array_equal(small.astype(array.dtype), array) and not (dtype is np.uint8 and np.signbit(array).any()):
            return small
    return array


def put(group, name, value):
    if isinstance(value, list):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        return
    value = compact(value)
    filters = dict(compression="gzip", shuffle=True) if value.nbytes > 1 << 16 else {}
    group.create_dataset(name, data=value, **filters)


def write(path, attributes, graph, head, feature_names, facts):
    """facts: {"golden": {name: array}, "reference": {name: array}}, either may be empty."""
    with h5py.File(path, "w") as f:
        f.attrs.update(format="h5score-model", format_version=1, **attributes)
        f.create_group("stages")
        for number, (stage, inputs) in enumerate(zip(graph.stages, graph.inputs)):
            group = f.create_group("stages/%d" % number)
            group.attrs["kind"] = stage.kind
            group.attrs.update(stage.attributes)
            if not graph.is_chain():
                group.attrs["inputs"] = inputs
            for name, array in stage.arrays.items():
                put(group, name, array)
        write_head(f.create_group("head"), head)
        if feature_names is not None:
            put(f, "feature_names", feature_names)
        for folder, arrays in facts.items():
            for name, array in arrays.items():
                put(f.require_group(folder), name, array)


def write_head(group, head):
    for name, value in head.items():
        if isinstance(value, (str, bool)):
            group.attrs[name] = value
        else:
            put(group, name, class_labels(value) if name == "classes" else value)
