"""The command line over a postgresql:// URL: every command, as over a file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inchworm.cli.exits import Exit
from inchworm.cli.root import inchworm as command

from .server import PostgresHarness

pytestmark = pytest.mark.postgres

MOVES = """
import inchworm
GOOD = inchworm.Backfill(
    name="good", table="t",
    compute="select id, a + 1 as b from t where id between :first and :last",
    apply="update t set b = :b where id = :id and b is null", guard="monotone",
    verify="select id from t where id between :first and :last and b is distinct from a + 1",
)
"""


def call(url: str, name: str, *rest: str) -> Result:
    result = CliRunner().invoke(command, [name, "--db", url, *rest])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def url(harness: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "moves_postgres.py").write_text(MOVES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    target = harness.fresh()
    harness.execute(
        target,
        "create table t (id integer primary key, a integer, b integer)",
        "insert into t (id, a) select n, n from generate_series(1, 500) n",
    )
    return target


def test_run_status_verify_and_verbs_work_over_a_url(url: str) -> None:
    result = call(url, "run", "moves_postgres:GOOD")
    assert result.exit_code == Exit.OK, result.output
    assert "500 rows examined: 500 changed" in result.output
    assert json.loads(call(url, "status", "--json").stdout)[0]["status"] == "done"
    assert "good: holds" in call(url, "verify", "moves_postgres:GOOD").output
    assert call(url, "pause", "good").exit_code == Exit.REFUSED


def test_plan_forecasts_and_explains_and_doctor_examines_the_server(url: str) -> None:
    result = call(url, "plan", "moves_postgres:GOOD", "--explain", "--stall-budget-ms", "10000")
    assert result.exit_code == Exit.OK, result.output
    assert "good: 500 rows in about" in result.output
    assert "log written" in result.output
    assert "SEARCH t USING" in result.output
    result = call(url, "doctor", "moves_postgres:GOOD")
    assert result.exit_code == Exit.OK, result.output
    assert "lock_timeout is 0" in result.output
    assert not json.loads(call(url, "status", "--json").stdout)


def test_an_unreachable_server_is_one_sentence() -> None:
    result = call("postgresql://nobody@127.0.0.1:1/nowhere", "status")
    assert result.exit_code == Exit.DATABASE
    assert result.stderr.startswith("inchworm: ")
