"""A bit flipped in what a run has written: a resumed run finds it and scores the block again, and verify finds it in a finished
file and names its row."""
import itertools
import os
import re
import shutil

import h5py
import numpy as np
import pytest
from ledger import assert_sound, part_of, rerun_resumes
from matrix import FULL, record
from program import run
from small_job import BLOCK, ROWS, fast_folder, make_job

DATA = 65
BLOCKS = ROWS // BLOCK
COLUMNS = 5


@pytest.fixture(scope="module")
def job():
    with fast_folder() as folder:
        job = make_job(folder)
        assert len(job.columns()) == COLUMNS
        yield job


def places():
    """(block, column) that are tried: each block and each column, or all pairs."""
    if FULL:
        return list(itertools.product(range(BLOCKS), range(COLUMNS)))
    return [(block, block % COLUMNS) for block in range(BLOCKS)]


def flip(path, offset, bit):
    with open(path, "r+b") as f:
        f.seek(offset + bit // 8)
        byte = f.read(1)[0]
        f.seek(offset + bit // 8)
        f.write(bytes([byte ^ 1 << bit % 8]))


def flip_in_block(job, path, block, column):
    """Flips one bit of the block, another one each time. Returns its row."""
    offset, size = job.columns()[column]
    row_bytes = size // ROWS
    row = block * BLOCK + block * 7 % BLOCK
    flip(path, offset + row * row_bytes, (block * 29 + column * 3) % (8 * row_bytes))
    return row


def test_a_flipped_bit_is_found_by_resume_and_the_block_is_done_again(job):
    for block, column in places():
        job.clear()
        shutil.copy(job.undisturbed, part_of(job.out))
        flip_in_block(job, part_of(job.out), block, column)
        done = rerun_resumes(job.arguments, job.out, job.undisturbed)
        assert "warning: " in done.stderr and "1 blocks fail their checksum" in done.stderr
        assert re.search(rf"{BLOCKS - 1} blocks taken over, 1 scored now", done.stdout), done.stdout
    record("bit-flip", len(places()), "resumed: found, done again")


def test_flips_in_all_blocks_at_once_are_found_by_several_ranks(job):
    for mode in ("scatter", "direct"):
        job.clear()
        shutil.copy(job.undisturbed, part_of(job.out))
        for block in range(BLOCKS):
            flip_in_block(job, part_of(job.out), block, (block + 1) % COLUMNS)
        done = rerun_resumes([*job.arguments, "--io", mode], job.out, job.undisturbed, np_=2)
        assert f"{BLOCKS} blocks fail their checksum" in done.stderr
    record("bit-flip", 2 * BLOCKS, "resumed: found, done again")


def test_a_flipped_bit_of_a_finished_file_is_found_by_verify(job):
    with h5py.File(job.undisturbed) as f:
        names = [name.decode() for name in f["h5score/columns"][()]]
    for block, column in places():
        job.clear()
        shutil.copy(job.undisturbed, job.out)
        row = flip_in_block(job, job.out, block, column)
        done = run(["verify", job.out, "--all", "--progress", "none"], code=DATA)
        assert f"{names[column]}: 1 row differs: {row}\n" in done.stdout, done.stdout
        assert f"{BLOCKS - 1} of {BLOCKS} blocks have the CRC of the ledger" in done.stdout
    run(["verify", job.undisturbed, "--all", "--progress", "none"])
    record("bit-flip", len(places()), "verified: found, row named")


def test_a_file_with_a_flipped_bit_is_mended_as_verify_says(job):
    job.clear()
    shutil.copy(job.undisturbed, job.out)
    flip_in_block(job, job.out, 3, 2)
    assert "rename it to end in .part" in run(["verify", job.out], code=DATA).stderr
    os.rename(job.out, part_of(job.out))
    rerun_resumes(job.arguments, job.out, job.undisturbed)


def test_a_flipped_bit_in_a_compressed_file_is_found_by_verify(job):
    job.clear()
    run(job.score("--compress", "gzip:1"))
    original = open(job.out, "rb").read()
    with h5py.File(job.out) as f:
        chunks = [f[name.decode()].id.get_chunk_info(0) for name in f["h5score/columns"][()]]
    tried = 0
    for i, chunk in enumerate(chunks):
        for bit in range(i, 8 * chunk.size, max(1, chunk.size * 8 // (40 if FULL else 2))):
            with open(job.out, "wb") as f:
                f.write(original)
            flip(job.out, chunk.byte_offset, bit)
            try:  # bits of deflate that mean nothing there are
                with h5py.File(job.out) as f, h5py.File(job.undisturbed) as right:
                    harmless = all(np.array_equal(f[name.decode()][()], right[name.decode()][()])
                                   for name in right["h5score/columns"][()])
            except OSError:
                harmless = False
            run(["verify", job.out, "--progress", "none"], code=0 if harmless else DATA)
            tried += 1
    record("bit-flip", tried, "compressed: found")


def test_a_flipped_bit_of_a_ledger_entry_is_found(job):
    with h5py.File(job.undisturbed) as f:
        offset = f["h5score/ledger"].id.get_offset()
    bits = range(64) if FULL else (0, 17, 31, 32, 33, 63)
    for bit in bits:
        job.clear()
        shutil.copy(job.undisturbed, part_of(job.out))
        flip(part_of(job.out), offset + 8 * 4, bit)
        run(["verify", part_of(job.out), "--progress", "none"], code=0 if bit == 32 and entry_is_zero(job) else DATA)
        rerun_resumes(job.arguments, job.out, job.undisturbed)
        assert_sound(job.out, job.undisturbed)
    record("bit-flip", len(bits), "ledger entry: found, done again")


def entry_is_zero(job):
    """Whether entry 4 without its valid bit looks like one that was never written."""
    with h5py.File(job.undisturbed) as f:
        return int(f["h5score/ledger"][4]) & 0xFFFFFFFF == 0
