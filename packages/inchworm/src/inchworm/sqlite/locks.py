"""Who holds which lock on a SQLite file, from Linux's lock table and the index of the write-ahead log.

Never opens the database's files in this process: closing any descriptor would drop the locks of its own connections
(https://www.sqlite.org/howtocorrupt.html, 2.2). Empty answers elsewhere than on Linux.
"""

import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Bytes of the -shm file that are locked, https://www.sqlite.org/walformat.html
WRITE, READ_0, READ_4, OPEN = 120, 123, 127, 128
RESERVED = 0x40000001  # byte of the database file that a writer locks without a log
_READ_HEADER = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read(136))"


@dataclass(frozen=True, slots=True)
class WalIndex:
    """frames: in the log; copied: of them, already in the database; marks: the ends of the readers' snapshots."""

    frames: int
    copied: int
    marks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """One lock of another process or of this one."""

    pid: int
    write: bool
    first: int
    last: int

    def covers(self, byte: int) -> bool:
        """Whether this byte is inside."""
        return self.first <= byte <= self.last


def wal_index(path: str) -> WalIndex | None:
    """The header of `<path>-shm`, read by a child process; None when there is none or it cannot be read."""
    if not sys.executable or not os.path.exists(path + "-shm"):
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _READ_HEADER, path + "-shm"], capture_output=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_wal_index(done.stdout)


def parse_wal_index(header: bytes) -> WalIndex | None:
    """136 bytes in the machine's byte order; None when they are too few or the index is not initialised."""
    if len(header) < 136 or header[12] != 1:
        return None
    copied, *marks = struct.unpack_from("=6I", header, 96)
    (frames,) = struct.unpack_from("=I", header, 16)
    return WalIndex(frames, copied, tuple(marks))


def locks_on(path: str, table: Path = Path("/proc/locks")) -> tuple[Held, ...]:
    """The POSIX locks on a file, of processes that this one may see."""
    try:
        about, text = os.stat(path), table.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ()
    wanted = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    return parse_locks(text, wanted)


def parse_locks(text: str, wanted: str) -> tuple[Held, ...]:
    """The lines of proc_locks(5) for one `major:minor:inode`; waiting requests (`->`) hold nothing."""
    found = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) < 8 or parts[1] == "->" or parts[5] != wanted or not parts[4].isdigit():
            continue
        last = int(parts[7]) if parts[7].isdigit() else 1 << 62
        found.append(Held(int(parts[4]), parts[3] == "WRITE", int(parts[6]), last))
    return tuple(found)


def name_of(pid: int) -> str:
    """A process's short name, empty when it is gone or hidden. Not its arguments: they may hold passwords."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


COPIES = (("libsqlite3", "libsqlite3"), ("/apsw/", "apsw"), ("pysqlite3", "pysqlite3"), ("sqlcipher", "sqlcipher"),
          ("better_sqlite3", "better-sqlite3"), ("libsql.so", "libsql"))  # fmt: skip


def sqlite_copies(maps: str) -> tuple[str, ...]:
    """The SQLite libraries in a memory map (proc_pid_maps(5))."""
    return tuple(name for mark, name in COPIES if mark in maps)


def maps_of(pid: int) -> str:
    """A process's memory map, empty when it may not be read."""
    try:
        return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def file_system(path: str, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that holds a path, None when it is not known."""
    try:
        text = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return parse_mounts(text, os.path.realpath(path))


def parse_mounts(text: str, path: str) -> str | None:
    """The type of the longest mount point above `path` in proc_pid_mountinfo(5)."""
    best: tuple[int, str | None] = (-1, None)
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) < 5 or not kinds:
            continue
        point = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best[0]:
            best = (len(point), kinds[0])
    return best[1]


def open_here(path: str) -> bool:
    """Whether this process has the file open already."""
    try:
        wanted = os.stat(path)
        links = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return False
    return any(_same(link, wanted) for link in links)


def _same(link: Path, wanted: os.stat_result) -> bool:
    try:
        about = link.stat()
    except OSError:
        return False
    return (about.st_dev, about.st_ino) == (wanted.st_dev, wanted.st_ino)
