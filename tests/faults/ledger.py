"""What a fault test has to know about a part file, found with h5py and zlib alone, from the definitions in docs/score-file.md.

A *claim* is a valid entry of the ledger: 2^32 + the CRC-32 of the block's slices of all columns, one after the other. It is
false where the stored bytes have another CRC, or are not those of an undisturbed run."""
import os
import zlib

import h5py
from program import assert_same_scores, run


def part_of(out):
    """The path of the part file of an output."""
    return f"{out}.part"


def _slices(file, begin, end):
    """The stored bytes of these rows, column after column."""
    for path in file["h5score/columns"][()]:
        yield file[path.decode()][begin:end].tobytes()


def claims(part):
    """block -> (its rows, CRC) for all claims of a part file."""
    with h5py.File(part, "r", locking=False) as f:
        bounds, entries = f["h5score/boundaries"][()], f["h5score/ledger"][()]
    return {block: (slice(int(bounds[block]), int(bounds[block + 1])), int(entry) & 0xFFFFFFFF)
            for block, entry in enumerate(entries) if int(entry) >> 32 == 1}


def blocks_of(part):
    """The number of blocks of a part file."""
    with h5py.File(part, "r", locking=False) as f:
        return len(f["h5score/ledger"])


def false_entries(part, undisturbed):
    """The claims of `part` that do not hold, as texts; `undisturbed` is the complete score file of the same job."""
    wrong = []
    with h5py.File(part, "r", locking=False) as f, h5py.File(undisturbed, "r", locking=False) as right:
        assert f["h5score/columns"][()].tolist() == right["h5score/columns"][()].tolist()
        for block, (rows, claimed) in claims(part).items():
            crc, same = 0, True
            for stored, expected in zip(_slices(f, rows.start, rows.stop), _slices(right, rows.start, rows.stop)):
                crc = zlib.crc32(stored, crc)
                same = same and stored == expected
            if crc != claimed:
                wrong.append(f"block {block}: the ledger has CRC {claimed:08x}, the stored bytes have {crc:08x}")
            elif not same:
                wrong.append(f"block {block}: the stored bytes are not those of an undisturbed run")
    return wrong


def assert_sound(out, undisturbed):
    """After any fault: the final name is absent or complete, and a part file claims nothing false. Returns the claimed blocks."""
    if os.path.exists(out):
        assert_same_scores(undisturbed, out)
    if not os.path.exists(part_of(out)):
        return []
    assert false_entries(part_of(out), undisturbed) == []
    return sorted(claims(part_of(out)))


def rerun_resumes(arguments, out, undisturbed, np_=None, env=None, timeout=120):
    """ "R": the job with --resume ends well, with the bytes of an undisturbed run, and leaves no part file.

    `arguments` are those of the run without --output. Returns the completed process."""
    done = run([*arguments, "--output", out, "--resume"], np_=np_, env=env, timeout=timeout)
    assert_same_scores(undisturbed, out)
    assert not os.path.exists(part_of(out)), "a part file is left beside the finished output"
    return done
