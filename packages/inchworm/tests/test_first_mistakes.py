"""What a stranger gets wrong first, and the sentence that tells it; never a success that did nothing."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from databases import writing

import inchworm
from inchworm.recheck import recheck
from inchworm.testing.hazards import Ordeal

UPDATE = "update t set n = 1 where id between :first and :last"


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "mesh.db")
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key, n integer, a text)")
        connection.executemany("insert into t values (?, 0, 'a')", [(i,) for i in range(1, 41)])
    return path


def backfill(**other: Any) -> inchworm.Backfill:
    return inchworm.Backfill(**({"name": "m", "table": "t", "update": UPDATE} | other))


@pytest.mark.parametrize("option", [{"first_rows": 0}, {"first_rows": -1}, {"lease_s": 0}])
def test_a_number_that_would_let_nothing_be_done_is_refused(db: str, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be greater than 0"):
        inchworm.run(db, [backfill()], **option)


def test_a_connection_in_place_of_its_factory_is_refused_with_an_example(db: str) -> None:
    with closing(sqlite3.connect(db)) as connection:
        for given in (connection, None, 5):
            with pytest.raises(TypeError, match="no function that opens a connection"):
                inchworm.run(given, [backfill()])  # type: ignore[arg-type]


@pytest.mark.parametrize("count", ["select null", "select 'many'"])
def test_a_count_that_is_no_number_is_said_to_be_none(db: str, count: str) -> None:
    outcome = inchworm.run(db, [backfill(count=count)])["m"]
    assert "count yields" in (outcome.error or "")


def test_what_no_index_build_and_no_count_can_be_is_refused_where_it_is_written() -> None:
    with pytest.raises(inchworm.DefinitionError, match="a name is a letter"):
        inchworm.IndexBuild(name="by n", create="create index t_n on t (n)")
    with pytest.raises(inchworm.DefinitionError, match="lock_s is 0"):
        inchworm.IndexBuild(name="by_n", create="create index t_n on t (n)", lock_s=0)
    with pytest.raises(inchworm.DefinitionError, match="count=-1"):
        backfill(count=-1)


def test_an_index_that_took_too_long_names_the_limit_and_the_way_out(db: str) -> None:
    with writing(db) as connection:
        connection.executemany(
            "insert into t values (?, ?, ?)", [(i, i * 7919 % 100_003, "a") for i in range(50, 50_000)]
        )
    build = inchworm.IndexBuild(name="by_n", create="create index t_n on t (n)", lock_s=1e-6)
    error = inchworm.run(db, [build])["by_n"].error or ""
    assert "not built within lock_s, 1e-06 s" in error
    assert "IndexTable" in error
    again = inchworm.IndexBuild(name="by_n", create="create index t_n on t (n)", lock_s=60)
    inchworm.request(db, "by_n", "retry")
    assert inchworm.run(db, [again]).ok


def test_a_guard_is_named_as_it_was_written(db: str) -> None:
    with pytest.raises(inchworm.DefinitionError, match="guard='reread' cannot"):
        backfill(update=None, source=db, compute="select id from t where id between :first and :last", guard="reread",
                 apply="update t set n = 1 where id = :id")  # fmt: skip


def test_nobody_is_told_to_drop_a_table_that_is_no_index_table(db: str) -> None:
    with writing(db) as connection:
        connection.execute("create table mine (id integer primary key, kept text)")
    taken = inchworm.IndexTable(name="by_a", table="t", columns="a", index_table="mine")
    error = inchworm.run(db, [taken])["by_a"].error or ""
    assert "give another index_table" in error
    assert "drop" not in error


def test_an_older_index_table_may_be_dropped(db: str) -> None:
    assert inchworm.run(db, [inchworm.IndexTable(name="by_a", table="t", columns="a", index_table="t_by")]).ok
    other = inchworm.IndexTable(name="by_n", table="t", columns="n", index_table="t_by")
    assert "drop table" in (inchworm.run(db, [other])["by_n"].error or "")


def test_an_old_definition_that_was_restored_goes_on_after_a_retry_as_its_error_says(db: str) -> None:
    stop, calls = inchworm.Stop(), list[int]()

    def transform(rows: Any) -> list[dict[str, Any]]:
        calls.append(len(rows))
        stop.set("enough")
        return [{"id": row["id"]} for row in rows]

    parts = {
        "update": None,
        "transform": transform,
        "guard": "frozen",
        "apply": "update t set n = n + 1 where id = :id",
    }
    assert not inchworm.run(db, [backfill(**parts)], stop=stop, first_rows=10).ok
    changed = inchworm.run(db, [backfill(**parts, version="2")])["m"]
    assert "restore the old one and ask for `retry`" in (changed.error or "")
    inchworm.request(db, "m", "retry")
    assert inchworm.run(db, [backfill(**parts)]).ok
    with writing(db) as connection:
        assert connection.execute("select count(*) from t where n <> 1").fetchone() == (0,)


def test_rows_that_drift_after_the_end_are_not_sent_to_a_retry_that_is_refused(db: str) -> None:
    wrong = backfill(verify="select id from t where id between :first and :last and n is not 1")
    assert "then retry" in (recheck(db, [wrong])[0].problem or "")
    assert inchworm.run(db, [wrong]).ok
    with writing(db) as connection:
        connection.execute("update t set n = 2 where id = 7")
    problem = recheck(db, [wrong])[0].problem or ""
    assert "then mend them with a migration of a new name" in problem
    with pytest.raises(inchworm.RequestRefused):
        inchworm.request(db, "m", "retry")


def test_who_drops_the_table_of_migrations_begins_anew(db: str) -> None:
    assert inchworm.run(db, [backfill()]).ok
    with writing(db) as connection:
        connection.execute("drop table _async_migrations")
    again = inchworm.run(db, [backfill()])["m"]
    assert (again.status, again.counts.examined) == (inchworm.Status.DONE, 40)


def test_one_row_that_cannot_be_changed_is_one_row(db: str) -> None:
    with writing(db) as connection:
        connection.execute("create trigger no before update on t when old.id = 7 begin select raise(abort, 'no'); end")
    assert (inchworm.run(db, [backfill()])["m"].error or "").startswith("1 row could not be changed; key 7: no")


def add_one(turn: Any, rows: Any) -> int:
    for row in rows:
        turn.execute("update t set n = n + 1 where id = :id", {"id": row["id"]})
    return len(rows)


@pytest.mark.parametrize(
    "form",
    [
        {"update": "update t set n = n + 1 where id between :first and :last"},
        {
            "update": None,
            "compute": "select id from t where id between :first and :last",
            "guard": "frozen",
            "apply": add_one,
        },
    ],
    ids=["update", "callable"],
)
def test_a_right_migration_that_needs_no_page_survives_a_full_disk(tmp_path: Path, form: dict[str, Any]) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute("create table t (id integer primary key, n integer)")
        connection.executemany("insert into t values (?, 0)", [(i,) for i in range(1, 81)])

    def wrong(connection: sqlite3.Connection) -> object:
        return connection.execute("select id from t where n <> 1").fetchall()

    Ordeal("a full disk", tmp_path).survived_by(backfill(**form), make, wrong)


def test_the_forms_that_the_documentation_shows_are_right_for_a_type_checker(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    program = (
        "import inchworm\n"
        'U = "update t set n = 1 where id between :first and :last"\n'
        'inchworm.Backfill(name="m", table="t", update=U, after="first")\n'
        'inchworm.Backfill(name="m", table="t", update=U, after=("first",))\n'
        'inchworm.IndexBuild(name="i", create="create index t_n on t (n)", after="m")\n'
        'inchworm.IndexTable(name="x", table="t", columns="n", index_table="t_by_n", after="m")\n'
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
