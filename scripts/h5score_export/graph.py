"""The graph of stages that a model file holds, and the stages that several scikit-learn objects become."""
import sys
from collections import namedtuple

import numpy as np

# Attributes and arrays as docs/model-format.md names them.
Stage = namedtuple("Stage", "kind attributes arrays", defaults=({}, {}))


class Unsupported(ValueError):
    """The estimator, or a setting of it, cannot be expressed in a model file."""


class Graph:
    """Stages in topological order. Node 0 is the features, node i + 1 the output of stage i."""

    def __init__(self):
        self.stages, self.inputs = [], []

    def add(self, stage, *nodes):
        """Appends a stage that reads `nodes`; gives its node."""
        self.stages.append(stage)
        self.inputs.append(list(nodes))
        return len(self.stages)

    def extend(self, stages, node):
        """Appends a chain of stages that begins at `node`; gives the last one's node."""
        for stage in stages:
            node = self.add(stage, node)
        return node

    def is_chain(self):
        return all(nodes == [i] for i, nodes in enumerate(self.inputs))


def scale(offset, divisor, width):
    offset = np.asarray(np.zeros(width) if offset is None else offset, dtype=np.float64)
    divisor = np.asarray(np.ones(width) if divisor is None else divisor, dtype=np.float64)
    return [Stage("scale", {}, {"offset": offset, "factor": 1.0 / divisor})]


def affine(weights, bias):
    return Stage("affine", {}, {"weights": np.asarray(weights), "bias": np.asarray(bias)})


def select(columns):
    return Stage("select", {}, {"columns": np.asarray(columns, dtype=np.int64)})


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def warn(text):
    print("export_sklearn: note: " + text, file=sys.stderr)


def sklearn_name(e):
    """The class name, if the class is scikit-learn's own: a subclass may compute something else."""
    return type(e).__name__ if type(e).__module__.split(".")[0] == "sklearn" else None
