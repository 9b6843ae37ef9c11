"""Runs the code of a Markdown page, block for block and as it stands there, and compares what it prints.

Blocks marked `sh` are run by bash, `python` in one session that lasts for the page, `text` is what the block before prints.
There `...` stands for anything, and numbers with a decimal point may differ by a few percent: trained models depend on the
processor in their last digits."""
import contextlib
import io
import os
import re
import subprocess
from pathlib import Path

import program

ROOT = Path(program.SOURCE_DIR)
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
TOLERANCE = 0.05


class Page:
    """One page and the folder in which its reader works: scripts/ as in the repository, h5score and python3 on the PATH."""

    def __init__(self, path, folder):
        text = (ROOT / path).read_text(encoding="utf-8")
        self.blocks = re.findall(r"^```(sh|python|text)\n(.*?)^```", text, re.S | re.M)
        self.folder = Path(folder)
        self.session = {"__name__": "__main__"}
        (self.folder / "bin").mkdir()
        (self.folder / "bin/h5score").symlink_to(program.BIN)
        (self.folder / "scripts").symlink_to(ROOT / "scripts")

    def run(self):
        """Runs all blocks; an AssertionError names the block that fails or prints something else."""
        shown = code = None
        for language, text in self.blocks:
            if language == "text":
                assert shown is not None, f"no block stands before this output:\n{text}"
                problem = difference(text, shown)
                assert problem is None, f"{problem}\n--- block\n{code}--- expected\n{text}--- printed\n{shown}"
            else:
                code = text
                shown = self.shell(code) if language == "sh" else self.python(code)

    def shell(self, code):
        path = f"{self.folder}/bin:/usr/bin:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], cwd=self.folder, env={**os.environ, "PATH": path}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"exit code {done.returncode}\n--- block\n{code}--- printed\n{done.stdout}"
        return done.stdout

    def python(self, code):
        printed = io.StringIO()
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "page", "exec"), self.session)
        finally:
            os.chdir(before)
        return printed.getvalue()


def difference(expected, printed):
    """None, or what of the expected lines is not there. A line `...` stands for any number of lines."""
    ours = printed.rstrip().splitlines()
    position, free = 0, False
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            free = True
            continue
        found = next((i for i in range(position, len(ours)) if same_line(line, ours[i])), None)
        if found is None or (not free and found != position):
            return f"this line is not there, or not in its place: {line}"
        position, free = found + 1, False
    return None if free or position == len(ours) else f"more is printed: {ours[position]}"


def same_line(expected, printed):
    pattern = "".join(r"(-?\d+\.\d+(?:e[-+]?\d+)?)" if part is NUMBER else ".*?" if part == "..." else re.escape(part)
                      for part in parts_of(expected))
    found = re.fullmatch(pattern, re.sub(r"\s+", " ", printed.strip()))
    if not found:
        return False
    return all(abs(float(a) - float(b)) <= TOLERANCE * abs(float(a)) + 1e-12
               for a, b in zip(NUMBER.findall(expected), found.groups()))


def parts_of(line):
    """The line's texts, "..." and, for each number with a decimal point, NUMBER; runs of blanks are one."""
    line = re.sub(r"\s+", " ", line.strip())
    position = 0
    for found in re.finditer(rf"{NUMBER.pattern}|\.\.\.", line):
        yield line[position : found.start()]
        yield "..." if found.group() == "..." else NUMBER
        position = found.end()
    yield line[position:]
