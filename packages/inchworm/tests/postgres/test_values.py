"""Keys of every exact type are walked whole, and values keep what they are on their way through Python."""

from collections.abc import Sequence
from contextlib import closing

import pytest

import inchworm
from inchworm import Backfill, Status
from inchworm.ports import Rows
from inchworm.postgres import connect
from inchworm.testing import FakeClock

from .server import PostgresHarness

pytestmark = pytest.mark.postgres

KEYS = [
    ("bigint", "select g * 1000000007::bigint from generate_series(-40, 40) as g"),
    ("smallint", "select g from generate_series(-40, 40) as g"),
    ("numeric(30, 0)", "select g * 100000000000000000000 from generate_series(-40, 40) as g"),
    ("uuid", "select md5(g::text)::uuid from generate_series(1, 81) as g"),
    ("text", "select md5(g::text) || chr(200 + g) from generate_series(1, 81) as g"),
    ('text collate "en-x-icu"', "select case g % 2 when 0 then 'a' else 'A' end || g from generate_series(1, 81) as g"),
    ("bytea", "select decode(md5(g::text), 'hex') from generate_series(1, 81) as g"),
    (
        "timestamptz",
        "select timestamptz '2026-03-29 01:00+00' + g * interval '1.000001 s' from generate_series(1, 81) as g",
    ),
    ("date", "select date '2026-01-01' + g from generate_series(1, 81) as g"),
]


def walk(harness: PostgresHarness, target: str, migration: Backfill) -> inchworm.report.Outcome:
    clock = FakeClock()
    runner = inchworm.Runner(
        target, [migration], clock=clock, first_rows=10, open_with=lambda t: harness.open(str(t), clock)
    )
    return runner.run()[migration.name]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("kind", "values"), KEYS)
def test_a_key_of_any_exact_type_is_walked_whole(harness: PostgresHarness, kind: str, values: str, order: str) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        f"create table t (id {kind} primary key, n int not null default 0)",
        f"insert into t (id) {values}",
    )
    migration = Backfill(
        name="walk",
        table="t",
        compute="select id from t where id between :first and :last",
        apply="update t set n = n + 1 where id = :id",
        guard="frozen",
        order="asc" if order == "asc" else "desc",
    )
    outcome = walk(harness, target, migration)
    assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 81, None)
    assert harness.rows(target, "select distinct n from t") == [(1,)]


def test_a_composite_key_of_mixed_types_is_walked_whole(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (day date, who text, n int not null default 0, primary key (day, who))",
        "insert into t select date '2026-01-01' + d, 'w' || w from generate_series(1, 9) d, generate_series(1, 9) w",
    )
    migration = Backfill(
        name="walk",
        table="t",
        key=("day", "who"),
        update="update t set n = n + 1 where (day, who) >= (:first_day, :first_who)"
        " and (day, who) <= (:last_day, :last_who)",
    )
    outcome = walk(harness, target, migration)
    assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 81, None)
    assert harness.rows(target, "select distinct n from t") == [(1,)]


def test_values_pass_through_a_transform_unharmed(harness: PostgresHarness) -> None:
    target = harness.fresh()
    columns = {
        "i2": ("smallint", "7::smallint"),
        "i8": ("bigint", "9223372036854775807"),
        "num": ("numeric", "12345678901234567890.123456789"),
        "whole": ("numeric", "100000000000000000000"),
        "f8": ("double precision", "0.1::float8 + 0.2::float8"),
        "yes": ("boolean", "true"),
        "doc": ("jsonb", "'{\"a\": [1, null]}'::jsonb"),
        "js": ("json", "'{\"a\":  1}'::json"),
        "at": ("timestamptz", "timestamptz '2026-11-01 01:30:00.123456+02'"),
        "day": ("date", "date '0044-03-15 BC'"),
        "took": ("interval", "interval '1 month -3 days 00:00:00.5'"),
        "tags": ("text[]", "array['a,b', null, '\"']"),
        "many": ("integer[]", "array[[1, 2], [3, 4]]"),
        "raw": ("bytea", "'\\x00ff'::bytea"),
        "span": ("int4range", "'[1,5)'::int4range"),
        "ip": ("inet", "'10.0.0.1/8'::inet"),
        "none": ("text", "null::text"),
    }
    both = ", ".join(f"{c} {kind}, {c}_new {kind}" for c, (kind, _) in columns.items())
    harness.execute(
        target,
        f"create table t (id int primary key, {both})",
        f"insert into t (id, {', '.join(columns)}) select g, {', '.join(v for _, v in columns.values())}"
        " from generate_series(1, 3) as g",
    )
    seen: list[object] = []

    def transform(rows: Sequence[inchworm.model.Row]) -> Sequence[inchworm.model.Row]:
        seen.extend(type(row[c]).__name__ for row in rows for c in ("i8", "whole", "num", "f8", "yes", "doc"))
        return rows

    sets = ", ".join(f"{c}_new = :{c}" for c in columns)
    migration = Backfill(
        name="copy",
        table="t",
        transform=transform,
        apply=f"update t set {sets} where id = :id",
        guard="compare",
        relies_on=tuple(columns),
    )
    assert walk(harness, target, migration).status is Status.DONE
    same = " and ".join(f"{c}::text is not distinct from {c}_new::text" for c in columns)
    assert harness.rows(target, f"select count(*) from t where {same} and raw_new is not null") == [(3,)]
    assert seen[:6] == ["int", "int", "Decimal", "float", "bool", "str"]


def test_matched_rows_are_told_per_row_and_in_order(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id int primary key, c int not null default 0)",
        "insert into t (id) select g from generate_series(1, 100) as g where g % 3 = 0",
    )
    rows = Rows(("c", "id"), [(g, g) for g in range(100, 0, -1)])
    with closing(connect(target)) as db, db.turn(limit_s=5.0) as turn:
        assert turn.apply("update t set c = :c where id = :id and c < :c", rows) == [
            g % 3 == 0 for g in range(100, 0, -1)
        ]
        assert not any(turn.apply("update t set c = :c where id = :id and c < :c", rows))
        assert turn.execute("with x as (select 1) update t set c = 0 where id <= :n", {"n": 30}) == 10


@pytest.mark.parametrize(
    ("table", "key", "problem"),
    [
        ("nowhere", ("id",), "there is no table nowhere"),
        ("T", ("id",), "folds to t"),
        ("t", ("nope",), "has no column nope"),
        ("t", ("maybe",), "holds NULL"),
        ("t", ("half",), "is not unique"),
        ("t", ("sideways",), "is not unique"),
        ("t", ("id", "maybe"), "is not unique"),
        ("t", ("a", "b"), None),
        ("t", ("id",), None),
    ],
)
def test_columns_that_cannot_be_a_key_are_refused_with_the_reason(
    harness: PostgresHarness, table: str, key: tuple[str, ...], problem: str | None
) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id int primary key, maybe int unique, half int not null, sideways text not null,"
        " a int not null, b int not null, unique (b, a))",
        "create unique index on t (half) where half > 0",
        'create unique index on t (sideways collate "en-x-icu")',
        "insert into t values (1, null, 1, 'x', 1, 1)",
    )
    with closing(connect(target)) as db:
        found = db.key_problem(table, key)
    assert (found is None) if problem is None else (problem in str(found))


def test_rows_are_estimated_over_partitions_and_never_by_a_scan(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table p (id int primary key) partition by range (id)",
        "create table p1 partition of p for values from (0) to (500)",
        "create table p2 partition of p for values from (500) to (5000)",
        "insert into p select generate_series(1, 1000)",
        "create table plain (id int primary key)",
    )
    with closing(connect(target)) as db:
        assert db.estimated_rows("plain") is None
        harness.execute(target, "analyze p", "analyze plain")
        assert db.estimated_rows("p") == 1000
        assert db.estimated_rows("nowhere") is None


def test_columns_with_capitals_are_counted_and_compared_as_they_are_spelled(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        'create table "Order" ("orderId" int primary key, "totalCents" int)',
        'insert into "Order" select generate_series(1, 30), 0',
    )
    migration = Backfill(
        name="camel",
        table="Order",
        key="orderId",
        compute='select "orderId", "orderId" * 2 as "totalCents" from "Order" where "orderId" between :first and :last',
        apply='update "Order" set "totalCents" = :totalCents where "orderId" = :orderId',
        guard="frozen",
    )
    outcome = walk(harness, target, migration)
    assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 30, None)
