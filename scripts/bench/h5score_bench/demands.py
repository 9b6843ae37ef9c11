"""What h5score has to reach in a case, and whether it does. A demand holds where its figure is at least `factor`."""
from dataclasses import dataclass

BEST_PEER = "the best peer"


@dataclass(frozen=True)
class Demand:
    """`subject`'s rate is at least `factor` times that of `reference`."""
    subject: str
    factor: float
    reference: str
    kind: str = "rate"

    def text(self):
        if self.kind == "memory":
            return f"{self.subject}: at most the model + 64 MiB + 3 blocks"
        if self.kind == "seconds":
            return f"{self.subject}: at most {self.factor:g} s" + (f" over {self.reference}" if self.reference else "")
        return f"{self.subject}: {self.factor:g} x {self.reference}"

    def judge(self, entries):
        """The figure reached and whether it is enough, or None where a program did not run. `entries`: results by name."""
        subject = entries.get(self.subject)
        if not usable(subject):
            return None
        if self.kind == "memory":
            return subject["memory"] / subject["memory_allowed"], subject["memory"] <= subject["memory_allowed"]
        if self.kind == "seconds" and not self.reference:
            return subject["whole_seconds"], subject["whole_seconds"] <= self.factor
        reference = best_peer(entries) if self.reference == BEST_PEER else entries.get(self.reference)
        if not usable(reference):
            return None
        if self.kind == "seconds":
            more = subject["whole_seconds"] - reference["whole_seconds"]
            return more, more <= self.factor
        ratio = subject["rate"] / reference["rate"]
        return ratio, ratio >= self.factor


def usable(entry):
    return entry is not None and "rate" in entry


def best_peer(entries):
    peers = [e for e in entries.values() if e["kind"] == "peer" and usable(e)]
    return max(peers, key=lambda e: e["rate"], default=None)


def memory(subject):
    return Demand(subject, 1.0, "", "memory")


def seconds(subject, limit, beyond=""):
    return Demand(subject, limit, beyond, "seconds")
