"""The plugin's own example passes every hazard, wrong migrations do not, and projects that ask for nothing get it."""

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import inchworm
from inchworm.testing import plugin
from inchworm.testing.hazards import HAZARDS, Ordeal


def example() -> str:
    """The example of the plugin's documentation, as a test file."""
    lines = inspect.getdoc(plugin).splitlines()  # type: ignore[union-attr]
    code = [line for line in lines if line.startswith("    ") or not line]
    return textwrap.dedent("\n".join(code))


def pytest_on(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_mine.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_the_documented_example_survives_every_hazard(tmp_path: Path) -> None:
    ran = pytest_on(tmp_path, example())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(HAZARDS)} passed" in ran.stdout


def test_a_project_that_asks_for_nothing_gets_nothing(tmp_path: Path) -> None:
    text = "import sys\ndef test_quiet():\n    assert 'inchworm.testing.hazards' not in sys.modules\n"
    ran = pytest_on(tmp_path, text, "-W", "error")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_hazards_can_be_chosen_and_a_misspelt_one_is_said(tmp_path: Path) -> None:
    mark = "import pytest\n@pytest.mark.inchworm_hazards({names})\ndef test_one(inchworm_hazard): pass\n"
    assert "1 passed" in pytest_on(tmp_path, mark.format(names="'orphans'")).stdout
    wrong = pytest_on(tmp_path, mark.format(names="'orphnas'"))
    assert wrong.returncode != 0
    assert "no such hazard: orphnas" in wrong.stdout + wrong.stderr


def names(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    exec(compile(text, "example", "exec"), found)
    return found


MINE = names(example())


@pytest.mark.parametrize(
    ("changed", "caught_by"),
    [
        ({"guard": "frozen"}, "a live writer changes the same rows"),
        (
            {
                "compute": "select order_id as id, sum(distinct price) as total from lines"
                " where order_id between :first and :last group by 1"
            },
            "duplicates",
        ),
        (
            {
                "compute": "select order_id as id, total(price) as total from lines"
                " where order_id between :first and :last group by 1"
            },
            "nulls",
        ),
        (
            {"apply": "update orders set total = coalesce(total, 0) + :total where id = :id", "guard": "frozen"},
            "a live writer changes the same rows",
        ),
    ],
)
def test_a_migration_with_a_mistake_does_not_survive(tmp_path: Path, changed: dict[str, str], caught_by: str) -> None:
    totals = MINE["totals"]
    assert isinstance(totals, inchworm.Backfill)
    given = {"name": "wrong", "table": "orders", "compute": totals.compute, "apply": totals.apply, "guard": "reread"}
    migration = inchworm.Backfill(**(given | changed))
    with pytest.raises(AssertionError):
        Ordeal(caught_by, tmp_path).survived_by(migration, MINE["make"], MINE["wrong"], live=MINE["buy"])  # type: ignore[arg-type]


def test_every_hazard_can_fail(tmp_path: Path) -> None:
    def always_wrong(connection: object) -> list[int]:
        return [1]

    for at, name in enumerate(HAZARDS):
        folder = tmp_path / str(at)
        folder.mkdir()
        with pytest.raises(AssertionError):
            Ordeal(name, folder).survived_by(MINE["totals"], MINE["make"], always_wrong, live=MINE["buy"])  # type: ignore[arg-type]


def test_a_hazard_that_the_schema_has_no_place_for_is_skipped(tmp_path: Path) -> None:
    migration = inchworm.Backfill(name="m", table="t", update="update t set n = 1 where id between :first and :last")
    with pytest.raises(pytest.skip.Exception, match="reads no other table"):
        Ordeal("orphans", tmp_path).survived_by(
            migration, lambda c: c.execute("create table t (id integer primary key, n int)"), lambda c: None
        )


def test_every_hazard_says_in_a_sentence_what_it_does() -> None:
    assert all((hazard.__doc__ or "").rstrip().endswith(".") for hazard in HAZARDS.values())
