"""From what was measured of a case to what is kept of it: rates, demands, the machine's limit."""
import os
import shlex

from . import rounds
from .roofline import WORK, roofline

FACTS = ("bytes", "memory", "memory_allowed")


def rate(metric, median, runs):
    """Rows or bytes in a second."""
    rows = runs[0]["rows"]
    if metric == "whole":
        return rows / median["whole_seconds"]
    if metric == "bytes":
        return median["rows_per_second"] * runs[0]["bytes"] / rows
    return median["rows_per_second"]


def short_command(command):
    """As a person in the folder of the files would type it: without paths, and one file that is read often told once."""
    words = [os.path.basename(w) if os.path.dirname(w).strip("/") else w for w in command]
    kept = []
    for word in words:
        if kept[-1:] != [word]:
            kept.append(word)
    return " ".join(shlex.quote(w) if w != ":" else w for w in kept)


def entry_result(case, entry, found, programs):
    kept = {"name": entry.name, "kind": entry.kind, **rounds.summary(found)}
    if "error" in kept:
        return kept
    kept["rate"] = rate(case.metric, kept, kept["runs"])
    kept["rows"], copies = programs.rows(entry)
    kept["command"] = short_command(programs.command(entry)) + (f"  # the file {copies} times" if copies > 1 else "")
    for fact in FACTS:
        if fact in kept["runs"][0]:
            kept[fact] = max(run[fact] for run in kept["runs"])
    return kept


def same_bytes(entries, results):
    """Whether h5score's entries that score the same rows with the same model wrote the same bytes."""
    groups = {}
    for entry, result in zip(entries, results):
        if entry.kind == "h5score" and "rate" in result:
            key = (entry.model, entry.data, min(result["rows"], 100_000))
            groups.setdefault(key, set()).add(result["runs"][0]["check"]["crc"])
    return all(len(crcs) == 1 for crcs in groups.values())


def case_result(case, entries, found, programs, limits):
    kept = [entry_result(case, entry, f, programs) for entry, f in zip(entries, found)]
    by_name = {entry["name"]: entry for entry in kept}
    result = {"name": case.name, "title": case.title, "metric": case.metric, "entries": kept, "demands": []}
    for demand in case.demands:
        judged = demand.judge(by_name)
        result["demands"].append({"text": demand.text(), "kind": demand.kind, "figure": judged[0] if judged else None,
                                  "holds": judged[1] if judged else None})
    if case.work and limits:
        result["roofline"] = roofline(WORK[case.work], limits["2"])
    result["same_bytes"] = same_bytes(entries, kept)
    result["wrong"] = not result["same_bytes"] or any("error" in e and (
        e["kind"] == "h5score" or "differs" in e["error"]) for e in kept)
    return result
