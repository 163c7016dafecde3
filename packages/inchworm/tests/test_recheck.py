"""Data are checked again long after a migration ended, and nothing is changed by looking."""

from pathlib import Path

import pytest
from databases import writing

import inchworm
from inchworm.errors import StatementRefused, Stopped
from inchworm.recheck import Rechecked, recheck


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "mesh.db")
    with writing(path) as other:
        other.execute("create table t (id integer primary key, a integer, b integer)")
        other.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
            " insert into t select i, i, i from n"
        )
    return path


def backfill(verify: str | None, **other: object) -> inchworm.Backfill:
    parts = {"name": "m", "table": "t", "update": "update t set b = a where id between :first and :last"} | other
    return inchworm.Backfill(verify=verify, **parts)  # type: ignore[arg-type]


SLICED = "select id from t where id between :first and :last and b is not a"


def test_a_row_that_drifted_is_found_in_any_slice(db: str) -> None:
    for wrong in (1, 2_500, 5_000):
        with writing(db) as other:
            other.execute(f"update t set b = -1 where id = {wrong}")
        (found,) = recheck(db, [backfill(SLICED)], stop=inchworm.Stop())
        assert found.problem is not None
        assert f"among them {wrong}" in found.problem
        with writing(db) as other:
            other.execute("update t set b = a")
    assert recheck(db, [backfill(SLICED)], stop=inchworm.Stop()) == (Rechecked("m", checked=True),)


def test_a_statement_without_bounds_is_run_once_over_everything(db: str) -> None:
    whole = backfill("select id from t where b is not a")
    assert recheck(db, [whole], stop=inchworm.Stop())[0].problem is None
    with writing(db) as other:
        other.execute("update t set b = -1 where id = 3")
    assert "among them 3" in (recheck(db, [whole], stop=inchworm.Stop())[0].problem or "")


def test_quarantined_rows_are_known_to_be_wrong_and_not_reported_again(db: str) -> None:
    with writing(db) as other:
        other.execute("create trigger no before update on t when old.id = 7 begin select raise(abort, 'no'); end")
        other.execute("update t set b = 0 where id = 8")
    double = backfill(
        "select id from t where id between :first and :last and b is not 2 * a",
        update="update t set b = 2 * a where id between :first and :last",
        on_quarantine="done",
    )
    report = inchworm.run(db, [double])
    assert report["m"].counts.quarantined == 1
    assert recheck(db, [double], stop=inchworm.Stop())[0].problem is None


def test_an_empty_table_holds_and_a_missing_one_is_an_error(db: str) -> None:
    with writing(db) as other:
        other.execute("delete from t")
    assert recheck(db, [backfill(SLICED)], stop=inchworm.Stop())[0].problem is None
    with pytest.raises(StatementRefused, match="no table nowhere"):
        recheck(db, [backfill(SLICED, table="nowhere")], stop=inchworm.Stop())


def test_a_stop_ends_it(db: str) -> None:
    stop = inchworm.Stop()
    stop.set()
    with pytest.raises(Stopped):
        recheck(db, [backfill(SLICED)], stop=stop)


def test_a_second_database_gives_the_keys_and_the_first_is_checked(db: str, tmp_path: Path) -> None:
    with writing(db) as other:
        other.execute("update t set b = -1 where id = 3")  # no key of the second database
    old = str(tmp_path / "old.db")
    with writing(old) as other:
        other.execute("create table old (id integer primary key, a integer)")
        other.execute("insert into old values (1, 1), (2, 2)")
    migration = inchworm.Backfill(
        name="m",
        table="old",
        source=old,
        compute="select id, a from old where id between :first and :last",
        apply="update t set b = :a where id = :id",
        guard="frozen",
        verify="select id from t where id between :first and :last and b is not a",
    )
    assert recheck(db, [migration], stop=inchworm.Stop()) == (Rechecked("m", checked=True),)
    with writing(db) as other:
        other.execute("update t set b = -1 where id = 2")
    assert "among them 2" in (recheck(db, [migration], stop=inchworm.Stop())[0].problem or "")
