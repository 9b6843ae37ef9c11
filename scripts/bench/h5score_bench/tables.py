"""Tells results: a table for terminals, Markdown between two marks of a page, and lengths of time and rates in words."""
import re

from . import roofline

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def rate_text(value):
    """Three digits and a unit: 61.2 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor * 0.9995:
            return f"{value / factor:.3g}{unit}" if value < 999.5 * factor else f"{value / factor:.0f}{unit}"
    return f"{value:.3g}"


def seconds_text(value):
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def amount(demand, figure):
    """What a demand reached, in its unit."""
    if demand["kind"] == "seconds":
        return f"{figure:.3f} s"
    return f"{figure:.2f} x" + (" of that" if demand["kind"] == "memory" else "")


def verdict(demand):
    if demand["figure"] is None:
        return "not measured"
    return amount(demand, demand["figure"]) + ("" if demand["holds"] else ", missed")


def lines_of(case):
    """Rows of cells: name, rate, of the near limit, loop, whole process, its processor time, marks."""
    near = next((e["rate"] for e in case["entries"] if e["kind"] == "near" and "rate" in e), None)
    found = []
    for entry in case["entries"]:
        if "rate" not in entry:
            found.append([entry["name"], "failed", "", "", "", "", entry["error"].strip().splitlines()[-1][:100]])
            continue
        marks = [f"others used {100 * entry['others']:.0f} %"] if entry["dirty"] else []
        if case["name"] == "memory":
            marks.append(f"{entry['memory'] / (1 << 20):.0f} MiB of {entry['memory_allowed'] / (1 << 20):.0f}")
        found.append([entry["name"], rate_text(entry["rate"]), f"{entry['rate'] / near:.2f}" if near else "",
                      seconds_text(entry["loop_seconds"]), seconds_text(entry["whole_seconds"]),
                      seconds_text(entry["cpu_seconds"]), ", ".join(marks)])
    return found


HEADERS = {"loop": "rows/s", "whole": "rows/s, whole process", "bytes": "bytes/s"}


def headers(case):
    return ["", HEADERS[case["metric"]], "of near2", "loop s", "whole s", "CPU s", "notes"]


def aligned(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) if i in (0, len(widths) - 1) else cell.rjust(w) for i, (cell, w) in
                      enumerate(zip(row, widths))).rstrip() for row in rows]


def text(case):
    """One case for a terminal."""
    told = [f"{case['name']}: {case['title']}", *("  " + line for line in aligned([headers(case), *lines_of(case)]))]
    if "roofline" in case:
        told.append(f"  the machine's limit: {rate_text(case['roofline']['rows_per_second'])} rows/s "
                    f"({roofline.in_words(case['roofline'])})")
    told += [f"  {'ok  ' if d['holds'] else '    ' if d['holds'] is None else 'MISS'} {d['text']}: {verdict(d)}"
             for d in case["demands"]]
    return "\n".join(told)


def summary_table(cases):
    """Markdown: one line a case."""
    lines = ["| case | h5score, rows/s | near2 | best peer | machine's limit | demanded: reached |", "|---|---|---|---|---|---|"]
    for case in cases:
        usable = [e for e in case["entries"] if "rate" in e]
        ours = next((e for e in usable if e["kind"] == "h5score"), None)
        near = next((e for e in usable if e["kind"] == "near"), None)
        peer = max((e for e in usable if e["kind"] == "peer"), key=lambda e: e["rate"], default=None)
        cells = [case["title"], rate_text(ours["rate"]) if ours else "", rate_text(near["rate"]) if near else "",
                 f"{peer['name']} {rate_text(peer['rate'])}" if peer else "",
                 rate_text(case["roofline"]["rows_per_second"]) if "roofline" in case else "",
                 "; ".join(f"{d['text']}: {verdict(d)}" for d in case["demands"])]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def case_table(case):
    lines = [f"### {case['title'][0].upper()}{case['title'][1:]}", ""]
    lines += ["| " + " | ".join(headers(case)) + " |", "|---|" + "---:|" * 5 + "---|"]
    lines += ["| " + " | ".join(row) + " |" for row in lines_of(case)]
    if "roofline" in case:
        lines += ["", f"The machine's limit: {rate_text(case['roofline']['rows_per_second'])} rows/s "
                      f"({roofline.in_words(case['roofline'])})."]
    commands = [e["command"] for e in case["entries"] if e["kind"] == "h5score"]
    return [*lines, "", "```sh", *commands, "```", ""]


LIMITS = {
    "pread": ("pread of 512 KiB from the page cache", "B/s"), "copy": ("memory copied", "B/s"),
    "write": ("pwrite to new pages of a tmpfs", "B/s"), "inflate": ("inflated, decoded bytes", "B/s"),
    "fma_float": ("multiply-adds, float", "flop/s"), "fma_double": ("multiply-adds, double", "flop/s"),
    "exp_float": ("exp, float", "/s"), "exp_double": ("exp, double", "/s")}


def limits_table(limits):
    """Markdown of what scripts/bench/limits finds."""
    lines = ["| what the machine can do | on 1 core | on 2 |", "|---|---:|---:|"]
    for name, (words, unit) in LIMITS.items():
        lines.append(f"| {words} | " + " | ".join(rate_text(limits[k][name]) + unit for k in ("1", "2")) + " |")
    return lines


def machine_text(machine, limits):
    processor, versions = machine["processor"], machine["versions"]
    told = [f"{processor.get('model', 'processor')} (family {processor.get('family', '?')}), {processor['cores']} cores, "
            f"{processor['instructions']}, caches L1d {processor.get('L1d', '?')}, L2 {processor.get('L2', '?')}, "
            f"L3 {processor.get('L3', '?')}; {machine['memory_bytes'] / (1 << 30):.0f} GiB of memory; "
            + ", ".join(f"{name} {version}" for name, version in versions.items() if version) + ".", ""]
    return told + (limits_table(limits) if limits else [])


def markdown(results, plot):
    """What stands between the marks of a page; `plot` is the drawing's file name."""
    return "\n".join([f"![h5score, near_limit and the best of today's tools]({plot})", "", f"Measured {results['started'][:10]}, medians of {results['rounds']} rounds.", "",
                      *machine_text(results["machine"], results["limits"]), "", *summary_table(results["cases"]), "",
                      *(line for case in results["cases"] for line in case_table(case))]).rstrip()


def replace_between_marks(page, new):
    if not re.search(f"{BEGIN}.*{END}", page, re.DOTALL):
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    head, rest = page.split(BEGIN, 1)
    return head + BEGIN + "\n" + new + "\n" + END + rest.split(END, 1)[1]
