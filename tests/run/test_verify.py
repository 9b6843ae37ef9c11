"""`h5score verify` accepts what a run wrote, whatever its options were, finds every change, and says what is wrong."""
import os
import shutil
import zlib

import h5py
import numpy as np
import pytest
from program import run

DATA, NO_INPUT, USAGE = 65, 66, 64


def score(folder, out, *more, **kwargs):
    run(["score", "--output", out, "--progress", "none", *more], cwd=folder, **kwargs)
    return out


@pytest.fixture
def scored(workplace, tmp_path):
    """A score file of the logistic model, 36 blocks over three inputs, and copies of those beside it."""
    for name in ("run1.h5", "run2.h5", "run10.h5", "logistic.h5"):
        shutil.copy(workplace / name, tmp_path / name)
    return score(tmp_path, tmp_path / "s.h5", "--model", "logistic.h5", "--input", "run*.h5", "--dataset", "/x",
                 "--passthrough", "/id", "--block-rows", "50")


def differences(path, *more, **kwargs):
    """(standard output, the one message) of a verification that finds something."""
    done = run(["verify", path, *more], code=DATA, **kwargs)
    lines = [line for line in done.stderr.splitlines() if line.startswith("h5score: ")]
    assert len(lines) == 1, done.stderr
    return done.stdout, lines[0]


# ---- what is right

NAMES = [f"f{i}" for i in range(20)]


@pytest.mark.parametrize("options", [
    ["--model", "linear.h5", "--input", "run*.h5", "--rows", "500:1700", "--block-rows", "70"],
    ["--model", "a=mlp.h5", "b=svm.h5", "--input", "run2.h5", "--passthrough", "/id", "--write", "label,probability"],
    ["--model", "svr.h5", "--input", "all.h5", "--precision", "float32", "--features", "19,0:19"],
    ["--model", "mlpreg.h5", "--input", "all.h5", "--feature-names", "names.txt", "--missing", "fill", "--missing-value", "99",
     "--fill", ",".join(f"{name}=0.25" for name in NAMES)],
    ["--model", "logistic.h5", "--input", "all.h5", "--feature-names", "names.txt", "--features",
     ",".join(["f0", "f1", "f2-f3", *NAMES[3:]])],
], ids=["rows", "two models", "float32", "filled", "differences"])
def test_a_run_with_any_options_is_scored_again_alike(workplace, tmp_path, options):
    (workplace / "names.txt").write_text("\n".join(NAMES))
    out = score(workplace, tmp_path / "s.h5", *options, "--dataset", "/x", np_=2)
    for np_ in (None, 2):
        done = run(["verify", out, "--all"], np_=np_, cwd=tmp_path)
        with h5py.File(out) as f:
            rows = f"{f['h5score/boundaries'][-1]:,}"
        assert f"{rows} of {rows} rows scored again, all bytes equal" in done.stdout


def test_by_default_a_sample_with_the_first_and_the_last_block_is_scored_again(scored):
    assert "36 of 36 blocks have the CRC of the ledger, 1,577 of 1,777 rows scored again" in run(["verify", scored]).stdout
    assert "77 of 1,777 rows" in run(["verify", scored, "--sample", "2"]).stdout  # 50 and 27
    assert "50 of 1,777 rows" in run(["verify", scored, "--sample", "1"]).stdout
    assert "1,777 of 1,777 rows" in run(["verify", scored, "--sample", "99", "--threads", "3"]).stdout


def test_of_a_part_file_the_claimed_blocks_are_verified(scored):
    part = shutil.copy(scored, f"{scored}.part")
    with h5py.File(part, "r+") as f:
        f["h5score/ledger"][5:] = 0
        f["label"][250:] = 77
    assert "5 of 36 blocks have the CRC of the ledger, 250 of 1,777 rows scored again" in run(["verify", part, "--all"]).stdout
    # Under a final name there may be no such blocks.
    os.rename(part, f"{scored}.h5")
    text, _ = differences(f"{scored}.h5")
    assert "31 blocks that the ledger does not claim: rows 250:1777" in text


# ---- what is wrong

def test_changed_values_are_told_with_their_rows_and_both_sides(scored):
    with h5py.File(scored, "r+") as f:
        right = f["label"][()]
        for row in (60, 61, 62, 1300):
            f["label"][row] = 77
        f["probability"][1776, 1] = np.nan
    text, message = differences(scored, "--all")
    assert "/label: 4 rows differ: 60:63, 1300\n" in text
    assert f"row 60: 77 stored, {right[60]} computed" in text
    assert "/probability: 1 row differs: 1776\n    row 1776: ... nan " in text
    assert "3 blocks with bytes that do not fit the CRC in the ledger: rows 50:100, 1300:1350, 1750:1777" in text
    assert "5 rows differ" in message and "--resume" in message


def test_damage_outside_of_the_sample_is_found_by_its_crc_and_told_by_rows(scored):
    with h5py.File(scored, "r+") as f:
        f["status"][777] = 2
    text, _ = differences(scored, "--sample", "1", np_=2)
    assert "/status: 1 row differs: 777\n    row 777: 2 stored, 0 computed" in text


def test_another_value_with_the_right_crc_is_found_by_scoring(scored):
    with h5py.File(scored, "r+") as f:
        f["id"][3] = 4
        crc = 0
        for name in f["h5score/columns"][()]:
            crc = zlib.crc32(f[name.decode()][:50].tobytes(), crc)
        f["h5score/ledger"][0] = 2**32 + crc
    text, message = differences(scored)
    assert text.endswith("/id: 1 row differs: 3\n    row 3: 4 stored, 3 computed\n")
    assert "--overwrite" in message and "--resume" not in message


@pytest.mark.parametrize("value", [2**33, 1, 2**32])
def test_a_damaged_ledger_is_told(scored, value):
    with h5py.File(scored, "r+") as f:
        f["h5score/ledger"][7] = value
    text, message = differences(scored)
    assert "1 block with " in text and "rows 350:400" in text
    assert "the ledger does not fit the file" in message


@pytest.mark.parametrize("change, named", [
    (lambda f: f["classes"].__setitem__(1, "nova"), "/classes"),
    (lambda f: f["inputs"].__setitem__(0, (*f["inputs"][0].tolist()[:3], 5, *f["inputs"][0].tolist()[4:])), "/inputs"),
    (lambda f: f["h5score/boundaries"].__setitem__(20, 999), "the list of its blocks"),
])
def test_changed_tables_are_told(scored, change, named):
    with h5py.File(scored, "r+") as f:
        change(f)
    text, message = differences(scored)
    assert text == "" and f"{named} is not what the run wrote" in message


# ---- models and inputs that moved or changed

def test_moved_models_and_inputs_can_be_named(scored, tmp_path):
    (tmp_path / "new").mkdir()
    for name in ("run1.h5", "run2.h5", "run10.h5", "logistic.h5"):
        (tmp_path / name).rename(tmp_path / "new" / name)
    for given, what in (([], "--model FILE"), (["--model", "new/logistic.h5"], "--input")):
        done = run(["verify", scored, *given], code=NO_INPUT, cwd=tmp_path)
        assert what in done.stderr and "No such file" in done.stderr
    run(["verify", scored, "--model", "new/logistic.h5", "--input", "new/run*.h5"], cwd=tmp_path)
    done = run(["verify", scored, "--model", "q=new/logistic.h5", "--input", "new/run*.h5"], cwd=tmp_path, code=USAGE)
    assert "has no model of this name" in done.stderr
    _, message = differences(scored, "--model", "new/logistic.h5", "--input", "new/run1.h5", "new/run10.h5", "new/run2.h5",
                             cwd=tmp_path)
    assert "inputs/1/" in message


def test_changed_models_and_inputs_are_told_by_name(scored, workplace, tmp_path):
    shutil.copy(workplace / "binary.h5", tmp_path / "logistic.h5")
    assert "models/0/hash" in differences(scored)[1]
    shutil.copy(workplace / "logistic.h5", tmp_path / "logistic.h5")
    with h5py.File(tmp_path / "run1.h5", "r+") as f:
        f["x"][0, 0] += 1
    _, message = differences(scored)
    assert "inputs/0/sampled_crc" in message and "--input" in message


def test_other_files_are_refused(scored, workplace, tmp_path):
    assert "not a score file" in differences(workplace / "run1.h5")[1]
    (tmp_path / "text.h5").write_text("no HDF5")
    differences(tmp_path / "text.h5")
    run(["verify", tmp_path / "absent.h5"], code=NO_INPUT)
    with h5py.File(scored, "r+") as f:
        del f["h5score/options"]
    assert "with which options" in differences(scored)[1]
    run(["verify", scored, "--all", "--sample", "3"], code=USAGE)
    run(["verify"], code=USAGE)
