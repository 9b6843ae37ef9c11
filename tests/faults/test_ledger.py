"""The fault tests' own judge of ledgers: it must accept what is right and find what is wrong."""
import h5py
import ledger
import numpy as np
import pytest
from program import run
from small_job import write_model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(arguments, a finished output of 5 blocks with several columns)"""
    folder = tmp_path_factory.mktemp("ledger")
    rng = np.random.default_rng(1)
    with h5py.File(folder / "in.h5", "w") as f:
        f["x"], f["id"] = rng.normal(size=(100, 4)), np.arange(100)
    write_model(folder / "m.model")
    arguments = ["score", "--model", folder / "m.model", "--input", folder / "in.h5", "--dataset", "/x", "--passthrough", "/id",
                 "--block-rows", "20", "--progress", "none"]
    run([*arguments, "--output", folder / "s.h5"])
    return arguments, folder / "s.h5"


@pytest.fixture
def part(finished, tmp_path):
    """(path of an output, its part file: complete, not yet renamed)"""
    out = tmp_path / "s.h5"
    (tmp_path / "s.h5.part").write_bytes(finished[1].read_bytes())
    return out, tmp_path / "s.h5.part"


def test_a_sound_part_file_is_accepted_and_resumed(finished, part):
    arguments, undisturbed = finished
    assert ledger.assert_sound(part[0], undisturbed) == [0, 1, 2, 3, 4]
    with h5py.File(part[1], "r+") as f:
        f["h5score/ledger"][3] = 0
        f["label"][65] = 77
    assert ledger.assert_sound(part[0], undisturbed) == [0, 1, 2, 4]
    ledger.rerun_resumes(arguments, part[0], undisturbed)


@pytest.mark.parametrize("column", ["label", "status", "probability", "id"])
def test_another_byte_in_any_column_is_a_false_claim(finished, part, column):
    with h5py.File(part[1], "r+") as f:
        values = f[column][()]
        values.view("u1").reshape(-1)[values.nbytes * 45 // 100] ^= 1
        f[column][()] = values
    wrong = ledger.false_entries(part[1], finished[1])
    assert len(wrong) == 1 and wrong[0].startswith("block 2: the ledger has CRC")


def test_another_result_with_the_right_crc_is_a_false_claim(finished, part):
    _, undisturbed = finished
    with h5py.File(part[1], "r+") as f:
        f["label"][21] ^= 1
        crc = 0
        for name in f["h5score/columns"][()]:
            crc = ledger.zlib.crc32(f[name.decode()][20:40].tobytes(), crc)
        f["h5score/ledger"][1] = 2**32 + crc
    assert ledger.false_entries(part[1], undisturbed) == ["block 1: the stored bytes are not those of an undisturbed run"]


def test_an_entry_without_the_valid_bit_claims_nothing(finished, part):
    with h5py.File(part[1], "r+") as f:
        f["h5score/ledger"][2] = 12345
        f["h5score/ledger"][4] = 2**33 + 1
    assert ledger.assert_sound(part[0], finished[1]) == [0, 1, 3]
