"""`:name` becomes `$n` exactly where PostgreSQL would read a parameter."""

import pytest

from inchworm.errors import StatementRefused
from inchworm.postgres.parameters import translated

CASES = [
    ("select :a", "select $1", ("a",)),
    ("select :a, :b, :a", "select $1, $2, $3", ("a", "b", "a")),
    ("select x::int, :a::int, ':b', \":c\" from t", "select x::int, $1::int, ':b', \":c\" from t", ("a",)),
    ("select 1 -- :no\n, :yes /* :no /* :nested */ :no */", None, ("yes",)),
    ("select E'it\\'s :no', 'it''s :no', :yes", None, ("yes",)),
    ("select $$ :no $$, $tag$ :no $$ :no $tag$, :yes", None, ("yes",)),
    ("select a[1:2], a[lo:hi], a[f(x):hi], a[:lo], a[b[1]:hi]", None, ("lo",)),
    ("select f(x := 1, y => :y)", "select f(x := 1, y => $1)", ("y",)),
    ("select doc ? 'key', 7 % 2, '%s', doc->>:path", None, ("path",)),
    ("where a between:first and:last", "where a between$1 and$2", ("first", "last")),
    ("select pre$tag$ from t where id = :id", None, ("id",)),
]


@pytest.mark.parametrize(("sql", "text", "names"), CASES)
def test_parameters_are_found_where_postgresql_reads_one(sql: str, text: str | None, names: tuple[str, ...]) -> None:
    found = translated(sql)
    assert found.names == names
    if text is not None:
        assert found.text == text


def test_a_statement_of_numbered_parameters_is_refused_instead_of_misread() -> None:
    with pytest.raises(StatementRefused, match="written :name, not \\$1"):
        translated("update t set a = $1 where id = :id")


def test_a_dollar_inside_a_string_is_no_parameter() -> None:
    assert translated("select '$1', :a").names == ("a",)
