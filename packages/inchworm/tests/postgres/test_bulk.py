"""A statement over arrays does what the statements row by row would do, or is not built."""

from collections.abc import Sequence
from contextlib import closing

import pytest

from inchworm.errors import Busy, StatementRefused
from inchworm.ports import Rows, SqlValue
from inchworm.postgres import connect, transaction
from inchworm.postgres.bulk import fill, read_bulk

from .server import PostgresHarness

pytestmark = pytest.mark.postgres

PLAIN = [
    "update t set c = :c where id = :id and c < :c",
    'UPDATE "s"."T" SET "C" = "C" + :c /* why */, d = \'{:x}\' WHERE :id = id and d is not null -- so\n',
    "update t set (a, b) = (:a, :b) where id = :id\n and (a is null or b = :b)",
]
NOT_PLAIN = [
    "update t set c = :c where id = :id or c = 1",
    "update t set c = :c where id > :id",
    "update t set c = :c",
    "update t set id = id + 1 where id = :id",
    "update t set c = (select max(x) from u where u.id = :id) where id = :id",
    "update t set c = u.c from u where u.id = t.id and t.id = :id",
    "update t as x set c = :c where x.id = :id",
    "update t x set c = :c where id = :id",
    "update only t set c = :c where id = :id",
    "update t set c = :c where id = :id returning c",
    "update t set c = :c where id = :id; delete from t",
    "with x as (select 1) update t set c = :c where id = :id",
    "update t set c = E'\\':c' where id = :id",
    "update t set c = $$x$$ where id = :id",
    "update t set c[1] = :c where id = :id",
    "update t set c = :c where current of x",
    "insert into t values (:id)",
    "delete from t where id = :id",
]


@pytest.mark.parametrize("sql", PLAIN)
def test_a_plain_update_by_key_is_read(sql: str) -> None:
    bulk = read_bulk(sql)
    assert bulk is not None
    assert bulk.pickers == ("id",)


@pytest.mark.parametrize("sql", NOT_PLAIN)
def test_what_could_behave_otherwise_runs_row_by_row(sql: str) -> None:
    assert read_bulk(sql) is None


@pytest.mark.parametrize(
    "ids", [[1] * 20, ["a", *range(19)], [None, *range(19)], [0.5, *range(19)], [1 << 60, *range(19)], [1, 2]]
)
def test_rows_that_could_meet_in_one_row_run_row_by_row(ids: Sequence[SqlValue]) -> None:
    bulk = read_bulk(PLAIN[0])
    assert bulk is not None
    assert fill(bulk, ("id", "c"), [(i, 1) for i in ids], ("bigint", "bigint")) is None


VALUES: dict[str, tuple[str, Sequence[SqlValue]]] = {
    "int": ("int", [None, *range(29)]),
    "big": ("bigint", [1 << 40, *range(29)]),
    "small into double": ("double precision", list(range(30))),
    "double": ("double precision", [0.1 + 0.2, None, *(n / 7 for n in range(28))]),
    "mixed numbers": ("numeric", [1, 0.5, *range(28)]),
    "bool": ("boolean", [True, False, None] * 10),
    "text": ("text", [None, '{a,"b"}', "\\N", "null", "", *(f"v{n}" for n in range(25))]),
    "varchar": ("varchar(9)", [f"v{n}" for n in range(30)]),
    "char": ("char(5)", [f"v{n} " for n in range(30)]),
    "uuid": ("uuid", [f"00000000-0000-0000-0000-{n:012}" for n in range(30)]),
    "time": ("timestamptz", [f"2026-01-01 00:00:{n:02}.000001+02" for n in range(30)]),
    "json": ("jsonb", [f'{{"a": {n}}}' for n in range(30)]),
    "array": ("int[]", [f"{{{n},{n + 1}}}" for n in range(30)]),
    "enum": ("mood", ["sad", "glad", None] * 10),
    "domain": ("short", [f"v{n}" for n in range(30)]),
    "bytes": ("bytea", [bytes([n, 0]) for n in range(30)]),
    "nothing": ("date", [None] * 30),
    "number as text": ("int", [str(n) for n in range(30)]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_over_arrays_and_row_by_row_give_the_same_table(
    harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    column, values = VALUES[kind]
    rows = Rows(("v", "id"), [(value, 2 * at) for at, value in enumerate(values)])
    found = []
    for by_rows in (False, True):
        target = harness.fresh()
        harness.execute(
            target,
            "create type mood as enum ('sad', 'glad')",
            "create domain short as text check (length(value) < 9)",
            f"create table t (id bigint primary key, v {column})",
            "insert into t (id) select generate_series(0, 40)",
        )
        with pytest.MonkeyPatch.context() as patch, closing(connect(target)) as db:
            if by_rows:
                patch.setattr(transaction, "read_bulk", lambda sql: None)
            with db.turn(limit_s=5.0) as turn:
                matched = turn.apply("update t set v = :v where id = :id", rows)
        found.append((matched, harness.rows(target, "select id, v::text from t order by id")))
    assert found[0] == found[1]
    assert found[0][0] == [2 * at <= 40 for at in range(30)]


def test_a_statement_that_does_not_fit_arrays_is_tried_again_row_by_row(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id int primary key, v int)",
        "insert into t (id) select generate_series(1, 20)",
        "create function own(smallint) returns int language sql as 'select $1::int'",
    )
    sql = "update t set v = own(:v) where id = :id"
    rows = Rows(("v", "id"), [(str(n), n) for n in range(1, 21)])
    bad = Rows(("v", "id"), [(n, n) for n in range(1, 21)])
    with closing(connect(target)) as db:
        with db.turn(limit_s=5.0) as turn:
            assert all(turn.apply(sql, rows))
        with pytest.raises(Busy, match="row by row"), db.turn(limit_s=5.0) as turn:
            turn.apply(sql, bad)
        with pytest.raises(StatementRefused), db.turn(limit_s=5.0) as turn:
            turn.apply(sql, bad)
        with db.turn(limit_s=5.0) as turn:
            assert all(turn.apply(sql, rows))


def test_a_slice_looks_into_the_index_once_per_row_however_small_the_table(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id int primary key, v int) with (autovacuum_enabled = off)",
        "insert into t select g, 0 from generate_series(1, 2000) as g",
        "analyze t",
    )
    with closing(connect(target)) as db, db.turn(limit_s=5.0) as turn:
        assert all(
            turn.apply("update t set v = :v where id = :id", Rows(("id", "v"), [(n, n) for n in range(1, 1501)]))
        )
        scans = "select seq_scan, idx_scan from pg_stat_xact_user_tables where relid = 't'::regclass"
        assert turn.select(scans, {}).rows == [(0, 1500)]
        assert turn.select("select current_setting('enable_seqscan')", {}).rows == [("on",)]
