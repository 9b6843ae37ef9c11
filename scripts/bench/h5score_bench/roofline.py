"""What a row needs, against what the machine can do: the rate that two cores could reach at most."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """Needs of one row. Bytes are read from the page cache and written to new pages of a tmpfs."""
    read: float
    written: float
    flops: float
    exps: float = 0
    inflated: float = 0
    double: bool = False


NETWORK = 2 * (100 * 256 + 256 * 128 + 128 * 10)
SUPPORT_VECTORS = 1978  # of the peers' machine; make_data.py prints them
MACHINE = 2 * 100 * SUPPORT_VECTORS
WORK = {
    "linreg-a": Work(400, 4, 200),
    "linreg-c": Work(400, 4, 200),
    "linreg-b": Work(188, 4, 200, inflated=400),
    "logreg-a": Work(400, 40, 2000, 10),
    "mlp-a": Work(400, 40, NETWORK, 10),
    "svm-a": Work(400, 4, MACHINE, SUPPORT_VECTORS),
    "logreg-a-float64": Work(400, 80, 2000, 10, double=True),
    "mlp-a-float64": Work(400, 80, NETWORK, 10, double=True),
    "svm-a-float64": Work(400, 8, MACHINE, SUPPORT_VECTORS, double=True),
    "linreg-d": Work(240, 8, 60, double=True),
}
# what: (which need, which limit of scripts/bench/limits for float and for double)
PARTS = {
    "read": ("read", "pread", "pread"),
    "inflate": ("inflated", "inflate", "inflate"),
    "multiply-add": ("flops", "fma_float", "fma_double"),
    "exp": ("exps", "exp_float", "exp_double"),
    "write": ("written", "write", "write"),
}


def roofline(work, limits):
    """{"rows_per_second", "shares"}: the times of the parts add up, because one core does them one after another.

    `limits`: name -> units in a second with all cores in use."""
    seconds = {part: getattr(work, need) / limits[double if work.double else single]
               for part, (need, single, double) in PARTS.items()}
    total = sum(seconds.values())
    return {"rows_per_second": 1 / total, "shares": {part: s / total for part, s in seconds.items() if s > 0}}


def in_words(found):
    """'read 81 %, multiply-add 3 %, ...', largest first, without what hardly counts."""
    parts = sorted(found["shares"].items(), key=lambda item: -item[1])
    return ", ".join(f"{part} {100 * share:.0f} %" for part, share in parts if share >= 0.02)
