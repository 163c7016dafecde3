"""What is around a run: replicas, autovacuum, far holders, index builds, operators, factories, second databases."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import inchworm
from inchworm import Backfill, IndexBuild, IndexTable, Outcome, Status, Stop, ledger
from inchworm.errors import Busy, DatabaseBroken, StatementRefused
from inchworm.lease import Holder
from inchworm.ports import Limits
from inchworm.postgres import connect, connect_reader, database, is_connection
from inchworm.postgres.index import read_build
from inchworm.postgres.presence import SPACE, process_number
from inchworm.testing import FakeClock, Observed
from inchworm.testing.conformance import Conformance, count_up, newest

from .server import PostgresHarness, Server

pytestmark = pytest.mark.postgres

PATIENCE_S = 20.0
family = Conformance().family


# -- replicas and autovacuum


@pytest.fixture
def standby(server: Server) -> Iterator[Server]:
    running = Server(standby_of=server)
    try:
        yield running
    finally:
        running.remove()


def test_a_replica_that_falls_behind_holds_it_up_until_it_has_caught_up(
    harness: PostgresHarness, standby: Server
) -> None:
    target = family(harness, parents=100)
    replica = standby.url("postgres")
    harness.execute(replica, "select pg_wal_replay_pause()")
    seen: list[str | None] = []
    clock = FakeClock()

    def look() -> None:
        seen.append(inchworm.read_status(target)[0].reason)
        if seen[-1] == "replica lag" and len(seen) == 5:
            assert harness.rows(target, "select distinct n from parents") == [(0,)]
            harness.execute(replica, "select pg_wal_replay_resume()")

    clock.on_sleep = look
    outcome = inchworm.run(target, [count_up()], clock=clock, wal_cap_mb=0.0001)["count_up"]
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 100)
    assert seen[:5] == ["replica lag"] * 5
    assert outcome.throttled["replica lag"] > 0


def test_a_standby_can_be_asked_how_things_stand_and_refuses_to_be_migrated(
    harness: PostgresHarness, standby: Server
) -> None:
    target = family(harness, parents=20)
    assert inchworm.run(target, [count_up()]).ok
    [(written,)] = harness.rows(target, "select pg_current_wal_lsn()::text")
    replica = target.replace(f":{harness.server.port}/", f":{standby.port}/")
    looks = threading.Event()
    for _ in range(400):
        if harness.rows(replica, f"select pg_last_wal_replay_lsn() >= '{written}'") == [(True,)]:
            break
        looks.wait(0.05)
    assert [(s.name, s.status) for s in inchworm.read_status(replica)] == [("count_up", Status.DONE)]
    with pytest.raises(DatabaseBroken, match="standby"):
        inchworm.run(replica, [count_up("another")])


def test_dead_rows_that_autovacuum_leaves_behind_hold_it_up_but_not_for_ever(
    harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, clock = family(harness, parents=100), FakeClock()
    monkeypatch.setattr(database, "BLOAT_FLOOR", 150)
    harness.execute(target, "alter table parents set (autovacuum_enabled = off)")
    with closing(connect(target, clock=clock)) as db:
        rows = inchworm.ports.Rows(("id",), [(2 * i,) for i in range(1, 101)])
        for _ in range(3):
            with db.turn(limit_s=5.0) as turn:
                turn.apply("update parents set n = n + 1 where id = :id", rows)
            clock.advance(database.BLOAT_LOOK_S)
        db.writer.script("select pg_stat_force_next_flush()")
        db.writer.script("select 1")
        assert db.upkeep(Limits()).hold == database.BLOAT
        clock.advance(database.BLOAT_MOST_S + database.BLOAT_LOOK_S)
        assert db.upkeep(Limits()).hold is None
        harness.execute(target, "vacuum parents")
        clock.advance(database.BLOAT_LOOK_S)
        assert db.upkeep(Limits()).hold is None


def test_others_are_noticed_and_our_own_turns_are_not_others(harness: PostgresHarness) -> None:
    target, clock = family(harness, parents=10), FakeClock()
    with closing(connect(target, clock=clock)) as db:

        def wrote() -> bool:
            clock.advance(1.0)
            return db.others_wrote()

        assert not wrote()
        with db.turn(limit_s=5.0) as turn:
            turn.execute("update parents set n = n + 1", {})
        assert not wrote()
        harness.execute(target, "update parents set n = n + 1")
        assert wrote()
        assert not wrote()


# -- holders


def far_holder(target: str, harness: PostgresHarness, clock: FakeClock) -> Holder:
    far = Holder("elsewhere", "boot", "pid:[1]", 4711, "1", "token")
    with closing(connect(target)) as db:
        ledger.ensure(db, "2026-01-01T00:00:00Z")
    harness.execute(
        target,
        "insert into _async_migrations (name, status, holder, epoch, lease_until, attempts) "
        f"values ('count_up', 'running', '{far}', 7, {clock.wall() + 1e6}, 1)",
    )
    return far


def test_a_holder_on_another_machine_whose_connection_is_gone_is_followed_at_once(harness: PostgresHarness) -> None:
    target, clock = family(harness, parents=50), FakeClock()
    far_holder(target, harness, clock)
    assert inchworm.Runner(target, [count_up()], clock=clock).run().ok
    assert harness.rows(target, "select epoch from _async_migrations") == [(8,)]


def test_a_holder_on_another_machine_that_is_connected_is_left_alone(harness: PostgresHarness) -> None:
    target, clock = family(harness, parents=50), FakeClock()
    far = far_holder(target, harness, clock)
    with psycopg.connect(target) as alive:
        alive.execute(f"select pg_advisory_lock_shared({SPACE}, {process_number(str(far))})")

        def finish() -> None:
            if len(clock.slept) == 3:
                harness.execute(target, "update _async_migrations set status = 'done', holder = null")

        clock.on_sleep = finish
        assert inchworm.Runner(target, [count_up()], clock=clock).run().ok
    assert harness.rows(target, "select distinct n from parents") == [(0,)]


def test_status_says_that_a_holder_on_another_machine_is_gone_and_does_not_while_it_is_connected(
    harness: PostgresHarness,
) -> None:
    target, clock = family(harness, parents=5), FakeClock()
    far = far_holder(target, harness, clock)
    (gone,) = inchworm.read_status(target)
    assert (gone.status, gone.reason) == (Status.INTERRUPTED, "crashed: pid 4711 on elsewhere is gone")
    with psycopg.connect(target) as alive:
        alive.execute(f"select pg_advisory_lock_shared({SPACE}, {process_number(str(far))})")
        (there,) = inchworm.read_status(target)
    assert there.status is Status.RUNNING


# -- indexes


def test_an_index_is_built_while_others_write(harness: PostgresHarness) -> None:
    target = family(harness)
    built, writing = threading.Event(), threading.Event()

    def write() -> None:
        with psycopg.connect(target) as connection:
            # an open transaction of a writer: the build waits for it, and other writers wait for nobody
            connection.execute("update parents set n = n + 1 where id = 2")
            writing.set()
            while not built.wait(0.01):
                harness.execute(target, "update parents set n = n + 1 where id = 4")
                if harness.rows(target, "select 1 from pg_stat_progress_create_index"):
                    break

    thread = threading.Thread(target=write)
    thread.start()
    assert writing.wait(PATIENCE_S)
    index = IndexBuild(name="by_newest", create="create index parents_by_newest on parents (newest)", lock_s=0.01)
    outcome = inchworm.run(target, [index])["by_newest"]
    built.set()
    thread.join(PATIENCE_S)
    assert (outcome.status, outcome.error) == (Status.DONE, None)
    assert valid(harness, target) == [("parents_by_newest", True)]


def valid(harness: PostgresHarness, target: str) -> object:
    return harness.rows(
        target,
        "select c.relname::text, indisvalid from pg_index join pg_class c on c.oid = indexrelid"
        " where indrelid = 'parents'::regclass and not indisprimary",
    )


def test_what_an_interrupted_build_left_behind_is_replaced(harness: PostgresHarness) -> None:
    target = family(harness)
    with psycopg.connect(target) as holder, psycopg.connect(target, autocommit=True) as builder:
        holder.execute("update parents set n = n + 1 where id = 2")
        builder.execute("set statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            builder.execute("create index concurrently parents_by_newest on parents (newest)")
    assert valid(harness, target) == [("parents_by_newest", False)]
    index = IndexBuild(name="by_newest", create="create index parents_by_newest on parents (newest)")
    assert inchworm.run(target, [index]).ok
    assert valid(harness, target) == [("parents_by_newest", True)]


def test_a_unique_index_that_cannot_be_leaves_nothing_behind(harness: PostgresHarness) -> None:
    target = family(harness)
    index = IndexBuild(name="unique", create="create unique index parents_once on parents (newest)")
    outcome = inchworm.run(target, [index])["unique"]
    assert (outcome.status, "newest" in str(outcome.error)) == (Status.FAILED, True)
    assert valid(harness, target) == []


@pytest.mark.parametrize(
    ("verb", "status"), [("cancel", Status.CANCELLED), ("pause", Status.PAUSED), (None, Status.INTERRUPTED)]
)
def test_an_index_build_that_waits_or_works_in_the_server_is_cancelled_there(
    harness: PostgresHarness, verb: str | None, status: Status
) -> None:
    target, stop = family(harness), Stop()
    index = IndexBuild(name="by_newest", create="create index parents_by_newest on parents (newest)")
    outcomes: list[Outcome] = []
    with psycopg.connect(target) as holder:
        holder.execute("update parents set n = n + 1 where id = 2")  # the build waits for this transaction
        builder = threading.Thread(
            target=lambda: outcomes.append(inchworm.run(target, [index], stop=stop, wait_paused=False)["by_newest"])
        )
        builder.start()
        while not harness.rows(target, "select 1 from pg_stat_progress_create_index where index_relid <> 0"):
            assert builder.is_alive()
        if verb is None:
            stop.set("SIGTERM")
        else:
            assert inchworm.request(target, "by_newest", verb, by="ada") == "requested"
        # what the cancelled build left is dropped concurrently, which waits for older transactions too
        while harness.rows(target, "select 1 from pg_stat_progress_create_index"):
            assert builder.is_alive()
        holder.rollback()
        builder.join(PATIENCE_S)
    assert [outcome.status for outcome in outcomes] == [status]
    assert valid(harness, target) == []


def test_an_index_table_is_refused_with_the_better_way(harness: PostgresHarness) -> None:
    target = family(harness)
    table = IndexTable(name="t", table="parents", columns="newest", index_table="parents_by_newest")
    outcome = inchworm.run(target, [table])["t"]
    assert (outcome.status, "use IndexBuild there" in str(outcome.error)) == (Status.FAILED, True)


def test_a_build_that_another_session_is_at_is_waited_for(harness: PostgresHarness) -> None:
    target = family(harness)
    create = "create index parents_by_newest on parents (newest)"
    with psycopg.connect(target) as holder:
        holder.execute("update parents set n = n + 1 where id = 2")
        other = threading.Thread(target=harness.execute, args=(target, create.replace("index", "index concurrently")))
        other.start()
        while not harness.rows(target, "select 1 from pg_stat_progress_create_index where index_relid <> 0"):
            assert other.is_alive()
        with closing(connect(target)) as db, pytest.raises(Busy, match="another session"):
            db.build_index(create, limit_s=5.0)
    other.join(PATIENCE_S)
    assert valid(harness, target) == [("parents_by_newest", True)]


@pytest.mark.parametrize(
    ("create", "statement", "name", "table"),
    [
        ("create index i on t (a)", "create index concurrently i on t ( a )", "i", "t"),
        (
            'CREATE UNIQUE INDEX IF NOT EXISTS "I x" ON ONLY s."T" USING btree (a) WHERE a > 0;',
            'CREATE UNIQUE INDEX concurrently IF NOT EXISTS "I x" ON ONLY s . "T" USING btree ( a ) WHERE a > 0',
            "I x",
            's."T"',
        ),
        ("create index concurrently I on t (a)", "create index concurrently I on t ( a )", "i", "t"),
    ],
)
def test_a_build_is_read_far_enough_to_be_cleaned_up(create: str, statement: str, name: str, table: str) -> None:
    found = read_build(create)
    assert (found.statement, found.name, found.table) == (statement, name, table)


def test_an_index_without_a_name_is_refused() -> None:
    with pytest.raises(StatementRefused, match="needs a name"):
        read_build("create index if not exists on t (a)")


# -- how it is called


def test_a_factory_of_psycopg_connections_is_as_good_as_a_url(harness: PostgresHarness) -> None:
    target = family(harness)
    made: list[object] = []

    def factory() -> psycopg.Connection[dict[str, object]]:
        made.append(None)
        connection = psycopg.connect(target, row_factory=psycopg.rows.dict_row, prepare_threshold=None)
        connection.execute("select 1")  # leaves a transaction open, as a connection of somebody's pool may
        return connection

    seen: list[bool] = []

    def own(turn: inchworm.ports.Turn, rows: object) -> int:
        seen.append(is_connection(turn.connection))
        return turn.apply("update parents set n = n + 1 where id = :id", as_rows(rows)).count(True)

    outcome = inchworm.run(factory, [newest(), count_up(apply=own)])
    assert outcome.ok
    assert len(made) == 2
    assert set(seen) == {True}
    assert [s.status for s in inchworm.read_status(factory)] == [Status.DONE, Status.DONE]
    assert Conformance().wrong(harness, target) == 0


def as_rows(rows: object) -> inchworm.ports.Rows:
    assert isinstance(rows, list)
    return inchworm.ports.Rows(tuple(rows[0]), [tuple(row.values()) for row in rows])


def test_a_connection_of_another_driver_is_refused_by_name(harness: PostgresHarness) -> None:
    with pytest.raises(TypeError, match="not a connection of psycopg 3"):
        connect(lambda: sqlite3.connect(":memory:"))


def test_operators_steer_over_the_url_and_status_never_writes(harness: PostgresHarness) -> None:
    target, stop = family(harness), inchworm.Stop()
    assert inchworm.read_status(target) == ()

    def interrupt(what: str, sql: str) -> None:
        if what == "apply":
            stop.set("test")

    runner = inchworm.Runner(
        target,
        [count_up()],
        first_rows=20,
        stall_budget_ms=10_000,
        open_with=lambda _: Observed(harness.open(target), interrupt),
    )
    runner.run(stop=stop)
    assert inchworm.request(target, "count_up", "pause", by="ada") == "paused"
    [status] = inchworm.read_status(target, known=["count_up"])
    assert (status.status, status.reason, status.counts.examined) == (Status.PAUSED, "paused by ada", 20)
    with pytest.raises(inchworm.RequestRefused):
        inchworm.request(target, "count_up", "retry")
    assert inchworm.request(target, "count_up", "resume") == "pending"
    assert inchworm.run(target, [count_up()]).ok
    with closing(connect_reader(target)) as reader:
        with pytest.raises(DatabaseBroken, match="only reads"), reader.turn(limit_s=1.0):
            pass
        with pytest.raises(DatabaseBroken), reader.snapshot() as reads:
            reads.select("delete from parents", {})


def test_an_older_ledger_is_extended_and_keeps_what_is_done(harness: PostgresHarness) -> None:
    target = family(harness)
    harness.execute(
        target,
        "create table _async_migrations (name text primary key, status text not null, started_at text, ended_at text,"
        " error text)",
        "insert into _async_migrations values ('newest', 'done'), ('count_up', 'pending_async')",
    )
    assert [s.status for s in inchworm.read_status(target)] == [Status.INTERRUPTED, Status.DONE]
    assert inchworm.run(target, [newest(), count_up()]).ok
    assert harness.rows(target, "select distinct newest, n from parents") == [(0, 1)]
    harness.execute(target, "update _async_ledger set version = version + 1")
    with pytest.raises(inchworm.errors.LedgerTooNew):
        inchworm.run(target, [newest()])


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_a_second_database_is_read_and_never_written(harness: PostgresHarness, tmp_path: Path, kind: str) -> None:
    target = harness.fresh()
    harness.execute(target, "create table copies (id bigint primary key, v text)")
    if kind == "postgres":
        source = harness.fresh()
        harness.execute(source, "create table originals (id bigint primary key, v text)")
        harness.execute(source, "insert into originals select g, 'v' || g from generate_series(1, 300) as g")
    else:
        source = str(tmp_path / "source.db")
        with closing(sqlite3.connect(source)) as old, old:
            old.execute("create table originals (id integer primary key, v text)")
            old.executemany("insert into originals values (?, 'v' || ?)", [(i, i) for i in range(1, 301)])
    migration = Backfill(
        name="import",
        table="originals",
        source=source,
        compute="select id, v from originals where id between :first and :last",
        apply="insert into copies (id, v) values (:id, :v) on conflict do nothing",
        guard="frozen",
    )
    outcome = inchworm.run(target, [migration], first_rows=50)["import"]
    assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 300, None)
    assert harness.rows(target, "select count(*) from copies where v = 'v' || id") == [(300,)]


def test_a_row_with_a_deferred_fault_is_set_aside_alone(harness: PostgresHarness) -> None:
    target = family(harness, parents=60)
    harness.execute(
        target,
        "create table others (id bigint primary key)",
        "insert into others select 2 * g from generate_series(1, 60) as g where g <> 25",
        "alter table parents add column other bigint references others deferrable initially deferred",
    )
    migration = count_up(apply="update parents set other = :id where id = :id", on_quarantine="done")
    outcome = inchworm.run(target, [migration])["count_up"]
    assert (outcome.status, outcome.counts.quarantined, outcome.counts.changed) == (Status.DONE, 1, 59)
    assert harness.rows(target, "select row_key from _async_quarantine") == [("[50]",)]
