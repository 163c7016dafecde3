"""Doctor looks at a real server and at real other sessions, and changes nothing."""

from contextlib import closing

import psycopg
import pytest

import inchworm
from inchworm import server_diagnosis
from inchworm.doctor import Diagnosis, examine
from inchworm.findings import Severity
from inchworm.server_diagnosis import ServerFacts
from inchworm.testing.clock import FakeClock

from .server import PostgresHarness, Server

pytestmark = pytest.mark.postgres

T = inchworm.Backfill(
    name="t", table="t", update="update t set a = 1 where id between :first and :last and a is distinct from 1"
)


@pytest.fixture
def db(harness: PostgresHarness) -> str:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id bigint primary key, a bigint)",
        "insert into t (id) select generate_series(1, 300)",
        "analyze t",
    )
    return target


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lasts for minutes in life lasts for no time in a test."""
    for name in ("IDLE_S", "LONG_S", "WAIT_S"):
        monkeypatch.setattr(server_diagnosis, name, 0.0)


def look(db: str, *migrations: inchworm.Backfill) -> Diagnosis:
    return examine(db, migrations, clock=FakeClock())


def sentences(found: Diagnosis, severity: Severity | None = None) -> str:
    return "\n".join(f"{f.about}: {f.sentence}" for f in found.findings if severity in (None, f.severity))


def pid_of(connection: psycopg.Connection[tuple[int]]) -> int:
    return connection.info.backend_pid


def test_a_sound_server_gets_no_error_and_no_warning_and_nothing_is_left_behind(
    db: str, harness: PostgresHarness
) -> None:
    found = look(db, T)
    assert found.ok
    assert isinstance(found.facts, ServerFacts)
    assert found.facts.version_number >= 100_000
    assert sentences(found, Severity.WARNING) == ""
    assert harness.rows(db, "select to_regclass('_async_migrations')") == [(None,)]


@pytest.mark.usefixtures("impatient")
def test_a_transaction_that_is_left_open_is_named_with_what_it_keeps(db: str) -> None:
    with psycopg.connect(db, application_name="report") as other:
        other.execute("set transaction isolation level repeatable read")
        other.execute("select * from t")
        found = sentences(look(db), Severity.WARNING)
        name = f"report (pid {pid_of(other)}, user postgres)"
    assert f"{name} has a transaction open" in found
    assert "vacuum keeps every row that died in the" in found
    assert "report" not in sentences(look(db))


@pytest.mark.usefixtures("impatient")
def test_a_prepared_transaction_is_named(db: str, harness: PostgresHarness) -> None:
    server = Server(["max_prepared_transactions = 2"])
    try:
        url = server.url("postgres")
        own = PostgresHarness(server)
        own.execute(url, "create table t (id bigint primary key)")
        with psycopg.connect(url) as other:
            other.execute("insert into t values (1)")
            other.execute("prepare transaction 'forgotten'")
        found = look(url)
        assert "the prepared transaction forgotten is open" in sentences(found, Severity.WARNING)
        own.execute(url, "rollback prepared 'forgotten'")
    finally:
        server.remove()


@pytest.mark.usefixtures("impatient")
def test_a_lock_on_the_migrations_table_and_who_waits_for_it_are_named(db: str) -> None:
    with psycopg.connect(db, application_name="ddl") as other:
        other.execute("lock table t in share mode")
        found = sentences(look(db, T), Severity.WARNING)
        assert f"ddl (pid {pid_of(other)}) holds ShareLock on t: nobody else can write to it" in found
    assert "ShareLock" not in sentences(look(db, T))


def test_a_slot_that_nobody_uses_is_named_with_the_log_that_it_keeps(db: str, harness: PostgresHarness) -> None:
    harness.execute(db, "select pg_create_physical_replication_slot('left_behind', true)")
    try:
        harness.execute(db, "update t set a = 2")
        assert "nobody uses the replication slot left_behind, which keeps" in sentences(look(db))
    finally:
        harness.execute(db, "select pg_drop_replication_slot('left_behind')")


def test_a_table_without_autovacuum_statistics_or_a_valid_index_is_named(db: str, harness: PostgresHarness) -> None:
    harness.execute(
        db,
        "create table u (id bigint primary key, a bigint) with (autovacuum_enabled = false)",
        "insert into u select n, 1 from generate_series(1, 10) n",
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        harness.execute(db, "create unique index concurrently u_once on u (a)")
    u = inchworm.Backfill(name="u", table="u", update="update u set a = 1 where id between :first and :last")
    found = sentences(look(db, u), Severity.WARNING)
    assert "u: autovacuum is off for this table" in found
    assert "u: it was never analyzed" in found
    assert "u: its index u_once is not valid" in found


def test_dead_rows_are_counted(db: str, harness: PostgresHarness) -> None:
    harness.execute(
        db,
        "create table d (id bigint primary key, a bigint) with (autovacuum_enabled = false)",
        "insert into d select n, 1 from generate_series(1, 15000) n",
        "update d set a = 2",
    )
    while harness.rows(db, "select n_dead_tup from pg_stat_user_tables where relid = 'd'::regclass") != [(15_000,)]:
        continue  # a session reports its statistics when it ends
    d = inchworm.Backfill(name="d", table="d", update="update d set a = 1 where id between :first and :last")
    assert "15,000 dead rows beside 15,000 living ones" in sentences(look(db, d))


def test_a_server_without_lock_timeout_is_told_what_a_schema_change_does_there(db: str) -> None:
    assert "lock_timeout is 0" in sentences(look(db), Severity.NOTE)
    assert "lock_timeout is 0" not in sentences(look(db + "%20-clock_timeout%3D2000"))


def test_a_role_that_may_not_look_is_told_so(db: str, harness: PostgresHarness) -> None:
    harness.execute(db, "drop role if exists blind", "create role blind login")
    try:
        found = look(db.replace("postgres@", "blind@"))
        assert "this role cannot see what other sessions do" in sentences(found, Severity.NOTE)
    finally:
        harness.execute(db, "drop role blind")


def test_a_server_that_is_not_there_is_one_error() -> None:
    found = look("postgresql://nobody@127.0.0.1:1/nowhere")
    assert not found.ok
    assert "it cannot be asked" in sentences(found, Severity.ERROR)
    assert len(found.findings) == 1


def test_a_factory_of_connections_is_examined_too(db: str) -> None:
    found = examine(lambda: psycopg.connect(db), clock=FakeClock())
    assert isinstance(found.facts, ServerFacts)
    assert found.ok


def test_a_missing_index_is_found_with_the_migrations(db: str, harness: PostgresHarness) -> None:
    harness.execute(
        db,
        "create table c (id bigint generated by default as identity primary key, t_id bigint)",
        "insert into c (t_id) select 1 + n % 300 from generate_series(1, 60000) n",
        "analyze c",
    )
    slow = inchworm.Backfill(
        name="slow",
        table="t",
        compute="select t_id as id, count(*) as a from c where t_id between :first and :last group by 1",
        apply="update t set a = :a where id = :id and a < :a",
    )
    with closing(psycopg.connect(db)):
        found = examine(db, [slow], stall_budget_ms=10_000, clock=FakeClock())
    assert not found.ok
    assert "compute reads all of c (60,000 rows)" in sentences(found, Severity.ERROR)
