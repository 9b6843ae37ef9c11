"""Tables of the documents that are made of what the program and the scripts really support, or of measurements.

A table stands between `<!-- table NAME -->` and `<!-- end -->`. The tests compare; with the environment variable
H5SCORE_WRITE_DOCS set they write instead."""
import os
import re
import subprocess
from pathlib import Path

import program

ROOT = Path(program.SOURCE_DIR)
BUILD = Path(os.environ["H5SCORE_BUILD_DIR"])


def block(page, name):
    """The page's path and text, and the match of the table."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"(<!-- table {re.escape(name)} -->\n)(.*?)(<!-- end -->)", text, re.S)
    assert found, f"{page} has no <!-- table {name} -->"
    return path, text, found


def written(page, name):
    """The rows of a table as they stand in the page: lists of cells, without the heading."""
    lines = [line for line in block(page, name)[2].group(2).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def check(page, name, lines):
    """Asserts that the page holds these lines, or writes them there."""
    path, text, found = block(page, name)
    wanted = "\n".join(lines) + "\n"
    if os.environ.get("H5SCORE_WRITE_DOCS"):
        path.write_text(text[: found.start(2)] + wanted + text[found.end(2) :], encoding="utf-8")
        return
    assert found.group(2) == wanted, f"{page}: the table {name} is not up to date; run this test with H5SCORE_WRITE_DOCS=1"


def table(heading, rows):
    """Lines of a Markdown table."""
    lines = [" | ".join(str(cell) for cell in row) for row in [heading, ["---"] * len(heading), *rows]]
    return [f"| {line} |".replace("|  |", "| |") for line in lines]


def check_measured(page, name, heading, rows, figure):
    """The same for a table with measurements in column `figure`: when it is written, they are; later measurements, on
    another processor, may differ, so only the other columns are compared. The caller checks the limits."""
    if os.environ.get("H5SCORE_WRITE_DOCS"):
        check(page, name, table(heading, rows))
        return

    def others(row):
        return [str(cell) for i, cell in enumerate(row) if i != figure]

    stated = [others(row) for row in written(page, name)]
    assert stated == [others(row) for row in rows], f"{page}: the table {name} is not up to date; see tests/page_tables.py"


def supported(kind):
    """What the formats say of themselves: rows of fields."""
    lines = subprocess.run([BUILD / "tests/docs/list_supported"], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split("\t")[1:] for line in lines if line.split("\t")[0] == kind]
    assert rows, f"no {kind} is listed"
    return rows
