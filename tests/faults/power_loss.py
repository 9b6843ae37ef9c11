"""What a disk may hold after the power went, computed from the log of a run's operations (fault_layer.py).

The rules are those that POSIX and Linux give, and no kinder: a write, a new size or a name is safe only when a sync of that
file, or of its folder, began after it had ended, and has itself ended. Of everything else any part may have reached the disk,
in any order: each page of 4 KiB (or each sector of 512 bytes) on its own, in any version that it ever had; each change of a
size; each change of a name. A file may be there without its data, and data without a name."""
import os
from collections import defaultdict

PAGE, SECTOR = 4096, 512
RENAME, LINK, UNLINK = 1, 2, 3


class Disk:
    """The disk under a run that ended well. `before` are the files that were there, path -> (inode, bytes)."""

    def __init__(self, operations, folder, before=None):
        self.operations, self.folder, self.before = operations, folder, before or {}
        self.contents, self.names, self.syncs, self.folder_syncs = defaultdict(list), [], defaultdict(list), []
        for o in operations:
            assert o.end > 0, "an operation did not end"
            if o.result < 0:
                continue
            if o.kind in ("write", "size"):
                self.contents[o.inode].append(o)
            elif o.kind == "sync":
                (self.folder_syncs if o.path == folder else self.syncs[o.inode]).append(o)
            elif o.kind == "name" or (o.kind == "open" and o.offset == 0):  # 0: the file was not there before
                self.names.append(o)
        self.moments = sorted({place for o in operations for place in (o.begin, o.end)})

    def without(self, path):
        """The same run where all syncs of this file or folder are forgotten."""
        return Disk([o for o in self.operations if o.kind != "sync" or o.path != path], self.folder, self.before)

    def state(self, now, keep):
        """path -> bytes of the files on the disk if the power goes at place `now` of the log. `keep(operation, piece)` says
        whether what may be lost was kept; `piece` is the number of a sector, or None for names and sizes."""
        inodes = {path: inode for path, (inode, _) in self.before.items()}
        for o in self.names:
            if o.begin <= now and (_safe(o, self.folder_syncs, now) or keep(o, None)):
                _change_name(inodes, o)
        return {path: self._content(inode, now, keep) for path, inode in inodes.items()}

    def _content(self, inode, now, keep):
        content = bytearray(next((data for number, data in self.before.values() if number == inode), b""))
        size = len(content)
        for o in self.contents[inode]:
            if o.begin > now:
                break
            safe = _safe(o, self.syncs[inode], now)
            if o.kind == "size":  # no run makes a file shorter
                if safe or keep(o, None):
                    size = max(size, o.offset)
                continue
            end = o.offset + o.result
            content.extend(bytes(max(0, end - len(content))))
            for begin, stop in _sectors(o.offset, end):
                if safe or keep(o, begin // SECTOR):
                    content[begin:stop] = o.data[begin - o.offset:stop - o.offset]
                    size = max(size, stop)
        content.extend(bytes(max(0, size - len(content))))
        return bytes(content[:size])


def _safe(operation, syncs, now):
    return any(s.begin > operation.end and s.end <= now for s in syncs)


def _change_name(inodes, o):
    if o.kind == "open":
        inodes[o.path] = o.opened
        return
    if o.detail in (RENAME, LINK):
        inodes[o.target] = o.inode
    if o.detail in (RENAME, UNLINK) and inodes.get(o.path) == o.inode:
        del inodes[o.path]


def _sectors(begin, end):
    while begin < end:
        stop = min(end, (begin // SECTOR + 1) * SECTOR)
        yield begin, stop
        begin = stop


# ---- what is kept of that which may be lost

def all_lost(_operation, _piece):
    return False


def all_kept(_operation, _piece):
    return True


def only(wanted):
    """Keeps the operations for which wanted(operation) holds."""
    return lambda operation, _piece: wanted(operation)


def at_random(random, now, share, unit):
    """Each page (or sector, by `unit` bytes) reached the disk with this probability, as it was at some moment; likewise names
    and sizes."""
    written_back = {}  # piece -> the last moment at which it was written to the disk

    def keep(operation, piece):
        if piece is None:
            return random.random() < share
        key = (operation.inode, piece * SECTOR // unit)
        if key not in written_back:
            written_back[key] = random.randrange(now + 1) if random.random() < share else -1
        return operation.begin <= written_back[key]

    return keep


def write_files(files, folder):
    """Fills an empty folder with these files."""
    for path, content in files.items():
        with open(os.path.join(folder, os.path.basename(path)), "wb") as f:
            f.write(content)
