"""Plans look without touching: refuse what grows with the table, name the index, forecast the rest."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from databases import writing

import inchworm
from inchworm.errors import PlanRefused
from inchworm.findings import Severity
from inchworm.forecast import read_forecast
from inchworm.model import Migration
from inchworm.opening import open_reader
from inchworm.plan import MigrationPlan, plan_migrations, record
from inchworm.sqlite.driver import open_path

ROWS, CHILDREN = 2_000, 10

LAST_SEEN = (
    "select transmission_id as id, max(timestamp) as last_seen from observations"
    " where transmission_id between :first and :last group by 1"
)
APPLY = "update transmissions set last_seen = :last_seen where id = :id and last_seen < :last_seen"


def backfill(**other: object) -> inchworm.Backfill:
    parts = {"name": "m", "table": "transmissions", "compute": LAST_SEEN, "apply": APPLY} | other
    return inchworm.Backfill(**parts)  # type: ignore[arg-type]


BETTER = "create index observations_transmission_id_timestamp on observations (transmission_id, timestamp)"
INDEX = "create index obs_tx on observations(transmission_id)"
MANY = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {n}) "


@pytest.fixture
def db(tmp_path: Path) -> str:
    """2,000 transmissions with 10 observations each, in arrival order; no index on the foreign key."""
    path = str(tmp_path / "mesh.db")
    with writing(path) as other:
        other.execute("create table transmissions (id integer primary key, hash text, last_seen text default '')")
        other.execute("create table observations (id integer primary key, transmission_id integer, timestamp text)")
        other.execute(MANY.format(n=ROWS) + "insert into transmissions (id, hash) select i, hex(i) from n")
        other.execute(
            MANY.format(n=ROWS * CHILDREN) + "insert into observations (transmission_id, timestamp)"
            f" select 1 + (i * 7919) % {ROWS}, '2026-01-01T' || printf('%06d', i) from n"
        )
    return path


@pytest.fixture
def indexed(db: str) -> str:
    with writing(db) as other:
        other.execute(INDEX)
    return db


def planned(db: str, *migrations: Migration) -> MigrationPlan:
    return plan_migrations(db, migrations).migrations[-1]


def sentences(plan: MigrationPlan, severity: Severity) -> Sequence[str]:
    return [f.sentence for f in plan.findings if f.severity is severity]


def rows(db: str, sql: str) -> Sequence[tuple[object, ...]]:
    reader = open_reader(db)
    try:
        with reader.snapshot() as reads:
            return reads.select(sql, {}).rows
    finally:
        reader.close()


def test_a_scan_per_slice_is_refused_with_the_index_that_fixes_it_and_its_price(db: str) -> None:
    plan = planned(db, backfill())
    assert plan.refused
    assert plan.forecast is None
    (error,) = [f for f in plan.findings if f.severity is Severity.ERROR]
    assert "compute reads all of observations (20,000 rows)" in error.sentence
    assert "grows with the table" in error.sentence
    assert (
        "create index observations_transmission_id_timestamp on observations (transmission_id, timestamp)" in error.todo
    )
    assert "holds the write lock for about" in error.todo
    assert "not proved" not in error.todo


def test_the_proposed_index_really_cures_it(db: str) -> None:
    with writing(db) as other:
        other.execute(
            "create index observations_transmission_id_timestamp on observations (transmission_id, timestamp)"
        )
    plan = planned(db, backfill())
    assert not plan.refused
    assert plan.findings == ()


def test_a_correlated_subquery_without_an_index_is_refused_inside_the_turn(db: str) -> None:
    update = (
        "update transmissions set last_seen = (select max(timestamp) from observations"
        " where transmission_id = transmissions.id) where id between :first and :last"
    )
    plan = planned(db, inchworm.Backfill(name="m", table="transmissions", update=update))
    assert plan.refused
    assert "inside the write turn" in sentences(plan, Severity.ERROR)[0]
    assert "(transmission_id, timestamp)" in plan.findings[0].todo


def test_a_prefix_scan_is_refused_although_it_uses_an_index(indexed: str) -> None:
    prefix = LAST_SEEN.replace(
        "transmission_id between :first and :last", "transmission_id <= :last and +transmission_id >= :first"
    )
    plan = planned(indexed, backfill(compute=prefix))
    assert plan.refused
    assert "at the end" in sentences(plan, Severity.ERROR)[0]
    assert "at the start" not in sentences(plan, Severity.ERROR)[0]


def test_a_verify_that_scans_for_each_slice_is_refused(indexed: str) -> None:
    verify = "select o.id from observations o where +o.transmission_id between :first and :last and o.timestamp is null"
    plan = planned(indexed, backfill(verify=verify))
    assert "in the check at the end" in sentences(plan, Severity.ERROR)[0]


def test_a_sound_migration_gets_a_forecast_and_is_not_changed(indexed: str) -> None:
    plan = planned(indexed, backfill())
    assert not plan.refused
    assert plan.forecast is not None
    assert plan.forecast.rows == ROWS
    assert plan.forecast.seconds.low > 0
    assert plan.forecast.wal_bytes is not None
    assert rows(indexed, "select count(*) from transmissions where last_seen <> ''") == [(0,)]
    assert rows(indexed, "select count(*) from sqlite_master where name like '~_async%' escape '~'") == [(0,)]


def test_a_better_index_is_a_note_and_no_refusal(indexed: str) -> None:
    notes = sentences(planned(indexed, backfill()), Severity.NOTE)
    assert notes == ["compute looks every row of observations up behind the index obs_tx"]


def test_an_index_that_comes_first_is_waited_for(db: str) -> None:
    build = inchworm.IndexBuild(name="by_tx", create=INDEX)
    plan = plan_migrations(db, [build, backfill(after=("by_tx",))])
    assert plan.refused == ()
    assert "waits for the index by_tx" in sentences(plan.migrations[1], Severity.NOTE)[0]
    assert plan.migrations[1].forecast is None


def test_an_index_that_would_be_stopped_by_its_limit_is_refused(db: str) -> None:
    plan = planned(db, inchworm.IndexBuild(name="by_tx", create=INDEX, lock_s=0.000001))
    assert plan.refused
    assert "lock_s" in plan.findings[0].todo


def test_an_index_that_exists_or_whose_table_does_not_is_said(indexed: str) -> None:
    assert "exists" in sentences(planned(indexed, inchworm.IndexBuild(name="i", create=INDEX)), Severity.NOTE)[0]
    plan = planned(indexed, inchworm.IndexBuild(name="i", create="create index x on nowhere(a)"))
    assert "does not exist" in sentences(plan, Severity.ERROR)[0]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"table": "nowhere"}, "there is no table nowhere"),
        ({"key": "hash"}, "is not unique"),
        ({"apply": "update transmissions set nope = :last_seen where id = :id", "guard": "monotone"}, "no such column"),
        ({"compute": LAST_SEEN.replace("timestamp", "stamp")}, "no such column: stamp"),
        ({"apply": APPLY.replace(":last_seen", ":missing"), "guard": "monotone"}, "missing"),
    ],
)
def test_what_can_never_work_is_refused_with_its_reason(indexed: str, other: dict[str, object], sentence: str) -> None:
    plan = planned(indexed, backfill(**other))
    assert plan.refused
    assert sentence in sentences(plan, Severity.ERROR)[0]


@pytest.mark.parametrize("table", ["transmissions", "main.transmissions", "Transmissions"])
@pytest.mark.parametrize(
    "form",
    [
        {"update": "update transmissions set nope = 1 where id between :first and :last"},
        {"compute": LAST_SEEN, "apply": APPLY, "guard": "compare", "relies_on": "nope"},
    ],
)
def test_what_the_database_says_of_a_column_names_the_users_table(
    indexed: str, table: str, form: dict[str, str]
) -> None:
    wrong = inchworm.Backfill(name="typo", table=table, **form)  # type: ignore[arg-type]
    (sentence,) = sentences(planned(indexed, wrong), Severity.ERROR)
    assert f"no such column: {table.rpartition('.')[2]}.nope" in sentence


def test_an_empty_table_and_a_done_migration_need_no_plan(indexed: str) -> None:
    with writing(indexed) as other:
        other.execute("create table void (id integer primary key, a)")
    empty = inchworm.Backfill(name="e", table="void", update="update void set a = 1 where id between :first and :last")
    assert "empty" in sentences(planned(indexed, empty), Severity.NOTE)[0]
    inchworm.run(indexed, [backfill()])
    assert "is done" in sentences(planned(indexed, backfill()), Severity.NOTE)[0]


def test_few_rows_are_said_to_be_too_few_to_measure(indexed: str) -> None:
    with writing(indexed) as other:
        other.execute("delete from transmissions where id > 20")
    plan = planned(indexed, backfill())
    assert not plan.refused
    assert any("only 20 rows" in s for s in sentences(plan, Severity.NOTE))


def test_an_interrupted_migration_is_planned_from_its_cursor(indexed: str) -> None:
    migration = backfill()
    stop = inchworm.Stop()
    inchworm.run(indexed, [migration], stop=stop, on_progress=lambda event: stop.set())
    with writing(indexed) as other:
        other.execute("update _async_migrations set status = 'interrupted', cursor = '[1500]', ended_at = null")
    plan = planned(indexed, migration)
    assert plan.forecast is not None
    assert plan.forecast.rows <= 501


def test_triggers_and_foreign_keys_that_multiply_writes_are_said(indexed: str) -> None:
    with writing(indexed) as other:
        other.execute("create table log (t integer)")
        other.execute(
            "create trigger on_seen after update of last_seen on transmissions begin insert into log values (1); end"
        )
        other.execute(
            "create trigger on_hash after update of hash on transmissions begin insert into log values (2); end"
        )
        other.execute("create trigger on_new after insert on transmissions begin insert into log values (3); end")
    warnings = sentences(planned(indexed, backfill()), Severity.WARNING)
    assert [w for w in warnings if "trigger" in w] == ["trigger on_seen on transmissions runs for each changed row"]
    referenced(indexed)
    warnings = sentences(plan_migrations(checking(indexed), [RENAME]).migrations[0], Severity.WARNING)
    assert "child has a foreign key to transmissions.hash, which is looked up for each row" in warnings
    assert not any("points at" in w for w in warnings), "it is checked"
    assert rows(indexed, "select count(*) from log") == [(0,)]


RENAME = inchworm.Backfill(
    name="rename",
    table="transmissions",
    update="update transmissions set hash = 'x' || hash where id between :first and :last",
)
DELETE = "delete from transmissions where id between :first and :last"
OFF = "by a foreign key, and the connection that writes has foreign_keys off, SQLite's default"


def referenced(db: str) -> None:
    with writing(db) as other:
        other.execute("create unique index tx_hash on transmissions (hash)")
        other.execute("create table child (id integer primary key, tx text references transmissions(hash))")
        other.execute(MANY.format(n=ROWS) + "insert into child (tx) select null from n")


def checking(db: str) -> Callable[[], sqlite3.Connection]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(db, check_same_thread=False)
        connection.execute("pragma foreign_keys = on")
        return connection

    return connect


@pytest.mark.parametrize(
    ("table", "statement", "said"),
    [
        ("transmissions", RENAME.update, "child points at transmissions"),
        (
            "transmissions",
            "delete from transmissions where id between :first and :last",
            "child points at transmissions",
        ),
        ("child", "update child set tx = '?' where id between :first and :last", "child.tx points at transmissions"),
        ("transmissions", "update transmissions set last_seen = '1' where id between :first and :last", None),
        ("child", "delete from child where id between :first and :last", None),
    ],
)
def test_foreign_keys_that_nobody_checks_are_said_where_a_statement_could_break_them(
    indexed: str, table: str, statement: str, said: str | None
) -> None:
    referenced(indexed)
    plan = planned(indexed, inchworm.Backfill(name="m", table=table, update=statement))
    assert not plan.refused
    warnings = [w for w in sentences(plan, Severity.WARNING) if "foreign key" in w]
    assert warnings == ([f"{said} {OFF}: nothing is checked or cascades"] if said else [])


def test_a_function_as_apply_is_not_called(indexed: str) -> None:
    def apply(turn: object, found: object) -> int:
        raise AssertionError("a plan must not call it")

    plan = planned(indexed, backfill(apply=apply, guard="frozen"))
    assert plan.forecast is None
    assert any("apply is a function" in s for s in sentences(plan, Severity.NOTE))


def test_a_transform_is_sampled(indexed: str) -> None:
    seen: list[int] = []

    def transform(found: Sequence[inchworm.model.Row]) -> Sequence[inchworm.model.Row]:
        seen.append(len(found))
        return [{"id": r["id"], "last_seen": "x"} for r in found]

    plan = planned(indexed, backfill(compute=None, transform=transform))
    assert plan.forecast is not None
    assert max(seen) == 256


def test_a_text_key_is_planned_too(indexed: str) -> None:
    with writing(indexed) as other:
        other.execute("create table texts (k text primary key not null, a integer) without rowid")
        other.execute(MANY.format(n=500) + "insert into texts select hex(i * 7919 % 65521), null from n")
    update = "update texts set a = 1 where k between :first and :last"
    plan = planned(indexed, inchworm.Backfill(name="t", table="texts", key="k", update=update))
    assert not plan.refused
    assert plan.forecast is not None
    assert plan.forecast.rows == 500


def test_a_second_database_is_planned_where_its_keys_are(indexed: str, tmp_path: Path) -> None:
    old = str(tmp_path / "old.db")
    with writing(old) as other:
        other.execute("create table seen (id integer primary key, at text)")
        other.execute(MANY.format(n=300) + "insert into seen select i, 'y' || i from n")
    migration = backfill(
        table="seen", source=old, compute="select id, at as last_seen from seen where id between :first and :last"
    )
    plan = planned(indexed, migration)
    assert not plan.refused
    assert plan.forecast is not None
    assert plan.forecast.rows == 300


def test_a_locked_database_is_planned_without_the_turns(indexed: str) -> None:
    from inchworm.testing.clock import FakeClock

    with writing(indexed) as other:
        other.execute("insert into observations (transmission_id) values (0)")
        plan = plan_migrations(indexed, [backfill()], clock=FakeClock()).migrations[0]
    assert plan.forecast is None
    assert any("another writer held the lock" in s for s in sentences(plan, Severity.NOTE))


def test_require_raises_with_the_sentences(db: str) -> None:
    with pytest.raises(PlanRefused, match="grows with the table"):
        plan_migrations(db, [backfill()]).require()


def test_the_forecast_is_recorded_once_and_stands_in_the_report(indexed: str) -> None:
    migration = backfill()
    plan = plan_migrations(indexed, [migration])
    record(indexed, plan, [migration])
    record(indexed, plan, [migration])
    outcome = inchworm.run(indexed, [migration])["m"]
    assert outcome.forecast is not None
    assert read_forecast(outcome.forecast) == plan.migrations[0].forecast
    assert inchworm.read_status(indexed)[0].forecast == outcome.forecast


def test_a_forecast_of_a_migration_that_has_begun_is_kept(indexed: str) -> None:
    migration = backfill()
    plan = plan_migrations(indexed, [migration])
    inchworm.run(indexed, [migration])
    record(indexed, plan, [migration])
    assert inchworm.read_status(indexed)[0].forecast is None


def test_the_forecast_log_is_about_what_a_run_writes(indexed: str) -> None:
    migration = backfill()
    made = planned(indexed, migration).forecast
    assert made is not None
    assert made.wal_bytes is not None
    with closing(open_path(indexed, read_only=False)) as keep:
        keep.run("select count(*) from transmissions")  # the last connection to leave removes the log
        inchworm.run(indexed, [migration])
        written = Path(indexed + "-wal").stat().st_size
    assert made.wal_bytes.low / 2 < written < made.wal_bytes.high * 3, (made.wal_bytes, written)


def test_both_sqlite_libraries_measure_the_same_steps(indexed: str) -> None:
    pytest.importorskip("apsw")
    steps = []
    for driver in ("apsw", "sqlite3"):
        plan = plan_migrations(indexed, [backfill()], driver=driver).migrations[0]
        steps.append(plan.samples.read[0].per_row)
    assert steps[0] == pytest.approx(steps[1], rel=0.25)
