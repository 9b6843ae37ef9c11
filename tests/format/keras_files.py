"""Writes networks as Keras 1, 2 and 3 write them, and computes them by numpy: files to read, and what they should give.

A network is a list of layers, each a dict: class_name, name, config, inputs (names of layers; None: the one before),
weights (a list of (name, array), what training changes first), or layers (a nested network)."""
import io
import json
import math
import re
import zipfile

import h5py
import numpy as np

RNG = np.random.default_rng(11)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def layer(class_name, name, inputs=None, weights=(), layers=None, **config):
    return {"class_name": class_name, "name": name, "inputs": inputs, "weights": list(weights), "layers": layers,
            "config": config}


def source(name, *shape):
    return layer("InputLayer", name, shape=shape)


def dense(name, d, units, activation="linear", inputs=None, **config):
    weights = [("kernel", array(d, units) / math.sqrt(d))]
    if config.get("use_bias", True):
        weights.append(("bias", array(units)))
    return layer("Dense", name, inputs, weights, units=units, activation=activation,
                 **{"use_bias": True, "kernel_regularizer": None, "trainable": True, **config})


def batch_norm(name, d, inputs=None, **config):
    weights = [(n, array(d)) for n, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]
    weights += [("moving_mean", array(d)), ("moving_variance", np.abs(array(d)) + 0.1)]
    return layer("BatchNormalization", name, inputs, weights,
                 **{"axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True, **config})


# What layers compute, by the definitions in Keras' documentation.

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softplus(x):
    return np.logaddexp(x, 0)


def functions(major):
    erf = np.vectorize(math.erf)
    hard = (lambda x: np.clip(x / 6 + 0.5, 0, 1)) if major >= 3 else (lambda x: np.clip(0.2 * x + 0.5, 0, 1))
    return {
        "linear": lambda x: x, "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: np.clip(x, 0, 6),
        "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x), "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
        "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "silu": lambda x: x / (1 + np.exp(-x)), "swish": lambda x: x / (1 + np.exp(-x)), "tanh": np.tanh,
        "softplus": softplus, "softsign": lambda x: x / (1 + np.abs(x)), "exponential": np.exp, "hard_sigmoid": hard,
        "hard_silu": lambda x: x * hard(x), "hard_tanh": lambda x: np.clip(x, -1, 1), "softmax": softmax,
        "mish": lambda x: x * np.tanh(softplus(x)), "log_sigmoid": lambda x: -softplus(-x),
        "log_softmax": lambda x: np.log(softmax(x)),
    }


def normalised(x, c, w, axis):
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    part = {name: np.asarray(value, np.float64).reshape(shape) for name, value in w.items()}
    y = (x - part["moving_mean"]) / np.sqrt(part["moving_variance"] + c["epsilon"])
    return y * part.get("gamma", 1) + part.get("beta", 0)


def normalization(x, c, w):
    mean, variance = (np.asarray(w.get(k, c.get(k)), np.float64) for k in ("mean", "variance"))
    return (x - mean) / np.maximum(np.sqrt(variance), 1e-7)


def relu_layer(x, c):
    slope, threshold, limit = c.get("negative_slope", 0), c.get("threshold", 0), c.get("max_value")
    y = np.where(x > threshold, x, slope * (x - threshold))
    return y if limit is None else np.minimum(y, limit)


def compute(item, values, major):
    """Output of one layer for inputs n x ..."""
    c, w, x = item["config"], {n: a.astype(np.float64) for n, a in item["weights"]}, values[0]
    table = functions(major)
    by_class = {
        "Dense": lambda: table[c["activation"]](x @ w["kernel"] + w.get("bias", 0)),
        "Activation": lambda: table[c["activation"]](x),
        "BatchNormalization": lambda: normalised(x, c, w, c["axis"] if isinstance(c["axis"], int) else c["axis"][0]),
        "Normalization": lambda: normalization(x, c, w),
        "Rescaling": lambda: x * np.asarray(c["scale"]) + np.asarray(c["offset"]),
        "ReLU": lambda: relu_layer(x, c),
        "LeakyReLU": lambda: np.where(x > 0, x, c.get("negative_slope", c.get("alpha", 0.3)) * x),
        "PReLU": lambda: np.where(x > 0, x, w["alpha"] * x),
        "ELU": lambda: np.where(x > 0, x, c.get("alpha", 1) * np.expm1(x)),
        "ThresholdedReLU": lambda: np.where(x > c["theta"], x, 0),
        "Softmax": lambda: softmax(x),
        "Flatten": lambda: (np.moveaxis(x, 1, -1) if c.get("data_format") == "channels_first" and x.ndim > 2
                            else x).reshape(len(x), -1),
        "Reshape": lambda: x.reshape(len(x), *c["target_shape"]),
        "Permute": lambda: x.transpose(0, *c["dims"]),
        "Concatenate": lambda: np.concatenate(values, axis=c["axis"]),
        "Add": lambda: sum(values), "Subtract": lambda: values[0] - values[1], "Multiply": lambda: np.prod(values, 0),
        "Average": lambda: np.mean(values, 0),
        "Maximum": lambda: np.max(values, 0), "Minimum": lambda: np.min(values, 0),
        "Merge": lambda: np.concatenate(values, -1) if c["mode"] == "concat" else sum(values),
    }
    return by_class.get(item["class_name"], lambda: x)()


def predict(net, x, major=2):
    """Output of a network's last layer for rows x (n x ...). `inputs` may name one layer several times."""
    x, done, last = np.asarray(x, np.float64), {}, None
    for item in net:
        wanted = item["inputs"] or ([last] if last else [])
        values = [done[name] for name in wanted] or [x]
        done[item["name"]] = (predict(item["layers"], values[0], major) if item["layers"]
                              else compute(item, values, major))
        last = item["name"]
    return done[last]


# How Keras writes them.

OLD_NAMES = {"units": "output_dim", "use_bias": "bias", "kernel_regularizer": "W_regularizer"}


def layer_config(item, major):
    config = {k: v for k, v in item["config"].items() if k != "shape"}
    if item["class_name"] == "InputLayer":
        key = "batch_shape" if major >= 3 else "batch_input_shape"
        config[key] = [None, *item["config"]["shape"]]
        config["dtype"] = "float32"
    if major == 1:
        config = {OLD_NAMES.get(k, k): v for k, v in config.items()}
    return {"name": item["name"], **config}


def described(item, major):
    config = network_config(item["layers"], major)[1] if item["layers"] else layer_config(item, major)
    result = {"class_name": item["class_name"], "config": config}
    if major >= 3:
        result.update(module="keras.layers", registered_name=None, build_config={})
        if "dtype" not in config and isinstance(config, dict) and not item["layers"]:
            config["dtype"] = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"},
                               "registered_name": None}
    return result


def network_config(net, major):
    """Class name and config: Sequential unless a layer names what it reads."""
    if all(item["inputs"] is None for item in net):
        items = [item for item in net if item["class_name"] != "InputLayer" or major >= 3]
        layers = [described(item, major) for item in items]
        if major < 3 and net[0]["class_name"] == "InputLayer":
            first = layers[0]["config"]
            if isinstance(first, dict) and "layers" not in first:
                first["batch_input_shape"] = [None, *net[0]["config"]["shape"]]
                first["dtype"] = "float32"
        if major < 3:
            return "Sequential", layers if major == 1 else {"name": "sequential", "layers": layers}
        return "Sequential", {"name": "sequential", "trainable": True, "layers": layers}
    names = [item["name"] for item in net]
    layers, last = [], None
    for item in net:
        wanted = item["inputs"] or ([last] if last else [])
        entry = {**described(item, major), "name": item["name"]}
        entry["inbound_nodes"] = [inbound(wanted, major)] if wanted else []
        layers.append(entry)
        last = item["name"]
    return ("Functional" if major >= 2 else "Model"), {
        "name": "model", "layers": layers, "input_layers": [[names[0], 0, 0]],
        "output_layers": [reference(names[-1], major)]}


def reference(name, major):
    """Nested networks (named inner...) were called before, when they were made: Keras 2 counts their calls from 1."""
    return [name, 1 if name.startswith("inner") and major < 3 else 0, 0]


def inbound(wanted, major):
    if major < 3:
        return [[*reference(name, major), {}] for name in wanted]
    tensors = [{"class_name": "__keras_tensor__", "config": {"shape": [None], "dtype": "float32",
                                                             "keras_history": [name, 0, 0]}} for name in wanted]
    return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}


def owners(net):
    for item in net:
        if item["layers"]:
            yield from owners(item["layers"])
        elif item["weights"]:
            yield item


def classic_weights(item):
    """(name, array) of one entry of layer_names, in the order of Keras: nested networks first all that is trained."""
    own = list(owners([item]))
    fixed = ("moving_mean", "moving_variance", "mean", "variance", "count")
    pairs = [(o, n, a) for o in own for n, a in o["weights"]]
    first = [p for p in pairs if p[1] not in fixed and p[0]["config"].get("trainable", True)]
    return first + [p for p in pairs if not any(p[2] is q[2] for q in first)]


def write_names(group, name, names, cut=None):
    encoded = np.array([n.encode() for n in names])
    if cut is None:
        group.attrs[name] = encoded if len(names) else np.zeros(0)
        return
    for i, part in enumerate(np.array_split(encoded, cut)):
        group.attrs[f"{name}{i}"] = part


def write_classic(group, net, version, cut=None):
    major = int(version[0])
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = version.encode()
    items = [item for item in net if item["class_name"] != "InputLayer" or any(i["inputs"] for i in net)]
    write_names(group, "layer_names", [item["name"] for item in items], cut)
    for item in items:
        inner = group.create_group(item["name"])
        names = []
        for owner, name, values in classic_weights(item):
            old = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}
            path = f"{owner['name']}_{old.get(name, name)}" if major == 1 else f"{owner['name']}/{name}"
            path += ":0" if major == 2 else ""
            inner.create_dataset(path, data=values)
            names.append(path)
        write_names(inner, "weight_names", names, cut if len(names) > 1 else None)


def snake(class_name):
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", class_name)).lower()


def write_own(group, net, container="layers", gaps=False):
    used = {}
    inner = group.create_group(container)
    for item in net:
        name = snake(item["class_name"])
        used[name] = used.get(name, -1) + 1
        number = used[name] * (2 if gaps and item["weights"] else 1)
        place = inner.create_group(name + (f"_{number}" if number else ""))
        if item["layers"]:
            write_own(place, item["layers"], container, gaps)
        variables = place.create_group("vars")
        for i, (_, values) in enumerate(item["weights"]):
            variables[str(i)] = values


def description(net, version, **more):
    class_name, config = network_config(net, int(version[0]))
    return {"class_name": class_name, "config": config, "keras_version": version, "backend": "tensorflow", **more}


def save_h5(path, net, version, cut=None):
    with h5py.File(path, "w") as f:
        f.attrs["model_config"] = json.dumps(description(net, version)).encode()
        f.attrs["keras_version"] = version.encode()
        f.attrs["backend"] = b"tensorflow"
        f.attrs["training_config"] = b"{}"
        write_classic(f.create_group("model_weights"), net, version, cut)
        f.create_group("optimizer_weights")
    return path


def save_pair(stem, net, version, ending="_weights.h5"):
    with open(f"{stem}.json", "w", encoding="utf-8") as f:
        json.dump(description(net, version), f)
    with h5py.File(f"{stem}{ending}", "w") as f:
        if ending == ".weights.h5":
            write_own(f, net)
        else:
            write_classic(f, net, version)
    return f"{stem}.json", f"{stem}{ending}"


def weights_image(net, version="3.4.1"):
    image = io.BytesIO()
    with h5py.File(image, "w") as f:
        early = version.startswith("2")
        write_own(f, net, "_layer_checkpoint_dependencies" if early else "layers", early)
    return image.getvalue()


def save_keras(path, net, version="3.4.1", config=None, weights=None, compression=zipfile.ZIP_STORED):
    class_name, body = network_config(net, 3)
    config = config or {"module": "keras", "class_name": class_name, "config": body, "registered_name": class_name,
                        "build_config": {"input_shape": [None, 4]}, "compile_config": None}
    with zipfile.ZipFile(path, "w", compression) as f:
        f.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2024-01-01@00:00:00"}))
        f.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(config))
        if weights is not False:
            f.writestr("model.weights.h5", weights_image(net, version) if weights is None else weights)
    return path
