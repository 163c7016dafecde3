"""From facts about a SQLite file to findings: why it is slow, or in danger, and what to do. Pure.

Facts that could not be learned are None or empty and lead to no finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from inchworm.diagnosis import Process, Rule, judged, megabytes
from inchworm.findings import Finding, Severity

# File systems on which locks or shared memory between machines do not work, https://www.sqlite.org/wal.html
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "lustre",
     "ncpfs", "ocfs2", "gfs2", "virtiofs", "fuse.rclone", "fuse.s3fs", "vboxsf"}
)  # fmt: skip
LONG_WAL = 64 << 20
LITTLE_DISK = 64 << 20
BUSY_SHARE = 0.5
SLOW_READ_S = 0.1


@dataclass(frozen=True, slots=True)
class Log:
    """The write-ahead log: frames in it, frames already copied into the database, bytes of the file."""

    frames: int
    copied: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Pin:
    """A reader whose snapshot is older than the log's end, seen twice; `behind` frames cannot be copied past it."""

    process: Process
    behind: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was learned of one file. Sizes in bytes, times in seconds.

    writers: who held the write lock at how many of `looks` looks. copies: processes that have the file open and hold
    several SQLite libraries. busy_timeout_ms: of a new connection of the application's factory, None for a path.
    """

    path: str
    problem: str | None = None
    library: str = ""
    version: str = ""
    wal_reset_bug: bool = False
    journal_mode: str | None = None
    page_bytes: int = 0
    pages: int = 0
    free_pages: int = 0
    mmap_bytes: int = 0
    read_s: float | None = None
    log: Log | None = None
    pins: tuple[Pin, ...] = ()
    writers: tuple[tuple[Process, int], ...] = ()
    looks: int = 0
    copies: tuple[tuple[Process, tuple[str, ...]], ...] = ()
    file_system: str | None = None
    disk_free: int | None = None
    folder_writable: bool = True
    shm_writable: bool = True
    busy_timeout_ms: int | None = None
    shared_connection: bool = False
    shared_cache: bool = False
    already_open_here: bool = False

    @property
    def wal(self) -> bool:
        return self.journal_mode == "wal"


def diagnose_file(facts: FileFacts) -> tuple[Finding, ...]:
    """Every finding of every rule, in the order of the rules."""
    return judged(facts, RULES)


def _found(severity: Severity, facts: FileFacts, sentence: str, todo: str) -> Finding:
    return Finding(severity, facts.path, sentence, todo)


def _opens(f: FileFacts) -> Iterator[Finding]:
    if f.problem is not None:
        yield _found(Severity.ERROR, f, f"it cannot be opened: {f.problem}", "look at path, rights and file")


def _journal(f: FileFacts) -> Iterator[Finding]:
    if f.journal_mode is not None and not f.wal:
        yield _found(
            Severity.WARNING,
            f,
            f"journal mode {f.journal_mode}: while a writer commits, every reader waits, and while one reads, the "
            f"writer waits",
            "PRAGMA journal_mode=WAL, once, while nobody else has it open; it is kept in the file",
        )


def _version(f: FileFacts) -> Iterator[Finding]:
    if f.wal and f.wal_reset_bug:
        yield _found(
            Severity.WARNING,
            f,
            f"{f.library} brings SQLite {f.version}, which has the WAL-reset bug (3.7.0 to 3.51.2 but for 3.44.6 and "
            f"3.50.7): two connections that write or checkpoint at the same instant can corrupt the database",
            "pip install 'inchworm[apsw]', or SQLite 3.51.3 or newer; a distribution may have repaired its own",
        )


def _network(f: FileFacts) -> Iterator[Finding]:
    if f.file_system in NETWORK:
        severity = Severity.ERROR if f.wal else Severity.WARNING
        yield _found(
            severity,
            f,
            f"it lies on {f.file_system}, where locks and shared memory do not reach other machines",
            "move it to a local disk; in WAL mode several machines must never open it",
        )


def _rights(f: FileFacts) -> Iterator[Finding]:
    if not f.folder_writable:
        sentence = "its folder cannot be written by this user, so neither log nor journal can be made"
        yield _found(Severity.ERROR, f, sentence, "let this user write the folder, not only the file")
    if not f.shm_writable:
        sentence = f"{f.path}-shm cannot be written by this user"
        yield _found(Severity.ERROR, f, sentence, "run all programs that use the database as one user or group")


def _disk(f: FileFacts) -> Iterator[Finding]:
    size = f.page_bytes * f.pages
    if f.disk_free is None:
        return
    if f.disk_free < LITTLE_DISK:
        sentence = f"{megabytes(f.disk_free)} of disk are free; below {megabytes(LITTLE_DISK)} inchworm waits"
        yield _found(Severity.ERROR, f, sentence, "make room")
    elif f.disk_free < size // 10:
        sentence = f"{megabytes(f.disk_free)} of disk are free beside a database of {megabytes(size)}"
        yield _found(Severity.WARNING, f, sentence, "an index or VACUUM may not fit; make room first")


def _pinned(f: FileFacts) -> Iterator[Finding]:
    for pin in f.pins:
        kept = megabytes(pin.behind * f.page_bytes)
        yield _found(
            Severity.WARNING,
            f,
            f"{pin.process} holds a read transaction open on an old snapshot: {kept} of log "
            f"behind it cannot be checkpointed, and it grows with every write",
            "end that transaction: fetch all rows of a cursor or close it, commit after reading",
        )


def _long_log(f: FileFacts) -> Iterator[Finding]:
    if f.log is None or f.log.file_bytes < LONG_WAL:
        return
    waiting = (f.log.frames - f.log.copied) * f.page_bytes
    if waiting < LONG_WAL // 2:
        sentence = f"the log file is {megabytes(f.log.file_bytes)} long, but nearly all of it is checkpointed"
        yield _found(Severity.NOTE, f, sentence, "it is used again; PRAGMA wal_checkpoint(TRUNCATE) gives it back")
        return
    todo = "end the readers named here" if f.pins else "find out which reader never ends, or who turned checkpoints off"
    sentence = f"{megabytes(waiting)} of the log wait for a checkpoint, so every reader looks through them"
    yield _found(Severity.WARNING, f, sentence, todo)


def _crowded(f: FileFacts) -> Iterator[Finding]:
    held = sum(times for _, times in f.writers)
    if f.looks and held > BUSY_SHARE * f.looks:
        longest = max(f.writers, key=lambda each: each[1])[0]
        sentence = f"the write lock was held at {held} of {f.looks} looks, mostly by {longest}"
        yield _found(Severity.WARNING, f, sentence, "other writers wait for it; make its transactions shorter")
    if len(f.writers) > 1:
        who = ", ".join(str(process) for process, _ in f.writers)
        yield _found(
            Severity.NOTE,
            f,
            f"several processes write: {who}; with SQLite's stock busy handler a stall budget is then best effort",
            "let writers share an inchworm.WriteGate, or write from one process",
        )


def _libraries(f: FileFacts) -> Iterator[Finding]:
    if f.already_open_here:
        yield _found(
            Severity.WARNING,
            f,
            "this process had the file open before: a second SQLite library in it would lose the locks of the first",
            "give inchworm the connection factory that the application uses, not the path",
        )
    for process, names in f.copies:
        yield _found(
            Severity.NOTE,
            f,
            f"{process} has it open and holds {len(names)} SQLite libraries ({', '.join(names)})",
            "see that only one of them opens this file: the other's close would drop its locks",
        )


def _connections(f: FileFacts) -> Iterator[Finding]:
    if f.shared_connection:
        sentence = "the factory gives the same connection each time: whatever one thread does, all others wait for"
        yield _found(Severity.ERROR, f, sentence, "give a new connection for each call")
    if f.shared_cache:
        sentence = "it is opened with a shared cache, where a reader waits for table locks of a writer"
        yield _found(Severity.WARNING, f, sentence, "drop cache=shared; SQLite's own advice is not to use it")
    if f.busy_timeout_ms == 0:
        sentence = "the application's connections have no busy_timeout: they fail with `database is locked` at once"
        yield _found(Severity.WARNING, f, sentence, "PRAGMA busy_timeout=5000 on each connection")


def _reading(f: FileFacts) -> Iterator[Finding]:
    if f.read_s is not None and f.read_s > SLOW_READ_S:
        sentence = f"reading one page of the schema took {f.read_s * 1000:.0f} ms on a connection of its own"
        yield _found(Severity.WARNING, f, sentence, "the disk is slow or busy, or a lock was waited for")


def _bloat(f: FileFacts) -> Iterator[Finding]:
    if f.pages > 1_000 and f.free_pages > f.pages // 4:
        sentence = f"{megabytes(f.free_pages * f.page_bytes)} of {megabytes(f.pages * f.page_bytes)} are free pages"
        yield _found(
            Severity.NOTE, f, sentence, "they are used again; only VACUUM, which locks everybody out, gives them back"
        )


def _mapped(f: FileFacts) -> Iterator[Finding]:
    if f.wal and f.mmap_bytes > 0:
        sentence = f"memory mapping is on ({megabytes(f.mmap_bytes)})"
        yield _found(Severity.NOTE, f, sentence, "with a log it saves little; an I/O error then kills the process")


RULES: tuple[Rule[FileFacts], ...] = (
    _opens, _connections, _journal, _version, _network, _rights, _disk, _pinned, _long_log, _crowded, _libraries,
    _reading, _bloat, _mapped,
)  # fmt: skip
