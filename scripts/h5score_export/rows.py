"""Rows that go into a model file: those of its self-test, and what the training rows looked like. Needs numpy only."""
import warnings

import numpy as np

GOLDEN_ROWS = 256


def spread(rows, count=GOLDEN_ROWS):
    """A copy of at most `count` rows, evenly spread over an array or a DataFrame (which stays one)."""
    rows = rows if hasattr(rows, "iloc") else np.asarray(rows)
    if rows.ndim < 2 or not len(rows):
        raise ValueError("rows of shape %s were given; n x features (or n x the shape of one row) is needed" % (rows.shape,))
    chosen = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)
    return rows.iloc[chosen] if hasattr(rows, "iloc") else rows[chosen]


def column_facts(training, width):
    """Mean, standard deviation, minimum and maximum of each of `width` columns; missing values do not count."""
    table = np.asarray(training, dtype=np.float64).reshape(len(training), -1)
    if table.shape[1] != width:
        raise ValueError("the training rows have %d columns, the model has %d" % (table.shape[1], width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        facts = {"mean": np.nanmean(table, 0), "stddev": np.nanstd(table, 0),
                 "minimum": np.nanmin(table, 0), "maximum": np.nanmax(table, 0)}
    if not all(np.isfinite(fact).all() for fact in facts.values()):
        raise ValueError("the training rows have a column without values, or with infinite ones")
    return facts


def counted(values, count, what):
    """The values as a list; a ValueError where the model has another number of them."""
    if len(values) != count:
        raise ValueError("%d %s given, the model has %d" % (len(values), what, count))
    return values.tolist() if hasattr(values, "tolist") else list(values)


def words(text):
    """"A,B,..." or the name of a file with one word per line, as a list."""
    if text is None:
        return None
    try:
        with open(text, encoding="utf-8") as f:
            return f.read().splitlines()
    except OSError:
        return text.split(",")
