"""From facts about a PostgreSQL server to findings: why it is slow, or in danger, and what to do. Pure.

Facts that could not be learned are None or empty and lead to no finding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from inchworm.diagnosis import Process, Rule, ago, judged, megabytes
from inchworm.findings import Finding, Severity

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

    process: Process
    state: str
    open_s: float
    since_s: float
    age: int | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Who waits for a lock that `by` holds or waits for, for at most `for_s` seconds."""

    process: Process
    for_s: float
    by: Process


@dataclass(frozen=True, slots=True)
class TableLock:
    """A lock on a whole table that keeps writers away."""

    table: str
    process: Process
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


SERVER = "the server"
TERMINATE = "let it commit or roll back; select pg_terminate_backend({pid}) ends it"


def diagnose_server(facts: ServerFacts) -> tuple[Finding, ...]:
    """Every finding of every rule, in the order of the rules."""
    return judged(facts, RULES)


def _off(s: ServerFacts, name: str, severity: Severity, harm: str) -> Iterator[Finding]:
    if s.settings.get(name) == "off":
        yield Finding(severity, SERVER, f"{name} is off: {harm}", f"alter system set {name} = on, then reload")


def _answers(s: ServerFacts) -> Iterator[Finding]:
    if s.problem is not None:
        yield Finding(Severity.ERROR, SERVER, f"it cannot be asked: {s.problem}", "look at address, rights and server")
    if s.standby:
        sentence = "this is a standby, which can be read but not migrated"
        yield Finding(Severity.ERROR, SERVER, sentence, "give the address of the primary")
    if s.problem is None and not s.sees_all:
        sentence = "this role cannot see what other sessions do, so some findings may be missing"
        yield Finding(Severity.NOTE, SERVER, sentence, "grant pg_monitor to it, or ask as another role")


def _version(s: ServerFacts) -> Iterator[Finding]:
    if 0 < s.version_number < OLDEST_VERSION:
        sentence = f"PostgreSQL {s.version} gets no corrections any more, and inchworm is not tested with it"
        yield Finding(Severity.WARNING, SERVER, sentence, "upgrade to a supported version")
    if s.version_number in CONCURRENT_BUG:
        sentence = f"PostgreSQL {s.version} can leave rows out of an index that is built CONCURRENTLY"
        yield Finding(Severity.WARNING, SERVER, sentence, "upgrade to 14.4 or newer before building an index")


def _durable(s: ServerFacts) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        yield from _off(s, name, Severity.ERROR, "a crash of the machine can destroy the database")


def _open_transactions(s: ServerFacts) -> Iterator[Finding]:
    for each in s.sessions:
        idle = each.state.startswith("idle in transaction")
        if each.open_s < (IDLE_S if idle else LONG_S) or (idle and each.since_s < IDLE_S):
            continue
        keeps = "" if each.age is None else f"; vacuum keeps every row that died in the {each.age:,} transactions since"
        todo = TERMINATE.format(pid=each.process.pid)
        if idle:
            sentence = f"{each.process} has a transaction open for {ago(each.open_s)} and does nothing in it{keeps}"
            if s.settings.get("idle_in_transaction_session_timeout") == "0":
                todo += ", and idle_in_transaction_session_timeout would have"
        else:
            sentence = f"{each.process} works in one transaction for {ago(each.open_s)}{keeps}"
        yield Finding(Severity.WARNING, SERVER, sentence, todo)
    for one in s.prepared:
        if one.for_s >= IDLE_S:
            sentence = (
                f"the prepared transaction {one.name} is open for {ago(one.for_s)}, keeps its locks over restarts, "
                f"and vacuum keeps every row that died in the {one.age:,} transactions since"
            )
            yield Finding(Severity.WARNING, SERVER, sentence, f"commit prepared or rollback prepared '{one.name}'")


def _locked(s: ServerFacts) -> Iterator[Finding]:
    for lock in s.locks:
        sentence = f"{lock.process} holds {lock.mode} on {lock.table}: nobody else can write to it"
        yield Finding(Severity.WARNING, lock.table, sentence, TERMINATE.format(pid=lock.process.pid))
    for wait in s.blocked:
        if wait.for_s >= WAIT_S:
            sentence = f"{wait.process} waits up to {ago(wait.for_s)} for {wait.by}"
            yield Finding(Severity.WARNING, SERVER, sentence, TERMINATE.format(pid=wait.by.pid))


def _replication(s: ServerFacts) -> Iterator[Finding]:
    for slot in s.slots:
        keeps = f"keeps {megabytes(slot.kept)} of log" + (f" and rows of {slot.age:,} transactions" if slot.age else "")
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
            behind = f"{replica.name} is {megabytes(replica.behind)} behind"
            sentence = f"{behind}; above {megabytes(LONG_LOG)} inchworm waits for it"
            yield Finding(Severity.WARNING, SERVER, sentence, "see what it does, or give wal_cap_mb")


def _vacuum(s: ServerFacts) -> Iterator[Finding]:
    harm = "dead rows of a migration stay, and the planner works with old statistics"
    for name in ("autovacuum", "track_counts"):
        yield from _off(s, name, Severity.WARNING, harm)
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


RULES: tuple[Rule[ServerFacts], ...] = (
    _answers, _version, _durable, _open_transactions, _locked, _replication, _vacuum, _tables, _limits,
)  # fmt: skip
