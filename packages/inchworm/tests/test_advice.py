"""The index that a statement lacks is named from its text."""

import pytest

from inchworm.advice import accesses, suggest, table_names

COLUMNS = {
    "transmissions": ("id", "hash", "last_seen"),
    "observations": ("id", "transmission_id", "timestamp", "raw", "observer"),
}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        (
            "select transmission_id as id, max(timestamp) as last_seen from observations"
            " where transmission_id between :first and :last group by 1",
            ("transmission_id", "timestamp"),
        ),
        (
            "update transmissions set last_seen = (select max(o.timestamp) from observations o"
            " where o.transmission_id = transmissions.id) where id between :first and :last",
            ("transmission_id", "timestamp"),
        ),
        (
            "select t.id from transmissions as t join observations as obs on obs.transmission_id = t.id"
            " where obs.observer = 'x' and t.id between :first and :last",
            ("transmission_id", "observer"),
        ),
        (
            "select id, raw from observations where timestamp > :first and observer = 'a' and timestamp <= :last",
            ("observer", "timestamp", "id", "raw"),
        ),
        ("select max(timestamp) from observations", None),
    ],
)
def test_compared_columns_come_first_and_read_ones_follow(sql: str, columns: tuple[str, ...] | None) -> None:
    index = suggest(sql, "observations", COLUMNS)
    assert (None if index is None else index.columns) == columns


def test_a_column_that_two_tables_have_is_not_guessed() -> None:
    sql = "select max(timestamp) from observations, transmissions where id = :first and transmission_id = :last"
    index = suggest(sql, "observations", COLUMNS)
    assert index is not None
    assert "id" not in index.columns


def test_assigned_columns_are_not_compared_columns() -> None:
    index = suggest("update transmissions set last_seen = :x where hash = :h", "transmissions", COLUMNS)
    assert index is not None
    assert index.create == "create index transmissions_hash on transmissions (hash)"


def test_names_that_are_no_words_are_quoted() -> None:
    index = suggest('select "my col" from "my table" where "my col" = 1', "my table", {"my table": ("my col",)})
    assert index is not None
    assert index.create.endswith('on "my table" ("my col")')


def test_aliases_stand_for_their_tables() -> None:
    assert table_names("select 1, 2 from observations o, other join main.transmissions as t on t.a = 1, 3") == {
        "observations": "observations",
        "o": "observations",
        "other": "other",
        "transmissions": "transmissions",
        "t": "transmissions",
    }


@pytest.mark.parametrize(
    ("line", "scans", "index", "covering"),
    [
        ("SCAN o", True, None, False),
        ("SCAN TABLE observations AS o", True, None, False),
        ("SEARCH o", True, None, False),
        ("SEARCH o USING INDEX obs_tx (transmission_id=?)", False, "obs_tx", False),
        ("SEARCH o USING COVERING INDEX obs_tx (transmission_id=?)", False, "obs_tx", True),
        ("SEARCH o USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", False, None, False),
        ("SCAN o USING COVERING INDEX obs_tx", True, "obs_tx", True),
    ],
)
def test_plans_of_several_sqlite_versions_are_read(line: str, scans: bool, index: str | None, covering: bool) -> None:
    found = accesses([line, "USE TEMP B-TREE FOR GROUP BY"], "select 1 from observations o")
    assert [(a.table, a.scans, a.index, a.covering) for a in found] == [("observations", scans, index, covering)]


def test_an_automatic_index_is_seen_as_built_for_each_slice() -> None:
    line = "SEARCH o USING AUTOMATIC COVERING INDEX (transmission_id=?)"
    assert accesses([line], "select 1 from observations o")[0].automatic
