"""Rules that no compiler checks: who may include whom, what the drawings say, and that nothing is of one machine only."""
import os
import re
from pathlib import Path

import pytest

ROOT = Path(os.environ["H5SCORE_SOURCE_DIR"])
SKIPPED = {".git", "build", "out", "__pycache__", ".cache", ".pytest_cache"}
# module: what it may include, besides itself (docs/architecture.md draws the same arrows)
USES = {
    "base": set(),
    "h5": {"base"},
    "sched": {"base"},
    "model": {"base"},
    "comm": {"base"},
    "format": {"base", "model", "h5"},
    "storage": {"base", "h5"},
    "run": {"base", "h5", "sched", "model", "comm", "format", "storage"},
    "train": {"base", "h5", "sched", "model", "comm", "format", "storage"},
}
USES["cli"] = set(USES)


def files(*folders, suffixes=None):
    """Files below the folders (all of the repository where none is named), without build products."""
    found = []
    for folder in folders or (".",):
        for top, directories, names in os.walk(ROOT / folder):
            directories[:] = sorted(d for d in directories if d not in SKIPPED and not d.startswith("build"))
            found += [Path(top) / n for n in sorted(names) if not suffixes or Path(n).suffix in suffixes]
    assert found
    return found


def texts(paths):
    for path in paths:
        data = path.read_bytes()
        if b"\0" not in data:
            yield path.relative_to(ROOT), data.decode("utf-8")


def sources(*folders):
    return texts(files(*folders, suffixes={".hpp", ".cpp", ".h", ".cc"}))


def module_of(path):
    """include/h5score/MODULE/... and src/MODULE/..."""
    return path.parts[2] if path.parts[0] == "include" else path.parts[1]


def test_includes_point_downwards():
    wrong = []
    for path, text in sources("include", "src"):
        module = module_of(path)
        assert module in USES, f"{path}: the module {module} is not in the table of this test"
        for used in re.findall(r'#\s*include\s*"h5score/(\w+)/', text):
            if used != module and used not in USES[module]:
                wrong.append(f"{path} includes {used}")
        for local in re.findall(r'#\s*include\s*"(\w+)/[\w.]+"', text):
            if local in USES and local != module and local not in USES[module]:
                wrong.append(f"{path} includes a private header of {local}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("header, home", [("mpi.h", "comm"), ("hdf5.h", "h5")])
def test_library_is_included_by_one_module_only(header, home):
    users = {module_of(path) for path, text in sources("include", "src")
             if re.search(rf"#\s*include\s*[<\"]{re.escape(header)}", text)}
    assert users == {home}


def test_public_headers_show_no_third_party_library():
    shown = re.compile(r"#\s*include\s*<(Eigen|boost|fmt|nlohmann|mpi|hdf5|libdeflate|xxhash|zlib)[/.]")
    wrong = [str(path) for path, text in sources("include") if module_of(path) != "h5" and shown.search(text)]
    assert not wrong


def test_sources_use_no_open_mpi_extension():
    extension = re.compile(r"\b(OMPI_(?!COMM_WORLD_)|MPIX_)|mpi-ext\.h")
    wrong = [str(path) for path, text in sources("include", "src", "tests") if extension.search(text)]
    assert not wrong


def test_every_source_says_what_it_is_for():
    wrong = [str(path) for path, text in sources("include", "src", "tests") if not text.startswith("//")]
    wrong += [str(path) for path, text in texts(files("cmake", suffixes={".cmake"})) if not text.startswith("#")]
    assert not wrong


def test_files_stay_readable():
    long = [f"{path}: {text.count(chr(10))} lines" for path, text in sources("include", "src", "tests")
            if text.count("\n") > 450]
    assert not long


def test_nothing_is_left_open():
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|DISABLED" r"_\w")
    wrong = [str(path) for path, text in texts(files("include", "src", "tests", "scripts", "cmake", "jobs", "docs"))
             if mark.search(text)]
    assert not wrong


def test_no_path_of_one_machine():
    machine = re.compile(r"(?<![\w.$}])/(work|farm|root|home|Users)/\w")
    wrong = [f"{path}: {match.group()}" for path, text in texts(files()) for match in machine.finditer(text)]
    assert not wrong


def test_scripts_can_be_executed_and_say_what_they_do():
    wrong = []
    for path, text in texts(files("scripts", ".ci", "jobs")):
        if text.startswith("#!"):
            if not os.access(ROOT / path, os.X_OK):
                wrong.append(f"{path}: not executable")
            if not re.match(r'#!.*\n("""|#)', text):
                wrong.append(f"{path}: no comment that says what it is for")
    assert not wrong


def test_drawn_modules_are_folders_and_folders_are_drawn():
    text = (ROOT / "docs/architecture.md").read_text()
    drawing = re.search(r"<!-- modules -->\s*```\n(.*?)```", text, re.S)
    assert drawing, "docs/architecture.md has no drawing marked by <!-- modules -->"
    drawn = {word for line in drawing.group(1).splitlines()
             for box in re.findall(r"[│|]([^│|]*)[│|]", line) for word in re.findall(r"^ *(\w+) *$", box)}
    assert drawn == {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}


def test_folders_named_in_the_documents_exist():
    wrong = []
    for path, text in texts([ROOT / "README.md", *files("docs", suffixes={".md"}), ROOT / "CONTRIBUTING.md"]):
        here = (ROOT / path).parent
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
            if not (here / target).exists():
                wrong.append(f"{path}: link to {target}")
        for target in re.findall(r"`((?:src|include|tests|docs|scripts|cmake|jobs|data)/[\w./-]*)`", text):
            if "MODULE" not in target and not (ROOT / target).exists():
                wrong.append(f"{path}: names {target}")
    assert not wrong, "\n".join(wrong)
