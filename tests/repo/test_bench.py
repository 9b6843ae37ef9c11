"""scripts/bench: what is made of measurements, and a small comparison from beginning to end. No test looks at a time."""
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

ROOT = os.environ["H5SCORE_SOURCE_DIR"]
BENCH = os.path.join(ROOT, "scripts", "bench")
sys.path.insert(0, BENCH)
from h5score_bench import cases, check, plot, results, roofline, rounds, tables  # noqa: E402
from h5score_bench.demands import BEST_PEER, Demand, memory, seconds  # noqa: E402


def run_of(loop, others=0.0, rows=100):
    return {"loop": loop, "whole": loop + 1, "cpu": 2 * loop, "others": others, "rows": rows, "rows_per_second": rows / loop}


def test_median_is_of_clean_runs_where_there_are_enough():
    clean = [run_of(1), run_of(2), run_of(9)]
    dirty = [run_of(50, others=0.5), run_of(60, others=0.09)]
    assert rounds.median_of(clean + dirty, "loop") == 2
    assert rounds.median_of(clean[:2] + dirty, "loop") == 26  # two clean ones are too few: all count
    assert rounds.median_of([run_of(4)], "loop") == 4


def test_share_of_others_on_this_machine_is_a_share():
    others = rounds.Others()
    sum(range(100000))  # less than the kernel's tick
    assert 0 <= others.share() <= 1


def test_dirty_runs_are_repeated_up_to_a_limit():
    entries = [SimpleNamespace(name=n, kind="peer") for n in ("steady", "disturbed", "broken")]
    order = []

    def once(entry, first):
        order.append((entry.name, first))
        if entry.name == "broken":
            raise RuntimeError("no such program")
        return run_of(1, others=0.5 if entry.name == "disturbed" else 0.01)

    steady, disturbed, broken = (rounds.summary(f) for f in rounds.measure(entries, once, rounds=3, limit=5))
    assert order[:4] == [("steady", True), ("disturbed", True), ("broken", True), ("steady", False)]  # in turn
    assert (len(steady["runs"]), steady["clean"], steady["dirty"]) == (3, 3, False)
    assert (len(disturbed["runs"]), disturbed["clean"], disturbed["dirty"]) == (5, 0, True)
    assert broken["error"] == "no such program"
    assert order.count(("broken", True)) == 1


def test_peers_far_behind_the_best_run_no_more():
    loops = {"best": 1, "near": 1.5, "slow": 3, "slow but ours": 3}
    entries = [SimpleNamespace(name=n, kind="h5score" if n.endswith("ours") else "peer") for n in loops]
    found = rounds.measure(entries, lambda entry, first: run_of(loops[entry.name]), rounds=5, limit=9)
    assert [len(f["runs"]) for f in found] == [5, 5, 2, 5]


def test_rates_by_loop_by_whole_process_and_by_bytes():
    runs = [{**run_of(2.0, rows=100), "bytes": 800}]
    median = rounds.summary({"runs": runs})
    assert results.rate("loop", median, runs) == 50
    assert results.rate("whole", median, runs) == pytest.approx(100 / 3)
    assert results.rate("bytes", median, runs) == 400


ENTRIES = {
    "h5score": {"kind": "h5score", "rate": 30.0, "whole_seconds": 0.30, "memory": 90, "memory_allowed": 100},
    "near2": {"kind": "near", "rate": 20.0, "whole_seconds": 0.28},
    "fast": {"kind": "peer", "rate": 15.0, "whole_seconds": 1.0},
    "slow": {"kind": "peer", "rate": 5.0, "whole_seconds": 2.0},
    "absent": {"kind": "peer", "error": "not installed"},
}


@pytest.mark.parametrize("demand, figure, holds", [
    (Demand("h5score", 1.5, "near2"), 1.5, True),
    (Demand("h5score", 2.1, BEST_PEER), 2.0, False),
    (memory("h5score"), 0.9, True),
    (seconds("h5score", 0.05), 0.30, False),
    (seconds("h5score", 0.05, beyond="near2"), 0.02, True),
])
def test_demand_is_judged(demand, figure, holds):
    assert demand.judge(ENTRIES) == (pytest.approx(figure), holds)


def test_demand_without_measurement_has_no_verdict():
    assert Demand("h5score", 1, "absent").judge(ENTRIES) is None
    assert Demand("absent", 1, "near2").judge(ENTRIES) is None
    assert Demand("h5score", 1, BEST_PEER).judge({"h5score": ENTRIES["h5score"]}) is None


def test_every_demand_names_entries_of_its_case_and_every_limit_is_known():
    found = cases.all_cases()
    assert len({case.name for case in found}) == len(found)
    for case in found:
        names = [entry.name for entry in case.entries]
        assert len(set(names)) == len(names), case.name
        for demand in case.demands:
            assert demand.subject in names, case.name
            assert demand.reference in ("", BEST_PEER, *names), case.name
        assert not case.work or case.work in roofline.WORK


def test_roofline_adds_the_times_of_the_parts():
    limits = {"pread": 100.0, "write": 10.0, "inflate": 50.0, "fma_float": 1e3, "fma_double": 500.0, "exp_float": 20.0,
              "exp_double": 10.0}
    found = roofline.roofline(roofline.Work(read=100, written=10, flops=1000, exps=20), limits)
    assert found["rows_per_second"] == pytest.approx(1 / 4)
    assert found["shares"] == pytest.approx({"read": 0.25, "write": 0.25, "multiply-add": 0.25, "exp": 0.25})
    double = roofline.roofline(roofline.Work(read=0, written=0, flops=1000, exps=20, double=True), limits)
    assert double["rows_per_second"] == pytest.approx(1 / 4)
    assert roofline.in_words({"shares": {"read": 0.3, "exp": 0.69, "write": 0.01}}) == "exp 69 %, read 30 %"


def measured_case(name="linreg-a", title="linear <regression>"):
    entry = {"loop_seconds": 0.5, "whole_seconds": 0.7, "cpu_seconds": 1.2, "others": 0.01, "clean": 5, "dirty": False, "runs": []}
    return {"name": name, "title": title, "metric": "loop", "entries": [
        {"name": "h5score", "kind": "h5score", "rate": 61.25e6, "command": "h5score score", **entry},
        {"name": "near2", "kind": "near", "rate": 50e6, **entry, "dirty": True, "others": 0.21},
        {"name": "numpy", "kind": "peer", "rate": 5e6, **entry},
        {"name": "ort", "kind": "peer", "error": "ort --rows 5: exit 1\nno library"}],
        "roofline": {"rows_per_second": 80e6, "shares": {"read": 0.9, "write": 0.1}},
        "demands": [{"text": "h5score: 1.3 x near2", "kind": "rate", "figure": 1.225, "holds": False},
                    {"text": "h5score: 2 x ort", "kind": "rate", "figure": None, "holds": None}]}


def test_text_table_tells_rates_marks_and_verdicts():
    lines = tables.text(measured_case()).splitlines()
    assert lines[0] == "linreg-a: linear <regression>"
    assert lines[2].split() == ["h5score", "61.2", "M", "1.23", "0.500", "0.700", "1.200"]
    assert lines[3].endswith("others used 21 %")
    assert lines[5].split() == ["ort", "failed", "no", "library"]
    assert "80 M rows/s (read 90 %, write 10 %)" in lines[6]
    assert lines[7].split()[0] == "MISS" and lines[7].endswith("1.23 x, missed")
    assert lines[8].endswith("not measured")


@pytest.mark.parametrize("value, text", [(61.25e6, "61.2 M"), (999.7e3, "1 M"), (321e3, "321 k"), (1.5e9, "1.5 G"), (12.34, "12.3")])
def test_rates_in_words(value, text):
    assert tables.rate_text(value) == text


def test_page_is_replaced_between_its_marks_only():
    page = f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    new = tables.replace_between_marks(page, "new")
    assert new == f"before\n{tables.BEGIN}\nnew\n{tables.END}\nafter\n"
    assert tables.replace_between_marks(new, "new") == new
    with pytest.raises(ValueError):
        tables.replace_between_marks("a page without marks", "new")


def test_plot_has_a_bar_for_each_in_proportion():
    drawn = xml.fromstring(plot.draw([measured_case(), {**measured_case("alone"), "entries": measured_case()["entries"][:1]}]))
    bars = [e for e in drawn.iter("{http://www.w3.org/2000/svg}rect") if e.get("height") == str(plot.BAR - 2)]
    assert [float(b.get("width")) for b in bars] == pytest.approx([400, 400 * 50 / 61.25, 400 * 5 / 61.25], abs=0.1)
    words = [e.text for e in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "linear <regression>" in words and "61.2 M rows/s" in words and "5 M rows/s numpy" in words


# A folder of peers like the one that people have to name, small: the same data and models, and numpy for every peer.
MAKE_DATA = """
import argparse, os
import h5py
import numpy as np
parser = argparse.ArgumentParser()
parser.add_argument("folder"); parser.add_argument("--rows", type=int)
arguments = parser.parse_args()
random = np.random.default_rng(1)
def data(name, rows, columns, kind, **options):
    with h5py.File(os.path.join(arguments.folder, name + ".h5"), "w") as f:
        f.create_dataset("X", data=random.standard_normal((rows, columns)).astype(kind), **options)
def model(name, *shapes):
    layers = {f"W{i}": random.standard_normal(s).astype("f4") / 10 for i, s in enumerate(shapes)}
    np.savez(os.path.join(arguments.folder, name + ".npz"), **layers, **{f"b{i}": np.float32(random.standard_normal(s[1]))
                                                                        for i, s in enumerate(shapes)})
model("linreg", (100, 1)); model("linreg30", (30, 1)); model("logreg", (100, 10)); model("mlp", (100, 16), (16, 10))
data("A", arguments.rows, 100, "f4"); data("B", arguments.rows, 100, "f4", chunks=(64, 100), compression="gzip", shuffle=True)
data("C", arguments.rows, 100, "f4", chunks=(64, 100)); data("D", arguments.rows, 30, "f8")
"""
RUN_PEERS = """
import argparse, json, os, time
import h5py
import numpy as np
parser = argparse.ArgumentParser()
for name in ("data", "layout", "model", "peer", "rows", "out", "impl", "ort"):
    parser.add_argument("--" + name)
a = parser.parse_args()
if a.peer == "dask-threads":
    raise SystemExit("no dask here")
p = dict(np.load(os.path.join(a.data, a.model + ".npz")))
start = time.perf_counter()
with h5py.File(os.path.join(a.data, a.layout + ".h5")) as f, h5py.File(a.out, "w") as out:
    out["y"] = f["X"][:int(a.rows)] @ p["W0"] + p["b0"] + (1 if a.peer == "sklearn" else 0)
print(json.dumps({"loop_s": time.perf_counter() - start}))
"""


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """A comparison of a few cases: (work folder, exit code, what was printed)."""
    folder = tmp_path_factory.mktemp("bench")
    peers, work = folder / "peers", folder / "work"
    peers.mkdir()
    (peers / "make_data.py").write_text(MAKE_DATA)
    (peers / "run_peers.py").write_text(RUN_PEERS)
    (peers / "near_limit.cpp").write_text("#error this machine cannot build it\n")
    done = subprocess.run(
        [sys.executable, os.path.join(BENCH, "run"), "--peers", str(peers), "--work", str(work), "--out", str(folder / "out"),
         "--make-rows", "2000", "--h5score", os.environ["H5SCORE_BIN"], "--mpiexec", os.environ["H5SCORE_MPIEXEC"], "--rounds",
         "1", "--most", "1", "--quiet", "0", "--no-limits", "--case", "linreg-a-scatter", "whole-linreg-a", "start", "--entry",
         "static", "one rank", "near2", "mpi-scatter", "h5score", "numpy", "sklearn", "dask-threads", "alone", "MPI*"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return work, done


def test_comparison_from_beginning_to_end(comparison):
    work, done = comparison
    assert done.returncode == 1, done.stdout + done.stderr  # the stand-in for sklearn writes something wrong
    with open(work / "results.json") as f:
        found = {case["name"]: case for case in json.load(f)["cases"]}
    assert sorted(found) == ["linreg-a-scatter", "start", "whole-linreg-a"]
    scatter = {entry["name"]: entry for entry in found["linreg-a-scatter"]["entries"]}
    assert scatter["static"]["rows"] == 40000  # the file is read as often as the case allows
    assert scatter["static"]["runs"][0]["check"]["difference"] < 1e-5
    assert scatter["near2"]["error"]
    assert found["linreg-a-scatter"]["same_bytes"] and not found["linreg-a-scatter"]["wrong"]
    assert [d["holds"] is None for d in found["linreg-a-scatter"]["demands"]] == [True, False, True]
    whole = {entry["name"]: entry for entry in found["whole-linreg-a"]["entries"]}
    assert "differs from the model" in whole["sklearn"]["error"] and found["whole-linreg-a"]["wrong"]
    assert "no dask here" in whole["dask-threads"]["error"]
    assert whole["numpy"]["rate"] > 0
    assert len(found["start"]["entries"]) == 2
    assert "static: 1.6 x mpi-scatter" in done.stdout
    xml.parse(work / "results.svg")


def test_results_are_written_into_a_page(comparison, tmp_path):
    work, _ = comparison
    page = tmp_path / "page.md"
    page.write_text(f"# Speed\n{tables.BEGIN}\n{tables.END}\nThe end.\n")
    subprocess.run([sys.executable, os.path.join(BENCH, "run"), "--work", str(work), "--markdown", str(page)], check=True)
    text = page.read_text()
    assert text.startswith("# Speed\n") and text.endswith("The end.\n")
    assert "(page.svg)" in text and "| mpi-scatter |" in text and "score --model linreg.h5 --input A.h5" in text
    assert str(work) not in text
    xml.parse(tmp_path / "page.svg")


def test_wrong_output_is_noticed(tmp_path):
    rows = np.random.default_rng(1).standard_normal((700, 5)).astype("f4")
    parameters = {"W0": np.ones((5, 1), "f4"), "b0": np.zeros(1, "f4")}
    place = SimpleNamespace(rows=lambda name: 700, parameters=lambda name: parameters, read=lambda name, a, b: rows[a:b])
    entry = SimpleNamespace(name="numpy", model="linreg", data="A", peer="numpy")
    right = np.tile(rows.sum(1, keepdims=True), (3, 1))
    for last, problem in ((right[-1], None), (right[-1] + 1e-3, "differs"), (np.nan, "not finite")):
        path = tmp_path / "out.h5"
        with h5py.File(path, "w") as f:
            f["y"] = right
            f["y"][-1] = last
        if problem is None:
            assert check.output(place, entry, path, 2100)["difference"] < 1e-5
        else:
            with pytest.raises(RuntimeError, match=problem):
                check.output(place, entry, path, 2100)
