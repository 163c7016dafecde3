"""From facts about a SQLite file or a PostgreSQL server to findings: why it is slow, or in danger, what to do. Pure.

Facts that could not be learned are None or empty and lead to no finding.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

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
class Process:
    """A process that uses the file."""

    pid: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.name else f"pid {self.pid}"


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


Rule = Callable[[FileFacts], Iterator[Finding]]


def diagnose(facts: FileFacts) -> tuple[Finding, ...]:
    """Every finding of every rule, in the order of the rules."""
    return tuple(finding for rule in RULES for finding in rule(facts))


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
        sentence = f"{_mb(f.disk_free)} of disk are free; below {_mb(LITTLE_DISK)} inchworm waits"
        yield _found(Severity.ERROR, f, sentence, "make room")
    elif f.disk_free < size // 10:
        sentence = f"{_mb(f.disk_free)} of disk are free beside a database of {_mb(size)}"
        yield _found(Severity.WARNING, f, sentence, "an index or VACUUM may not fit; make room first")


def _pinned(f: FileFacts) -> Iterator[Finding]:
    for pin in f.pins:
        yield _found(
            Severity.WARNING,
            f,
            f"{pin.process} holds a read transaction open on an old snapshot: {_mb(pin.behind * f.page_bytes)} of log "
            f"behind it cannot be checkpointed, and it grows with every write",
            "end that transaction: fetch all rows of a cursor or close it, commit after reading",
        )


def _long_log(f: FileFacts) -> Iterator[Finding]:
    if f.log is None or f.log.file_bytes < LONG_WAL:
        return
    waiting = (f.log.frames - f.log.copied) * f.page_bytes
    if waiting < LONG_WAL // 2:
        sentence = f"the log file is {_mb(f.log.file_bytes)} long, but nearly all of it is checkpointed"
        yield _found(Severity.NOTE, f, sentence, "it is used again; PRAGMA wal_checkpoint(TRUNCATE) gives it back")
        return
    todo = "end the readers named here" if f.pins else "find out which reader never ends, or who turned checkpoints off"
    sentence = f"{_mb(waiting)} of the log wait for a checkpoint, so every reader looks through them"
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
        sentence = f"{_mb(f.free_pages * f.page_bytes)} of {_mb(f.pages * f.page_bytes)} are free pages"
        yield _found(
            Severity.NOTE, f, sentence, "they are used again; only VACUUM, which locks everybody out, gives them back"
        )


def _mapped(f: FileFacts) -> Iterator[Finding]:
    if f.wal and f.mmap_bytes > 0:
        sentence = f"memory mapping is on ({_mb(f.mmap_bytes)})"
        yield _found(Severity.NOTE, f, sentence, "with a log it saves little; an I/O error then kills the process")


RULES: tuple[Rule, ...] = (
    _opens, _connections, _journal, _version, _network, _rights, _disk, _pinned, _long_log, _crowded, _libraries,
    _reading, _bloat, _mapped,
)  # fmt: skip


def _mb(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


# -- PostgreSQL

OLDEST_VERSION = 140_000  # the project's own support of 13 ended in November 2025
CONCURRENT_BUG = range(140_000, 140_004)  # https://www.postgresql.org/docs/release/14.4/
IDLE_S = 30.0  # an open transaction that does nothing
LONG_S = 300.0  # one that works
WAIT_S = 1.0
LONG_LOG = 64 << 20  # bytes; where inchworm waits for a replica unless told otherwise
OLD_AGE = 1_000_000_000  # transactions; at 2,146 million the server stops writing
FEW_CONNECTIONS = 3  # two, and one more while an index is built
DEAD_FLOOR = 10_000
DEAD_SHARE = 0.2  # autovacuum's own threshold, autovacuum_vacuum_scale_factor


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session with an open transaction. open_s, since_s: of the transaction, and in this state.

    age: transactions begun since its oldest snapshot, which vacuum must keep rows for; None when it keeps none.
    """

    pid: int
    name: str
    user: str
    state: str
    open_s: float
    since_s: float
    age: int | None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}{f', user {self.user}' if self.user else ''})"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Who waits for a lock that `by` holds or waits for, for at most `for_s` seconds."""

    pid: int
    name: str
    for_s: float
    by: int
    by_name: str


@dataclass(frozen=True, slots=True)
class TableLock:
    """A lock on a whole table that keeps writers away."""

    table: str
    pid: int
    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that waits for COMMIT PREPARED, also over restarts."""

    name: str
    for_s: float
    age: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot and the bytes of log that it keeps. age: as of a session, 0 when it keeps no rows."""

    name: str
    active: bool
    status: str
    kept: int
    age: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A connected replica and the bytes of log that it has not replayed."""

    name: str
    behind: int


@dataclass(frozen=True, slots=True)
class TableHealth:
    """A table as its statistics have it."""

    name: str
    analyzed: bool = True
    unlogged: bool = False
    autovacuum_off: bool = False
    live: int = 0
    dead: int = 0
    invalid_indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was learned of one PostgreSQL database. `settings`: as this role's new sessions have them."""

    problem: str | None = None
    version_number: int = 0
    version: str = ""
    standby: bool = False
    most_connections: int = 0
    connections: int = 0
    frozen_age: int = 0
    sees_all: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    sessions: tuple[ServerSession, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    locks: tuple[TableLock, ...] = ()
    prepared: tuple[Prepared, ...] = ()
    slots: tuple[Slot, ...] = ()
    replicas: tuple[Replica, ...] = ()
    tables: tuple[TableHealth, ...] = ()


ServerRule = Callable[[ServerFacts], Iterator[Finding]]
SERVER = "the server"
TERMINATE = "let it commit or roll back; select pg_terminate_backend({pid}) ends it"


def diagnose_server(facts: ServerFacts) -> tuple[Finding, ...]:
    """Every finding of every rule, in the order of the rules."""
    return tuple(finding for rule in SERVER_RULES for finding in rule(facts))


def _answers(s: ServerFacts) -> Iterator[Finding]:
    if s.problem is not None:
        yield Finding(Severity.ERROR, SERVER, f"it cannot be asked: {s.problem}", "look at address, rights and server")
    if s.standby:
        sentence = "this is a standby, which can be read but not migrated"
        yield Finding(Severity.ERROR, SERVER, sentence, "give the address of the primary")
    if s.problem is None and not s.sees_all:
        sentence = "this role cannot see what other sessions do, so some findings may be missing"
        yield Finding(Severity.NOTE, SERVER, sentence, "grant pg_monitor to it, or ask as another role")


def _server_version(s: ServerFacts) -> Iterator[Finding]:
    if 0 < s.version_number < OLDEST_VERSION:
        sentence = f"PostgreSQL {s.version} gets no corrections any more, and inchworm is not tested with it"
        yield Finding(Severity.WARNING, SERVER, sentence, "upgrade to a supported version")
    if s.version_number in CONCURRENT_BUG:
        sentence = f"PostgreSQL {s.version} can leave rows out of an index that is built CONCURRENTLY"
        yield Finding(Severity.WARNING, SERVER, sentence, "upgrade to 14.4 or newer before building an index")


def _durable(s: ServerFacts) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if s.settings.get(name) == "off":
            sentence = f"{name} is off: a crash of the machine can destroy the database"
            yield Finding(Severity.ERROR, SERVER, sentence, f"alter system set {name} = on, then reload")


def _open_transactions(s: ServerFacts) -> Iterator[Finding]:
    for each in s.sessions:
        idle = each.state.startswith("idle in transaction")
        if each.open_s < (IDLE_S if idle else LONG_S) or (idle and each.since_s < IDLE_S):
            continue
        keeps = "" if each.age is None else f"; vacuum keeps every row that died in the {each.age:,} transactions since"
        if idle:
            sentence = f"{each} has a transaction open for {_ago(each.open_s)} and does nothing in it{keeps}"
            todo = TERMINATE.format(pid=each.pid)
            if s.settings.get("idle_in_transaction_session_timeout") == "0":
                todo += ", and idle_in_transaction_session_timeout would have"
        else:
            sentence = f"{each} works in one transaction for {_ago(each.open_s)}{keeps}"
            todo = TERMINATE.format(pid=each.pid)
        yield Finding(Severity.WARNING, SERVER, sentence, todo)
    for one in s.prepared:
        if one.for_s >= IDLE_S:
            sentence = (
                f"the prepared transaction {one.name} is open for {_ago(one.for_s)}, keeps its locks over restarts, "
                f"and vacuum keeps every row that died in the {one.age:,} transactions since"
            )
            yield Finding(Severity.WARNING, SERVER, sentence, f"commit prepared or rollback prepared '{one.name}'")


def _locked(s: ServerFacts) -> Iterator[Finding]:
    for lock in s.locks:
        sentence = f"{lock.name} (pid {lock.pid}) holds {lock.mode} on {lock.table}: nobody else can write to it"
        yield Finding(Severity.WARNING, lock.table, sentence, TERMINATE.format(pid=lock.pid))
    for wait in s.blocked:
        if wait.for_s >= WAIT_S:
            sentence = f"{wait.name} (pid {wait.pid}) waits up to {_ago(wait.for_s)} for {wait.by_name} (pid {wait.by})"
            yield Finding(Severity.WARNING, SERVER, sentence, TERMINATE.format(pid=wait.by))


def _replication(s: ServerFacts) -> Iterator[Finding]:
    for slot in s.slots:
        keeps = f"keeps {_mb(slot.kept)} of log" + (f" and rows of {slot.age:,} transactions" if slot.age else "")
        drop = f"start its replica, or select pg_drop_replication_slot('{slot.name}')"
        if slot.status in ("unreserved", "lost"):
            sentence = f"the replication slot {slot.name} has lost log that its replica still needs ({slot.status})"
            yield Finding(Severity.WARNING, SERVER, sentence, "build the replica anew; raise max_slot_wal_keep_size")
        elif not slot.active and slot.kept + slot.age > 0:
            severity = Severity.WARNING if slot.kept >= LONG_LOG or slot.age >= DEAD_FLOOR else Severity.NOTE
            yield Finding(severity, SERVER, f"nobody uses the replication slot {slot.name}, which {keeps}", drop)
        elif slot.kept >= LONG_LOG:
            yield Finding(Severity.WARNING, SERVER, f"the replication slot {slot.name} {keeps}", "see why it is slow")
    for replica in s.replicas:
        if replica.behind >= LONG_LOG:
            sentence = f"{replica.name} is {_mb(replica.behind)} behind; above {_mb(LONG_LOG)} inchworm waits for it"
            yield Finding(Severity.WARNING, SERVER, sentence, "see what it does, or give wal_cap_mb")


def _vacuum(s: ServerFacts) -> Iterator[Finding]:
    for name in ("autovacuum", "track_counts"):
        if s.settings.get(name) == "off":
            sentence = f"{name} is off: dead rows of a migration stay, and the planner works with old statistics"
            yield Finding(Severity.WARNING, SERVER, sentence, f"alter system set {name} = on, then reload")
    if s.frozen_age >= OLD_AGE:
        sentence = f"the oldest row is {s.frozen_age:,} transactions old; at 2,146 million the server stops writing"
        yield Finding(Severity.WARNING, SERVER, sentence, "vacuum (freeze) now, and see what keeps autovacuum from it")


def _tables(s: ServerFacts) -> Iterator[Finding]:
    for t in s.tables:
        if t.autovacuum_off:
            todo = f"alter table {t.name} reset (autovacuum_enabled)"
            yield Finding(Severity.WARNING, t.name, "autovacuum is off for this table: its dead rows stay", todo)
        if t.dead > max(DEAD_FLOOR, DEAD_SHARE * t.live):
            severity = Severity.WARNING if t.dead > max(t.live, 10 * DEAD_FLOOR) else Severity.NOTE
            sentence = f"{t.dead:,} dead rows beside {t.live:,} living ones, which every scan reads"
            yield Finding(severity, t.name, sentence, f"vacuum {t.name}, once nothing named here keeps them")
        if not t.analyzed:
            sentence = "it was never analyzed, so the planner guesses"
            yield Finding(Severity.WARNING, t.name, sentence, f"analyze {t.name}")
        if t.unlogged:
            yield Finding(Severity.NOTE, t.name, "it is unlogged: empty after a crash of the server, whatever was done")
        for index in t.invalid_indexes:
            sentence = (
                f"its index {index} is not valid: an interrupted build left it, it costs writes and serves nobody"
            )
            yield Finding(Severity.WARNING, t.name, sentence, f"drop index concurrently {index}")


def _limits(s: ServerFacts) -> Iterator[Finding]:
    if s.most_connections and s.most_connections - s.connections < FEW_CONNECTIONS:
        sentence = f"{s.connections} of {s.most_connections} connections are in use; inchworm needs two, and one more"
        yield Finding(Severity.WARNING, SERVER, f"{sentence} for an index", "raise max_connections or shrink the pools")
    if s.settings.get("lock_timeout") == "0":
        sentence = (
            "lock_timeout is 0: a schema change that waits for one long transaction makes all who come after wait too"
        )
        todo = "set lock_timeout = '2s' where schema changes run, and try again; inchworm sets its own"
        yield Finding(Severity.NOTE, SERVER, sentence, todo)


SERVER_RULES: tuple[ServerRule, ...] = (
    _answers, _server_version, _durable, _open_transactions, _locked, _replication, _vacuum, _tables, _limits,
)  # fmt: skip


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
