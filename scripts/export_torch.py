#!/usr/bin/env python3
"""Writes a PyTorch module as an ONNX file that h5score scores, with names, classes and a self-test inside.

    python3 export_torch.py MODULE.py:factory WEIGHTS.pt OUT.onnx --rows X.npy [--classes g,q,w,z,t] ...
    python3 export_torch.py MODEL.pt OUT.onnx --rows X.npy ...      (a TorchScript file, or torch.save of a whole module)

or, where the module is in memory anyway,

    import export_torch
    export_torch.export(module, X_test, "jets.onnx", feature_names=names, classes=["g", "q", "w", "z", "t"])

Needs PyTorch (1.13 or newer), numpy and the folder h5score_export beside this file. The ONNX file is that of
torch.onnx.export, with a free number of rows. What it lacks is added as metadata_props (docs/model-format.md): feature
names, classes, what the output means, up to 256 rows with the module's own output (h5score scores them first in every run
and stops if it comes to other results), and what the training data looked like.

MODULE.py and whole-module files run their code when they are loaded: load only files that you trust.
"""
import argparse
import copy
import importlib.util
import inspect
import json
import os
import sys
import warnings

import numpy as np
import torch

from h5score_export.rows import column_facts, counted, spread, words

OUTPUTS = ("values", "logits", "probabilities")


class Unsupported(ValueError):
    """The module, or what it returns, cannot be scored row by row."""


def private_copy(module):
    """A copy on the processor, in eval mode: the caller's module stays as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own notes on the gradients of copied TorchScript parameters
        return copy.deepcopy(module).cpu().eval()


def run(module, rows):
    """The module's output as an array: n, or n x k."""
    with torch.no_grad():
        answer = module(rows)
    if not isinstance(answer, torch.Tensor):
        raise Unsupported("the module returns a %s instead of one tensor; wrap it in a module that returns the one to score"
                          % type(answer).__name__)
    if answer.ndim not in (1, 2) or len(answer) != len(rows):
        raise Unsupported("the module returns shape %s for %d rows; one row of results for each is needed"
                          % (tuple(answer.shape), len(rows)))
    return answer.detach().cpu().numpy()


def check_row_by_row(module, rows):
    """Refuses a module whose output for a row depends on the rows beside it, or on chance."""
    few = rows[:16]
    together = run(module, few)
    tolerance = 1e-9 if together.dtype == np.float64 else 1e-4
    limit = tolerance * np.maximum(1, np.abs(together))
    if not (np.abs(run(module, few) - together) <= limit).all():
        raise Unsupported("the module's output changes from one call to the next (an active dropout?)")
    alone = np.concatenate([run(module, few[i : i + 1]) for i in range(len(few))])
    if not (np.abs(alone - together) <= limit).all():
        raise Unsupported("the module's output for a row depends on the other rows of the batch (batch statistics, or a "
                          "softmax or mean over axis 0?); a model that scores files must treat each row alone")


def some_rows(rows, module):
    """Up to 256 of the rows, as a tensor of the parameters' type."""
    types = [p.dtype for p in module.parameters() if p.is_floating_point()]
    return torch.as_tensor(np.asarray(spread(rows))).to(types[0] if types else torch.float32).contiguous()


def varint(value):
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def field(number, data):
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def metadata_bytes(entries):
    """ModelProto.metadata_props (field 14) of {key: text, or what its JSON text holds}. Serialized messages may be joined,
    so these bytes can be appended to an ONNX file without the onnx package."""
    texts = {key: entry if isinstance(entry, str) else json.dumps(entry, allow_nan=False) for key, entry in entries.items()}
    return b"".join(field(14, field(1, key.encode()) + field(2, text.encode())) for key, text in texts.items())


def onnx_export(module, rows, path, opset):
    options = {"input_names": ["rows"], "output_names": ["output"], "opset_version": opset,
               "dynamic_axes": {"rows": {0: "n"}, "output": {0: "n"}}}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # the newer exporter needs packages beside PyTorch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes of the tracer on what becomes a constant; the golden rows check that
        torch.onnx.export(module, (rows,), path, **options)


def export(module, example_rows, path, feature_names=None, classes=None, targets=None, output=None, golden_rows=None,
           training=None, opset=13):
    """Writes `module` to `path`.

    module: an nn.Module or ScriptModule that takes one batch of rows; it is exported in eval mode, on the processor.
    example_rows: real rows, n x features (or n x the shape of one row).
    feature_names: one per feature. classes: labels (integers, floats or texts) in the order of the output's columns; two
    for a single column. targets: names of a regression's outputs.
    output: "logits" or "probabilities" of the classes, or "values"; default: probabilities where the module ends in a
    softmax or sigmoid, else logits; without classes, values.
    golden_rows: rows for the self-test of every run (default: example_rows); up to 256 of them are kept.
    training: the rows that the module was trained on; their mean, standard deviation and range are kept, so that a run
    can say where its data are unlike them.
    Raises Unsupported (a ValueError) where the module does not treat each row alone.
    """
    if output is not None and output not in OUTPUTS:
        raise ValueError("output is %r; one of %s is possible" % (output, ", ".join(OUTPUTS)))
    module = private_copy(module)
    rows = some_rows(example_rows, module)
    check_row_by_row(module, rows)
    golden = rows if golden_rows is None else some_rows(golden_rows, module)
    entries = describe(golden, run(module, golden), feature_names, classes, targets, output)
    if training is not None:
        facts = column_facts(training, rows[0].numel())
        entries["h5score.reference"] = {name: values.tolist() for name, values in facts.items()}
    part = "%s.tmp" % path
    try:
        onnx_export(module, rows[:1], part, opset)
        with open(part, "ab") as f:
            f.write(metadata_bytes(entries))
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def describe(golden, answers, feature_names, classes, targets, output):
    """The metadata that h5score understands: {key: what its JSON text holds}."""
    entries = {}
    width = 1 if answers.ndim == 1 else answers.shape[1]
    if feature_names is not None:
        entries["h5score.feature_names"] = counted(feature_names, int(np.prod(golden.shape[1:])), "feature names")
    if classes is not None:
        entries["h5score.classes"] = counted(classes, 2 if width == 1 else width, "classes")
    if targets is not None:
        entries["h5score.targets"] = counted(targets, width, "target names")
    if output is not None:
        entries["h5score.output"] = output
    entries["h5score.golden"] = {"rows": golden.reshape(len(golden), -1).tolist(),
                                 "output": answers.reshape(len(golden), -1).tolist()}
    return entries


def load_python(source, weights):
    """Calls FACTORY of "MODULE.py:FACTORY" and gives the module that it returns its weights."""
    path, _, factory = source.rpartition(":")
    spec = importlib.util.spec_from_file_location("exported_module", path)
    code = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec.loader.exec_module(code)
    module = getattr(code, factory)()
    state = unpickle(weights)
    module.load_state_dict(state.state_dict() if isinstance(state, torch.nn.Module) else state)
    return module


def unpickle(path):
    options = {"weights_only": False} if "weights_only" in inspect.signature(torch.load).parameters else {}
    return torch.load(path, map_location="cpu", **options)


def load_whole(path):
    """A TorchScript file, or a module saved whole by torch.save."""
    try:
        return torch.jit.load(path, map_location="cpu")
    except RuntimeError:  # not TorchScript
        module = unpickle(path)
    if not isinstance(module, torch.nn.Module):
        raise ValueError("%s holds a %s, not a module; for a file of weights give MODULE.py:factory, too"
                         % (path, type(module).__name__))
    return module


def arguments_of(argv):
    parser = argparse.ArgumentParser(description="Writes a PyTorch module as an ONNX file for h5score.")
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="MODULE.py:factory WEIGHTS.pt OUT.onnx, or MODEL.pt OUT.onnx; loading a module runs its code")
    parser.add_argument("--rows", metavar="X.npy", required=True, help="real rows: example and self-test of every run")
    parser.add_argument("--training", metavar="X.npy", help="the training rows: their mean, deviation and range are kept")
    parser.add_argument("--feature-names", metavar="LIST|FILE", help="a,b,... or a file with a name per line")
    parser.add_argument("--classes", metavar="LIST|FILE", help="class names, in the order of the output's columns")
    parser.add_argument("--targets", metavar="LIST|FILE", help="names of a regression's outputs")
    parser.add_argument("--output", choices=OUTPUTS, help="what the module returns (default: see the docstring of export)")
    parser.add_argument("--opset", type=int, default=13, help="ONNX opset (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if len(arguments.files) not in (2, 3):
        parser.error("two or three files are needed: [MODULE.py:factory] MODEL.pt OUT.onnx")
    return arguments


def main(argv=None):
    arguments = arguments_of(argv)
    *sources, out = arguments.files
    try:
        module = load_python(*sources) if len(sources) == 2 else load_whole(sources[0])
        training = None if arguments.training is None else np.load(arguments.training, mmap_mode="r")
        export(module, np.load(arguments.rows, mmap_mode="r"), out, words(arguments.feature_names), words(arguments.classes),
               words(arguments.targets), arguments.output, training=training, opset=arguments.opset)
    except (OSError, ValueError, AttributeError, RuntimeError) as error:
        sys.exit("export_torch: %s" % str(error).split("\n")[0])
    print("wrote " + out)


if __name__ == "__main__":
    main()
