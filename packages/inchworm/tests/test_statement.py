"""SQL is read just far enough for guards, counting and parameters."""

import pytest

from inchworm.statement import (
    changes_what_it_matches,
    deletes_from,
    numbered,
    orders_its_own_column,
    parameters,
    target_of,
    update_shape,
)

ONE_WAY = [
    "update t set c = :c where id = :id and c < :c",
    "UPDATE main.t SET c = :c WHERE (id = :id) AND :c > c",
    'update "t" set "c" = :c where id = :id and coalesce(c, 0) < :c',
    "update t set c = :c where c is null and id = :id",
    "update t set c = :c where id between :first and :last and c = 0",
    "update or ignore t set c = :c where t.c < :c",
    "update only t set c = :c where ifnull((c), -1) < :c",
    "with x as (select 1) update t set (a, c) = (1, :c) where c <= :c returning id",
]
NOT_ONE_WAY = [
    "update t set c = :c where id = :id",
    "update t set c = :c where id = :id and c <> :c",
    "update t set c = :c where id = :id and c is not :c",
    "update t set c = :c where id = :id and d < :c",
    "update t set c = :c where id = :id or c < :c",
    "update t set c = :c where id = :id and c < :other",
    "update t set c = :c where id in (select id from u where c < :c)",
    "update t set c = :c where id = :id and not c < :c",
    "update t set c = :c where id = :id and not c is null",
    "update t set c = :c where id = :id and abs(c) < :c",
    "update t set c = :c where id = :id and c % 2 = 0",
    "update t set c = :c where id = :id and coalesce(d, c) < :c",
]


@pytest.mark.parametrize("sql", ONE_WAY)
def test_a_condition_that_orders_the_column_it_sets_is_a_guard(sql: str) -> None:
    shape = update_shape(sql)
    assert shape is not None
    assert orders_its_own_column(shape)


@pytest.mark.parametrize("sql", NOT_ONE_WAY)
def test_a_condition_that_could_write_an_older_value_over_a_newer_one_is_no_guard(sql: str) -> None:
    shape = update_shape(sql)
    assert shape is not None
    assert not orders_its_own_column(shape)


def test_a_match_is_a_change_only_when_the_new_value_is_excluded() -> None:
    def certain(sql: str) -> bool:
        shape = update_shape(sql)
        assert shape is not None
        return changes_what_it_matches(shape)

    assert certain("update t set c = :c where c < :c")
    assert certain("update t set c = :c where c is not :c")
    assert certain("update t set c = 0 where c is null")
    assert not certain("update t set c = :c where c is null")  # it may be NULL that is set
    assert not certain("update t set c = :c where not c <> :c")
    assert not certain("update t set c = :c where c <= :c")
    assert not certain("update t set c = null where c is null")
    assert not certain("update t set c = :c where c = 0")


def test_parameters_are_not_looked_for_in_strings_comments_and_casts() -> None:
    assert parameters("select ':no', x::int /* :no */ from t -- :no\n where a = :yes") == ("yes",)


def test_numbered_picks_the_columns_that_the_statement_uses() -> None:
    text, picks = numbered("update t set c = :c where id = :id and c < :c", ("id", "extra", "c"))
    assert (text, picks) == ("update t set c = ?1 where id = ?2 and c < ?1", (2, 0))


@pytest.mark.parametrize(
    ("sql", "target"),
    [
        ("update or ignore aux.T set c = 1", ("aux", "t")),
        ('with x as (select 1) insert or replace into "a b".t select * from x', ("a b", "t")),
        ("delete from t where id = :id", (None, "t")),
        ("replace into main.t values (1)", ("main", "t")),
        ("select 1", None),
    ],
)
def test_the_table_that_a_statement_writes_to_is_found(sql: str, target: tuple[str | None, str] | None) -> None:
    assert target_of(sql) == target


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("delete from main.T where id = :id", "t"),
        ("with old as (select 1) delete from t where id in old", "t"),
        ("update t set a = 1", None),
        ("insert into t select 1 from (select 'delete from u')", None),
    ],
)
def test_the_table_that_a_delete_empties_is_found(sql: str, table: str | None) -> None:
    assert deletes_from(sql) == table


def test_an_update_that_may_ignore_is_an_update_of_its_table() -> None:
    shape = update_shape("update or ignore t set id = :id where id = :old")
    assert shape is not None
    assert (shape.table, shape.columns) == ("t", ("id",))


def test_an_insert_has_no_update_shape() -> None:
    assert update_shape("insert into t (c) values (:c) on conflict (c) do update set c = 1") is None
