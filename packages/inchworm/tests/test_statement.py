"""SQL is read just far enough for guards, counting and parameters."""

import pytest

from inchworm.statement import (
    changes_what_it_matches,
    numbered,
    orders_its_own_column,
    parameters,
    update_shape,
)

ONE_WAY = [
    "update t set c = :c where id = :id and c < :c",
    "UPDATE main.t SET c = :c WHERE (id = :id) AND :c > c",
    'update "t" set "c" = :c where id = :id and coalesce(c, 0) < :c',
    "update t set c = :c where c is null and id = :id",
    "update t set c = :c where id between :first and :last and c = 0",
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
    assert certain("update t set c = :c where c is null")
    assert not certain("update t set c = :c where c <= :c")
    assert not certain("update t set c = null where c is null")
    assert not certain("update t set c = :c where c = 0")


def test_parameters_are_not_looked_for_in_strings_comments_and_casts() -> None:
    assert parameters("select ':no', x::int /* :no */ from t -- :no\n where a = :yes") == ("yes",)


def test_numbered_picks_the_columns_that_the_statement_uses() -> None:
    text, picks = numbered("update t set c = :c where id = :id and c < :c", ("id", "extra", "c"))
    assert (text, picks) == ("update t set c = ?1 where id = ?2 and c < ?1", (2, 0))


def test_an_insert_has_no_update_shape() -> None:
    assert update_shape("insert into t (c) values (:c) on conflict (c) do update set c = 1") is None
